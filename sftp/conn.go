package sftp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// loginBytes is how many bytes a client may send before it has logged in: a key exchange and some
// keys take a tenth of it.
const loginBytes = 128 << 10

// socket is the connection under SSH, with deadlines.
type socket struct {
	net.Conn
	idle time.Duration
	left int64        // bytes that may come before the login; used by Read alone
	in   atomic.Bool  // the client has logged in
	busy atomic.Int32 // handlers that run: the client waits for them
	lost atomic.Bool  // nothing more comes
}

// Read reads. Before the login its deadline is the one that newConn has set.
func (s *socket) Read(p []byte) (int, error) {
	for {
		if s.in.Load() {
			_ = s.SetReadDeadline(time.Now().Add(s.idle))
		}
		n, err := s.Conn.Read(p)
		if n == 0 && s.busy.Load() > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if !s.in.Load() {
			if s.left -= int64(n); s.left < 0 {
				n, err = 0, errors.New("too much was sent before the login")
			}
		}
		if err != nil {
			s.lost.Store(true)
		}
		return n, err
	}
}

func (s *socket) Write(p []byte) (int, error) {
	if s.in.Load() {
		_ = s.SetWriteDeadline(time.Now().Add(s.idle))
	}
	return s.Conn.Write(p)
}

// loggedIn lets deadlines run from byte to byte.
func (s *socket) loggedIn() {
	s.in.Store(true)
	_ = s.SetDeadline(time.Now().Add(s.idle))
}

// conn is a client's connection.
type conn struct {
	s           *Server
	socket      *socket
	peer, local netip.AddrPort
	source      netip.Prefix
	began       time.Time
	attempt     Attempt // the one that succeeded
	login       Login
	tree        *tree

	mu       sync.Mutex // guards what follows
	uploads  int        // that are open
	draining bool
}

func (s *Server) newConn(nc net.Conn) *conn {
	c := &conn{
		s: s, peer: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr()),
		began: time.Now(), tree: newTree(),
		socket: &socket{Conn: nc, idle: orDefault(s.IdleTimeout, defaultIdleTimeout),
			left: loginBytes},
	}
	c.source = sourceOf(c.peer.Addr())
	_ = nc.SetDeadline(c.began.Add(orDefault(s.HandshakeTimeout, defaultHandshakeTimeout)))
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := tcp.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func (c *conn) close() { _ = c.socket.Close() }

// drain lets open uploads end, and closes the connection then.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if c.uploads == 0 {
		c.close()
	}
}

// opens counts an upload, or returns why there can't be one.
func (c *conn) opens() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.draining:
		return errShutdown
	case c.uploads == maxUploads:
		return errOpen
	}
	c.uploads++
	return nil
}

func (c *conn) closes() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uploads--; c.draining && c.uploads == 0 {
		time.AfterFunc(linger, c.close)
	}
}

const (
	maxUploads  = 16 // open at once in a connection: clients send one after the other
	maxChannels = 10 // of a connection: as many as OpenSSH's server has
	// requests of a channel before its program: the environment, a terminal, an agent
	maxRequests = 64
)

// serve runs a connection to its end.
func (c *conn) serve(base *ssh.ServerConfig) {
	defer c.close()
	var a authentication
	sc, channels, requests, err := ssh.NewServerConn(c.socket, a.config(c, base))
	if err != nil {
		c.denyHandshake(&a, err)
		return
	}
	c.socket.loggedIn()
	c.attempt = Attempt{User: sc.User(), Client: string(sc.ClientVersion()), Peer: c.peer,
		Local: c.local}
	c.login = sc.Permissions.ExtraData[loginKey{}].(Login)
	if c.login.Name == "" {
		c.login.Name = sc.User()
	}
	c.noteLogin()
	go ssh.DiscardRequests(requests) // ends with the connection
	var running sync.WaitGroup
	defer running.Wait()
	var open atomic.Int32
	for nc := range channels {
		switch {
		case nc.ChannelType() != "session":
			_ = nc.Reject(ssh.Prohibited, "uploads only")
			continue
		case open.Load() == maxChannels:
			_ = nc.Reject(ssh.ResourceShortage, "too many channels")
			continue
		}
		ch, requests, err := nc.Accept()
		if err != nil {
			continue // the connection has ended
		}
		open.Add(1)
		running.Go(func() {
			defer open.Add(-1)
			c.channel(ch, requests)
		})
	}
}

// channel waits for the one program of a channel and runs it.
func (c *conn) channel(ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	defer func() { go ssh.DiscardRequests(requests) }() // ends with the channel
	for range maxRequests {
		r, ok := <-requests
		if !ok {
			return
		}
		program := c.program(ch, r)
		if r.WantReply {
			_ = r.Reply(program != nil, nil)
		}
		if program == nil {
			continue
		}
		go ssh.DiscardRequests(requests) // ends with the channel
		status := struct{ Code uint32 }{program()}
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(status))
		_ = ch.CloseWrite()
		return
	}
}

// program returns what a request asks to run, which returns its exit status. It returns nil for a
// request that is refused.
func (c *conn) program(ch ssh.Channel, r *ssh.Request) func() uint32 {
	var said struct{ Text string }
	switch r.Type {
	case "subsystem":
		if ssh.Unmarshal(r.Payload, &said) != nil || said.Text != "sftp" {
			return nil
		}
		return func() uint32 { return newSession(c, ch).serve() }
	case "exec":
		if ssh.Unmarshal(r.Payload, &said) != nil {
			return nil
		}
		target, err := parseCommand(said.Text)
		if err != nil {
			return func() uint32 {
				_, _ = io.WriteString(ch.Stderr(), wire(err)+"\n")
				return 1
			}
		}
		return func() uint32 { return newSink(c, ch, target).serve() }
	}
	return nil
}
