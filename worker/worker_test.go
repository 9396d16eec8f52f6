package worker

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestOwn: what came from an address goes back to it, and only while one device sends from there;
// loopback is excepted.
func TestOwn(t *testing.T) {
	s, err := store.Open("sqlite:"+filepath.Join(t.TempDir(), "own.db"),
		store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &handler{store: s, read: "own", log: slog.New(slog.DiscardHandler),
		health: newHealth(slog.New(slog.DiscardHandler), "test")}
	send := func(from, file, body string) {
		t.Helper()
		r := &tftp.Request{Op: tftp.OpWrite, Filename: file, Mode: tftp.Octet,
			Peer: netip.MustParseAddrPort(from), Body: []byte(body),
			Received: time.Now(), Completed: time.Now()}
		if err := h.ServeTFTP(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	fetch := func(from, file string) string {
		t.Helper()
		body, err := h.ReadTFTP(t.Context(), &tftp.Request{Op: tftp.OpRead, Filename: file,
			Peer: netip.MustParseAddrPort(from)})
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
	if got := fetch("192.0.2.2:9", "x.conf"); !strings.HasPrefix(got,
		"file not found (TFTP error 1)") {
		t.Errorf("another's: %s", got)
	}
	if got := fetch("127.0.0.1:9", "a.conf"); got != "a" {
		t.Errorf("loopback: %s", got)
	}
	send("192.0.2.1:3", "y.conf", fortigate("fw2", "1"))
	if got := fetch("192.0.2.1:9", "x.conf"); !strings.HasPrefix(got,
		"not allowed (TFTP error 2)") || !strings.Contains(got, "192.0.2.1") ||
		!strings.Contains(got, "tftpsql publish") {
		t.Errorf("where two devices send: %s", got)
	}
}

// TestSeveralNames: files whose names are from no configuration leave a source one device's own;
// that each name makes a device is said once.
func TestSeveralNames(t *testing.T) {
	s, err := store.Open("sqlite:"+filepath.Join(t.TempDir(), "names.db"),
		store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	h := &handler{store: s, read: "own", log: slog.New(slog.NewTextHandler(log, nil)),
		health: newHealth(slog.New(slog.DiscardHandler), "test")}
	peer := netip.MustParseAddrPort("192.0.2.7:2000")
	send := func(file, body string, announced int64) {
		t.Helper()
		r := &tftp.Request{Op: tftp.OpWrite, Filename: file, Peer: peer, Mode: tftp.Octet,
			Body: []byte(body), Announced: announced, Received: time.Now(), Completed: time.Now()}
		if err := h.ServeTFTP(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"desk-boot.log", "desk-phone.cfg", "lobby.cfg", "attic.cfg",
		"tech.txt"} {
		send(file, "volume 7\nline 1\n", 0)
	}
	send("/desk-phone.cfg", "", 0) // a probe
	send("desk-phone.cfg", "volume 8\nline", 17)
	for _, file := range []string{"desk-phone.cfg", "/desk-phone.cfg", "//desk-phone.cfg"} {
		body, err := h.ReadTFTP(t.Context(), &tftp.Request{Op: tftp.OpRead, Filename: file,
			Peer: peer})
		if err != nil || string(body) != "volume 7\nline 1\n" {
			t.Errorf("%s: %q, %v", file, body, err)
		}
	}
	if n := strings.Count(log.String(), "sends files under several names"); n != 1 {
		t.Errorf("%d times that a source has several names:\n%s", n, log)
	}
}

// fortigate is a FortiGate's configuration.
func fortigate(name, version string) string {
	return "#config-version=FGT60F-7.2.5-FW-build1517-230606:opmode=0:vdom=0:" +
		"user=admin\n#conf_file_ver=" + version +
		"\nconfig system global\n    set hostname \"" + name + "\"\nend\n"
}

// TestAdmission: a source that isn't allowed is told so, and the log says what to set.
func TestAdmission(t *testing.T) {
	var allow config.Allow
	if err := allow.UnmarshalText([]byte("private,203.0.113.5")); err != nil {
		t.Fatal(err)
	}
	admit := admission(allow, func() error { return nil })
	for source, want := range map[string]string{
		"10.0.0.1": "", "203.0.113.5": "", "127.0.0.1": "",
		"8.8.8.8": "TFTP_ALLOW=private,203.0.113.5,8.8.8.8",
	} {
		err := admit(&tftp.Request{Peer: netip.AddrPortFrom(netip.MustParseAddr(source), 1024)})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// TestStorageFull: a capture that could not be stored makes the worker unready although its
// database answers, until another is stored; one that is itself to blame doesn't.
func TestStorageFull(t *testing.T) {
	database := "sqlite:" + filepath.Join(t.TempDir(), "full.db")
	s, err := store.Open(database, store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log := new(bytes.Buffer)
	h := newHealth(slog.New(slog.NewTextHandler(log, nil)), "test")
	page := httptest.NewServer(h.pages())
	defer page.Close()
	ready := func(want int, why string) {
		t.Helper()
		h.look(t.Context(), s)
		if status, body := get(t, page.URL+"/readyz"); status != want ||
			!strings.Contains(body, why) {
			t.Errorf("%d %s, want %d %s", status, body, want, why)
		}
	}
	if status, body := get(t, page.URL+"/readyz"); status != 503 ||
		!strings.Contains(body, "starting") {
		t.Error(status, body)
	}
	ready(503, "tftpsql migrate up")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready(200, "ready")
	h.stored(0, &store.Error{Op: "store capture", Class: store.Permanent,
		Err: errors.New("too odd")})
	ready(200, "ready")
	h.stored(0, &store.Error{Op: "store capture", Class: store.Full, Err: errors.New("disk full"),
		Hint: "make room"})
	if status, body := get(t, page.URL+"/readyz"); status != 503 { // no check has run yet
		t.Error(status, body)
	}
	ready(503, "disk full: make room")
	ready(503, "disk full: make room")
	h.stored(0, nil)
	if status, body := get(t, page.URL+"/readyz"); status != 200 { // no check has run yet
		t.Error(status, body)
	}
	ready(200, "ready")
	h.stored(0, store.ErrNotInTime) // which the database's answer doesn't disprove
	ready(503, "not committed in time")
	h.stored(0, nil)
	ready(200, "ready")
	h.stored(0, &store.Error{Op: "store capture", Class: store.Transient,
		Err: errors.New("connection refused")})
	ready(200, "ready") // it answers now
	if got := log.String(); strings.Count(got, "level=ERROR") != 2 ||
		strings.Count(got, "stored again") != 2 {
		t.Errorf("the log says\n%s", got)
	}
	h.leaving.Store(true)
	if status, body := get(t, page.URL+"/readyz"); status != 503 || body != "stopping\n" {
		t.Error(status, body)
	}
}

// TestSpoolUnusable: a spool that could keep nothing is told of while PostgreSQL is still there,
// and captures are stored all the same.
func TestSpoolUnusable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spool.db")
	s, err := store.Open(pgtest.Database(t), store.Options{Own: true, Spool: file})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	h := newHealth(slog.New(slog.NewTextHandler(log, nil)), "test")
	page := httptest.NewServer(h.pages())
	defer page.Close()
	look := func(usable, why string) {
		t.Helper()
		h.spoolTried = time.Time{}
		for range 2 {
			h.look(t.Context(), s)
		}
		if status, body := get(t, page.URL+"/readyz"); status != 200 ||
			!strings.HasPrefix(body, "ready: captures can be stored\n"+why) ||
			why == "" && strings.Contains(body, "spool") {
			t.Errorf("%d %s, want %s", status, body, why)
		}
		if _, text := get(t, page.URL+"/metrics"); !strings.Contains(text,
			"\ntftpsql_spool_usable "+usable+"\n") {
			t.Errorf("the metric isn't %s", usable)
		}
	}
	look("1", "")
	h.disk.Store(&diskWatch{store: s, least: leastFree(t, "1000000GiB")})
	look("0", "spool: the disk of "+file+" has ")
	h.disk.Store(nil)
	look("1", "")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	look("0", "spool: "+file+" was moved or deleted")
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	look("1", "")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(with []byte) {
		t.Helper()
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt(with, 0)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	damage(make([]byte, 100))
	look("0", "spool: ")
	damage(was[:100])
	look("1", "")
	if got := log.String(); strings.Count(got, "the spool can't be used") != 3 ||
		strings.Count(got, "the spool can be used again") != 3 ||
		strings.Contains(got, "level=ERROR") {
		t.Errorf("the log says\n%s", got)
	}
}

func leastFree(t *testing.T, text string) (m config.MinFree) {
	t.Helper()
	if err := m.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestHealthAddress: the default address may be taken by another program.
func TestHealthAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := newHealth(slog.New(slog.DiscardHandler), "test")
	page, err := h.listen(config.HTTPAddr{Addr: l.Addr().String()})
	if page != nil || err != nil || !strings.Contains(h.taken.Error(),
		"HTTP_ADDR (--http) sets another") {
		t.Errorf("the default, taken: %v, %v, %v", page, err, h.taken)
	}
}

// TestActivated: only a socket that systemd has opened for this very process is taken.
func TestActivated(t *testing.T) {
	for _, environ := range [][]string{{}, {"LISTEN_FDS=1"}, {"LISTEN_PID=1", "LISTEN_FDS=1"}} {
		if c, err := activated(environ); c != nil || err != nil {
			t.Errorf("%v: %v, %v", environ, c, err)
		}
	}
}
