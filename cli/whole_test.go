package cli

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/tftp"
)

// TestNeverHalf: half a configuration is handed out by its own number alone, and that is said.
func TestNeverHalf(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		whole := gate("fw1", "s", "web", "192.0.2.53")
		p.put(t, "fw1.conf", whole)
		p.put(t, "fw1.conf", whole[:512])
		status, out, errs := p.do(t, "show", "fw1")
		if status != 0 || out != whole || !strings.Contains(errs,
			"has sent a torn capture since, @2 of ") {
			t.Errorf("show fw1: %d, %d bytes, %s", status, len(out), errs)
		}
		if status, out, errs := p.do(t, "show", "@2"); status != 0 || out != whole[:512] ||
			!strings.Contains(errs, "@2 is torn") {
			t.Errorf("show @2: %d, %d bytes, %s", status, len(out), errs)
		}
		status, _, errs = p.do(t, "publish", "fw1", "--as", "restore.conf")
		if status != 0 || !strings.Contains(errs, "torn capture since") {
			t.Errorf("publish fw1: %d %s", status, errs)
		}
		for _, name := range []string{"restore.conf", "fw1.conf", "/fw1.conf"} {
			body, err := (&tftp.Client{}).Get(t.Context(), p.addr, name)
			if err != nil || string(body) != whole {
				t.Errorf("get %s: %d bytes, %v", name, len(body), err)
			}
		}
		if status, out, _ := p.do(t, "diff", "fw1"); status != 1 ||
			!strings.HasPrefix(out, "--- /dev/null\n") {
			t.Errorf("diff fw1: %d %s", status, out)
		}
		p.put(t, "fw2.conf", strings.ReplaceAll(whole[:512], "fw1", "fw2"))
		if status, out, errs := p.do(t, "publish", "fw2"); status == 0 || out != "" ||
			!strings.Contains(errs,
				"nothing whole of /fw2 has come: its newest torn capture is @3") {
			t.Errorf("publish fw2: %d %s %s", status, out, errs)
		}
	})
}

// TestAnnounced: an upload of other than its size said is torn, and a probe is no device.
func TestAnnounced(t *testing.T) {
	p := start(t, databases["sqlite"](t), "--logs", "*.log,tech*")
	p.put(t, "sw1", "")
	p.put(t, "sw1", gate("sw1", "s", "web", "192.0.2.53"))
	p.put(t, "app.log", "line 1\n")
	p.put(t, "logs/TECH-support.txt", "line 2\n")
	if got := strings.Count(p.must(t, "devices"), "\n"); got != 2 {
		t.Errorf("%d lines of devices:\n%s", got, p.must(t, "devices"))
	}
	if got := p.must(t, "devices"); !strings.Contains(got, "/sw1 ") || strings.Contains(got, "@") {
		t.Error(got)
	}
}
