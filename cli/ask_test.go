package cli

import (
	"regexp"
	"strings"
	"testing"
)

// TestLogOfMany: what changed at a site since a time, across devices, with the differences.
func TestLogOfMany(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		for _, c := range []struct{ file, name, policy string }{
			{"acme/a.conf", "fw1", "web"}, {"acme/a.conf", "fw1", "web"},
			{"acme/a.conf", "fw1", "mail"},
			{"acme/b.conf", "fw2", "web"}, {"globex/c.conf", "fw3", "web"},
		} {
			p.put(t, c.file, gate(c.name, "salt", c.policy, "192.0.2.53"))
		}
		refs := func(args ...string) string {
			t.Helper()
			var found []string
			for line := range strings.Lines(p.must(t, append([]string{"log"}, args...)...)) {
				if ref := strings.Fields(line)[0]; strings.HasPrefix(ref, "@") {
					found = append(found, ref)
				}
			}
			return strings.Join(found, " ")
		}
		for args, want := range map[string]string{
			"acme/*": "@4 @3 @2 @1", "--site=acme --changed": "@4 @3 @1",
			"--since=1h":                  "@5 @4 @3 @2 @1",
			"* --changed --since=1h -n 2": "@5 @4", "acme/* --path=policy": "@4 @3 @1",
			"fw1 --since=1h":         "@3 @1",
			"--site=acme --path dns": "@4 @1", "fw1 --all --changed": "@3 @1",
			"fw1 --since 2099-01-01": "",
		} {
			if got := refs(strings.Fields(args)...); got != want {
				t.Errorf("log %s: %s, want %s", args, got, want)
			}
		}
		out := p.must(t, "log", "--site", "acme", "--since", "1h", "--diff")
		if strings.Count(out, "\n+++ acme/fw1\t") != 2 ||
			strings.Count(out, "\n+++ acme/fw2\t") != 1 ||
			!strings.Contains(out, "\n-        set name \"web\"\n+        set name \"mail\"\n") &&
				!regexp.MustCompile(`(?m)^-.*web.*\n\+.*mail`).MatchString(out) {
			t.Errorf("log --diff:\n%s", out)
		}
		for _, args := range [][]string{{"log", "--path", "dns"}, {"log", "--site", "nosuch"},
			{"log", "["},
			{"search", "web", "--platform", "FortiGate"}, {"devices", "--os", "<"},
			{"devices", "--silent", "soon"},
			{"watch", "--after", "x"}, {"diff", "fw1", "fw2", "--since", "1h"}} {
			if status, _, errs := p.do(t, args...); status != 2 || errs == "" {
				t.Errorf("%q: exit status %d, %s", args, status, errs)
			}
		}
		if _, _, errs := p.do(t, "devices", "--platform", "FortiGate"); !strings.Contains(errs,
			"there are: fortinet") {
			t.Errorf("an unknown platform: %s", errs)
		}
	})
}

// TestDiffHeads: a device's difference is headed by the captures that brought the changes, and
// --since goes back to a time.
func TestDiffHeads(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		for _, policy := range []string{"one", "one", "two", "two", "three", "three"} {
			p.put(t, "a.conf", gate("fw1", "salt", policy, "192.0.2.53"))
		}
		heads := func(args ...string) string {
			t.Helper()
			_, out, errs := p.do(t, append([]string{"diff"}, args...)...)
			return strings.Join(regexp.MustCompile(`@\d+ full(?:, seen)?`).FindAllString(out, 2),
				" | ") + errs
		}
		for args, want := range map[string]string{
			"fw1": "@3 full, seen | @5 full, seen", "fw1~1": "@1 full, seen | @3 full, seen",
			"@5":    "@3 full, seen | @5 full",
			"@2 @6": "@2 full | @6 full", "fw1~2 fw1": "@1 full, seen | @5 full, seen",
		} {
			if got := heads(strings.Fields(args)...); got != want {
				t.Errorf("diff %s: %s, want %s", args, got, want)
			}
		}
		if status, out, errs := p.do(t, "diff", "fw1", "--since", "today"); status != 0 ||
			out != "" {
			t.Errorf("diff --since today: %d %s %s", status, out, errs)
		}
		if status, _, errs := p.do(t, "diff", "fw1", "--since", "2020-01-01"); status != 1 {
			t.Errorf("diff --since before all: %d %s", status, errs)
		}
	})
}

// TestLogFlags: flags of log pick what they say, also together. A filter that picks no device is an
// error.
func TestLogFlags(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		for _, policy := range []string{"one", "two", "two", "two"} {
			p.put(t, "fw1.conf", gate("fw1", "salt", policy, "192.0.2.53"))
		}
		p.put(t, "acme/fw1.conf", gate("fw1", "salt", "one", "192.0.2.53")[:300]) // torn
		for args, want := range map[string]string{
			"/fw1 --all --changed -n 1": "@2", "/fw1 --all --diff": "@2 @1",
			"fw1 --site=": "@4 @3 @2 @1", "fw1 --site acme": "@5", "* --changed": "@5 @2 @1",
			"/fw1 --all --since today -n 2": "@4 @3",
		} {
			out := p.must(t, append([]string{"log"}, strings.Fields(args)...)...)
			got := strings.Join(regexp.MustCompile(`(?m)^@\d+`).FindAllString(out, -1), " ")
			if got != want {
				t.Errorf("log %s: %s, want %s", args, got, want)
			}
		}
		for args, want := range map[string]string{
			"/fw1 --site acme": "no device matches", "nobody*": "no device matches",
			"fw1 --site nosuch":  "there are: acme, and devices without a site",
			"/fw1 --json --diff": "doesn't go with --json",
		} {
			status, out, errs := p.do(t, append([]string{"log"}, strings.Fields(args)...)...)
			if status == 0 || !strings.Contains(errs, want) {
				t.Errorf("log %s: %d %s%s", args, status, out, errs)
			}
		}
		_, out, errs := p.do(t, "log", "acme/*", "--diff")
		if strings.Contains(out, "@@") || !strings.Contains(errs, "@5 of acme/fw1: it is torn") {
			t.Errorf("the difference of a torn capture: %s%s", out, errs)
		}
		if _, _, errs := p.do(t, "log", "*", "--path", "nope"); !strings.Contains(errs,
			"a path is written as") {
			t.Errorf("a path that nothing has: %s", errs)
		}
	})
}

// TestDevicesBySite: devices are picked by version and silence, and counted by site.
func TestDevicesBySite(t *testing.T) {
	p := start(t, databases["sqlite"](t))
	p.put(t, "acme/a.conf", gate("fw1", "salt", "web", "1"))
	p.put(t, "acme/b.conf", gate("fw2", "salt", "web", "1"))
	p.put(t, "c.conf", gate("fw3", "salt", "web", "1"))
	out := p.must(t, "devices", "--per-site")
	if !regexp.MustCompile(`(?m)^-  +1  +0 .*\nacme  +2  +0 `).MatchString(out) {
		t.Errorf("devices --per-site:\n%s", out)
	}
	for args, want := range map[string]int{"--os=<99": 3, "--os=>99": 0, "--silent=2d": 0,
		"--silent=1ms": 3} {
		if got := strings.Count(p.must(t, "devices", args), "\n") - 1; got != want {
			t.Errorf("devices %s: %d, want %d", args, got, want)
		}
	}
}
