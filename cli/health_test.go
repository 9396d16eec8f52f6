package cli

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

// page is where a program started with --http 127.0.0.1:0 answers.
func (p *program) page(t testing.TB) string {
	t.Helper()
	return p.log.wait(t, `msg=health url=(\S+)`)[1]
}

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

// TestHealth: a server that works says so, in all the ways there are, and counts what it did.
func TestHealth(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		first := start(t, url)
		first.put(t, "fw1.conf", fortigate("fw1", "1"))
		first.stop()
		<-first.status
		first.status <- 0
		p := start(t, url, "--http", "127.0.0.1:0", "--read", "none")
		p.put(t, "fw1.conf", fortigate("fw1", "2"))
		if _, err := (&tftp.Client{}).Get(t.Context(), p.addr, "fw1.conf"); err == nil {
			t.Error("a read was not refused")
		}
		p.log.wait(t, `msg=failed .*op=read|msg=refused .*op=read`)
		page := p.page(t)
		for path, want := range map[string]string{"/healthz": "ok\n",
			"/readyz": "ready: captures can be stored\n"} {
			if status, body := get(t, page+path); status != 200 ||
				!strings.HasPrefix(body, want) { // the tests' PostgreSQL may have fsync off
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if status, _ := get(t, page+"/nowhere"); status != 404 {
			t.Errorf("/nowhere: %d", status)
		}
		host := strings.TrimPrefix(page, "http://")
		for _, args := range [][]string{{"--http", host}, {"--live", "--http", host},
			{"--http", host[strings.LastIndex(host, ":"):]}} {
			if status, _, errs := do(t, nil, append([]string{"healthcheck"},
				args...)...); status != 0 {
				t.Errorf("healthcheck %v: %d %s", args, status, errs)
			}
		}
		_, text := get(t, page+"/metrics")
		for _, want := range []string{
			`tftpsql_requests_total{op="write"} 1`, `tftpsql_requests_total{op="read"} 1`,
			`tftpsql_transfers_total{code="",op="write",outcome="ok"} 1`,
			`tftpsql_transfers_total{code="2",op="read",outcome="failed"} 1`,
			`tftpsql_transfers_total{code="0",op="write",outcome="aborted"} 0`,
			`tftpsql_transfers_total{code="other",op="read",outcome="aborted"} 0`,
			`tftpsql_commit_duration_seconds_count 1`,
			`tftpsql_transfer_duration_seconds_count{op="write"} 1`,
			`tftpsql_packets_total{direction="in"} [1-9]`,
			`tftpsql_transfers_in_flight{op="write"} 0`, `tftpsql_bytes_in_flight 0`,
			`tftpsql_ready 1`, `tftpsql_bytes_total{op="write"} \d\d`,
		} {
			if !regexp.MustCompile(`(?m)^` + strings.ReplaceAll(strings.ReplaceAll(want, "{", `\{`),
				"}", `\}`)).MatchString(text) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
	})
}

// TestUnready: while the database is away /readyz says why, and /healthz is well.
func TestUnready(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("")
	if err != nil {
		pgtest.Missing(t, err)
	}
	defer server.Remove()
	p := start(t, server.Create(t), "--http", "127.0.0.1:0")
	page := p.page(t)
	if status, body := get(t, page+"/readyz"); status != 200 {
		t.Fatal(status, body)
	}
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	p.log.wait(t, `level=ERROR msg="not ready`)
	status, body := get(t, page+"/readyz")
	if status != 503 || !strings.Contains(body, "look whether PostgreSQL runs") ||
		strings.Count(body, "\n") != 1 {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, body := get(t, page+"/healthz"); status != 200 {
		t.Errorf("healthz: %d %s", status, body)
	}
	if status, _, errs := do(t, nil, "healthcheck", "--http",
		strings.TrimPrefix(page, "http://")); status != 1 ||
		!strings.Contains(errs, "look whether PostgreSQL runs") {
		t.Errorf("healthcheck: %d %s", status, errs)
	}
	if _, text := get(t, page+"/metrics"); !strings.Contains(text, "\ntftpsql_ready 0\n") {
		t.Error(text)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	p.log.wait(t, `msg="ready: captures can be stored again"`)
	if status, body := get(t, page+"/readyz"); status != 200 {
		t.Error(status, body)
	}
}

// TestHealthcheckElsewhere: another program's answer is neither a yes nor printed.
func TestHealthcheckElsewhere(t *testing.T) {
	t.Parallel()
	for status, location := range map[int]string{200: "", 404: "", 503: "", 302: "/elsewhere"} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>\n<p>not\x1b[2J ours</html>\n")
		}))
		defer other.Close()
		code, out, errs := do(t, nil, "healthcheck", "--http",
			strings.TrimPrefix(other.URL, "http://"))
		if code != 1 || out != "" || strings.Count(errs, "\n") != 1 ||
			!strings.Contains(errs, "is not tftpsql") || strings.Contains(errs, "<") {
			t.Errorf("%d: %d %q %q", status, code, out, errs)
		}
	}
}

// TestGreeting: five lines, the last of which says that the server listens, and nothing that is
// secret.
func TestGreeting(t *testing.T) {
	p := start(t, databases["sqlite"](t), "--http", "127.0.0.1:0", "--allow", "192.0.2.0/24")
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	lines = lines[len(lines)-5:]
	for i, want := range []string{`msg=tftpsql version=`,
		`msg=database url=sqlite:.* min-free=\d+[GMK]iB`,
		`msg=allowed sources=192.0.2.0/24 read=own`, `msg=health url=http://127.0.0.1:\d+ `,
		`msg=listening address=127.0.0.1:\d+ note="devices send to port 69`} {
		if !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d is %s", i, lines[i])
		}
	}
}

// TestGreetingElsewhere: what the start prints can be used as it stands, from another folder too.
func TestGreetingElsewhere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "here.db")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, file)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "sqlite:"+relative, "--http", ":0")
	if got := p.log.wait(t, `msg=database url=(\S+)`)[1]; got != "sqlite:"+file {
		t.Errorf("the database is at %s, want %s", got, file)
	}
	page := p.log.wait(t, `msg=health url=(http://127\.0\.0\.1:\d+) .* addresses=all\n`)[1]
	if status, body := get(t, page+"/readyz"); status != 200 {
		t.Errorf("%s: %d %s", page, status, body)
	}
}

// TestGreetingSpool: on PostgreSQL the start says where captures wait while it is away, and what
// stays free of that disk.
func TestGreetingSpool(t *testing.T) {
	t.Parallel()
	url := databases["postgres"](t)
	p := start(t, url, "--http", "none")
	p.log.wait(t, `msg=database url=.* spool=none\n`)
	spool := filepath.Join(t.TempDir(), "spool.db")
	p = start(t, url, "--http", "none", "--spool", spool, "--min-free", "1MiB")
	p.log.wait(t, `msg=database url=.* spool=`+regexp.QuoteMeta(spool)+` min-free=1MiB\n`)
}

// TestPacketsInLog: -v shows packets, but not what is in them.
func TestPacketsInLog(t *testing.T) {
	p := start(t, databases["sqlite"](t), "-v", "--http", "none")
	p.put(t, "x\x1b.conf", "secret")
	log := p.log.String()
	if !strings.Contains(log, `msg="<- WRQ \"x\\x1b.conf\" octet`) ||
		!strings.Contains(log, `msg="<- DATA 1, 6 bytes"`) || strings.Contains(log, "secret") {
		t.Error(log)
	}
}

func TestTerminalLog(t *testing.T) {
	var b strings.Builder
	log := slog.New(newTerminalLog(&b, slog.HandlerOptions{Level: slog.LevelInfo})).With("a", "1 2")
	log.Debug("not shown")
	log.Warn("be\x1bware", "file", "x\x1b[2J", slog.Group("g", "msg", "inner"))
	log.Info("plain")
	got := regexp.MustCompile(`\x1b\[[0-9]+m`).ReplaceAllString(b.String(), "")
	got = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}`).ReplaceAllString(got, "TIME")
	if want := "TIME WARN  be\\x1bware a=\"1 2\" file=\"x\\x1b[2J\" g.msg=inner\nTIME INFO  " +
		"plain a=\"1 2\"\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if coloured(&b, nil) {
		t.Error("a strings.Builder has colours")
	}
}

// TestJSONLog: a program that reads the log knows the unit of each time span.
func TestJSONLog(t *testing.T) {
	var b strings.Builder
	log, _, err := newLogger(config.Config{LogFormat: "json"}, &b, nil)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("received", "took", 1234567*time.Nanosecond)
	if got := b.String(); !strings.Contains(got, `"took_ms":1.234567`) ||
		strings.Contains(got, `"took":`) {
		t.Error(got)
	}
}

func TestCompletion(t *testing.T) {
	if _, out, _ := do(t, nil, "--help"); !strings.Contains(out, "\n  completion ") {
		t.Errorf("--help doesn't show completion:\n%s", out)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, out, errs := do(t, nil, "completion", shell); status != 0 ||
			!strings.Contains(out, "tftpsql") {
			t.Errorf("%s: %d %s", shell, status, errs)
		}
	}
}

// TestHTTPAddr: an address that was asked for must not be taken.
func TestHTTPAddr(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	status, _, errs := do(t, []string{"DATABASE_URL=" + databases["sqlite"](t),
		"HTTP_ADDR=" + l.Addr().String()}, "-p", "0")
	if status != 1 || !strings.Contains(errs, "HTTP_ADDR (--http): ") ||
		!strings.Contains(errs, "another program listens there") {
		t.Errorf("one asked for, taken: %d %s", status, errs)
	}
	for _, text := range []string{"9080", "host", "127.0.0.1:x", "127.0.0.1:99999"} {
		if status, _, errs := do(t, nil, "--http", text); status != 2 ||
			!strings.Contains(errs, "write 127.0.0.1:9080") {
			t.Errorf("--http %s: %d %s", text, status, errs)
		}
	}
	if status, _, errs := do(t, []string{"HTTP_ADDR="}, "healthcheck"); status != 1 ||
		!strings.Contains(errs, "nothing to ask") {
		t.Errorf("healthcheck of none: %d %s", status, errs)
	}
	p := start(t, databases["sqlite"](t), "--http", "")
	p.log.wait(t, `msg=health url=none`)
}

// TestSystemd: the socket that systemd has opened is taken, and systemd is told when it is served.
func TestSystemd(t *testing.T) {
	t.Parallel()
	if os.PathSeparator == '\\' {
		t.Skip("no systemd here")
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	file, err := udp.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	path := filepath.Join(t.TempDir(), "notify")
	told, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	if err := told.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	hears := func(want string) {
		t.Helper()
		b := make([]byte, 100)
		if n, _, err := told.ReadFrom(b); err != nil || string(b[:n]) != want {
			t.Errorf("systemd was told %q, %v; want %s", b[:n], err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// exec keeps the number of the process
	cmd := exec.CommandContext(ctx, "sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1", "DATABASE_URL="+databases["sqlite"](t),
		"HTTP_ADDR=none", "LISTEN_FDS=1", "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=60000000",
		"TFTP_PORT=1")
	cmd.ExtraFiles = []*os.File{file}
	log := newLog()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	hears("READY=1")
	addr := udp.LocalAddr().String()
	log.wait(t, `msg=listening address=`+regexp.QuoteMeta(addr))
	if err := (&tftp.Client{}).Put(t.Context(), addr, "fw1.conf", []byte("x")); err != nil {
		t.Error(err)
	}
	hears("WATCHDOG=1")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	hears("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}
