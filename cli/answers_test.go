package cli

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSaysWhatWasDone: a command that changes something says in a line what.
func TestSaysWhatWasDone(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.put(t, "acme/fw1.conf", gate("fw1", "s", "web", "x"))
		p.must(t, "publish", "fw1", "--as", "fw1.conf")
		for args, want := range map[string]string{
			"unpublish /fw1.conf": "fw1.conf is no longer published\n",
			"device retire fw1": "acme/fw1 is retired: nothing is expected of it until it sends " +
				"again\n",
			"device expect fw1 36h": "acme/fw1 is expected to send every 36h\n",
			"device expect fw1 7d":  "acme/fw1 is expected to send every 7d\n",
			"device expect fw1 0":   "acme/fw1 is expected to send as often as it does by itself\n",
		} {
			if got := p.must(t, strings.Fields(args)...); got != want {
				t.Errorf("%s says %q, want %q", args, got, want)
			}
		}
	})
}

// TestCaptureForDevice: where a command takes a device, it says which one a capture is of.
func TestCaptureForDevice(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.put(t, "acme/fw1.conf", gate("fw1", "s", "web", "x"))
		for _, args := range []string{"log @1", "log @1 --json", "failures @1",
			"device retire @1"} {
			if status, out, errs := p.do(t, strings.Fields(args)...); status != 2 || out != "" ||
				!strings.Contains(errs, "@1 is a capture of acme/fw1: name the device") {
				t.Errorf("%s: exit status %d, %s%s", args, status, out, errs)
			}
		}
		if status, _, errs := p.do(t, "log", "@2"); status != 1 ||
			!strings.Contains(errs, "no capture @2") {
			t.Errorf("log of a capture that isn't there: exit status %d, %s", status, errs)
		}
	})
}

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

// TestServerAddress: publish says to which address the device has sent.
func TestServerAddress(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.put(t, "fw1.conf", gate("fw1", "s", "web", "x"))
		_, line, errs := p.do(t, "publish", "fw1")
		if !strings.HasSuffix(line, " SERVER\n") || !strings.HasSuffix(errs,
			"; SERVER is this server's address as the device sees it: its last capture came to "+
				"127.0.0.1\n") {
			t.Errorf("publish says %q and %q", line, errs)
		}
	})
}

func TestServerAddressUnknown(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		insert(t, opened(t, url), time.Now(), gate("fw1", "s", "web", "x")) // it came to no address
		p := &program{url: url}
		if _, _, errs := p.do(t, "publish", "fw1"); !strings.HasSuffix(errs,
			"as the device sees it\n") {
			t.Errorf("publish of what came to no address says %q", errs)
		}
	})
}
