package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

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
		if status, _, errs := p.do(t, "export", t.TempDir(), "fw2"); status != 1 ||
			!strings.Contains(errs, "nothing whole to export") {
			t.Errorf("export fw2: %d %s", status, errs)
		}
		changed := strings.ReplaceAll(whole, "192.0.2.53", "192.0.2.54")
		p.put(t, "fw1.conf", changed)
		p.put(t, "cabling", "rack 4\n")
		p.must(t, "device", "merge", "cabling", "fw1", "--yes")
		if got := p.must(t, "show", "fw1"); got != changed {
			t.Errorf("show fw1 after a text: %q", got)
		}
		if status, out, _ := p.do(t, "diff", "fw1"); status != 1 ||
			!strings.Contains(out, "\n-    set primary 192.0.2.53\n+    set primary 192.0.2.54\n") {
			t.Errorf("diff fw1 after a text: %d %s", status, out)
		}
	})
}

// announce uploads less than 512 bytes, with a size announced (RFC 2349).
func (p *program) announce(t *testing.T, name, body string, size int) {
	t.Helper()
	conn, err := net.Dial("udp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ sent, heard string }{
		{"\x00\x02" + name + "\x00octet\x00tsize\x00" + strconv.Itoa(size) + "\x00", "\x00\x06"},
		{"\x00\x03\x00\x01" + body, "\x00\x04\x00\x01"},
	} {
		if _, err := conn.Write([]byte(step.sent)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 512)
		n, err := conn.Read(answer)
		if err != nil || !strings.HasPrefix(string(answer[:n]), step.heard) {
			t.Fatalf("%q answers %q, %v", answer[:n], step.sent, err)
		}
	}
}

// TestNights: the running configuration and the one that a device starts with are each compared
// with its own kind, also those of an unknown platform, and padding is no change.
func TestNights(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		const running, startup = "name core7\nport 1 up\n", "name core7\nport 1 down\n"
		whole := gate("fw7", "s", "web", "192.0.2.53")
		for range 3 {
			p.put(t, "core7-running-config", running)
			p.put(t, "core7-startup-config", startup)
			p.put(t, "fw7.conf", whole)
			p.put(t, "fw7.conf", whole+strings.Repeat("\x00", 512-len(whole)%512))
			p.put(t, "fw7.conf", whole+strings.Repeat("\x1a", 128-len(whole)%128))
		}
		if got := p.must(t, "show", "core7"); got != running {
			t.Errorf("show core7: %q", got)
		}
		if got := p.must(t, "show", "fw7"); !strings.HasPrefix(got, whole) {
			t.Errorf("show fw7: %d bytes", len(got))
		}
		var list []struct {
			Name    string
			Changes int
		}
		if err := json.Unmarshal([]byte(p.must(t, "devices", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(list); got != "[{core7 2} {fw7 1}]" {
			t.Errorf("devices and their changes: %s", got)
		}
	})
}

// TestAnnounced: an upload of other than its size said is torn, and a probe is no device.
func TestAnnounced(t *testing.T) {
	p := start(t, databases["sqlite"](t), "--logs", "*.log,tech*")
	p.put(t, "sw1", "")
	p.put(t, "sw1", gate("sw1", "s", "web", "192.0.2.53"))
	p.announce(t, "sw1", gate("sw1", "s", "web", "192.0.2.53")[:400], 401)
	if got := p.must(t, "log", "sw1"); !regexp.MustCompile(`@3 .* 400 .* no `).MatchString(got) {
		t.Errorf("400 bytes of 401 announced:\n%s", got)
	}
	p.put(t, "app.log", "line 1\n")
	p.put(t, "logs/TECH-support.txt", "line 2\n")
	if got := strings.Count(p.must(t, "devices"), "\n"); got != 2 {
		t.Errorf("%d lines of devices:\n%s", got, p.must(t, "devices"))
	}
	if got := p.must(t, "devices"); !strings.Contains(got, "/sw1 ") || strings.Contains(got, "@") {
		t.Error(got)
	}
}
