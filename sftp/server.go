package sftp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// An Attempt is a login that is to be checked.
type Attempt struct {
	User   string         // the bytes as sent
	Client string         // its version, as "SSH-2.0-OpenSSH_9.2": the bytes as sent
	Peer   netip.AddrPort // an IPv4 address is never in IPv6 form
	Local  netip.AddrPort // the address that was asked
}

// A Login is what a check has found.
type Login struct {
	Name  string      // for the log; the user's name if empty
	Data  any         // the program's own
	Attrs []slog.Attr // more of it for the log at level debug
}

// Limits bound what clients can make a server hold and do. A zero field means the default, which is
// the number in its comment.
type Limits struct {
	// bytes of one upload; 64 MiB. Far above every configuration, far below memory
	MaxSize int64
	// bytes of all bodies in flight; 1 GiB. A body of more than 64 KiB counts twice while its
	// pieces are joined
	Memory int64
	// at once; 1,000. Each costs some 100 KiB, and one that sends ahead 2 MiB more
	Connections int
	// connections of one source at once; half of Connections. A source is an IPv4 address or an
	// IPv6 network of 64 bits
	PerSource int
	// passwords and keys that one connection may try; 3
	Attempts int
	// wrong passwords of one source at once; 20. It may try one more every 30 s
	Guesses int
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.MaxSize <= 0 {
		l.MaxSize = 64 << 20
	}
	if l.Memory <= 0 {
		l.Memory = 1 << 30
	}
	def(&l.Connections, 1000)
	def(&l.PerSource, (l.Connections+1)/2)
	def(&l.Attempts, 3)
	def(&l.Guesses, 20)
	return l
}

// A Denial is a connection or a login that was refused.
type Denial struct {
	Attempt Attempt // without User where the connection got no further
	Err     error
}

// A Server takes uploads by SFTP and SCP. Its fields are set before Serve and not changed
// afterwards. HostKeys, Handler, and Password or PublicKey must be set.
type Server struct {
	// HostKeys say who the server is, one of a type. Clients remember them.
	HostKeys []ssh.Signer

	// Password and PublicKey check a login; nil for logins that have no such thing. Any error
	// refuses the login. An [*Error] says that it could not be checked: its Message goes to the
	// client, and it doesn't count as a guess. ctx ends with the time to log in. Checks of several
	// connections run at once. That an unknown user takes as long as a known one is their duty.
	// PublicKey is asked before the client has proved that it has the key.
	Password  func(ctx context.Context, a Attempt, password []byte) (Login, error)
	PublicKey func(ctx context.Context, a Attempt, key ssh.PublicKey) (Login, error)

	// LoggedIn is called once a client has logged in, with its proof. What it sends waits for it.
	// ctx ends with the time to log in. Nil for none.
	LoggedIn func(context.Context, Attempt, Login)

	// Handler takes uploads.
	Handler Handler

	// Accept is asked before anything is read of a connection; its error refuses it. It must not
	// wait. Nil accepts all.
	Accept func(peer netip.AddrPort) error

	Limits Limits

	// HandshakeTimeout is how long a client has to log in; 10 s if 0.
	HandshakeTimeout time.Duration

	// IdleTimeout is how long a client may send nothing while nothing is done for it, or take
	// nothing of what is sent to it; 60 s if 0.
	IdleTimeout time.Duration

	// HandlerTimeout is when the context of a running handler ends; 60 s if 0.
	HandlerTimeout time.Duration

	// Legacy admits algorithms of devices of before 2015: key exchange with SHA-1, aes128-cbc and
	// 3des-cbc, ssh-rsa signatures. All of them are weak, and the choice is the client's.
	Legacy bool

	// Ended is called with the end of each upload. Uploads of several connections end at once. Nil
	// for none.
	Ended func(Outcome)

	// Denied is called with each login and connection that was refused, of which strangers can
	// cause any number. It runs at once for several connections, and must not wait. Nil for none.
	Denied func(Denial)

	// Logger gets a line for each upload that ended and each login that was refused, and at level
	// debug one for each connection, attempt to log in, login and begun upload; nil for none.
	Logger *slog.Logger

	once    sync.Once // for what follows
	limits  Limits
	memory  *memory
	guesses *guesses
	lines   *lines
	ctx     context.Context // of handlers and checks
	cancel  context.CancelFunc

	mu        sync.Mutex // guards what follows
	closed    bool
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	running   sync.WaitGroup // connections; none is added once closed is set
}

const (
	defaultHandshakeTimeout = 10 * time.Second
	// a device pauses less, and a load balancer keeps a dead connection for longer
	defaultIdleTimeout    = 60 * time.Second
	defaultHandlerTimeout = 60 * time.Second // scp and sftp wait for ever
	// After a drained connection's last upload its client may still look at what it has sent.
	linger = time.Second
)

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func (s *Server) init() {
	s.once.Do(func() {
		s.limits = s.Limits.withDefaults()
		s.memory = &memory{free: s.limits.Memory}
		s.guesses = newGuesses(s.limits.Guesses)
		s.lines = newLines()
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.listeners, s.conns = map[net.Listener]bool{}, map[*conn]bool{}
	})
}

// ListenAndServe listens on the TCP address addr ("host:port") and serves.
func (s *Server) ListenAndServe(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return s.Serve(l)
}

// maxAcceptErrors is how many times in a row a listener may fail before it is given up: single
// errors are about a connection, or about files that others will close.
const maxAcceptErrors = 100

// Serve serves on l, which it closes, until Shutdown or Close, and returns ErrServerClosed then. It
// returns another error where l fails, or where a field is missing.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.init()
	base, err := s.config()
	if err != nil {
		return err
	}
	if !s.listens(l) {
		return ErrServerClosed
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, l)
	}()
	for failed := 0; ; {
		c, err := l.Accept()
		switch {
		case err == nil:
			failed = 0
			s.take(c, base)
		case s.isClosed():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed) || failed == maxAcceptErrors:
			return err
		default:
			failed++
			select {
			case <-time.After(time.Duration(failed) * time.Millisecond):
			case <-s.ctx.Done():
			}
		}
	}
}

func (s *Server) listens(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.listeners[l] = true
	}
	return !s.closed
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// take serves a connection in a goroutine of its own, or refuses it.
func (s *Server) take(nc net.Conn, base *ssh.ServerConfig) {
	c := s.newConn(nc)
	if err := s.admit(c); err != nil {
		// Lines before the version are for people (RFC 4253, section 4.2).
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write([]byte(refusal(err) + "\r\n"))
		_ = nc.Close()
		c.deny(err)
		return
	}
	s.debug("connected", slog.String("peer", c.peer.String()),
		slog.String("local", c.local.String()))
	go func() { // ends when the connection does
		defer s.running.Done()
		defer s.forget(c)
		c.serve(base)
	}()
}

// refusal is what a refused client is told. A program's own refusal without a text is no matter of
// storage.
func refusal(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "not allowed"
	}
	return wire(err)
}

// admit enters a connection in the table.
func (s *Server) admit(c *conn) error {
	if s.Accept != nil {
		if err := s.Accept(c.peer); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errShutdown
	}
	held := 0
	for other := range s.conns {
		if other.source == c.source {
			held++
		}
	}
	if held >= s.limits.PerSource && !s.makeRoom(&c.source) {
		return errSource
	}
	if len(s.conns) >= s.limits.Connections && !s.makeRoom(nil) {
		return errBusy
	}
	s.conns[c] = true
	s.running.Add(1)
	return nil
}

// makeRoom drops a connection that hasn't logged in: the oldest one of the source that has most of
// them, or of the given one. So a flood drops its own. It reports whether there was one.
func (s *Server) makeRoom(of *netip.Prefix) bool {
	waiting := map[netip.Prefix]int{}
	for c := range s.conns {
		if !c.socket.in.Load() && (of == nil || c.source == *of) {
			waiting[c.source]++
		}
	}
	var worst *conn
	for c := range s.conns {
		n := waiting[c.source]
		if n == 0 || c.socket.in.Load() {
			continue
		}
		if worst == nil || n > waiting[worst.source] ||
			n == waiting[worst.source] && c.began.Before(worst.began) {
			worst = c
		}
	}
	if worst == nil {
		return false
	}
	delete(s.conns, worst)
	worst.close()
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Shutdown stops taking connections and uploads, and lets uploads go on until ctx ends; then it
// ends them. Connections without one are closed at once, the others a second after their last
// upload has ended. It waits for running handlers in any case; their contexts end with ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.drain()
	}
	ended := make(chan struct{})
	go func() { // ends with the last connection
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	_ = s.Close()
	return ctx.Err()
}

// Close ends the server and its connections at once. It waits for running handlers, whose contexts
// have ended.
func (s *Server) Close() error {
	conns := s.stop()
	s.cancel()
	for _, c := range conns {
		c.close()
	}
	s.running.Wait()
	return nil
}

// stop closes the listeners and returns the connections.
func (s *Server) stop() []*conn {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
	var conns []*conn
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
