package cli

import (
	"regexp"
	"strings"
	"testing"
)

// TestTornAlone: of a device that has sent nothing whole the time of what it sent is written as
// elsewhere.
func TestTornAlone(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.announce(t, "fw1", gate("fw1", "s", "web", "x")[:200], 500)
		const when = `[0-9-]{10} [0-9:]{8}(Z|[+-][0-9:]{5})`
		for args, want := range map[string]string{
			"show fw1":                 `its newest torn capture is @1 of ` + when + `\n`,
			"publish fw1":              `its newest torn capture is @1 of ` + when + `\n`,
			"show fw1 --at 2001-02-03": `no capture of /fw1 as of 2001-02-0[34] [0-9:]{8}`,
		} {
			if status, _, errs := p.do(t, strings.Fields(args)...); status != 1 ||
				!regexp.MustCompile(want).MatchString(errs) {
				t.Errorf("%s: exit status %d, %s", args, status, errs)
			}
		}
	})
}
