package sftp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Mode is how a file came.
type Mode string

// The modes.
const (
	SFTP Mode = "sftp"
	SCP  Mode = "scp"
)

// An Upload is a file that a client sends.
type Upload struct {
	Attempt       // who has logged in, from where
	Login   Login // what the check has found
	// as the client named it, from the root: without "." and "..", 1,024 bytes at most, of which
	// none is a control character
	Path      string
	Mode      Mode
	Began     time.Time // when the client named the file
	Completed time.Time // when all of it had come
	Body      []byte    // the handler may keep it

	mu    sync.Mutex // guards attrs: a handler may leave a goroutine that annotates
	attrs []slog.Attr
}

// Annotate adds attributes to the log line of the upload's end.
func (u *Upload) Annotate(attrs ...slog.Attr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attrs = append(u.attrs, attrs...)
}

// A Handler takes uploads. The server calls ServeUpload when all of a file has arrived: for one
// connection's channel one after the other, for several at once. By returning nil the handler
// promises that the file is durable: the client then gets its receipt. The client gets the Message
// of an [*Error], and "storage unavailable, try again" for any other error. ctx ends after
// HandlerTimeout and when the server no longer waits, and not when the client leaves. A handler
// returns soon after.
type Handler interface {
	ServeUpload(ctx context.Context, u *Upload) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, u *Upload) error

// ServeUpload calls f.
func (f HandlerFunc) ServeUpload(ctx context.Context, u *Upload) error { return f(ctx, u) }

// An Outcome is how an upload ended.
type Outcome struct {
	Upload  *Upload // with its Body where that was whole
	Err     error   // nil where the file is stored and the client was told
	Bytes   int64   // received
	Refused bool    // it never began
}

// incoming is an upload that arrives.
type incoming struct {
	c       *conn
	u       *Upload
	body    body
	failed  error // the first thing that went wrong: the upload can only fail
	refused bool
}

func (c *conn) incoming(path string, mode Mode) *incoming {
	return &incoming{
		c: c,
		u: &Upload{
			Attempt: c.attempt, Login: c.login, Path: path, Mode: mode, Began: time.Now(),
		},
		body: body{memory: c.s.memory, limit: c.s.limits.MaxSize},
	}
}

// begin begins an upload. Where it returns an error, the upload's end is reported.
func (c *conn) begin(path string, mode Mode) (*incoming, error) {
	if err := c.opens(); err != nil {
		return nil, c.refuse(path, mode, err)
	}
	c.tree.removed(path) // what came before under that name
	in := c.incoming(path, mode)
	c.s.debug("begun", append(uploadAttrs(in.u), c.login.Attrs...)...)
	return in, nil
}

// refuse reports an upload that can't begin, and returns why.
func (c *conn) refuse(path string, mode Mode, err error) error {
	in := c.incoming(path, mode)
	in.refused = true
	in.report(err)
	return err
}

func (in *incoming) writeAt(p []byte, at int64) error {
	if in.failed == nil {
		in.failed = in.body.writeAt(p, at)
	}
	return in.unlessFailed()
}

// cut sets the size of the file.
func (in *incoming) cut(size uint64) error {
	if in.failed == nil {
		in.failed = in.body.cut(size)
	}
	return in.unlessFailed()
}

// unlessFailed keeps no memory of an upload that can only fail.
func (in *incoming) unlessFailed() error {
	if in.failed != nil {
		in.body.release()
	}
	return in.failed
}

// commit gives a whole upload to the handler. Nil is the promise that it is stored.
func (in *incoming) commit() error {
	if in.failed != nil {
		return in.failed
	}
	if in.u.Body, in.failed = in.body.whole(); in.failed != nil {
		return in.failed
	}
	in.u.Completed = time.Now()
	in.failed = in.handle()
	return in.failed
}

// handle runs the handler. A handler that panics has failed, and takes nothing else with it.
func (in *incoming) handle() (err error) {
	s := in.c.s
	ctx, cancel := context.WithTimeout(s.ctx, orDefault(s.HandlerTimeout, defaultHandlerTimeout))
	defer cancel()
	in.c.socket.busy.Add(1)
	defer in.c.socket.busy.Add(-1)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return s.Handler.ServeUpload(ctx, in.u)
}

// fail notes why an upload can't succeed.
func (in *incoming) fail(err error) {
	if in.failed == nil {
		in.failed = err
	}
}

// end ends an upload after its client was told, which told says.
func (in *incoming) end(told error) {
	err := in.failed
	if err == nil && told != nil {
		err = ErrNoReceipt
	}
	in.body.release()
	in.report(err)
	in.c.closes()
}

func (in *incoming) report(err error) {
	s, u := in.c.s, in.u
	o := Outcome{Upload: u, Err: err, Bytes: in.received(), Refused: in.refused}
	if s.Ended != nil {
		s.Ended(o)
	}
	s.logOutcome(o)
}

// received returns how many bytes have come.
func (in *incoming) received() (n int64) {
	for _, s := range in.body.have {
		n += s.to - s.from
	}
	return n
}

// logOutcome writes the one line of an upload that ended. What the operator may have to mend is a
// warning.
func (s *Server) logOutcome(o Outcome) {
	if s.Logger == nil || o.Err != nil && !s.mayLog() {
		return
	}
	u := o.Upload
	level, text := slog.LevelInfo, "received"
	switch {
	case o.Refused:
		level, text = slog.LevelWarn, "refused"
	case o.Err != nil:
		level, text = slog.LevelWarn, "failed"
	}
	attrs := append(uploadAttrs(u), slog.Int64("bytes", o.Bytes),
		slog.Duration("took", time.Since(u.Began).Round(time.Microsecond)))
	u.mu.Lock()
	attrs = append(attrs, u.attrs...)
	u.mu.Unlock()
	if o.Err != nil {
		attrs = append(attrs, slog.Any("err", o.Err))
	}
	s.Logger.LogAttrs(context.Background(), level, text, attrs...)
}

// uploadAttrs is what the log says of an upload, begun or ended.
func uploadAttrs(u *Upload) []slog.Attr {
	return []slog.Attr{
		slog.String("op", "write"),
		slog.String("mode", string(u.Mode)),
		slog.String("peer", u.Peer.String()),
		slog.String("login", u.Login.Name),
		slog.String("file", u.Path),
	}
}

// attemptAttrs is what the log says of an attempt to log in: never what was to prove it.
func attemptAttrs(a Attempt, more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{slog.String("peer", a.Peer.String()), slog.String("user", a.User),
		slog.String("client", a.Client)}, more...)
}

// debug writes a line for who looks for a fault, as one for each packet of TFTP.
func (s *Server) debug(text string, attrs ...slog.Attr) {
	if s.Logger != nil {
		s.Logger.LogAttrs(context.Background(), slog.LevelDebug, text, attrs...)
	}
}

// logDenial writes the line of a connection or a login that was refused.
func (s *Server) logDenial(a Attempt, err error) {
	if s.Logger == nil || !s.mayLog() {
		return
	}
	s.Logger.LogAttrs(context.Background(), slog.LevelWarn, "login refused",
		attemptAttrs(a, slog.Any("err", err))...)
}

// mayLog reports whether a failure may have its line.
func (s *Server) mayLog() bool {
	ok, dropped := s.lines.take(time.Now())
	if dropped > 0 {
		s.Logger.Warn("more uploads and logins failed than the log has lines for; the limit "+
			"protects the log from floods", "dropped_lines", dropped)
	}
	return ok
}
