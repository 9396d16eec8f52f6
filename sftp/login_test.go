package sftp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/sftp"
)

// TestLegacy: devices of before 2015 get in where Legacy says so, and its absence says what to do.
func TestLegacy(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]func(*ssh.ClientConfig){
		"IOS 12": func(c *ssh.ClientConfig) {
			c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
			c.Ciphers = []string{ssh.InsecureCipherAES128CBC}
			c.MACs = []string{ssh.InsecureHMACSHA196}
			c.HostKeyAlgorithms = []string{ssh.KeyAlgoRSA}
		},
		"older": func(c *ssh.ClientConfig) {
			c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH1SHA1}
			c.Ciphers = []string{ssh.InsecureCipherTripleDESCBC}
			c.HostKeyAlgorithms = []string{ssh.KeyAlgoRSA}
		},
		"group 14": func(c *ssh.ClientConfig) {
			c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
		},
		"cbc":     func(c *ssh.ClientConfig) { c.Ciphers = []string{ssh.InsecureCipherAES128CBC} },
		"ssh-rsa": func(c *ssh.ClientConfig) { c.HostKeyAlgorithms = []string{ssh.KeyAlgoRSA} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			if c, err := s.tryDial(old); err == nil {
				c.Close()
				t.Error("it got in")
			}
			if d := next(t, s.nays); !strings.Contains(d.Err.Error(), "Legacy admits them") ||
				!d.Attempt.Peer.IsValid() {
				t.Errorf("%+v", d)
			}
			s = start(t, func(s *sftp.Server) { s.Legacy = true })
			c, err := client.NewClient(s.dial(t, old))
			if err != nil {
				t.Fatal(err)
			}
			body := random(100_000)
			if err := put(c, "/fw1.conf", body); err != nil {
				t.Fatal(err)
			}
			s.has(t, "/fw1.conf", body)
		})
	}
}

// TestModern: a client of today needs none of it, with each type of host key.
func TestModern(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, algorithm := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSASHA256,
		ssh.KeyAlgoRSASHA512} {
		c := s.dial(t, func(c *ssh.ClientConfig) { c.HostKeyAlgorithms = []string{algorithm} })
		if got := c.Conn.(ssh.AlgorithmsConnMetadata).Algorithms().HostKey; got != algorithm {
			t.Errorf("the host key's signature is %s, not %s", got, algorithm)
		}
	}
}

// TestLogins: the ways to log in, and what is told of one that fails.
func TestLogins(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	with := func(auth ...ssh.AuthMethod) func(*ssh.ClientConfig) {
		return func(c *ssh.ClientConfig) { c.Auth = auth }
	}
	answer := func(text string) ssh.AuthMethod {
		return ssh.KeyboardInteractive(func(_, _ string, q []string, _ []bool) ([]string, error) {
			return slicesOf(text, len(q)), nil
		})
	}
	for name, c := range map[string]struct {
		auth ssh.AuthMethod
		ok   bool
	}{
		"password":       {ssh.Password(password), true},
		"key":            {ssh.PublicKeys(keys().client), true},
		"question":       {answer(password), true},
		"wrong password": {ssh.Password("x"), false},
		"wrong key":      {ssh.PublicKeys(keys().host), false},
		"wrong answer":   {answer("x"), false},
	} {
		conn, err := s.tryDial(with(c.auth))
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if !c.ok {
			d := next(t, s.nays)
			if d.Attempt.User != user || d.Err == nil || d.Attempt.Client != "SSH-2.0-Go" {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
	if c, err := s.tryDial(func(c *ssh.ClientConfig) { c.User = "other" }); err == nil {
		c.Close()
		t.Error("an unknown user got in")
	}
}

func slicesOf(text string, n int) (all []string) {
	for range n {
		all = append(all, text)
	}
	return all
}

// tries logs in with a password that the check counts, as often as the server lets it.
func (s *site) tries(t *testing.T, n int) {
	t.Helper()
	c, err := s.tryDial(func(c *ssh.ClientConfig) {
		c.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(
			func() (string, error) { return "guess", nil }), n)}
	})
	if err == nil {
		c.Close()
		t.Error("a guess was right")
	}
}

// TestGuesses: a connection may guess a few times, and a source not much oftener. A check that
// could not be made is no guess.
func TestGuesses(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var away atomic.Bool
	s := start(t, func(s *sftp.Server) {
		check := s.Password
		s.Password = func(ctx context.Context, a sftp.Attempt, pw []byte) (sftp.Login, error) {
			asked.Add(1)
			if away.Load() {
				return sftp.Login{}, &sftp.Error{Message: "storage unavailable, try again",
					Err: errors.New(cause)}
			}
			return check(ctx, a, pw)
		}
		s.Limits = sftp.Limits{Attempts: 3, Guesses: 5}
	})
	away.Store(true)
	for range 3 {
		s.tries(t, 10)
	}
	if n := asked.Swap(0); n != 9 {
		t.Errorf("three connections had %d attempts, not 9", n)
	}
	var banner string
	_, err := s.tryDial(func(c *ssh.ClientConfig) {
		c.BannerCallback = func(text string) error { banner = text; return nil }
	})
	if err == nil || banner != "storage unavailable, try again\r\n" {
		t.Errorf("%v, and the banner is %q", err, banner)
	}
	away.Store(false)
	asked.Store(0)
	for range 4 {
		s.dial(t, nil)
	}
	asked.Store(0)
	for range 5 {
		s.tries(t, 10)
	}
	if n := asked.Load(); n != 5 {
		t.Errorf("%d guesses were checked, not 5", n)
	}
	if c, err := s.tryDial(nil); err == nil {
		c.Close()
		t.Error("the right password was looked at, of a source that had guessed too often")
	}
	s.dial(t, func(c *ssh.ClientConfig) { // keys can't be guessed
		c.Auth = []ssh.AuthMethod{ssh.PublicKeys(keys().client)}
	})
}

// TestNothingElse: a login is good for uploads, and the refusals are clear.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.dial(t, nil)
	for _, kind := range []string{"direct-tcpip", "forwarded-tcpip", "x11",
		"direct-streamlocal@openssh.com", "auth-agent@openssh.com", "tun@openssh.com"} {
		var refused *ssh.OpenChannelError
		if _, _, err := c.OpenChannel(kind, nil); !errors.As(err, &refused) ||
			refused.Reason != ssh.Prohibited || refused.Message != "uploads only" {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, name := range []string{"tcpip-forward", "streamlocal-forward@openssh.com"} {
		if ok, _, err := c.SendRequest(name, true, nil); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"shell":     session.Shell(),
		"env":       session.Setenv("LANG", "C"),
		"pty":       session.RequestPty("xterm", 80, 40, nil),
		"subsystem": session.RequestSubsystem("netconf"),
	} {
		if err == nil {
			t.Errorf("%s was granted", name)
		}
	}
	var open []*ssh.Session
	for range 20 {
		if session, err = c.NewSession(); err != nil {
			break
		}
		open = append(open, session)
	}
	if err == nil || len(open) > 10 {
		t.Errorf("%d channels are open, %v", len(open), err)
	}
	for i := 0; err != nil || i < 100; i++ { // endless requests end the channel
		if _, err = open[0].SendRequest("env", true, nil); errors.Is(err, io.EOF) {
			break
		}
		if i == 1000 {
			t.Fatal("1000 requests of a channel were answered")
		}
	}
}

// TestAccept: a refused connection is told why in a line.
func TestAccept(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"not allowed\r\n":   errors.New(cause),
		"ask for a key\r\n": &sftp.Error{Message: "ask for a key", Err: errors.New(cause)},
	} {
		s := start(t, func(s *sftp.Server) {
			s.Accept = func(peer netip.AddrPort) error {
				if !peer.Addr().IsLoopback() {
					t.Errorf("the peer is %s", peer)
				}
				return err
			}
		})
		if got := s.listen(t); got != want {
			t.Errorf("it says %q, not %q", got, want)
		}
		if d := next(t, s.nays); !strings.Contains(d.Err.Error(), cause) {
			t.Error(d.Err)
		}
	}
}

// listen connects and returns all that the server says.
func (s *site) listen(t *testing.T) string {
	t.Helper()
	c := s.connect(t)
	b, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// connect makes a connection that says nothing.
func (s *site) connect(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSlowLogin: who does not log in is dropped in time.
func TestSlowLogin(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *sftp.Server) { s.HandshakeTimeout = 300 * time.Millisecond })
	began := time.Now()
	if got := s.listen(t); got != "SSH-2.0-Go\r\n" {
		t.Errorf("it says %q", got)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	if d := next(t, s.nays); d.Err.Error() != "it did not log in in time" {
		t.Error(d.Err)
	}
}

// TestMuchBeforeLogin: a client that sends more than a login needs is dropped.
func TestMuchBeforeLogin(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *sftp.Server) {
		s.Password = func(_ context.Context, _ sftp.Attempt, pw []byte) (l sftp.Login, err error) {
			t.Errorf("a password of %d bytes is to be checked", len(pw))
			return l, errors.New("no")
		}
	})
	if c, err := s.tryDial(func(c *ssh.ClientConfig) {
		c.Auth = []ssh.AuthMethod{ssh.Password(strings.Repeat("x", 200_000))}
	}); err == nil {
		c.Close()
		t.Error("it got in")
	}
	if d := next(t, s.nays); d.Err.Error() != "too much was sent before the login" {
		t.Error(d.Err)
	}
}

// TestCrowd: half-open connections make room for others, and take none from clients that have
// logged in.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *sftp.Server) { s.Limits = sftp.Limits{Connections: 10, PerSource: 10} })
	c := s.open(t)
	for range 100 {
		s.connect(t)
	}
	if err := putOne(c, "/fw1.conf"); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := putOne(s.open(t), "/fw2.conf"); err != nil {
			t.Fatal(err)
		}
	}
	s.open(t)
	if got := s.listen(t); got != "too many connections from your address, try again\r\n" {
		t.Errorf("it says %q", got)
	}
	s = start(t, func(s *sftp.Server) { s.Limits = sftp.Limits{Connections: 1, PerSource: 2} })
	c = s.open(t)
	if got := s.listen(t); got != "server busy, try again\r\n" {
		t.Errorf("it says %q", got)
	}
	c.Close()
}

// TestMissing: a server that lacks something says so.
func TestMissing(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*sftp.Server){
		"host key": func(s *sftp.Server) { s.HostKeys = nil },
		"handler":  func(s *sftp.Server) { s.Handler = nil },
		"check":    func(s *sftp.Server) { s.Password, s.PublicKey = nil, nil },
	} {
		s := sftp.Server{
			HostKeys: []ssh.Signer{keys().host},
			Password: check,
			Handler:  sftp.HandlerFunc(func(context.Context, *sftp.Upload) error { return nil }),
		}
		change(&s)
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// liar offers a key that it doesn't have.
type liar struct {
	ssh.Signer
	public ssh.PublicKey
}

func (l liar) PublicKey() ssh.PublicKey { return l.public }

// TestOffered: a client has logged in once it has proved that it has the key, not when it offers
// it.
func TestOffered(t *testing.T) {
	t.Parallel()
	in := make(chan sftp.Login, 10)
	s := start(t, func(s *sftp.Server) {
		s.LoggedIn = func(_ context.Context, _ sftp.Attempt, l sftp.Login) { in <- l }
	})
	with := func(auth ssh.AuthMethod) func(*ssh.ClientConfig) {
		return func(c *ssh.ClientConfig) { c.Auth = []ssh.AuthMethod{auth} }
	}
	if c, err := s.tryDial(with(ssh.PublicKeys(liar{keys().host,
		keys().client.PublicKey()}))); err == nil {
		c.Close()
		t.Error("a key that wasn't proved got in")
	}
	next(t, s.nays)
	for _, auth := range []ssh.AuthMethod{ssh.PublicKeys(keys().client), ssh.Password(password)} {
		if len(in) != 0 {
			t.Errorf("logged in too early: %+v", <-in)
		}
		c := s.dial(t, with(auth))
		if l := next(t, in); l.Name != user {
			t.Errorf("%+v", l)
		}
		c.Close()
	}
}

// TestLog: one line for an upload, with what the handler adds, and one for a login.
func TestLog(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer // written by the connections before their ends are reported as closed
	s := start(t, func(s *sftp.Server) {
		s.Logger = slog.New(slog.NewTextHandler(&text, nil))
		serve := s.Handler
		s.Handler = sftp.HandlerFunc(func(ctx context.Context, u *sftp.Upload) error {
			u.Annotate(slog.String("device", "fw1"))
			return serve.ServeUpload(ctx, u)
		})
	})
	c := s.open(t)
	if err := putOne(c, "/fw1.conf"); err != nil {
		t.Fatal(err)
	}
	if err := putOne(c, "/refuse.conf"); err == nil {
		t.Fatal("it was stored")
	}
	s.tries(t, 1)
	s.Close()
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	for i, want := range []string{
		"level=INFO msg=received op=write mode=sftp",
		`file=/refuse.conf`,
		`msg="login refused"`,
	} {
		if len(lines) != 3 || !strings.Contains(lines[i], want) {
			t.Fatalf("line %d lacks %s:\n%s", i, want, text.String())
		}
	}
	if !strings.Contains(lines[0], "login=acme file=/fw1.conf bytes=1") ||
		!strings.Contains(lines[0], "device=fw1") || !strings.Contains(lines[1], cause) {
		t.Error(text.String())
	}
}
