package cli

import (
	"strings"
	"testing"
)

// TestMisspelt: each command that reads settings warns once of a variable that is none, on stderr.
func TestMisspelt(t *testing.T) {
	url := databases["sqlite"](t)
	p := launch(t, url, []string{"TFTP_ALOW=any"}, `msg=listening address=(\S+)`)
	p.put(t, "fw1.conf", gate("fw1", "s", "web", "x"))
	environ := []string{"DATABASE_URL=" + url, "TFTP_ALOW=any", "HTTP_ADDR=none"}
	for args, want := range map[string]int{
		"devices --json": 1, "log --json": 1, "show fw1": 1, "search web": 1,
		"publish --list": 1, "healthcheck": 1, "prune --dry-run": 1, "migrate version": 1,
		"spool": 1, "failures --json": 1,
		"version": 0, "--version": 0, "put x y:99999": 0, "help": 0, "completion bash": 0,
		"__complete dev": 0,
	} {
		_, out, errs := do(t, environ, strings.Fields(args)...)
		if n := strings.Count(errs, "TFTP_ALOW"); n != want || strings.Contains(out, "TFTP_ALOW") {
			t.Errorf("%s warns %d times, want %d:\n%s%s", args, n, want, out, errs)
		}
		if list := []any(nil); strings.HasSuffix(args, "--json") {
			unmarshal(t, out, &list)
		}
	}
	if n := strings.Count(p.log.String(), "TFTP_ALOW"); n != 1 {
		t.Errorf("the server warns %d times:\n%s", n, p.log)
	}
}
