package tftp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Op is what a request asks for.
type Op uint16

// The operations.
const (
	OpRead  Op = Op(opRRQ)
	OpWrite Op = Op(opWRQ)
)

func (o Op) String() string {
	if o == OpRead {
		return "read"
	}
	return "write"
}

// Mode is how a file's bytes are encoded on the wire (RFC 1350, section 1).
type Mode string

// The modes. Handlers and clients see plain bytes in both: the package translates.
const (
	Octet    Mode = "octet"
	Netascii Mode = "netascii"
)

// A Request is what a peer asks for.
type Request struct {
	Op         Op
	Filename   string // the bytes as sent: any but NUL, 512 at most
	Mode       Mode
	Options    []Option       // as asked for
	Negotiated []Option       // as agreed on
	Peer       netip.AddrPort // an IPv4 address is never in IPv6 form
	// the address that was asked; the zero Addr where the system doesn't tell
	Local     netip.Addr
	Received  time.Time // arrival of the request
	Completed time.Time // arrival of an upload's last block
	Body      []byte    // an upload's content; the handler may keep it
	// bytes that an upload in octet mode says it has (tsize, RFC 2349); 0 where it doesn't say. An
	// upload of another size is torn, or its peer sent shorter blocks than it was granted.
	Announced int64

	sum checksum // of Body

	mu    sync.Mutex // guards attrs: a handler may still run when its transfer's end is logged
	attrs []slog.Attr
}

// Annotate adds attributes to the log line of the transfer's end.
func (r *Request) Annotate(attrs ...slog.Attr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attrs = append(r.attrs, attrs...)
}

// A Handler takes uploads. The server calls ServeTFTP when all of a file has arrived, each time in
// a goroutine of its own. By returning nil the handler promises that the file is durable: the peer
// then gets its receipt. The peer gets an [*Error] as it is, and any other error as "internal
// error". ctx ends when the server no longer waits for the answer.
type Handler interface {
	ServeTFTP(ctx context.Context, r *Request) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, r *Request) error

// ServeTFTP calls f.
func (f HandlerFunc) ServeTFTP(ctx context.Context, r *Request) error { return f(ctx, r) }

// A ReadHandler is a Handler that serves downloads too. ReadTFTP returns the whole file, which must
// not change afterwards. Errors go to the peer as those of ServeTFTP.
type ReadHandler interface {
	Handler
	ReadTFTP(ctx context.Context, r *Request) ([]byte, error)
}

// Limits bound what peers can make a server hold and do. A zero field means the default, which is
// the number in its comment.
type Limits struct {
	MaxBlksize    int // bytes; 65464 (RFC 2348). What is granted at most
	MaxWindowsize int // blocks; 65535 (RFC 7440). What is granted at most
	// bytes of one upload; 64 MiB. Far above every configuration, far below memory
	MaxSize int64
	// bytes of one file that is served; MaxSize. What a running ReadTFTP is taken to need
	MaxRead int64
	Memory  int64 // bytes of all bodies in flight, both directions; 1 GiB
	// at once; 20,000, half of them from one source. Each costs 1 to 4 KiB besides its body
	Transfers int
}

// DefaultTransfers is the number of transfers at once where Limits.Transfers is 0.
const DefaultTransfers = 20_000

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 || *v > d {
			*v = d
		}
	}
	def(&l.MaxBlksize, MaxBlksize)
	def(&l.MaxWindowsize, MaxWindowsize)
	if l.MaxBlksize < minBlksize {
		l.MaxBlksize = minBlksize
	}
	if l.MaxSize <= 0 {
		l.MaxSize = 64 << 20
	}
	if l.MaxRead <= 0 {
		l.MaxRead = l.MaxSize
	}
	if l.Memory <= 0 {
		l.Memory = 1 << 30
	}
	if l.Transfers <= 0 {
		l.Transfers = DefaultTransfers
	}
	return l
}

// An Outcome is how a transfer ended.
type Outcome struct {
	Request *Request
	Err     error // nil where the server has sent the receipt, or the peer has all of the file
	Bytes   int64 // received or acknowledged
	Repeats int   // packets sent more than once
	Refused bool  // it never began
	Again   bool  // the handler has ended after the transfer: its end was reported before
}

// A PeerError is an ERROR that the peer sent.
type PeerError struct {
	Code    ErrorCode
	Message string // as it came: it may hold any bytes
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("the peer says %q (TFTP error %d)", e.Message, e.Code)
}

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("tftp: server closed")

// A Server serves TFTP. Its fields are set before Serve and not changed afterwards.
type Server struct {
	// Handler takes uploads, and downloads if it is a ReadHandler.
	Handler Handler

	// Accept is asked before anything is kept of a request; its error refuses it. It runs between
	// packets and must not wait. Nil accepts all.
	Accept func(r *Request) error

	// Option answers options that the package doesn't know: the value for the OACK, or false to
	// leave the option out. It runs between packets and must not wait.
	Option func(r *Request, name, value string) (answer string, ok bool)

	Limits Limits

	// AckTimeout is how long an unanswered packet waits for its first repeat where no timeout was
	// negotiated; 0.5 s if 0.
	AckTimeout time.Duration

	// Timeout is how long a transfer may be without progress; 25 s if 0. A negotiated timeout makes
	// it five times that at least.
	Timeout time.Duration

	// HandlerTimeout is how long the server waits for the handler; 25 s if 0. Most peers give up
	// by then, so a longer time has little use.
	HandlerTimeout time.Duration

	// Ended is called with each transfer's outcome. It runs between packets and must not wait. Nil
	// for none.
	Ended func(Outcome)

	// Logger gets a line for each transfer that ended; nil for none.
	Logger *slog.Logger

	// Trace is called with each datagram that is received (sent is false) or sent. It runs between
	// packets, must not wait and must not keep p. Nil for none.
	Trace func(peer netip.AddrPort, sent bool, p Packet)

	mu      sync.Mutex // guards what follows
	closed  bool
	serving []*serving
	epoch   time.Time // of all loops; the zero Time before the first
	rates   *sharedRates
}

const (
	defaultAckTimeout = 500 * time.Millisecond // as py3tftp
	defaultTimeout    = 25 * time.Second       // devices pause for 4 s, curl may for 17 s
)

// ListenAndServe listens on the UDP address addr ("host:port") and serves.
func (s *Server) ListenAndServe(addr string) error {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	return s.Serve(c)
}

// Serve serves on c, which it closes, until Shutdown or Close, and returns ErrServerClosed then. It
// returns another error where c fails.
func (s *Server) Serve(c net.PacketConn) error {
	port := addrPort(c.LocalAddr()).Port()
	sock, err := newConn(c)
	if err != nil {
		return err
	}
	sv := s.newServing(sock, port)
	defer sv.conn.Close()
	defer sv.awaitOthers()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.serving = append(s.serving, sv)
	s.mu.Unlock()
	return sv.loop()
}

// newServing makes the loop of a socket.
func (s *Server) newServing(sock conn, port uint16) *serving {
	c := engineConfig{
		limits: s.Limits, port: port, ackTimeout: s.AckTimeout, timeout: s.Timeout,
		handlerTimeout: s.HandlerTimeout, accept: s.Accept, option: s.Option,
	}
	c.epoch, c.limiter = s.shared()
	_, c.reads = s.Handler.(ReadHandler)
	if k, ok := sock.(interface{ trains() bool }); ok {
		c.trains = k.trains()
	}
	s.warnOfBuffer(sock)
	return &serving{
		s: s, conn: sock, engine: newEngine(c), epoch: c.epoch, done: make(chan struct{}),
	}
}

// warnOfBuffer logs where the system grants a small receive buffer.
func (s *Server) warnOfBuffer(sock conn) {
	k, ok := sock.(interface{ receiveRoom() int })
	if !ok || s.Logger == nil || k.receiveRoom() <= 0 || k.receiveRoom() >= smallBuffer {
		return
	}
	s.Logger.Info("the system grants a small receive buffer, which many devices at once "+
		"overflow: they repeat what is lost, and take longer; "+
		"sysctl net.core.rmem_max=16777216 mends it",
		"granted", k.receiveRoom(), "asked", receiveBuffer)
}

// shared returns what all loops of a server share: the time that they count from, and the rates of
// sources.
func (s *Server) shared() (epoch time.Time, rates *sharedRates) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rates == nil {
		s.epoch, s.rates = time.Now(), &sharedRates{rates: newRates(rand.Uint64())}
	}
	return s.epoch, s.rates
}

// Shutdown stops taking requests, and lets transfers go on until ctx ends; then it ends them with
// an ERROR. It waits for running handlers in any case. For one second more the server can repeat
// receipts.
func (s *Server) Shutdown(ctx context.Context) error {
	all := s.stop(func(sv *serving) { sv.draining.Store(true) })
	for _, sv := range all {
		select {
		case <-sv.done:
			continue
		case <-ctx.Done():
		}
		sv.aborting.Store(true)
		sv.wake()
	}
	for _, sv := range all {
		<-sv.done
	}
	return ctx.Err()
}

// Close ends the server at once, without an ERROR to its peers.
func (s *Server) Close() error {
	for _, sv := range s.stop(func(sv *serving) { sv.closing.Store(true) }) {
		<-sv.done
	}
	return nil
}

// awaitOthers waits, while the server drains, for the loops of its other sockets. Where several
// share a port (SO_REUSEPORT), the kernel gives their peers to others as soon as one is closed.
func (sv *serving) awaitOthers() {
	close(sv.done)
	if !sv.draining.Load() {
		return
	}
	sv.s.mu.Lock()
	all := sv.s.serving
	sv.s.mu.Unlock()
	for _, other := range all {
		<-other.done
	}
}

func (s *Server) stop(how func(*serving)) []*serving {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, sv := range s.serving {
		how(sv)
		sv.wake()
	}
	return s.serving
}
