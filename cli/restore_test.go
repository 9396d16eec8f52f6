package cli

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/tftp"
)

// wireRestore is what restore --json prints.
type wireRestore struct {
	Version   wireCapture      `json:"version"`
	Newest    *wireCapture     `json:"newest"`
	Added     int              `json:"added"`
	Removed   int              `json:"removed"`
	Warnings  []string         `json:"warnings"`
	Published *wirePublication `json:"published"`
	Fetch     string           `json:"fetch"`
	Then      string           `json:"then"`
	FetchedBy string           `json:"fetched_by"`
	FetchedAt *string          `json:"fetched_at"`
}

// TestRestore walks through giving a version back: what it means, the same publication and line as
// publish has, and the device that fetches it.
func TestRestore(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		old := gate("fw1", "salt1", "web", "192.0.2.53")
		p.put(t, "fw1.conf", old)
		p.put(t, "fw1.conf", strings.ReplaceAll(gate("fw1", "salt2", "mail", "192.0.2.53"),
			"FGT60F-7.4.7", "FGT61F-7.4.8"))
		var plan wireRestore
		unmarshal(t, p.must(t, "restore", "fw1~1", "--dry-run", "--json"), &plan)
		if plan.Version.ID != 1 || plan.Newest == nil || plan.Newest.ID != 2 ||
			plan.Published != nil || plan.FetchedAt != nil || len(plan.Warnings) != 2 ||
			!strings.HasPrefix(plan.Warnings[0], "its model is FGT60F, and the device's newest "+
				"is FGT61F:") ||
			!strings.HasPrefix(plan.Warnings[1], "its version is 7.4.7, and ") ||
			plan.Fetch != "execute restore config tftp NAME SERVER" {
			t.Errorf("--dry-run: %+v", plan)
		}
		if list := p.must(t, "publish", "--list"); strings.Count(list, "\n") != 1 {
			t.Errorf("--dry-run has published:\n%s", list)
		}
		published := func() []wirePublication {
			var list []wirePublication
			unmarshal(t, p.must(t, "publish", "--list", "--json"), &list)
			for i := range list {
				list[i].PublishedAt, list[i].ExpiresAt = "", nil
			}
			return list
		}
		flags := []string{"fw1~1", "--as", "x.conf", "--once", "--to", "127.0.0.1"}
		line := p.must(t, append([]string{"publish"}, flags...)...)
		want := published()
		p.must(t, "unpublish", "x.conf")
		out := p.must(t, append([]string{"restore"}, flags...)...)
		if got := published(); len(got) != 1 || got[0] != want[0] ||
			!strings.Contains(out, "\ntype       "+line) {
			t.Errorf("restore publishes %+v and publish %+v, with the line %q in\n%s", got, want,
				line, out)
		}
		if got := p.must(t, "restore", "fw1", "--dry-run"); !strings.Contains(got,
			"it is the same\n") || strings.Contains(got, "warning") {
			t.Errorf("the newest: %s", got)
		}
		watched := newLog()
		status := make(chan int, 1)
		go func() {
			status <- Run(t.Context(), "", []string{"restore", "fw1~1", "--wait"},
				[]string{"DATABASE_URL=" + url}, watched, watched)
		}()
		name := watched.wait(t, `published +(\S+), until`)[1]
		watched.wait(t, `waiting +until the device has fetched it`)
		body, err := (&tftp.Client{}).Get(t.Context(), p.addr, name)
		if err != nil || string(body) != old {
			t.Errorf("%d bytes came, %v", len(body), err)
		}
		watched.wait(t, `fetched +by 127\.0\.0\.1 at \S+ \S+\n`)
		if code := <-status; code != 0 {
			t.Errorf("exit status %d: %s", code, watched)
		}
		unmarshal(t, p.must(t, "restore", "fw1~1", "--as", name, "--json"), &plan)
		if plan.Published == nil || plan.Published.Name != name || plan.FetchedAt != nil {
			t.Errorf("published anew: %+v", plan)
		}
	})
}

// TestNobodyFetches: a wait ends with the publication, and when it is interrupted.
func TestNobodyFetches(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.put(t, "fw1.conf", fortigate("fw1", "192.0.2.53"))
		status, _, errs := p.do(t, "restore", "fw1", "--wait", "--for", "1s")
		if status != 1 || !strings.Contains(errs, "nobody has fetched it") {
			t.Errorf("expired: %d %s", status, errs)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		watched := newLog()
		ended := make(chan int, 1)
		go func() {
			ended <- Run(ctx, "", []string{"restore", "fw1", "--wait", "--as", "kept"},
				[]string{"DATABASE_URL=" + url}, watched, watched)
		}()
		watched.wait(t, "waiting ")
		interrupt()
		if code := <-ended; code != 1 || !strings.Contains(watched.String(), "interrupted") {
			t.Errorf("interrupted: %d %s", code, watched)
		}
		if list := p.must(t, "publish", "--list"); !strings.Contains(list, "kept ") {
			t.Errorf("after the interruption is published:\n%s", list)
		}
		for _, args := range [][]string{{"restore"}, {"restore", "fw1", "--dry-run", "--wait"},
			{"restore", "fw1", "--to", "x"}} {
			if status, _, errs := p.do(t, args...); status != 2 {
				t.Errorf("%q: %d %s", args, status, errs)
			}
		}
	})
}

// TestDoubts: what speaks against giving a capture back is said.
func TestDoubts(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t))
	encrypted, err := os.ReadFile("device/testdata/fortinet.encrypted.conf")
	if err != nil {
		t.Fatal(err)
	}
	whole := gate("fw1", "s", "web", "192.0.2.53")
	p.put(t, "fw1.conf", whole)             // @1
	p.put(t, "fw1.conf", string(encrypted)) // @2
	p.put(t, "cabling", "rack 4\n")         // @3
	p.must(t, "device", "merge", "cabling", "fw1", "--yes")
	p.put(t, "fw1.conf", whole[:len(whole)/2]) // @4
	for ref, want := range map[string]string{
		"@2": "it is encrypted: .*\nwarning +it is of kind encrypted, and .* is of kind full",
		"@4": "it is torn: it may be half a configuration",
		"@1": "the device has sent a torn capture since, @4 of",
		"@3": "it is of kind other, and the device's configuration is of kind full",
	} {
		out := p.must(t, "restore", ref, "--dry-run")
		if !regexp.MustCompile(`\nwarning +` + want).MatchString(out) {
			t.Errorf("%s:\n%s", ref, out)
		}
	}
	status, out, errs := do(t, []string{"DATABASE_URL=" + p.url, "TFTP_READ=none"}, "restore",
		"@1", "--dry-run")
	if status != 0 || !strings.Contains(out, "warning    TFTP_READ is none here") {
		t.Errorf("TFTP_READ=none: %d %s %s", status, out, errs)
	}
}
