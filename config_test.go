package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

func TestLoadConfig(t *testing.T) {
	c, err := loadConfig([]string{"DATABASE_URL=", "TFTP_PORT=69", "TFTP_ACK_TIMEOUT=1.5", "TFTP_TIMEOUT=90", "TFTP_DRAIN=1m", "TFTP_MAX_SIZE=16MiB",
		"TFTP_MEMORY=1GB", "TFTP_READ=none", "TFTP_WRITE_ONCE=1", "TFTP_MAX_BLKSIZE=1228", "MIGRATE=off", "LOG_LEVEL=DEBUG", "LOG_FORMAT=json",
		"DATABASE_HOSTNAME=::1", "DATABASE_NAME=net", "DATABASE_USERNAME=u@x", "DATABASE_PASSWORD=p/w?", "UNRELATED=1"})
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.Database = "postgres://u%40x:p%2Fw%3F@[::1]:5432/net"
	want.Port, want.AckTimeout, want.Timeout, want.Drain = 69, Duration(1500*time.Millisecond), Duration(90*time.Second), Duration(time.Minute)
	want.MaxSize, want.Memory, want.Read, want.WriteOnce, want.MaxBlksize = 16<<20, 1e9, "none", true, 1228
	want.Migrate, want.LogLevel, want.LogFormat = "off", Level(-4), "json"
	if got, wanted := describe(c), describe(want); got != wanted {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
	if got := masked(c.Database); strings.Contains(got, "p%2Fw") || !strings.Contains(got, "[::1]:5432/net") {
		t.Error(got)
	}
}

func describe(c Config) string {
	var words []string
	for _, s := range settings() {
		words = append(words, s.env+"="+s.value(&c).String())
	}
	return strings.Join(words, " ")
}

func TestMasked(t *testing.T) {
	for in, want := range map[string]string{
		"sqlite:a.db":                         "sqlite:a.db",
		"postgres://u:secret@h/d":             "postgres://u:xxxxx@h/d",
		"postgres://h/d?user=u&password=s":    "postgres://h/d?password=xxxxx&user=u",
		"postgres://h/d?sslpassword=s":        "postgres://h/d?sslpassword=xxxxx",
		"host=h password=secret":              "a malformed URL",
		"postgres://u:secret@[broken/d":       "a malformed URL",
		"postgresql://u@h/d?sslmode=disable":  "postgresql://u@h/d?sslmode=disable",
		"postgres:///d?host=/run/postgresql/": "postgres:///d?host=/run/postgresql/",
	} {
		if got := masked(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}

func TestAllow(t *testing.T) {
	for text, sources := range map[string]map[string]bool{
		"private": {"127.0.0.1": true, "::1": true, "10.1.2.3": true, "172.31.0.1": true, "172.32.0.1": false, "192.168.1.1": true, "100.64.0.1": true,
			"169.254.1.1": true, "fe80::1%eth0": true, "fd00::1": true, "::ffff:10.0.0.1": true, "::ffff:8.8.8.8": false, "8.8.8.8": false, "2001:db8::1": false},
		"any":                                   {"8.8.8.8": true, "2001:db8::1": true, "::ffff:8.8.8.8": true},
		"203.0.113.0/29, 198.51.100.7,fd00::/8": {"203.0.113.7": true, "203.0.113.8": false, "198.51.100.7": true, "10.0.0.1": false, "fd12::1": true, "127.0.0.9": true},
		"private,203.0.113.5":                   {"10.0.0.1": true, "203.0.113.5": true},
	} {
		var a Allow
		if err := a.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
			continue
		}
		for source, want := range sources {
			if got := a.Contains(netip.MustParseAddr(source)); got != want {
				t.Errorf("%s: %s is served: %v, want %v", text, source, got, want)
			}
			err := accept(a, func() error { return nil })(&tftp.Request{Peer: netip.AddrPortFrom(netip.MustParseAddr(source), 1024)})
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "TFTP_ALLOW="+text) {
				t.Errorf("%s: %s: %v", text, source, err)
			}
		}
	}
	for _, text := range []string{"10.0.0.0/33", "everybody", "10.0.0", "::ffff:10.0.0.0/104"} {
		if err := new(Allow).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSites(t *testing.T) {
	var s Sites
	if err := s.UnmarshalText([]byte("acme=203.0.113.0/29, globex = 10.2.0.0/16,lab=10.2.3.4,six=2001:db8::/32")); err != nil {
		t.Fatal(err)
	}
	h := &capturer{sites: s}
	for source, want := range map[string]string{
		"203.0.113.1": "acme", "10.2.0.1": "globex", "10.2.3.4": "lab", "::ffff:10.2.3.4": "lab", "2001:db8::7": "six", "192.0.2.1": "folder",
	} {
		c := h.capture(&tftp.Request{Filename: "folder/fw1.conf", Peer: netip.AddrPortFrom(netip.MustParseAddr(source), 1)})
		if c.Site != want || c.Name != "fw1" || c.NamedBy != store.NamedByFilename {
			t.Errorf("%s: site %q, name %q by %s; want site %q", source, c.Site, c.Name, c.NamedBy, want)
		}
	}
	c := h.capture(&tftp.Request{Filename: "backup.conf", Peer: netip.MustParseAddrPort("192.0.2.1:1")})
	if c.Name != "192.0.2.1" || c.NamedBy != store.NamedBySource {
		t.Errorf("a generic name: %q by %s", c.Name, c.NamedBy)
	}
	for _, text := range []string{"acme", "=10.0.0.0/8", "acme=x", "-a=10.0.0.0/8"} {
		if err := new(Sites).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// TestOwn: what came from an address goes back to it, and only while one device sends from there; loopback is excepted.
func TestOwn(t *testing.T) {
	s, err := store.Open("sqlite:"+filepath.Join(t.TempDir(), "own.db"), store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &capturer{store: s, read: "own", log: slog.New(slog.DiscardHandler)}
	send := func(from, file, body string) {
		t.Helper()
		r := &tftp.Request{Op: tftp.OpWrite, Filename: file, Peer: netip.MustParseAddrPort(from), Body: []byte(body), Received: time.Now(), Completed: time.Now()}
		if err := h.ServeTFTP(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	fetch := func(from, file string) string {
		t.Helper()
		body, err := h.ReadTFTP(t.Context(), &tftp.Request{Op: tftp.OpRead, Filename: file, Peer: netip.MustParseAddrPort(from)})
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
	send("192.0.2.1:1", "x.conf", fortigate("fw1", "1"))
	send("[::ffff:192.0.2.1]:2", "x.conf", fortigate("fw1", "2"))
	send("127.0.0.1:1", "a.conf", "a")
	send("127.0.0.1:1", "b.conf", "b")
	if got := fetch("192.0.2.1:9", "x.conf"); got != fortigate("fw1", "2") {
		t.Errorf("its own: %s", got)
	}
	if got := fetch("192.0.2.2:9", "x.conf"); !strings.HasPrefix(got, "file not found (TFTP error 1)") {
		t.Errorf("another's: %s", got)
	}
	if got := fetch("127.0.0.1:9", "a.conf"); got != "a" {
		t.Errorf("loopback: %s", got)
	}
	send("192.0.2.1:3", "y.conf", fortigate("fw2", "1"))
	if got := fetch("192.0.2.1:9", "x.conf"); !strings.HasPrefix(got, "not allowed (TFTP error 2)") || !strings.Contains(got, "192.0.2.1") || !strings.Contains(got, "tftpsql publish") {
		t.Errorf("where two devices send: %s", got)
	}
}

// TestLogFile: -l, and the flags of py3tftp with numbers in seconds.
func TestLogFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	p := start(t, databases["sqlite"](t), "-v", "--ack-timeout", "0.2", "--conn-timeout", "7.5")
	p.put(t, "x", "y")
	url := databases["sqlite"](t)
	if status, _, errs := do(t, []string{"DATABASE_URL=" + url}, "-l", file, "-p", strings.TrimPrefix(p.addr, "127.0.0.1:"), "--host", "127.0.0.1"); status != 1 {
		t.Errorf("%d %s", status, errs)
	}
	if status, out, _ := do(t, nil, "--version"); status != 0 || !strings.HasPrefix(out, "tftpsql ") {
		t.Error(out)
	}
	if b := readFile(t, file); !strings.Contains(b, "choose another port") {
		t.Errorf("the log file says %q", b)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for was, is := range map[os.FileMode]os.FileMode{0o644: 0o640, 0o640: 0o640, 0o666: 0o660, 0o600: 0o600} { // the file was there
		if err := errors.Join(os.WriteFile(file, []byte("older\n"), 0o600), os.Chmod(file, was)); err != nil {
			t.Fatal(err)
		}
		if status, _, errs := do(t, []string{"DATABASE_URL=" + url}, "-l", file, "-p", strings.TrimPrefix(p.addr, "127.0.0.1:"), "--host", "127.0.0.1"); status != 1 {
			t.Errorf("%d %s", status, errs)
		}
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if b := readFile(t, file); st.Mode() != is || !strings.HasPrefix(b, "older\n") || strings.Contains(b, "other users could read the log: not any more") != (was != is) {
			t.Errorf("%v has become %v and says %q", was, st.Mode(), b)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMinFree: what stays free of a disk goes by its size, unless somebody has said how much.
func TestMinFree(t *testing.T) {
	for _, c := range []struct {
		set  string
		disk Size
		want Size
	}{
		{"", 1 << 40, 1 << 30}, {"", 8 << 30, 1 << 30}, {"", 1 << 30, 128 << 20}, {"", 0, 0},
		{"1GiB", 1 << 30, 1 << 30}, {"0", 1 << 30, 0}, {"64MiB", 1 << 40, 64 << 20},
	} {
		config, err := loadConfig([]string{"MIN_FREE=" + c.set})
		if got := config.MinFree.of(int64(c.disk)); err != nil || got != c.want {
			t.Errorf("MIN_FREE=%s of a disk of %s: %s, %v; want %s", c.set, c.disk, got, err, c.want)
		}
	}
}
