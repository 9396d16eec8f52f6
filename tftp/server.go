package tftp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
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

// Mode is how a file's bytes stand on the wire (RFC 1350, section 1).
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
	Local      netip.Addr     // the address that was asked; the zero Addr where the system doesn't tell
	Received   time.Time      // arrival of the request
	Completed  time.Time      // arrival of an upload's last block
	Body       []byte         // an upload's content; the handler may keep it

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

// A Handler takes uploads. ServeTFTP is called when all of a file has arrived, in a goroutine of its own. Returning nil is
// the promise that the file is durable: the peer gets its receipt then. An [*Error] is sent to the peer as it is, any other
// error as "internal error". ctx ends when the server no longer waits for the answer.
type Handler interface {
	ServeTFTP(ctx context.Context, r *Request) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, r *Request) error

// ServeTFTP calls f.
func (f HandlerFunc) ServeTFTP(ctx context.Context, r *Request) error { return f(ctx, r) }

// A ReadHandler is a Handler that serves downloads too. ReadTFTP returns the whole file, which must not change afterwards.
// Errors go to the peer as those of ServeTFTP.
type ReadHandler interface {
	Handler
	ReadTFTP(ctx context.Context, r *Request) ([]byte, error)
}

// Limits bound what peers can make a server hold and do. A zero field has the default that stands beside it.
type Limits struct {
	MaxBlksize    int   // bytes; 65464 (RFC 2348). What is granted at most
	MaxWindowsize int   // blocks; 65535 (RFC 7440). What is granted at most
	MaxSize       int64 // bytes of one upload; 64 MiB. Far above every configuration, far below memory
	MaxRead       int64 // bytes of one file that is served; MaxSize. What a running ReadTFTP is taken to need
	Memory        int64 // bytes of all bodies in flight, both directions; 1 GiB
	Transfers     int   // at once; 20,000, half of them from one source. Each costs 1 to 4 KiB besides its body
}

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
		l.Transfers = 20000
	}
	return l
}

// An Outcome is how a transfer ended.
type Outcome struct {
	Request *Request
	Err     error // nil where the peer has got its receipt, or all of the file
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

	// Accept is asked before anything is kept of a request; its error refuses it. It runs between packets and must not
	// wait. Nil accepts all.
	Accept func(r *Request) error

	// Option answers options that the package doesn't know: the value for the OACK, or false to leave the option out. It
	// runs between packets and must not wait.
	Option func(r *Request, name, value string) (answer string, ok bool)

	Limits Limits

	// AckTimeout is how long an unanswered packet waits for its first repeat where no timeout was negotiated; 0.5 s if 0.
	AckTimeout time.Duration

	// Timeout is how long a transfer may be without progress; 25 s if 0. A negotiated timeout makes it five times that at
	// least.
	Timeout time.Duration

	// HandlerTimeout is how long the handler is waited for; 25 s if 0. A peer that waits for its receipt gives up itself
	// then, so more has little use.
	HandlerTimeout time.Duration

	// Ended is told how each transfer ended. It runs between packets and must not wait. Nil for none.
	Ended func(Outcome)

	// Logger gets a line for each transfer that ended; nil for none.
	Logger *slog.Logger

	// Trace is shown each datagram as it comes (sent is false) or goes. It runs between packets, must not wait and must not
	// keep p. Nil for none.
	Trace func(peer netip.AddrPort, sent bool, p Packet)

	mu      sync.Mutex // guards what follows
	closed  bool
	serving []*serving
	epoch   time.Time // of all loops; the zero Time before the first
	rates   *sharedRates
}

// sharedRates are the rates of several loops. A request costs less than a microsecond of it.
type sharedRates struct {
	mu    sync.Mutex // guards rates
	rates *rates
}

func (s *sharedRates) request(now time.Duration, source netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rates.request(now, source)
}

func (s *sharedRates) error(now time.Duration, to netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rates.error(now, to)
}

const (
	defaultAckTimeout = 500 * time.Millisecond // as py3tftp
	defaultTimeout    = 25 * time.Second       // devices pause for 4 s, curl may for 17 s
)

// serving is a server at work on one socket. Its goroutine, the loop, owns the engine.
type serving struct {
	s      *Server
	conn   conn
	engine *engine
	epoch  time.Time
	done   chan struct{} // closed when the loop has ended

	draining, aborting, closing atomic.Bool

	idleLines   allowance // of log lines about requests that came to nothing
	failedLines allowance // and about transfers that failed
	unsaid      int       // how many of both were not written since the last that was

	count Stats // what the loop counts; the engine knows the rest

	mu   sync.Mutex // guards what follows
	ends []handled
	asks []chan Stats // each holds one
}

// idleLineRate bounds the log lines a second about requests that came to nothing, and idleLineBurst those at once; failedLineRate and
// failedLineBurst those about transfers that failed, which a whole site may do at once: enough to see what is wrong, and some 300 MB a
// day and 1.2 GB at most, with the longest names.
const (
	idleLineRate    = 5
	idleLineBurst   = 200
	failedLineRate  = 20
	failedLineBurst = 1000
)

// handled is the end of a handler's call.
type handled struct {
	id   uint64
	body []byte
	err  error
}

// ListenAndServe listens on the UDP address addr ("host:port") and serves.
func (s *Server) ListenAndServe(addr string) error {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	return s.Serve(c)
}

// Serve serves on c, which it closes, until Shutdown or Close, and returns ErrServerClosed then. It returns another error
// where c fails.
func (s *Server) Serve(c net.PacketConn) error {
	port := addrPort(c.LocalAddr()).Port()
	conn, err := newConn(c)
	if err != nil {
		return err
	}
	epoch, rates := s.begin()
	e := newEngine(s.Limits)
	e.bound = rates
	e.epoch, e.accept, e.option = epoch, s.Accept, s.Option
	e.ackTimeout, e.timeout = s.AckTimeout, s.Timeout
	if e.ackTimeout <= 0 {
		e.ackTimeout = defaultAckTimeout
	}
	if e.timeout <= 0 {
		e.timeout = defaultTimeout
	}
	if e.handlerTimeout = s.HandlerTimeout; e.handlerTimeout <= 0 {
		e.handlerTimeout = defaultTimeout
	}
	_, e.reads = s.Handler.(ReadHandler)
	e.port = port
	sv := &serving{s: s, conn: conn, engine: e, epoch: epoch, done: make(chan struct{}),
		idleLines: allowance{rate: idleLineRate, burst: idleLineBurst}, failedLines: allowance{rate: failedLineRate, burst: failedLineBurst}}
	if c, ok := sv.conn.(interface{ trains() bool }); ok {
		e.trains = c.trains()
	}
	if c, ok := sv.conn.(interface{ receiveRoom() int }); ok && s.Logger != nil && c.receiveRoom() > 0 && c.receiveRoom() < smallBuffer {
		s.Logger.Info("the system grants a small receive buffer, which many devices at once overflow: they repeat what is lost, and take longer; sysctl net.core.rmem_max=16777216 mends it",
			"granted", c.receiveRoom(), "asked", receiveBuffer)
	}
	defer sv.conn.Close()
	defer sv.last()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.serving = append(s.serving, sv)
	s.mu.Unlock()
	return sv.loop()
}

// begin returns what all loops of a server share: the time that they count from, and the rates of sources.
func (s *Server) begin() (epoch time.Time, rates *sharedRates) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rates == nil {
		s.epoch, s.rates = time.Now(), &sharedRates{rates: newRates(rand.Uint64())}
	}
	return s.epoch, s.rates
}

// Shutdown stops taking requests and lets what is under way go on until ctx ends; then running transfers are told that the
// server shuts down. Handlers that run are waited for in any case, and receipts stay to be repeated for a second.
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

// Close ends the server at once. Peers hear nothing.
func (s *Server) Close() error {
	for _, sv := range s.stop(func(sv *serving) { sv.closing.Store(true) }) {
		<-sv.done
	}
	return nil
}

// last waits, while the server drains, for the loops of its other sockets: where several share a port (SO_REUSEPORT) the kernel gives
// their peers to others as soon as one is closed.
func (sv *serving) last() {
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

// wake makes the loop look at what others left for it.
func (sv *serving) wake() { sv.conn.wake() }

const (
	// burst is how many datagrams leave before the socket is read again, so that ACKs and other peers are heard in the
	// middle of a large window.
	burst = 64
	// turn is how long the loop runs before it lets others run, where there is but one processor. Go's scheduler takes who does not
	// for 10 ms for a hog, and would then look after it every 20 µs.
	turn = 5 * time.Millisecond
	// maxReadErrors is how many reads in a row may fail before the socket is given up: single errors are about a datagram.
	maxReadErrors = 100
)

// loop reads, feeds the engine, writes and sleeps until the next deadline.
func (sv *serving) loop() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := sv.engine
	draining, aborting, heard, readErrors := false, false, false, 0
	var yielded time.Duration
	for {
		now := time.Since(sv.epoch)
		if now-yielded > turn {
			runtime.Gosched()
			yielded = now
		}
		if sv.closing.Load() {
			return ErrServerClosed
		}
		if sv.draining.Load() && !draining {
			draining = true
			e.drain(now)
		}
		if sv.aborting.Load() && !aborting {
			aborting = true
			e.abort()
		}
		sv.takeEnds(now)
		sv.flush(ctx, now)
		if draining && e.idle() && !e.wantsToSend() {
			return ErrServerClosed
		}
		// While a handler runs, its end shall be heard at once.
		n, err := sv.conn.receive(sv.deadline(), heard && len(e.calls) == 0)
		now = time.Since(sv.epoch)
		heard = n > 0
		switch {
		case err == nil:
			readErrors = 0
		case errors.Is(err, net.ErrClosed) || readErrors == maxReadErrors:
			return err
		default:
			readErrors++
		}
		for i := range n {
			d := sv.conn.came(i)
			for b := range d.packets {
				sv.count.PacketsIn++
				sv.count.BytesIn += int64(len(b))
				if sv.s.Trace != nil {
					sv.s.Trace(netip.AddrPortFrom(d.peer.Addr().Unmap(), d.peer.Port()), false, b)
				}
				e.packet(now, d.peer, d.local, b)
			}
		}
		e.tick(now)
	}
}

// deadline is when the loop has to look at the engine again.
func (sv *serving) deadline() time.Time {
	if sv.engine.wantsToSend() {
		return longAgo
	}
	if at, ok := sv.engine.deadline(); ok {
		return sv.epoch.Add(at)
	}
	return time.Time{}
}

// flush carries out what the engine wants, a burst of what it sends.
func (sv *serving) flush(ctx context.Context, now time.Duration) {
	e := sv.engine
	for sent := 0; sent < burst; {
		d, ok := e.send(now, sv.conn.buffer())
		if !ok {
			break
		}
		for b := range d.packets {
			sent++
			sv.count.PacketsOut++
			sv.count.BytesOut += int64(len(b))
			if sv.s.Trace != nil {
				sv.s.Trace(d.peer, true, b)
			}
		}
		sv.conn.queue(d)
	}
	sv.conn.flush()
	for _, c := range e.begun {
		go sv.handle(ctx, c) // ends when the handler returns; its end wakes the loop
	}
	clear(e.begun)
	e.begun = e.begun[:0]
	for _, o := range e.ended {
		if sv.s.Ended != nil {
			sv.s.Ended(o)
		}
		sv.logOutcome(o)
	}
	clear(e.ended)
	e.ended = e.ended[:0]
}

// handle runs the handler. A handler that panics has failed, and takes nothing else with it.
func (sv *serving) handle(ctx context.Context, c call) {
	ctx, cancel := context.WithTimeout(ctx, sv.engine.handlerTimeout)
	defer cancel()
	end := handled{id: c.id, err: errors.New("the handler panicked")}
	defer func() {
		if p := recover(); p != nil {
			end.err = fmt.Errorf("the handler panicked: %v", p)
		}
		sv.mu.Lock()
		sv.ends = append(sv.ends, end)
		sv.mu.Unlock()
		sv.wake()
	}()
	c.prepare()
	if c.req.Op == OpRead {
		end.body, end.err = sv.s.Handler.(ReadHandler).ReadTFTP(ctx, c.req)
	} else {
		end.err = sv.s.Handler.ServeTFTP(ctx, c.req)
	}
}

// takeEnds takes what others left: the ends of handlers, and questions.
func (sv *serving) takeEnds(now time.Duration) (any bool) {
	sv.mu.Lock()
	ends, asks := sv.ends, sv.asks
	sv.ends, sv.asks = nil, nil
	sv.mu.Unlock()
	for _, ask := range asks {
		ask <- sv.stats()
	}
	for _, h := range ends {
		sv.engine.completed(now, h.id, h.body, h.err)
	}
	return len(ends) > 0
}

// logOutcome writes the one line of a transfer that ended. Reads and writes that went well are routine; what the operator
// may have to mend is a warning.
//
// Requests that nothing followed, refusals and failures may be forged in any number: of those a few a second are written, and then how
// many were not.
func (sv *serving) logOutcome(o Outcome) {
	s := sv.s
	if s.Logger == nil {
		return
	}
	r := o.Request
	if o.Err != nil && !o.Again {
		lines := &sv.failedLines
		if o.Bytes == 0 {
			lines = &sv.idleLines
		}
		if !lines.take(time.Since(sv.epoch)) {
			sv.unsaid++
			return
		}
		if sv.unsaid > 0 {
			s.Logger.Warn("more requests came to nothing, or failed, than are written here", "lines", sv.unsaid)
			sv.unsaid = 0
		}
	}
	level, message := slog.LevelInfo, "received"
	switch {
	case o.Again:
		level, message = slog.LevelDebug, "ended later"
	case o.Refused:
		level, message = slog.LevelWarn, "refused"
	case o.Err != nil:
		level, message = slog.LevelWarn, "failed"
	case r.Op == OpRead:
		message = "sent"
	}
	attrs := []slog.Attr{
		slog.String("op", r.Op.String()),
		slog.String("peer", r.Peer.String()),
		slog.String("file", r.Filename),
		slog.Int64("bytes", o.Bytes),
		slog.Duration("took", time.Since(r.Received).Round(time.Microsecond)),
	}
	if len(r.Negotiated) > 0 {
		attrs = append(attrs, slog.String("options", formatOptions(r.Negotiated)))
	}
	if o.Repeats > 0 {
		attrs = append(attrs, slog.Int("repeats", o.Repeats))
	}
	r.mu.Lock()
	attrs = append(attrs, r.attrs...)
	r.mu.Unlock()
	if o.Err != nil {
		attrs = append(attrs, slog.Any("err", o.Err))
	}
	s.Logger.LogAttrs(context.Background(), level, message, attrs...)
}
