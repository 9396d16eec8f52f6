package cli

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDemo: a fleet comes into an empty database by itself, beside a server or without one. What
// the demo prints leads on: each command has something to show, and the link opens the page.
func TestDemo(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url, "--http", "127.0.0.1:0")
		out := p.must(t, "demo", "--http", strings.TrimPrefix(p.page(t), "http://"))
		var devices []wireDevice
		unmarshal(t, p.must(t, "devices", "--json"), &devices)
		var platforms, silent, torn []string
		for _, d := range devices {
			if d.NamedBy != "config" {
				t.Errorf("%s has its name from its %s", d.Name, d.NamedBy)
			}
			platforms = append(platforms, d.Platform)
			if d.OverdueSince != nil {
				silent = append(silent, d.Name)
			}
			if !d.Complete {
				torn = append(torn, d.Name)
			}
		}
		slices.Sort(platforms)
		if len(devices) != 10 || len(slices.Compact(platforms)) != 7 ||
			!slices.Equal(silent, []string{"sw-globex"}) ||
			!slices.Equal(torn, []string{"leaf-initech-2"}) {
			t.Errorf("%d devices of %q; %q are silent and %q torn", len(devices), platforms,
				silent, torn)
		}
		// thirty nights of noise, and four changes
		var log []wireCapture
		unmarshal(t, p.must(t, "log", "fw-acme", "--all", "--json"), &log)
		contents := map[string]bool{}
		changes := 0
		for _, c := range log {
			contents[c.SHA256] = true
			if c.Changed {
				changes++
			}
		}
		if len(log) != 30 || len(contents) != 30 || changes != 5 {
			t.Errorf("%d captures, %d contents, %d changes", len(log), len(contents), changes)
		}
		commands := regexp.MustCompile(`(?m)^  tftpsql (.*)$`).FindAllStringSubmatch(out, -1)
		if len(commands) < 5 {
			t.Errorf("no commands: %s", out)
		}
		for _, c := range commands {
			args := strings.Fields(strings.ReplaceAll(c[1], "'", ""))
			status, shown, errs := p.do(t, args...)
			overdue := slices.Contains(args, "--overdue") && status == 1
			if status != 0 && !overdue || strings.Count(shown, "\n") == 0 {
				t.Errorf("%s: %d %s %s", c[1], status, shown, errs)
			}
		}
		link := regexp.MustCompile(`(?m)^http://.*/link/.*$`).FindString(out)
		r, body := fetch(t, visitor(t), http.MethodPost, link)
		if r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s %s", link, r.Status, body)
		}
		status, _, errs := p.do(t, "demo")
		if status != 1 || !strings.Contains(errs, "demo --database sqlite:demo.db") {
			t.Errorf("a second time: %d %s", status, errs)
		}
		if again := p.must(t, "log", "-n", "0", "--json"); strings.Count(again, `"uid"`) != 295 {
			t.Errorf("%d captures", strings.Count(again, `"uid"`))
		}
	})
}

// TestDemoAlone: without any database there is one afterwards.
func TestDemoAlone(t *testing.T) {
	t.Parallel()
	p := &program{url: databases["sqlite"](t)}
	if out := p.must(t, "demo", "--http", "none"); strings.Contains(out, "/link/") {
		t.Errorf("a link to no page: %s", out)
	}
	if out := p.must(t, "show", "rt-initech", "--redact"); strings.Contains(out, "made-up-p") {
		t.Errorf("the password is shown: %s", out)
	}
}
