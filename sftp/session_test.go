package sftp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	client "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/sftp"
)

// TestReceipt: the status of close is what the handler says, and never a cause.
func TestReceipt(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.open(t)
	body := random(3 << 20) // written by many requests at once, out of order
	if err := put(c, "/acme/fw1.conf", body); err != nil {
		t.Fatal(err)
	}
	s.has(t, "/acme/fw1.conf", body)
	o := s.end(t)
	u := o.Upload
	if o.Err != nil || o.Bytes != int64(len(body)) || u.Mode != sftp.SFTP || u.Login.Name != user ||
		u.Login.Data != "site" || u.User != user || u.Client != "SSH-2.0-Go" ||
		u.Local.String() != s.addr || !u.Peer.Addr().IsLoopback() ||
		u.Completed.Before(u.Began) || u.Began.IsZero() {
		t.Errorf("%+v %+v", o, u)
	}
	for path, want := range map[string]string{
		"/refuse.conf": refusal,
		"/broken.conf": "storage unavailable, try again",
		"/panic.conf":  "storage unavailable, try again",
	} {
		err := put(c, path, []byte("x"))
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "cause") {
			t.Errorf("%s: %v", path, err)
		}
		if o := s.end(t); o.Err == nil || !strings.Contains(o.Err.Error(), cause) || o.Refused {
			t.Errorf("%s ended with %v", path, o.Err)
		}
		if _, err := c.Stat(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a look at %s says %v", path, err)
		}
	}
	if all, err := c.ReadDir("/"); err != nil || len(all) != 1 {
		t.Errorf("the folder has %v, %v", all, err)
	}
}

// TestTorn: a file that isn't whole is an error, and nothing gets to the handler.
func TestTorn(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(f *client.File) error{
		"a hole": func(f *client.File) error {
			_, err := f.WriteAt([]byte("abc"), 0)
			_, err2 := f.WriteAt([]byte("abc"), 4)
			return errors.Join(err, err2)
		},
		"no beginning": func(f *client.File) error {
			_, err := f.WriteAt([]byte("abc"), 70_000)
			return err
		},
		"less than its size": func(f *client.File) error {
			_, err := f.WriteAt([]byte("abc"), 0)
			return errors.Join(err, f.Truncate(5))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			f, err := s.open(t).Create("/fw1.conf")
			if err != nil {
				t.Fatal(err)
			}
			if err := write(f); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err == nil || !strings.Contains(err.Error(), "the file is torn") {
				t.Errorf("close says %v", err)
			}
			if o := s.end(t); o.Err == nil || o.Bytes == 0 {
				t.Errorf("it ended with %v, of %d bytes", o.Err, o.Bytes)
			}
			s.hasNothing(t)
		})
	}
}

// TestOrder: parts may come in any order, and again.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	f, err := s.open(t).Create("/fw1.conf")
	if err != nil {
		t.Fatal(err)
	}
	body := random(200_000)
	const part = 7_000
	for at := (len(body) - 1) / part * part; at >= 0; at -= part {
		for range 2 {
			if _, err := f.WriteAt(body[at:min(at+part, len(body))], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.has(t, "/fw1.conf", body)
}

// TestSize: a client may set the size before it writes, and cut what it has written.
func TestSize(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	body := random(200_000)
	for _, left := range []int{0, 1, 70_000, 131_072, 200_000} {
		f, err := s.open(t).Create("/fw1.conf")
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := f.WriteAt(random(1000), 0)
		err2 := f.Truncate(0)
		err3 := f.Truncate(int64(len(body)))
		_, err4 := f.WriteAt(body[100_000:], 100_000)
		_, err5 := f.WriteAt(body[:100_000], 0)
		if err := errors.Join(err1, err2, err3, err4, err5, f.Truncate(int64(left)),
			f.Close()); err != nil {
			t.Fatal(err)
		}
		s.has(t, "/fw1.conf", body[:left])
	}
	f, err := s.open(t).Create("/large.conf")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 62); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Error(err)
	}
}

// TestNotClosed: a file that is never closed is no upload.
func TestNotClosed(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*ssh.Client, *client.Client) error{
		"the client ended without closing the file": func(_ *ssh.Client, c *client.Client) error {
			return c.Close()
		},
		"the connection was lost": func(c *ssh.Client, _ *client.Client) error {
			return c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			conn := s.dial(t, nil)
			c, err := client.NewClient(conn)
			if err != nil {
				t.Fatal(err)
			}
			f, err := c.Create("/fw1.conf")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte("hostname fw1\n")); err != nil {
				t.Fatal(err)
			}
			_ = leave(conn, c)
			o := s.end(t)
			if o.Err == nil || !strings.Contains(o.Err.Error(), name) || o.Bytes != 13 {
				t.Errorf("it ended with %v, of %d bytes", o.Err, o.Bytes)
			}
			s.hasNothing(t)
		})
	}
}

// quitters is a listener for a client that leaves: left is closed when the server has seen it, and
// nothing can be sent afterwards.
type quitters struct {
	net.Listener
	left chan struct{}
}

type quitter struct {
	net.Conn
	left chan struct{}
}

func (q quitters) Accept() (net.Conn, error) {
	c, err := q.Listener.Accept()
	return quitter{c, q.left}, err
}

func (q quitter) Read(p []byte) (int, error) {
	n, err := q.Conn.Read(p)
	if err != nil {
		close(q.left)
	}
	return n, err
}

func (q quitter) Write(p []byte) (int, error) {
	select {
	case <-q.left:
		return 0, net.ErrClosed
	default:
		return q.Conn.Write(p)
	}
}

// TestLeftBeforeReceipt: what is stored for a client that has left is reported as such.
func TestLeftBeforeReceipt(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(*ssh.Client) error{
		"sftp": func(conn *ssh.Client) error {
			c, err := client.NewClient(conn)
			return errors.Join(err, putOne(c, "/hold.conf"))
		},
		"scp": func(conn *ssh.Client) error {
			session, err := conn.NewSession()
			session.Stdin = strings.NewReader("C0644 1 x\nx\x00")
			return errors.Join(err, session.Run("scp -t /hold.conf"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			left := make(chan struct{})
			go s.Serve(quitters{l, left}) // ends with the server
			s.addr = l.Addr().String()
			conn := s.dial(t, nil)
			sent := make(chan error, 1)
			go func() { sent <- send(conn) }()
			next(t, s.began)
			conn.Close()
			if err := next(t, sent); err == nil {
				t.Error("the client believes in its upload")
			}
			next(t, left)
			close(s.hold)
			if o := s.end(t); !errors.Is(o.Err, sftp.ErrNoReceipt) {
				t.Error(o.Err)
			}
			s.has(t, "/hold.conf", []byte("x"))
		})
	}
}

func putOne(c *client.Client, path string) error { return put(c, path, []byte("x")) }

// TestBounds: what is too large or too much is refused, and its memory given back.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *sftp.Server) {
		s.Limits = sftp.Limits{MaxSize: 100_000, Memory: 200_000}
	})
	c := s.open(t)
	says := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
	tooLarge := "too large: a file may have 100000 bytes"
	says(put(c, "/endless.conf", random(100_001)), tooLarge)
	if o := s.end(t); o.Err == nil {
		t.Error("it was stored")
	}
	f, err := c.Create("/far.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("x"), 1<<62)
	says(err, tooLarge)
	says(f.Close(), tooLarge)

	busy := "server busy, try again"
	var files []*client.File
	for i := 0; err == nil || i < 2; i++ {
		if f, err = c.Create(fmt.Sprintf("/%d.conf", i)); err != nil {
			break
		}
		files = append(files, f)
		if _, err = f.Write(make([]byte, 60_000)); err != nil {
			break
		}
	}
	says(err, busy)
	says(files[len(files)-1].Close(), busy)
	for _, f := range files[:len(files)-1] {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 10 { // and all memory has come back
		if err := put(c, "/again.conf", random(90_000)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if _, err = c.Create(fmt.Sprintf("/open%d.conf", i)); err != nil {
			break
		}
	}
	says(err, "too many open files")
	f, err = s.open(t).Create("/scattered.conf")
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); err == nil && at < 2000; at += 2 {
		_, err = f.WriteAt([]byte("x"), at)
	}
	says(err, "too many parts")
}

// TestUploadsOnly: nothing can be read, appended to or linked.
func TestUploadsOnly(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.open(t)
	if err := putOne(c, "/fw1.conf"); err != nil {
		t.Fatal(err)
	}
	s.end(t)
	open := func(flags int) error {
		_, err := c.OpenFile("/fw1.conf", flags)
		return err
	}
	long := "/" + strings.Repeat("x", 1100)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"read":   {open(os.O_RDONLY), "permission denied"},
		"append": {open(os.O_WRONLY | os.O_APPEND), "send the whole file"},
		"resume": {open(os.O_WRONLY | os.O_CREATE), "send the whole file"},
		"update": {open(os.O_WRONLY), "send the whole file"},
		"link":   {c.Link("/fw1.conf", "/b"), "unsupported"},
		"point":  {c.Symlink("/fw1.conf", "/b"), "unsupported"},
		"folder": {putOne(c, "/acme/"), "that is a folder"},
		"long":   {putOne(c, long), "too long"},
		"bell":   {putOne(c, "/fw\a.conf"), "control characters"},
	} {
		// the client has its own words for what it knows
		if c.err == nil || !strings.Contains(strings.ToLower(c.err.Error()), c.want) &&
			!strings.Contains(c.err.Error(), "uploads only") {
			t.Errorf("%s: %v, not %q", name, c.err, c.want)
		}
	}
	f, err := c.OpenFile("/fw2.conf", os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if n, err := f.ReadAt(make([]byte, 3), 0); n != 0 || err == nil {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 3 || info.IsDir() {
		t.Errorf("an open file has %v, %v", info, err)
	}
	if err := errors.Join(f.Sync(), f.Chmod(0o600), f.Close()); err != nil {
		t.Error(err)
	}
	s.has(t, "/fw2.conf", []byte("abc"))
}

// TestFolders: what a client that looks around sees.
func TestFolders(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.open(t)
	if err := errors.Join(putOne(c, "/acme/fw1.conf"), putOne(c, "fw2.conf"),
		putOne(c, "/acme/old/../fw3.conf"), putOne(c, "/acme/deep/plain"),
		c.Mkdir("/acme/made.d")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/": "folder", ".": "folder", "/acme": "folder", "/unknown": "folder",
		"/unknown.d/": "folder", "/acme/made.d": "folder", "/acme/fw1.conf": "file",
		"/acme/../acme/fw1.conf": "file", "/fw2.conf": "file", "/acme/deep/plain": "file",
		"/new.conf": "nothing", "/acme/old": "folder", "/~": "folder",
	} {
		got := "folder"
		info, err := c.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			got = "nothing"
		case err != nil:
			t.Error(err)
		case !info.IsDir():
			got = "file"
			if info.Size() != 1 || time.Since(info.ModTime()) > time.Hour {
				t.Errorf("%s has %d bytes, of %s", path, info.Size(), info.ModTime())
			}
		}
		if got != want {
			t.Errorf("%s is a %s, not a %s", path, got, want)
		}
	}
	list := func(path string) string {
		t.Helper()
		all, err := c.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, info := range all {
			names = append(names, info.Name())
		}
		return strings.Join(names, " ")
	}
	if got, want := list("/acme"), "deep fw1.conf fw3.conf made.d"; got != want {
		t.Errorf("the folder has %s, not %s", got, want)
	}
	if err := errors.Join(c.Rename("/acme/fw1.conf", "/acme/fw9.conf"),
		c.PosixRename("/acme/fw3.conf", "/acme/fw8.conf"), c.Remove("/acme/deep/plain"),
		c.RemoveDirectory("/acme/made.d"), c.Remove("/never.conf"),
		c.Rename("/never.conf", "/ever.conf"), c.Chtimes("/fw2.conf", time.Now(), time.Now()),
		c.Truncate("/fw2.conf", 0)); err != nil {
		t.Error(err)
	}
	if got, want := list("/acme"), "fw8.conf fw9.conf"; got != want {
		t.Errorf("the folder has %s, not %s", got, want)
	}
	for _, path := range []string{"/acme/fw1.conf", "/acme/deep/plain", "/acme/fw3.conf"} {
		s.has(t, path, []byte("x")) // as it was opened
	}
	if _, err := c.ReadDir("/acme/fw9.conf"); err == nil {
		t.Error("a file was listed")
	}
	if err := c.Mkdir("/acme/fw9.conf"); err == nil {
		t.Error("a file became a folder")
	}
	if _, err := c.Create("/fw2.conf"); err != nil {
		t.Error(err)
	}
	if _, err := c.Stat("/fw2.conf"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is sent anew is seen as it was: %v", err)
	}
	if all, err := s.open(t).ReadDir("/acme"); err != nil || len(all) > 0 {
		t.Errorf("another connection sees %v, %v", all, err)
	}
}

// TestForgets: a connection's memory of its files is bounded.
func TestForgets(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.open(t)
	for i := range 300 {
		if err := errors.Join(put(c, fmt.Sprintf("/%03d.conf", i), nil),
			c.Mkdir(fmt.Sprintf("/%03d.d", i))); err != nil {
			t.Fatal(err)
		}
		s.end(t)
	}
	all, err := c.ReadDir("/")
	if err != nil || len(all) != 512 || all[len(all)-1].Name() != "299.d" {
		t.Errorf("%d are remembered, %v", len(all), err)
	}
}

// raw is SFTP without a client.
type raw struct {
	t *testing.T
	w io.Writer
	r io.Reader
}

func (s *site) raw(t *testing.T) raw {
	t.Helper()
	session, err := s.dial(t, nil).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	w, err1 := session.StdinPipe()
	r, err2 := session.StdoutPipe()
	if err := errors.Join(err1, err2, session.RequestSubsystem("sftp")); err != nil {
		t.Fatal(err)
	}
	return raw{t, w, r}
}

func (r raw) send(packet string) {
	r.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(packet)))
	if _, err := r.w.Write(append(b, packet...)); err != nil {
		r.t.Fatal(err)
	}
}

// answer returns the next packet; empty at the end.
func (r raw) answer() string {
	r.t.Helper()
	var size uint32
	if err := binary.Read(r.r, binary.BigEndian, &size); err != nil {
		return ""
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.r, b); err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// TestPackets: what no client of real life sends.
func TestPackets(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	const (
		hello       = "\x01\x00\x00\x00\x03"
		status      = "\x65abcd\x00\x00\x00"
		failure     = status + "\x04"
		malformed   = status + "\x05"
		unsupported = status + "\x08"
	)
	zeros := strings.Repeat("\x00", 12)
	for name, c := range map[string]struct {
		packets []string
		want    string // beginning of the last answer
	}{
		"no greeting":     {[]string{"\x11\x00\x00\x00\x01\x00\x00\x00\x01/"}, ""},
		"empty":           {[]string{hello, ""}, ""},
		"without an id":   {[]string{hello, "\x11\x00"}, ""},
		"unknown type":    {[]string{hello, "\x63abcd"}, unsupported},
		"greeting again":  {[]string{hello, "\x01abcd"}, unsupported},
		"cut":             {[]string{hello, "\x11abcd\x00\x00\x00\x09/"}, malformed},
		"huge string":     {[]string{hello, "\x11abcd\xff\xff\xff\xff/"}, malformed},
		"no such handle":  {[]string{hello, "\x04abcd\x00\x00\x00\x011"}, failure},
		"extension":       {[]string{hello, "\xc8abcd\x00\x00\x00\x01x"}, unsupported},
		"write to nobody": {[]string{hello, "\x06abcd\x00\x00\x00\x011" + zeros}, failure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := s.raw(t)
			for _, p := range c.packets[:len(c.packets)-1] {
				r.send(p)
				r.answer()
			}
			r.send(c.packets[len(c.packets)-1])
			if got := r.answer(); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("the answer is %q, not %q", got, c.want)
			}
		})
	}
	t.Run("huge packet", func(t *testing.T) {
		t.Parallel()
		r := s.raw(t)
		if _, err := r.w.Write([]byte{0xff, 0xff, 0xff, 0xff, 1}); err != nil {
			t.Fatal(err)
		}
		if got := r.answer(); got != "" {
			t.Errorf("the answer is %q", got)
		}
	})
}

// TestRekeying: keys change in the middle of a file.
func TestRekeying(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c, err := client.NewClient(s.dial(t, func(c *ssh.ClientConfig) { c.RekeyThreshold = 100_000 }))
	if err != nil {
		t.Fatal(err)
	}
	body := random(1 << 20)
	if err := put(c, "/fw1.conf", body); err != nil {
		t.Fatal(err)
	}
	s.has(t, "/fw1.conf", body)
	if !bytes.Equal(body, s.end(t).Upload.Body) {
		t.Error("the outcome has another body")
	}
}
