package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// TestFailures: the overview counts failures, not rows, and a file that only a failure's detail
// names has its name in the column.
func TestFailures(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		now := time.Now()
		err := s.store.NoteFailures(t.Context(), []store.Failure{
			{Source: "192.0.2.7", Reason: "not allowed", First: now, Last: now, Times: 8,
				Detail: `"acme/fw7.conf": not among those that are served`},
			{Source: "192.0.2.8", Reason: "torn", Filename: "fw8.conf", First: now, Last: now,
				Times: 2}})
		if err != nil {
			t.Fatal(err)
		}
		c := s.browser(t, store.Admin, nil)
		for path, wants := range map[string][]string{
			"/":         {"<b>10</b> failures in 24 h", ">acme/fw7.conf<", ">fw8.conf<"},
			"/failures": {">acme/fw7.conf<", ">fw8.conf<"},
		} {
			_, body := s.get(t, c, path)
			for _, want := range wants {
				if !strings.Contains(body, want) {
					t.Errorf("%s has no %s:\n%s", path, want, body)
				}
			}
		}
	})
}
