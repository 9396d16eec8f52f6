package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/store"
)

// TestActions: what an operator and an admin do is done, and stands in the audit.
func TestActions(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		second := s.put(t, "acme", "fw1", gate("fw1", "26", "AAAAAAAA", "lan-out"))
		s.put(t, "acme", "old", gate("old", "04", "BBBBBBBB", "dmz"))
		c := s.browser(t, store.Admin, nil)
		for _, step := range []struct {
			path string
			form url.Values
			want string // in the page that follows
		}{
			{"/published", url.Values{"id": {id(second)}, "for": {"2h"}, "once": {"1"}},
				"execute restore config tftp"},
			{"/d/acme/fw1/expect", url.Values{"every": {"1d"}}, "must send every 24 h"},
			{"/d/acme/old/merge", url.Values{"into": {"acme/fw1"}}, "acme/old"},
			{"/d/acme/fw1/rename", url.Values{"name": {"edge"}}, "acme/edge"},
			{"/d/acme/edge/retire", nil, "retired"},
			{"/users", url.Values{"name": {"ann"}, "role": {"viewer"}, "sites": {"acme"},
				"password": {"correct horse"}}, "viewer of [&#34;acme&#34;]"},
			{"/users/remove", url.Values{"name": {"ann"}}, "No users yet"},
			{"/tokens", url.Values{"name": {"nms"}, "role": {"reader"}, "for": {"1y"}},
				"It is shown this once"},
			{"/tokens/remove", url.Values{"name": {"nms"}}, "No tokens yet"},
			{"/alarms", url.Values{"name": {"hook"}, "url": {"https://192.0.2.1/x"}},
				"whsec_"},
			{"/alarms/pause", url.Values{"name": {"hook"}, "for": {"2h"}}, "paused until"},
			{"/alarms/pause", url.Values{"name": {"hook"}}, ">ok<"},
			{"/alarms/remove", url.Values{"name": {"hook"}}, "Nobody is told yet"},
			{"/d/acme/edge/forget", url.Values{"confirm": {"edge"}}, "No device matches"},
		} {
			code, body := s.post(t, c, step.path, step.form)
			if code != http.StatusOK || !strings.Contains(body, step.want) {
				t.Errorf("%s: %d, no %q in\n%s", step.path, code, step.want, body)
			}
		}
		_, audit := s.get(t, c, "/audit")
		for _, want := range []string{"publish", "expect", "merge", "rename", "retire", "add user",
			"remove user", "add token", "remove token", "add channel", "forget"} {
			if !strings.Contains(audit, "<td>"+want+"</td>") {
				t.Errorf("the audit has no %q", want)
			}
		}
		if strings.Contains(audit, "correct horse") {
			t.Error("a password stands in the audit")
		}
	})
}
