package cli

import (
	"context"
	"strings"
	"testing"
)

// TestWatchFromBeyond: watch goes on from the newest capture where it was to go on from a number
// that there isn't yet, as in a database that was made anew, and says so.
func TestWatchFromBeyond(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		for _, after := range []string{"999", "@999"} {
			p.put(t, "fw1.conf", gate("fw1", "s", after, "x"))
			out, errs := newLog(), newLog()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan int, 1)
			go func() {
				ended <- Run(ctx, "", []string{"watch", "--after", after},
					[]string{"DATABASE_URL=" + url}, out, errs)
			}()
			errs.wait(t, "no capture has that number yet.*after=999")
			errs.wait(t, "watching\n")
			p.put(t, "fw2.conf", gate("fw2", "s", after, "x"))
			out.wait(t, "fw2.*changed")
			if strings.Contains(out.String(), "fw1") {
				t.Errorf("what was there before is printed:\n%s", out)
			}
			cancel()
			if status := <-ended; status != 0 {
				t.Errorf("exit status %d: %s", status, errs)
			}
		}
	})
}
