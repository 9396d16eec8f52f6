package cli

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
)

// way sends a file by a client of real life, and returns what the client said, and whether it
// believes in it.
type way func(t *testing.T, w *waysIn, file, name string) (said string, ok bool)

// waysIn is a server that takes uploads by SSH and HTTP, with a login's key, another login's
// password and a token.
type waysIn struct {
	*program
	ssh, http, key, token string
}

// waysPassword is the password of the login "gate".
const waysPassword = "a long password"

// ways are by what is heard of a refusal.
var ways = map[string]struct {
	send way
	says string // of a refusal, besides the exit status
	deaf bool   // it doesn't hear a refusal
}{
	"dropbear": {says: "file already exists",
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			script := filepath.Join(t.TempDir(), "dbclient")
			writeText(t, script, "#!/bin/sh\nDROPBEAR_PASSWORD='"+waysPassword+
				"' HOME="+t.TempDir()+" exec dbclient -y -y \"$@\"\n")
			if err := os.Chmod(script, 0o700); err != nil {
				t.Fatal(err)
			}
			return run(t, "scp", "-O", "-S", script, "-P", w.port(t), file,
				"gate@127.0.0.1:/"+name)
		}},
	"paramiko": {says: "file already exists",
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			if said, ok := run(t, "/usr/bin/python3", "-c", "import paramiko"); !ok {
				if os.Getenv("CI") != "" {
					t.Fatal(said)
				}
				t.Skip(said)
			}
			return run(t, "/usr/bin/python3", "-c", paramikoPut, w.port(t), waysPassword, file,
				"/"+name)
		}},
	"curl sftp": {deaf: true,
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			return run(t, "curl", "-sSk", "-u", "gate:"+waysPassword, "-T", file,
				"sftp://"+w.ssh+"/"+name)
		}},
	"curl scp": {deaf: true,
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			return run(t, "curl", "-sSk", "-u", "gate:"+waysPassword, "-T", file,
				"scp://"+w.ssh+"/"+name)
		}},
	"curl POST, chunked": {says: "file already exists",
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			return run(t, "curl", "-sS", "--fail-with-body", "-X", "POST", "--data-binary",
				"@"+file, "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue", "-u",
				"any:"+w.token, w.http+"/in/"+name)
		}},
	"scp": {says: "", send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
		return w.client(t, "scp", "-P", file, "acme@127.0.0.1:/"+name)
	}},
	"scp -O": {says: "file already exists",
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			return w.client(t, "scp", "-P", "-O", file, "acme@127.0.0.1:/"+name)
		}},
	"sftp": {says: "", send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
		batch := filepath.Join(t.TempDir(), "batch")
		writeText(t, batch, "put "+file+" /x.part\nrename /x.part /"+name+"\n")
		return w.client(t, "sftp", "-P", "-b", batch, "acme@127.0.0.1")
	}},
	"curl -T": {says: "file already exists",
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			return run(t, "curl", "-sS", "--fail-with-body", "-T", file, "-H",
				"Authorization: Bearer "+w.token, w.http+"/in/acme/"+name)
		}},
	"curl -F": {says: "file already exists",
		send: func(t *testing.T, w *waysIn, file, name string) (string, bool) {
			return run(t, "curl", "-sS", "--fail-with-body", "-F", "file=@"+file, "-u",
				"any:"+w.token, w.http+"/in/acme/"+name)
		}},
}

// paramikoPut sends as VyOS does, which looks at the file afterwards.
const paramikoPut = `
import paramiko, sys
port, password, local, path = sys.argv[1:]
c = paramiko.SSHClient()
c.set_missing_host_key_policy(paramiko.AutoAddPolicy())
c.connect('127.0.0.1', int(port), 'gate', password, allow_agent=False, look_for_keys=False)
c.open_sftp().put(local, path)
`

// port is that of SSH_ADDR.
func (w *waysIn) port(t *testing.T) string {
	_, port, err := net.SplitHostPort(w.ssh)
	if err != nil {
		t.Fatal(w.ssh, err)
	}
	return port
}

// client runs a client of OpenSSH.
func (w *waysIn) client(t *testing.T, program, port string, args ...string) (string, bool) {
	return run(t, program, append([]string{port, w.port(t), "-i", w.key, "-oBatchMode=yes",
		"-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oIdentitiesOnly=yes",
		"-oLogLevel=ERROR", "-F", "none"}, args...)...)
}

func run(t *testing.T, program string, args ...string) (said string, ok bool) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err == nil
}

func writeText(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startWays starts a server with a login and a token of the site acme.
func startWays(t *testing.T, url string, environ ...string) *waysIn {
	t.Helper()
	p := launch(t, url, append([]string{"SSH_ADDR=127.0.0.1:0"}, environ...),
		`msg=listening address=(\S+)`, "--http", "127.0.0.1:0")
	return loggedIn(t, p)
}

// waysOf finds where a server takes uploads.
func waysOf(t *testing.T, p *program) *waysIn {
	t.Helper()
	return &waysIn{program: p, ssh: p.log.wait(t, `msg=ssh address=(\S+)`)[1],
		http: p.log.wait(t, `msg=health url=(\S+)`)[1]}
}

// loggedIn makes the logins and the token of a server.
func loggedIn(t *testing.T, p *program) *waysIn {
	t.Helper()
	w := waysOf(t, p)
	w.key = filepath.Join(t.TempDir(), "key")
	if said, ok := run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", w.key); !ok {
		t.Fatal(said)
	}
	p.must(t, "login", "add", "acme", "--site", "acme", "--key", w.key+".pub")
	w.typed(t, waysPassword, "login", "add", "gate", "--site", "acme")
	w.token = strings.TrimSpace(p.must(t, "token", "add", "up", "--role", "uploader", "--site",
		"acme"))
	return w
}

// typed runs a command that asks for a password.
func (p *program) typed(t *testing.T, password string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"=1", "DATABASE_URL="+p.url)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// TestWaysIn: what comes by SSH or HTTP is stored byte for byte under the site of its login or
// token, and a refusal is heard.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	for engine, database := range databases {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := startWays(t, database(t), "TFTP_WRITE_ONCE=true")
			number := 0
			for name, c := range ways {
				t.Run(name, func(t *testing.T) {
					number++
					device := "fw" + strconv.Itoa(number)
					body := fortigate(device, name)
					file := filepath.Join(t.TempDir(), device)
					writeText(t, file, body)
					if said, ok := c.send(t, w, file, device+".conf"); !ok {
						t.Fatalf("not stored: %s\n%s", said, w.log)
					}
					if got := w.must(t, "show", "acme/"+device); got != body {
						t.Errorf("stored is %q, want %q", got, body)
					}
					if name == "sftp" {
						return // its files have the name that they were opened with, x.part
					}
					writeText(t, file, fortigate(device, "other"))
					said, ok := c.send(t, w, file, device+".conf")
					if ok != c.deaf || !strings.Contains(said, c.says) {
						t.Errorf("written twice: %v, %q", ok, said)
					}
					if got := w.must(t, "show", "acme/"+device); got != body {
						t.Errorf("stored is %q, want %q", got, body)
					}
				})
			}
			if list := w.must(t, "login", "list"); !strings.Contains(list, "acme") {
				t.Error(list)
			}
			w.log.wait(t, `msg=received op=write mode=scp peer=\S+ login=gate file=/fw`)
			w.log.wait(t, `msg=received op=write mode=http peer=\S+ file=acme/fw`)
			_, text := get(t, w.http+"/metrics")
			for _, series := range []string{`mode="http",outcome="ok"} 3`,
				`mode="http",outcome="failed"} 3`, `mode="scp",outcome="ok"} 3`,
				`mode="sftp",outcome="ok"} 4`} {
				if !strings.Contains(text, series) {
					t.Errorf("no %s in the metrics", series)
				}
			}
		})
	}
}

// TestWaysRefused: what must not be stored isn't, and the answer says why.
func TestWaysRefused(t *testing.T) {
	t.Parallel()
	w := startWays(t, databases["sqlite"](t), "TFTP_MAX_SIZE=64KiB")
	dir := t.TempDir()
	small, large := filepath.Join(dir, "small"), filepath.Join(dir, "large")
	writeText(t, small, fortigate("fw1", "x"))
	writeText(t, large, fortigate("fw1", strings.Repeat("x", 65<<10)))
	viewer := strings.TrimSpace(w.must(t, "token", "add", "see"))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"another site": {[]string{"-T", small, "-u", "x:" + w.token, w.http + "/in/globex/fw1"},
			"sends for other sites"},
		"no token":    {[]string{"-T", small, w.http + "/in/acme/fw1"}, "a token is needed"},
		"wrong token": {[]string{"-T", small, "-u", "x:y", w.http + "/in/acme/fw1"}, "unknown"},
		"a viewer's": {[]string{"-T", small, "-u", "x:" + viewer, w.http + "/in/acme/fw1"},
			"may not send"},
		"too large": {[]string{"-T", large, "-u", "x:" + w.token, w.http + "/in/acme/fw1"},
			"at most 65536 bytes"},
		"too large, unannounced": {[]string{"-T", large, "-H", "Transfer-Encoding: chunked", "-u",
			"x:" + w.token, w.http + "/in/acme/fw1"}, "at most 65536 bytes"},
		"no name": {[]string{"-X", "PUT", "-d", "x", "-u", "x:" + w.token, w.http + "/in/acme/"},
			"send to /in/SITE/NAME"},
		"the API": {[]string{"-u", "x:" + w.token, w.http + "/api/v1/devices"}, "needs the role"},
		"reading": {[]string{"-u", "x:" + w.token, w.http + "/in/acme/fw1"},
			"send with PUT or POST"},
	} {
		said, ok := run(t, "curl", append([]string{"-sS", "--fail-with-body"}, c.args...)...)
		if ok || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v %q, want %q", name, ok, said, c.want)
		}
	}
	if said, ok := ways["scp"].send(t, w, large, "fw1.conf"); ok {
		t.Errorf("too large by scp: %s", said)
	}
	if said, ok := w.client(t, "ssh", "-p", "acme@127.0.0.1", "id"); ok {
		t.Errorf("a shell: %s", said)
	}
	if said, ok := w.client(t, "sftp", "-P", "acme@127.0.0.1:/fw1.conf", dir); ok {
		t.Errorf("something can be read: %s", said)
	}
	if list := w.must(t, "devices"); strings.Contains(list, "fw1") {
		t.Errorf("stored:\n%s", list)
	}
}

// TestWaysOutage: while PostgreSQL is away a client hears that nothing was stored, or its upload is
// kept in the spool and forwarded. Two workers are one host.
func TestWaysOutage(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url := server.Create(t)
	bare := startWays(t, url)
	spooling := *bare // with the same login and token
	spool := filepath.Join(t.TempDir(), "spool.db")
	begin := func() {
		t.Helper()
		spooling.program = launch(t, url, []string{"SSH_ADDR=127.0.0.1:0"},
			`msg=listening address=(\S+)`, "--http", "127.0.0.1:0", "--spool", spool)
		at := waysOf(t, spooling.program)
		spooling.ssh, spooling.http = at.ssh, at.http
	}
	begin()
	const print = `fingerprint=(\S+)`
	if a, b := bare.log.wait(t, print)[1], spooling.log.wait(t, print)[1]; a != b {
		t.Errorf("two workers have two host keys: %s, %s", a, b)
	}
	file := filepath.Join(t.TempDir(), "fw1")
	writeText(t, file, fortigate("fw1", "x"))
	for _, name := range []string{"scp -O", "curl -T"} {
		if said, ok := ways[name].send(t, &spooling, file, "fw1.conf"); !ok {
			t.Fatal(said)
		}
	}
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	writeText(t, file, fortigate("fw1", "changed"))
	for _, name := range []string{"scp", "scp -O", "curl -T"} {
		if said, ok := ways[name].send(t, bare, file, "fw1.conf"); ok {
			t.Errorf("%s: acknowledged without a database: %s", name, said)
		}
		if said, ok := ways[name].send(t, &spooling, file, "fw1.conf"); !ok {
			t.Errorf("%s: not kept in the spool: %s\n%s", name, said, spooling.log)
		}
	}
	// A worker that starts in the outage knows the host keys, logins and tokens by its spool.
	before := spooling.log.wait(t, print)[1]
	spooling.stop()
	status := <-spooling.status
	spooling.status <- status
	begin()
	if after := spooling.log.wait(t, print)[1]; after != before {
		t.Errorf("after a restart the host key is %s, and was %s", after, before)
	}
	writeText(t, file, fortigate("fw1", "after a restart"))
	for _, name := range []string{"scp", "scp -O", "curl -T"} {
		if said, ok := ways[name].send(t, &spooling, file, "fw1.conf"); !ok {
			t.Errorf("%s: not kept in the spool after a restart: %s\n%s", name, said,
				spooling.log)
		}
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	spooling.log.wait(t, "PostgreSQL is back")
	if got := bare.must(t, "show", "acme/fw1"); got != fortigate("fw1", "after a restart") {
		t.Errorf("forwarded is %q", got)
	}
}
