package sftp_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/tftpsql/tftpsql/sftp"
)

const (
	user, password = "acme", "correct horse"
	// what the handler says of a path with "refuse" in it, and what it keeps for itself
	refusal, cause = "storage full: call the operator", "pq: secret cause"
	patience       = 20 * time.Second // for what must happen at all
)

// keys are made once: an RSA key takes a while.
var keys = sync.OnceValue(func() (k struct {
	host, client ssh.Signer
	rsa          ssh.Signer
	clientFile   []byte // PEM
}) {
	signer := func(key any) ssh.Signer {
		s, err := ssh.NewSignerFromKey(key)
		if err != nil {
			panic(err)
		}
		return s
	}
	_, host, _ := ed25519.GenerateKey(rand.Reader)
	_, own, _ := ed25519.GenerateKey(rand.Reader)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	block, err := ssh.MarshalPrivateKey(own, "")
	if err != nil {
		panic(err)
	}
	k.host, k.client, k.rsa, k.clientFile = signer(host), signer(own), signer(old),
		pem.EncodeToMemory(block)
	return k
})

// site is a server and what it has stored.
type site struct {
	*sftp.Server
	addr  string
	ends  chan sftp.Outcome
	nays  chan sftp.Denial
	hold  chan struct{} // the handler waits for it where the path has "hold" in it
	began chan struct{} // the handler is at work there

	mu     sync.Mutex // guards stored
	stored map[string][]byte
}

// start runs a server, after change has changed it.
func start(t *testing.T, change func(*sftp.Server)) *site {
	t.Helper()
	s := &site{
		ends: make(chan sftp.Outcome, 1000), nays: make(chan sftp.Denial, 1000),
		hold: make(chan struct{}), began: make(chan struct{}, 10), stored: map[string][]byte{},
	}
	s.Server = &sftp.Server{
		HostKeys: []ssh.Signer{keys().host, keys().rsa},
		Password: func(_ context.Context, a sftp.Attempt, pw []byte) (sftp.Login, error) {
			if a.User != user || string(pw) != password {
				return sftp.Login{}, errors.New("no such user, or another password")
			}
			return sftp.Login{Name: a.User, Data: "site"}, nil
		},
		PublicKey: func(_ context.Context, a sftp.Attempt, k ssh.PublicKey) (sftp.Login, error) {
			if !bytes.Equal(k.Marshal(), keys().client.PublicKey().Marshal()) {
				return sftp.Login{}, errors.New("an unknown key")
			}
			return sftp.Login{Name: a.User}, nil
		},
		Handler: sftp.HandlerFunc(s.serve),
		Ended:   func(o sftp.Outcome) { s.ends <- o },
		Denied:  func(d sftp.Denial) { s.nays <- d },
	}
	if change != nil {
		change(s.Server)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }() // ends with Close
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, sftp.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func (s *site) serve(ctx context.Context, u *sftp.Upload) error {
	switch {
	case strings.Contains(u.Path, "refuse"):
		return &sftp.Error{Message: refusal, Err: errors.New(cause)}
	case strings.Contains(u.Path, "broken"):
		return errors.New(cause)
	case strings.Contains(u.Path, "panic"):
		panic(cause)
	case strings.Contains(u.Path, "hold"):
		s.began <- struct{}{}
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored[u.Path] = u.Body
	return nil
}

// has checks what is stored under a path.
func (s *site) has(t *testing.T, path string, want []byte) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got, ok := s.stored[path]
	if !ok {
		var all []string
		for p := range s.stored {
			all = append(all, p)
		}
		t.Fatalf("nothing is stored as %s, but %q", path, all)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes, of %d that were sent", path, len(got), len(want))
	}
}

// hasNothing checks that nothing is stored.
func (s *site) hasNothing(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, body := range s.stored {
		t.Errorf("%s is stored, with %d bytes", p, len(body))
	}
}

// end returns the next end of an upload.
func (s *site) end(t *testing.T) sftp.Outcome {
	t.Helper()
	return next(t, s.ends)
}

func next[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("it never happened")
	}
	return v
}

// dial logs in with a password.
func (s *site) dial(t *testing.T, change func(*ssh.ClientConfig)) *ssh.Client {
	t.Helper()
	c, err := s.tryDial(change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (s *site) tryDial(change func(*ssh.ClientConfig)) (*ssh.Client, error) {
	config := &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password(password)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience,
	}
	if change != nil {
		change(config)
	}
	return ssh.Dial("tcp", s.addr, config)
}

// open begins a session of SFTP.
func (s *site) open(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.NewClient(s.dial(t, nil), client.UseConcurrentWrites(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// put sends a file and returns the first error, that of close at last.
func put(c *client.Client, path string, body []byte) error {
	f, err := c.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err := f.ReadFrom(bytes.NewReader(body)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return b
}

// file writes a file for a client.
func file(t *testing.T, name string, body []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
