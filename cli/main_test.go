package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

// childVariable makes the test program be tftpsql itself, so that a test can kill it.
const childVariable = "TFTPSQL_TEST_CHILD"

func TestMain(m *testing.M) {
	if to := os.Getenv(broadcastVariable); to != "" {
		broadcast(to)
		os.Exit(0)
	}
	if os.Getenv(childVariable) != "" {
		Main("")
	}
	if err := os.Chdir(".."); err != nil { // where the documents are
		panic(err)
	}
	os.Exit(pgtest.Main(m))
}

// databases are what whole-program tests run on: a URL of an empty database each.
var databases = map[string]func(testing.TB) string{
	"sqlite": func(t testing.TB) string {
		return "sqlite:" +
			filepath.Join(t.TempDir(), "test.db")
	},
	"postgres": pgtest.Database,
}

// everywhere runs a test on each of the databases, beside other tests.
func everywhere(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url(t))
		})
	}
}

// logBuffer is a log that a test can wait on.
type logBuffer struct {
	mu   sync.Mutex // guards b
	b    bytes.Buffer
	more chan struct{} // holds one when something was written
}

func newLog() *logBuffer { return &logBuffer{more: make(chan struct{}, 1)} }

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wait returns the submatches of the first match in the log, as soon as there is one.
func (l *logBuffer) wait(t testing.TB, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(time.Minute)
	for {
		if m := re.FindStringSubmatch(l.String()); m != nil {
			return m
		}
		select {
		case <-l.more:
		case <-limit:
			t.Fatalf("the log never said %s:\n%s", pattern, l)
		}
	}
}

// program is a server that runs in this process.
type program struct {
	addr   string
	url    string
	log    *logBuffer
	stop   context.CancelFunc
	status chan int
}

// start runs the server on a port of its own and returns when it listens.
func start(t testing.TB, url string, args ...string) *program {
	t.Helper()
	return launch(t, url, nil, `msg=listening address=(\S+)`, args...)
}

// launch is start with more variables, and with how the log says then that it listens.
func launch(t testing.TB, url string, environ []string, listening string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{url: url, log: newLog(), stop: cancel, status: make(chan int, 1)}
	args = append([]string{"-p", "0", "--host", "127.0.0.1", "--drain", "1s"}, args...)
	go func() {
		p.status <- Run(ctx, "", args, append([]string{"DATABASE_URL=" + url}, environ...), p.log,
			p.log)
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-p.status; status != 0 {
			t.Errorf("exit status %d\n%s", status, p.log)
		}
		p.status <- 0
	})
	p.addr = p.log.wait(t, listening)[1]
	return p
}

// do runs a command on the program's database.
func (p *program) do(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return do(t, []string{"DATABASE_URL=" + p.url}, args...)
}

func do(t testing.TB, environ []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(t.Context(), "", args, environ, &out, &errs)
	return status, out.String(), errs.String()
}

// must runs a command that has to succeed and returns what it prints.
func (p *program) must(t testing.TB, args ...string) string {
	t.Helper()
	status, out, errs := p.do(t, args...)
	if status != 0 {
		t.Fatalf("tftpsql %q: exit status %d\n%s", args, status, errs)
	}
	return out
}

func (p *program) put(t testing.TB, name, body string) {
	t.Helper()
	if err := (&tftp.Client{Blksize: 1428}).Put(t.Context(), p.addr, name,
		[]byte(body)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// fortigate is a small configuration of a device of that name.
func fortigate(name, more string) string {
	return "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0:vdom=0:user=admin\n" +
		"#conf_file_ver=1\n#buildno=2731\n#global_vdom=1\n" +
		"config system global\n    set hostname \"" + name +
		"\"\nend\nconfig webfilter search-engine\n    edit \"g\"\n" +
		"        set hostname \"decoy\"\n    next\nend\nconfig system dns\n    set primary " +
		more + "\nend\n"
}

func TestMainJob(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		one, two := fortigate("fw1", "192.0.2.53"), fortigate("fw1", "192.0.2.54")
		p.put(t, "anything.conf", one)
		p.put(t, "anything.conf", one)
		p.put(t, "anything.conf", two)
		p.put(t, "acme/other.conf", fortigate("fw2", "x"))
		if got := p.must(t, "show", "fw1"); got != two {
			t.Errorf("show fw1: %q", got)
		}
		if got := p.must(t, "show", "fw1~1"); got != one {
			t.Errorf("show fw1~1: %q", got)
		}
		status, diff, _ := p.do(t, "diff", "fw1")
		if status != 1 || !strings.Contains(diff,
			"\n-    set primary 192.0.2.53\n+    set primary 192.0.2.54\n") ||
			!regexp.MustCompile(
				`(?m)^--- /fw1\t[-\d]+ \S+ @1 full, seen until .*\n`+
					`\+\+\+ /fw1\t[-\d]+ \S+ @3 full\n@@`).MatchString(diff) {
			t.Errorf("diff fw1: exit status %d\n%s", status, diff)
		}
		if status, diff, _ := p.do(t, "diff", "@1", "@2"); status != 0 || diff != "" {
			t.Errorf("diff of the same: %d %s", status, diff)
		}
		if status, diff, _ := p.do(t, "diff", "@1"); status != 1 ||
			!strings.HasPrefix(diff, "--- /dev/null\n") {
			t.Errorf("diff of the first: %d %s", status, diff)
		}
		var devices []map[string]any
		unmarshal(t, p.must(t, "devices", "--json"), &devices)
		if len(devices) != 2 || devices[0]["name"] != "fw1" ||
			devices[0]["platform"] != "fortinet" || devices[0]["model"] != "FGT60F" ||
			devices[0]["os_version"] != "7.4.7" || devices[0]["captures"] != 3.0 ||
			devices[0]["changes"] != 2.0 || devices[0]["complete"] != true ||
			devices[0]["named_by"] != "config" || devices[1]["site"] != "acme" ||
			devices[1]["source"] != "127.0.0.1" {
			t.Errorf("devices: %v", devices)
		}
		var log []map[string]any
		unmarshal(t, p.must(t, "log", "fw1", "--json"), &log)
		if len(log) != 3 || log[0]["id"] != 3.0 || log[0]["changed"] != true ||
			log[1]["changed"] != false || log[2]["changed"] != true ||
			log[0]["size"] != float64(len(two)) || log[0]["filename"] != "anything.conf" ||
			log[0]["kind"] != "full" {
			t.Errorf("log: %v", log)
		}
		if _, err := time.Parse(time.RFC3339Nano, log[0]["received_at"].(string)); err != nil ||
			!strings.HasSuffix(log[0]["received_at"].(string), "Z") {
			t.Errorf("received_at %v", log[0]["received_at"])
		}
		if got := p.must(t, "log", "-n", "1", "--json"); strings.Count(got, `"id"`) != 1 {
			t.Errorf("log -n 1: %s", got)
		}
		// what they print works as input
		for _, args := range [][]string{{"devices"}, {"log"}, {"log", "acme/fw2"}} {
			for line := range strings.Lines(p.must(t, args...)) {
				if ref := strings.Fields(line)[0]; ref != "DEVICE" && ref != "REF" {
					p.must(t, "show", ref)
				}
			}
		}
		body, err := (&tftp.Client{}).Get(t.Context(), p.addr, "anything.conf")
		if err != nil || string(body) != two {
			t.Errorf("get: %q, %v", body, err)
		}
	})
}

func unmarshal(t testing.TB, text string, to any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// TestDefaults is the program as a newcomer starts it: no settings at all.
func TestDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	log := newLog()
	status := make(chan int, 1)
	go func() { status <- Run(ctx, "", nil, nil, log, log) }()
	log.wait(t, `msg=listening`)
	for _, host := range loopbacks() {
		if err := (&tftp.Client{}).Put(t.Context(), net.JoinHostPort(host, "9069"), "fw1.conf",
			[]byte(fortigate("fw1", host))); err != nil {
			t.Error(err)
		}
	}
	if code, out, errs := do(t, nil, "show", "fw1"); code != 0 || !strings.Contains(out, `"fw1"`) {
		t.Errorf("show: %d %s %s", code, out, errs)
	}
	if info, err := os.Stat("tftpsql.db"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("tftpsql.db: %v, %v", info, err)
	}
	if code, _, errs := do(t, nil, "-p", "0"); code != 1 ||
		!strings.Contains(errs, "in use by another tftpsql") {
		t.Errorf("a second server: %d %s", code, errs)
	}
	cancel()
	if code := <-status; code != 0 {
		t.Errorf("exit status %d\n%s", code, log)
	}
	if strings.Count(log.String(), "msg=listening") != 1 {
		t.Errorf("not one line says listening:\n%s", log)
	}
}

func loopbacks() []string {
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err == nil {
		c.Close()
		return []string{"127.0.0.1", "::1"}
	}
	return []string{"127.0.0.1"}
}

// TestAnythingIsStored: nothing that arrives is refused or altered because it can't be understood.
func TestAnythingIsStored(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url, "--max-size", "16MiB")
		large := make([]byte, 16<<20)
		for i := range large {
			large[i] = byte(i * i >> 7)
		}
		n := 0
		for name, body := range map[string]string{
			"empty": "", "nul": "a\x00b", "latin-1": "set banner caf\xe9\n",
			"utf-16": "\xff\xfeh\x00i\x00", "gzip": "\x1f\x8b\x08\x00\x01",
			"large":        string(large),
			"caf\xe9.conf": "1", "a\x1b[2J\x07\r\n.conf": "2", strings.Repeat("n", 512): "3",
			"\u202efnoc.1wf": "4", "שלום.conf": "5",
			"../../../etc/passwd": "6", `c:\windows\x.cfg`: "7", "'; DROP TABLE captures; --": "8",
			"%s%n %d": "9", " ": "10", "\xff\xfe": "11", `\x41`: "12",
		} {
			n++
			c := tftp.Client{Blksize: 65464, Windowsize: 8}
			if err := c.Put(t.Context(), p.addr, name, []byte(body)); err != nil {
				t.Errorf("%q: %v\n%s", name, err, p.log)
				continue
			}
			var log []wireCapture
			unmarshal(t, p.must(t, "log", "-n", "1", "--json"), &log)
			if got := p.must(t, "show", fmt.Sprintf("@%d", log[0].ID)); got != body {
				t.Errorf("%q: %d bytes came back of %d", name, len(got), len(body))
			}
			if got, err := c.Get(t.Context(), p.addr, name); err != nil || string(got) != body {
				t.Errorf("%q: fetched %d bytes of %d, %v", name, len(got), len(body), err)
			}
		}
		err := (&tftp.Client{Blksize: 65464}).Put(t.Context(), p.addr, "larger", append(large, 0))
		if err == nil || !strings.Contains(err.Error(), `"too large" (TFTP error 3)`) {
			t.Errorf("over the limit: %v", err)
		}
		listings := p.must(t, "devices") + p.must(t, "log", "-n", "0") +
			p.must(t, "devices", "--json") + p.must(t, "log", "--json", "-n", "0") + p.log.String()
		if bad := regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f\x{202a}-\x{202e}]`).FindString(
			listings); bad != "" || !validText(listings) {
			t.Errorf("what is printed holds %q", bad)
		}
		if got := strings.Count(p.must(t, "log", "-n", "0"), "\n"); got != n+1 {
			t.Errorf("%d lines in the log of %d captures", got, n)
		}
	})
}

func validText(s string) bool { return strings.ToValidUTF8(s, "") == s }

// TestKilledAfterReceipt kills the server with -9 as soon as clients have their receipts:
// everything acknowledged is there, once.
func TestKilledAfterReceipt(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		acknowledged := map[string]bool{}
		for round := range 6 {
			cmd, log := child(t, url)
			addr := log.wait(t, `msg=listening address=(\S+)`)[1]
			results := make(chan string, 4)
			for i := range cap(results) {
				go func() {
					body := fmt.Sprintf("round %d upload %d %s", round, i,
						strings.Repeat("x", 5000*i))
					if err := (&tftp.Client{Patience: 2 * time.Second}).Put(context.Background(),
						addr, fmt.Sprintf("r%d-%d", round, i), []byte(body)); err != nil {
						body = ""
					}
					results <- body
				}()
			}
			for i := range cap(results) {
				if i == 2 { // two have their receipts, the others are under way
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
				if body := <-results; body != "" {
					acknowledged[body] = true
				}
			}
			_ = cmd.Wait() // killed
		}
		if len(acknowledged) < 12 {
			t.Fatalf("only %d uploads were acknowledged", len(acknowledged))
		}
		p := &program{url: url}
		var log []wireCapture
		unmarshal(t, p.must(t, "log", "-n", "0", "--json"), &log)
		stored := map[string]int{}
		for _, c := range log {
			stored[p.must(t, "show", c.UID)]++
		}
		for body := range acknowledged {
			if stored[body] != 1 {
				t.Errorf("%.20q was acknowledged and is there %d times", body, stored[body])
			}
		}
	})
}

// child starts the program as a process of its own.
func child(t testing.TB, url string, args ...string) (*exec.Cmd, *logBuffer) {
	t.Helper()
	return childWith(t, url, nil, args...)
}

// childWith is child with more variables.
func childWith(t testing.TB, url string, environ []string, args ...string) (*exec.Cmd,
	*logBuffer) {
	t.Helper()
	log := newLog()
	cmd := exec.Command(os.Args[0], append([]string{"-p", "0", "--host", "127.0.0.1"}, args...)...)
	cmd.Env = append(append(os.Environ(), childVariable+"=1", "DATABASE_URL="+url), environ...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return cmd, log
}

// TestSIGTERM: an upload under way ends well after the signal, a new request is dropped, and the
// program exits with 0.
func TestSIGTERM(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("no SIGTERM here")
	}
	url := databases["sqlite"](t)
	cmd, log := child(t, url)
	addr := log.wait(t, `msg=listening address=(\S+)`)[1]
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	ask := func(packet, want string) {
		t.Helper()
		if _, err := c.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 600)
		for {
			n, err := c.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if string(b[:n]) == want {
				return
			}
		}
	}
	ask("\x00\x02fw1\x00octet\x00", "\x00\x04\x00\x00")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "stopping: no new requests")
	served := 0 // of requests that came just before the server looked up
	for (&tftp.Client{Patience: time.Second}).Put(t.Context(), addr, "late", nil) == nil {
		if served++; served == 20 {
			t.Fatal("requests after SIGTERM are served")
		}
	}
	ask("\x00\x03\x00\x01whole", "\x00\x04\x00\x01")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
	if got := (&program{url: url}).must(t, "show", "fw1"); got != "whole" {
		t.Errorf("%q is stored", got)
	}
}

// TestDatabaseAway: PostgreSQL is not there at start, comes, goes and comes back. The device hears
// an error meanwhile, and never an ACK; the log says what to do.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url := server.Create(t)
	put := func(addr, name string) error {
		return (&tftp.Client{}).Put(t.Context(), addr, name,
			[]byte(name))
	}
	away := tftp.PeerError{Code: 0, Message: "storage unavailable, try again"}
	down := func() {
		t.Helper()
		if err := server.Down("immediate"); err != nil {
			t.Fatal(err)
		}
	}
	down()
	p := start(t, url)
	var said *tftp.PeerError
	if err := put(p.addr, "first"); !errors.As(err, &said) || *said != away {
		t.Errorf("while it is away: %v", err)
	}
	p.log.wait(t, `msg=failed .*file=first .*look whether PostgreSQL runs`)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	p.log.wait(t, "the database is there")
	if err := put(p.addr, "second"); err != nil {
		t.Error(err)
	}
	down()
	if err := put(p.addr, "third"); !errors.As(err, &said) || *said != away {
		t.Errorf("while it is away again: %v", err)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	if err := put(p.addr, "fourth"); err != nil {
		t.Error(err)
	}
	var log []wireCapture
	unmarshal(t, p.must(t, "log", "--json"), &log)
	if len(log) != 2 || log[0].Device != "fourth" || log[1].Device != "second" {
		t.Errorf("stored: %+v", log)
	}
}

func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "test.db")
	p := start(t, url)
	p.put(t, "fw1.conf", "a")
	p.put(t, "acme/core.conf", "b")
	p.put(t, "globex/core.conf", "c")
	busy := strings.TrimPrefix(p.addr, "127.0.0.1:")
	here := []string{"DATABASE_URL=" + url}
	idle := []string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "idle.db")} // no server has it
	if status, out, errs := do(t, idle, "migrate", "up"); status != 0 ||
		!strings.HasPrefix(out, "11 of 11") {
		t.Errorf("migrate up: %d %s %s", status, out, errs)
	}
	for _, c := range []struct {
		args    []string
		environ []string
		status  int
		says    string // on stderr
	}{
		{[]string{"show", "fw1"}, here, 0, ""},
		{[]string{"show", "fw1", "--database", url}, nil, 0, ""},
		{[]string{"--database", url, "show", "--", "fw1"}, nil, 0, ""},
		{[]string{"show", "none"}, here, 1, "no device"},
		{[]string{"show", "@99"}, here, 1, "no capture @99"},
		{[]string{"show", "core"}, here, 2, "acme/core\n  globex/core"},
		{[]string{"show"}, here, 2, "usage: tftpsql show REF"},
		{[]string{"show", "a", "b"}, here, 2, "usage: tftpsql show REF"},
		{[]string{"diff", "none"}, here, 2, "no device"},
		{[]string{"diff"}, here, 2, "usage"},
		{[]string{"devics"}, here, 2, "did you mean device or devices"},
		{[]string{"xyzzy"}, here, 2, "unknown command"},
		{[]string{"devices", "--bogus"}, here, 2, "--bogus"},
		{[]string{"log", "-n", "-1"}, here, 2, "invalid argument"},
		{[]string{"migrate"}, here, 2, "up, down, version or force"},
		{[]string{"migrate", "sideways"}, here, 2, "up, down, version or force"},
		{[]string{"migrate", "force", "99"}, idle, 2, "is no version"},
		{[]string{"migrate", "force", "0"}, idle, 0, ""},
		{[]string{"migrate", "force", "1"}, idle, 0, ""},
		{[]string{"migrate", "down", "x"}, idle, 2, "is no number"},
		{[]string{"migrate", "down"}, idle, 0, ""},
		{[]string{"migrate", "down"}, idle, 1, "no migration to take back"},
		{[]string{"migrate", "version"}, idle, 0, ""},
		{[]string{"migrate", "force", "1"}, []string{"DATABASE_URL=sqlite:" +
			filepath.Join(dir, "none.db")}, 1, "no database at"},
		{[]string{"devices"}, []string{"DATABASE_URL=" + url, "TFTP_PORT=x"}, 0, ""},
		{[]string{"put", "x", "tftp://127.0.0.1/x"}, nil, 2, "write 192.0.2.10:9069"},
		{nil, []string{"TFTP_ACK_TIMEOUT=30"}, 2, "TFTP_TIMEOUT"},
		{nil, []string{"DATABASE_URL=host=db password=hunter2"}, 2, "postgres:// or sqlite:"},
		{[]string{"migrate", "version"}, here, 0, ""},
		{[]string{"migrate", "up"}, here, 1, "in use by another tftpsql"},
		{[]string{"devices"}, []string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "none.db")}, 1,
			"no database at " + filepath.Join(dir, "none.db")},
		{nil, []string{"DATABASE_URL=mysql://x"}, 2, "postgres:// or sqlite:"},
		{nil, []string{"DATABASE_URL=postgres://u:hunter2@[::1"}, 2, "the form is postgres://"},
		{nil, []string{"TFTP_PORT=x"}, 2, "TFTP_PORT"},
		{nil, []string{"TFTP_ALLOW=10.0.0.0/33"}, 2, "TFTP_ALLOW"},
		{nil, []string{"TFTP_SITES=acme"}, 2, "TFTP_SITES"},
		{nil, []string{"TFTP_READ=all"}, 2, "TFTP_READ"},
		{nil, []string{"TFTP_MAX_SIZE=10XB"}, 2, "TFTP_MAX_SIZE"},
		{nil, []string{"TFTP_MEMORY=1MiB"}, 2, "TFTP_MEMORY"},
		{nil, []string{"TFTP_MAX_BLKSIZE=7"}, 2, "TFTP_MAX_BLKSIZE"},
		{[]string{"--ack-timeout", "soon"}, nil, 2, "--ack-timeout"},
		{[]string{"serve", "extra"}, nil, 2, "usage: tftpsql serve"},
		{nil, []string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "no", "such.db")}, 1,
			"folder must exist"},
		{[]string{"--host", "127.0.0.1", "-p", busy},
			[]string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "other.db")}, 1,
			"choose another port with --port"},
		{[]string{"--host", "192.0.2.1", "-p", "0"},
			[]string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "other.db")}, 1,
			"no such address"},
		{[]string{"--file-log", filepath.Join(dir, "no", "log")}, here, 1, "LOG_FILE"},
		{[]string{"put", filepath.Join(dir, "none"), p.addr}, nil, 1, "no such file"},
		{[]string{"put", "x", p.addr, "--mode", "mail"}, nil, 2, "octet or netascii"},
		{[]string{"put", "x", p.addr, "--blksize", "7"}, nil, 2, "--blksize is 8 to 65464"},
		{[]string{"put", "x", p.addr, "--windowsize", "65536"}, nil, 2, "--windowsize 1 to 65535"},
		{[]string{"put", "x", "127.0.0.1:x"}, nil, 2, "the port is a number"},
		{[]string{"get", p.addr, ""}, nil, 2, "usage"},
		{[]string{"publish", "fw1", "--as", "a\\b"}, here, 2, "no backslash"},
		{[]string{"publish", "fw1", "--as", "/"}, here, 2, "no backslash"},
		{[]string{"put", "-", p.addr}, nil, 2, "standard input has no name"},
		{[]string{"get", p.addr, "none", "-o", filepath.Join(dir, "none")}, nil, 1,
			`"file not found" (TFTP error 1)`},
		{[]string{"get", p.addr, "fw1.conf", "-o", filepath.Join(dir, "test.db")}, nil, 1,
			"say -f to overwrite it"},
		{[]string{"--version"}, nil, 0, ""},
		{[]string{"version"}, nil, 0, ""},
		{[]string{"-h"}, nil, 0, ""},
	} {
		// another program may have the default one
		status, _, errs := do(t, append([]string{"TFTP_PORT=0"}, c.environ...), c.args...)
		if status != c.status || !strings.Contains(errs, c.says) || c.says == "" && errs != "" {
			t.Errorf("tftpsql %q with %q: exit status %d, want %d\n%s", c.args, c.environ, status,
				c.status, errs)
		}
		if strings.Contains(errs, "hunter2") {
			t.Errorf("a password in %s", errs)
		}
		if n := strings.Count(errs, "\n"); c.status == 2 && n > 1 &&
			!strings.Contains(errs, "ambiguous") {
			t.Errorf("tftpsql %q: %d lines\n%s", c.args, n, errs)
		}
	}
	if status, _, _ := do(t, []string{"DATABASE_URL=mysql://x"}, "version"); status != 0 {
		t.Error("version needs a database")
	}
}

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, databases["sqlite"](t))
	body := fortigate("fw1", strings.Repeat("x", 5000))
	file, back := filepath.Join(dir, "fw1.conf"), filepath.Join(dir, "back")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must(t, "put", file, p.addr)
	p.must(t, "put", file, p.addr, "acme/x.conf", "--blksize", "0")
	p.must(t, "put", "--windowsize", "65535", file, p.addr, "y.conf")
	if got := p.must(t, "show", "acme/fw1"); got != body {
		t.Error("acme/fw1 differs")
	}
	p.must(t, "get", p.addr, "fw1.conf", "-o", back)
	p.must(t, "get", p.addr, "fw1.conf", "-o", back, "-f")
	if b, err := os.ReadFile(back); err != nil || string(b) != body {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	p.must(t, "put", "--mode", "netascii", file, p.addr, "net/ascii.conf")
	if got := p.must(t, "show", "net/fw1"); got != body {
		t.Error("net/fw1 differs")
	}
	if got := p.must(t, "get", "--mode", "netascii", p.addr, "net/ascii.conf", "-o",
		"-"); got != body {
		t.Error("fetched in netascii it differs")
	}
	if got := p.must(t, "get", p.addr, "y.conf", "-o", "-"); got != body {
		t.Error("get to standard output differs")
	}
	p.must(t, "show", "/fw1", "-o", filepath.Join(dir, "shown"))
	if b, err := os.ReadFile(filepath.Join(dir, "shown")); err != nil || string(b) != body {
		t.Errorf("show -o: %d bytes, %v", len(b), err)
	}
}

func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		width       int
		want        string
	}{
		{0, 1000, 80, "[..............................]   0% 0 B of 1000 B, 0 B/s, - left"},
		{512 << 10, 1 << 20, 100,
			"[###############...............]  50% 512 KiB of 1 MiB, 256 KiB/s, 2s left"},
		{1 << 20, 1 << 20, 45, "100% 1 MiB of 1 MiB, 512 KiB/s, 0s left"},
		{0, 0, 80, "[##############################] 100% 0 B of 0 B, 0 B/s, - left"},
		{5000, -1, 80, "4.883 KiB, 2.441 KiB/s"},
	} {
		if got := transferLine(c.done, c.total, 2*time.Second, c.width); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestSeedReaders: the variables and the view of py3tftpsql, whose own table stays.
func TestSeedReaders(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	ctx := t.Context()
	db := connect(t, url)
	if _, err := db.Exec(ctx, "CREATE TABLE backups (hostname text, config text); INSERT INTO "+
		"backups VALUES ('old', 'kept')"); err != nil {
		t.Fatal(err)
	}
	socket, name := db.Config().Host, db.Config().Database
	log := newLog()
	ctx2, cancel := context.WithCancel(ctx)
	status := make(chan int, 1)
	environ := []string{"DATABASE_HOSTNAME=" + socket, "DATABASE_NAME=" + name,
		"DATABASE_USERNAME=postgres", "DATABASE_PASSWORD=unused", "DATABASE_PORT=5432"}
	go func() { status <- Run(ctx2, "", []string{"-p", "0"}, environ, log, log) }()
	addr := "127.0.0.1:" + log.wait(t, `msg=listening address=\S+:(\d+) `)[1]
	for i, body := range []string{fortigate("fw1", "1"), fortigate("fw1", "2"), "caf\xe9", "a\x00b",
		""} {
		if err := (&tftp.Client{}).Put(ctx, addr, fmt.Sprint("dev", i), []byte(body)); err != nil {
			t.Error(err)
		}
	}
	for query, want := range map[string]string{
		"SELECT config FROM backups WHERE hostname = 'fw1' ORDER BY received_at DESC " +
			"LIMIT 1": fortigate("fw1", "2"),
		"SELECT config FROM backups WHERE hostname = 'dev2'":                   "café",
		"SELECT coalesce(config, 'NULL') FROM backups WHERE hostname = 'dev3'": "NULL",
		"SELECT config FROM backups WHERE hostname = 'dev4'":                   "",
		"SELECT config FROM backups_py3tftpsql":                                "kept",
		"SELECT count(*)::text FROM changes WHERE device = 'fw1'":              "2",
	} {
		var got string
		if err := db.QueryRow(ctx, query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
	if !strings.Contains(log.String(), "is now named backups_py3tftpsql") {
		t.Errorf("nothing said of the old table:\n%s", log)
	}
	cancel()
	if got := <-status; got != 0 {
		t.Errorf("exit status %d\n%s", got, log)
	}
	if strings.Contains(log.String(), "unused") {
		t.Error("the password is in the log")
	}
}

// TestSQLiteView: the same view on SQLite, and times that SQLite's own functions read.
func TestSQLiteView(t *testing.T) {
	url := databases["sqlite"](t)
	p := start(t, url)
	for i, body := range []string{fortigate("fw1", "1"), "caf\xe9", "a\x00b", ""} {
		p.put(t, fmt.Sprint("dev", i), body)
	}
	db := openSQLite(t, url)
	for query, want := range map[string]string{
		"SELECT config FROM backups WHERE " +
			"hostname = 'fw1'": fortigate("fw1", "1"),
		"SELECT config FROM backups WHERE hostname = 'dev1'":                   "café",
		"SELECT coalesce(config, 'NULL') FROM backups WHERE hostname = 'dev2'": "NULL",
		"SELECT config FROM backups WHERE hostname = 'dev3'":                   "",
		"SELECT count(*) FROM captures WHERE " +
			"abs(julianday('now') - julianday(received_at)) < 1": "4",
		"SELECT count(*) FROM devices WHERE date(last_seen) IS NULL OR julianday(first_seen) IS " +
			"NULL": "0",
	} {
		var got string
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
}

// TestReadPolicy: what one source sent is not another's to fetch, and reading can be off.
func TestReadPolicy(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t), "--host", "")
	_, port, _ := net.SplitHostPort(p.addr)
	p.addr = net.JoinHostPort("127.0.0.1", port)
	p.put(t, "fw1.conf", "mine")
	if len(loopbacks()) > 1 {
		if _, err := (&tftp.Client{}).Get(t.Context(), net.JoinHostPort("::1", port),
			"fw1.conf"); err == nil || !strings.Contains(err.Error(), "file not found") {
			t.Errorf("from another source: %v", err)
		}
	}
	off := start(t, databases["sqlite"](t), "--read", "none")
	off.put(t, "fw1.conf", "mine")
	if _, err := (&tftp.Client{}).Get(t.Context(), off.addr, "fw1.conf"); err == nil ||
		!strings.Contains(err.Error(), `"not allowed" (TFTP error 2)`) {
		t.Errorf("reading is off: %v", err)
	}
}

// TestPublishCommand: a version is handed over under a name of its own, by a server that gives back
// nothing else.
func TestPublishCommand(t *testing.T) {
	p := start(t, databases["sqlite"](t), "--read", "published")
	one := fortigate("fw1", "1")
	p.put(t, "fw1.conf", one)
	p.put(t, "fw1.conf", fortigate("fw1", "2"))
	get := func(name, want string) {
		t.Helper()
		body, err := (&tftp.Client{}).Get(t.Context(), p.addr, name)
		if string(body) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
	}
	get("fw1.conf", "") // own files are not given back
	line := p.must(t, "publish", "fw1~1")
	name := regexp.MustCompile(
		`^execute restore config tftp ([A-Z2-7]{26}\.conf) SERVER\n$`).FindStringSubmatch(line)
	if name == nil {
		t.Fatalf("publish printed %q", line)
	}
	get(name[1], one)
	get("/"+name[1], one)
	p.must(t, "publish", "@1", "--as", "/fw1.conf", "--for", "0", "--to", "127.0.0.0/8", "--once")
	get("fw1.conf", one)
	file := filepath.Join(t.TempDir(), "image.bin")
	if err := os.WriteFile(file, randomBytes(100000), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must(t, "publish", "--file", file, "--as", "image.bin")
	get("image.bin", string(randomBytes(100000)))
	if list := p.must(t, "publish", "--list"); strings.Count(list, "\n") != 4 ||
		!strings.Contains(list, "127.0.0.0/8") {
		t.Errorf("publish --list:\n%s", list)
	}
	p.must(t, "unpublish", "image.bin")
	get("image.bin", "")
	for _, args := range [][]string{{"publish"}, {"publish", "fw1", "--list"},
		{"publish", "fw1", "--to", "x"}, {"publish", "fw1", "--for", "soon"}} {
		if status, _, errs := p.do(t, args...); status != 2 {
			t.Errorf("%v: exit status %d, %s", args, status, errs)
		}
	}
	if status, _, errs := p.do(t, "unpublish", "none"); status != 1 ||
		!strings.Contains(errs, "nothing is published") {
		t.Errorf("unpublish none: %d %s", status, errs)
	}
}

func TestWriteOnce(t *testing.T) {
	p := start(t, databases["sqlite"](t), "--write-once")
	p.put(t, "image.bin", "first")
	p.put(t, "image.bin", "first")
	err := (&tftp.Client{}).Put(t.Context(), p.addr, "image.bin", []byte("second"))
	if err == nil || !strings.Contains(err.Error(), `"file already exists" (TFTP error 6)`) {
		t.Error(err)
	}
	if got := p.must(t, "show", "image"); got != "first" {
		t.Errorf("%q is stored", got)
	}
}

func randomBytes(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 5))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
