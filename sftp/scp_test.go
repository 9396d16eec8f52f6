package sftp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/sftp"
)

// scp runs a command with an input that ends. It returns what the server sends, what it says on
// stderr, and its exit status.
func (s *site) scp(t *testing.T, command, input string) (out, said string, status int) {
	t.Helper()
	session, err := s.dial(t, nil).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader(input), &stdout, &stderr
	err = session.Run(command)
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &exit):
		status = exit.ExitStatus()
	case err != nil:
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), status
}

// TestSCP: what a client sends, and what it hears.
func TestSCP(t *testing.T) {
	t.Parallel()
	const ok = "\x00"
	for _, c := range []struct {
		command, input string
		out            string // the beginning, where it ends with "..."
		status         int
		stored         string // path=body, comma between
	}{
		{"scp -t fw1.conf", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/fw1.conf=abc"},
		{"scp -t /acme/", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/acme/x=abc"},
		{"scp -t /acme", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/acme/x=abc"},
		{"scp -t /acme/x", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/acme/x=abc"},
		{"scp -d -t a.b", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/a.b/x=abc"},
		{"scp -v -p -t -- '/a b.c'", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/a b.c=abc"},
		{`/usr/bin/scp -pt "/a\"b.c"`, "C0644 3 x\nabc\x00", ok + ok + ok, 0, `/a"b.c=abc`},
		{"scp -t", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/x=abc"},
		{"scp -t ~/x.c", "C0644 3 x\nabc\x00", ok + ok + ok, 0, "/x.c=abc"},
		{"scp -t .", "T1 0 1 0\nC0644 0 x\n\x00C0644 1 y\nz\x00",
			strings.Repeat(ok, 6), 0, "/x=,/y=z"},
		{"scp -r -t /", "D0755 0 d\nC0644 1 x\na\x00D0755 0 e\nC0644 1 y\nb\x00E\nE\n" +
			"C0644 1 z\nc\x00",
			strings.Repeat(ok, 11), 0, "/d/x=a,/d/e/y=b,/z=c"},
		// libssh2 ends without the last byte
		{"scp -pt /x.c", "C0644 3 x\nabc", ok + ok + ok, 0, "/x.c=abc"},
		{"scp -t /x.c", "C0644 3 x\nab", ok + ok, 1, ""},
		{"scp -t /x.c", "C0644 3 x", ok, 1, ""},
		{"scp -t /x.c", "", ok, 0, ""},
		{"scp -r -t /", "D0755 0 d\n", ok + ok, 1, ""},
		{"scp -t /x.c", "C0644 3 x\nabc\x01scp: x: read error\n",
			ok + ok + "\x01the client could not read all of its file\n", 1, ""},
		{"scp -t .", "\x01no such file\nC0644 1 x\na\x00", ok + ok + ok, 1, "/x=a"},
		{"scp -t .", "C0644 1 refuse\na\x00C0644 1 x\na\x00",
			ok + ok + "\x01" + refusal + "\n" + ok + ok, 1, "/x=a"},
		{"scp -t .", "C0644 1 broken\na\x00",
			ok + ok + "\x01storage unavailable, try again\n", 1, ""},
		{"scp -t .", "C0644 9000000 x\nC0644 1 y\nb\x00",
			ok + "\x01too large: a file may have 1048576 bytes\n" + ok + ok, 1, "/y=b"},
		{"scp -t .", "C0644 999999999999999999 x\n", ok + "\x01too large...", 1, ""},
		{"scp -t .", "C0644 9999999999999999999 x\n", ok + "\x01scp: malformed size...", 1, ""},
		{"scp -t .", "C0644 -1 x\n", ok + "\x01scp: malformed size...", 1, ""},
		{"scp -t .", "C0844 1 x\n", ok + "\x01scp: malformed mode...", 1, ""},
		{"scp -t .", "C0644 1 ../x\n", ok + "\x01scp: a name with a slash...", 1, ""},
		{"scp -t .", "C0644 1 x\x00y\n", ok + "\x01scp: a name with a slash...", 1, ""},
		{"scp -t .", "C0644 1 ..\n", ok + "\x01scp: malformed name...", 1, ""},
		{"scp -t .", "C0644 1 \n", ok + "\x01scp: malformed name...", 1, ""},
		{"scp -t .", "C0644 1\n", ok + "\x01scp: malformed name...", 1, ""},
		{"scp -t .", "T1 0 1\n", ok + "\x01scp: malformed times...", 1, ""},
		{"scp -t .", "E\n", ok + "\x01scp: unexpected end...", 1, ""},
		{"scp -t .", "D0755 0 d\n", ok + "\x01scp: a folder came...", 1, ""},
		{"scp -t .", "hello\n", ok + "\x01scp: unexpected line...", 1, ""},
		{"scp -t .", "\n", ok, 1, ""},
		{"scp -t .", "C0644 1 " + strings.Repeat("x", 2000) + "\n",
			ok + "\x01scp: the line is too long...", 1, ""},
		{"scp -t /" + strings.Repeat("y", 1000),
			"C0644 1 " + strings.Repeat("x", 100) + "\nC0644 1 y\na\x00",
			ok + "\x01the name is too long or has control characters\n" + "...", 1,
			"/" + strings.Repeat("y", 1000) + "/y=a"},
		{"scp -r -t .", strings.Repeat("D0755 0 d\n", 40),
			strings.Repeat(ok, 33) + "\x01scp: more than 32...", 1, ""},
	} {
		name := c.command[:min(len(c.command), 30)] + " " + fmt.Sprintf("%.40q", c.input)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *sftp.Server) { s.Limits.MaxSize = 1 << 20 })
			out, said, status := s.scp(t, c.command, c.input)
			begins, cut := strings.CutSuffix(c.out, "...")
			asWanted := out == c.out || cut && strings.HasPrefix(out, begins)
			if !asWanted || status != c.status || said != "" {
				t.Errorf("it answers %q with %d, not %q with %d; stderr %q", out, status, c.out,
					c.status, said)
			}
			for stored := range strings.SplitSeq(c.stored, ",") {
				if path, body, ok := strings.Cut(stored, "="); ok {
					s.has(t, path, []byte(body))
				} else {
					s.hasNothing(t)
				}
			}
		})
	}
}

// TestSCPLost: all bytes of a file have come when the connection is lost. The client may have
// meant to say that it could not read them.
func TestSCPLost(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	conn := s.dial(t, nil)
	session, err := conn.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	w, err := session.StdinPipe()
	r, err2 := session.StdoutPipe()
	if err := errors.Join(err, err2, session.Start("scp -t x.c")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "C0644 3 x\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "abc"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if o := s.end(t); o.Err == nil || o.Bytes != 3 || o.Upload.Mode != sftp.SCP {
		t.Errorf("it ended with %v, of %d bytes", o.Err, o.Bytes)
	}
	s.hasNothing(t)
}

// TestCommands: nothing but scp -t runs.
func TestCommands(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for command, want := range map[string]string{
		"":                                    "uploads only: sftp and scp",
		"id":                                  "uploads only: sftp and scp",
		"scp":                                 "uploads only: sftp and scp",
		"scp -t a b":                          "uploads only: sftp and scp",
		"scp -X -t a":                         "uploads only: sftp and scp",
		"scp -f /etc/hosts":                   "scp can't read files",
		"scp -t x; id":                        "only a shell understands",
		"scp -t `id`":                         "only a shell understands",
		`scp -t "$(id)"`:                      "only a shell understands",
		"scp -t 'x":                           "only a shell understands",
		`scp -t x\`:                           "only a shell understands",
		"scp -t x\nid":                        "only a shell understands",
		"scp -t 'x\a'":                        "control characters",
		"scp -t " + strings.Repeat("x", 5000): "too long",
	} {
		out, said, status := s.scp(t, command, "")
		if out != "" || status != 1 || !strings.Contains(said, want) ||
			strings.Count(said, "\n") != 1 {
			t.Errorf("%.30q: %q %q %d", command, out, said, status)
		}
	}
}
