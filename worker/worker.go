// Package worker is a server at work: it listens, stores what comes, and answers for its health until its context ends.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// worker is a server and what it works with.
type worker struct {
	config.Config
	environ  []string
	version  string
	log      *slog.Logger
	sockets  []net.PacketConn
	served   chan error // the end of each socket's loop
	server   *tftp.Server
	handler  *capturer
	health   *health
	page     net.Listener  // of health; nil for none
	opened   chan struct{} // closed when handler.store is there
	prepared chan struct{} // closed when its schema has been looked after, or could not be
	leave    func()        // lets handlers wait for nothing any more
}

// Run listens before it touches the database, so that a port in use leaves nothing behind, and answers before the database does:
// what comes meanwhile waits for it.
func Run(ctx context.Context, c config.Config, environ []string, version string, log *slog.Logger) error {
	if config.Variable(environ, "GOMEMLIMIT") == "" { // bodies are half of what there is; the other half is for storing them
		debug.SetMemoryLimit(2 * int64(c.Memory))
	}
	sockets, err := openSockets(c, environ, log)
	if err != nil {
		return err
	}
	defer func() {
		for _, socket := range sockets {
			_ = socket.Close()
		}
	}()
	w := &worker{Config: c, environ: environ, version: version, log: log, sockets: sockets, served: make(chan error, len(sockets)), health: newHealth(log, version),
		opened: make(chan struct{}), prepared: make(chan struct{})}
	w.health.beat = heartbeat(environ)
	quit, leave := context.WithCancel(context.Background())
	w.leave = leave
	failures := newRecorder(log)
	recording, stopRecording := context.WithCancel(context.Background())
	go failures.run(recording) // ends below
	w.handler = &capturer{sites: c.Sites, read: c.Read, failures: failures, health: w.health, log: log, quit: quit, opened: w.opened, prepared: w.prepared}
	defer func() {
		leave()
		stopRecording()
		<-failures.ended
		if w.handler.store != nil {
			_ = w.handler.store.Close() // whoever got a receipt got it after a commit
		}
	}()
	w.serve()
	defer w.server.Close()
	if w.page, err = w.health.listen(c.HTTP); err != nil {
		return err
	}
	answering, stop := context.WithCancel(context.Background())
	defer stop() // at last: it answers while transfers drain
	w.health.serve(answering, w.page)
	s, err := store.Open(c.Database, store.Options{DirectURL: c.DirectDatabase, Own: true, Create: true, Spool: c.Spool,
		WriteOnce: bool(c.WriteOnce), Fingerprint: device.Fingerprint, Logger: log})
	if err != nil {
		return err
	}
	w.handler.store = s
	failures.store.Store(s)
	return w.work(ctx, s)
}

// serve answers on the sockets, before there is a store.
func (w *worker) serve() {
	n := len(w.sockets)
	w.server = &tftp.Server{
		Handler: w.handler, Accept: accept(w.Allow, w.health.full), Ended: w.handler.ended,
		Limits: tftp.Limits{MaxBlksize: int(w.MaxBlksize), MaxWindowsize: int(w.MaxWindowsize), MaxSize: int64(w.MaxSize), MaxRead: store.MaxPublished,
			Memory: int64(w.Memory) / int64(n), Transfers: maxTransfers / n},
		AckTimeout: time.Duration(w.AckTimeout), Timeout: time.Duration(w.Timeout), Logger: w.log,
		Trace: trace(w.log),
	}
	for _, socket := range w.sockets {
		go func() { w.served <- w.server.Serve(socket) }() // ends by Shutdown or Close, or when the socket fails
	}
	runtime.Gosched() // the loops begin before the database is opened, which takes the processor for milliseconds
}

// work looks after the store until ctx ends, and lets transfers end then.
func (w *worker) work(ctx context.Context, s *store.Store) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	room := &room{store: s, least: w.MinFree, log: w.log}
	room.look()
	w.health.room.Store(room)
	w.health.server.Store(w.server)
	close(w.opened)
	go room.watch(ctx) // ends with ctx
	first, enough := context.WithTimeout(ctx, firstLimit)
	err := prepare(first, s, w.Migrate)
	enough()
	close(w.prepared)
	switch {
	case err == nil:
		w.health.look(ctx, s)
	case !passing(err) || strings.HasPrefix(w.Database, "sqlite:"):
		return err
	default:
		text := "the database can't be used: uploads get error 0 until it can"
		if w.Spool != "" {
			text = "the database can't be used: uploads are kept in the spool until it can"
		}
		w.log.Error(text, "database", config.Masked(w.Database), "spool", w.Spool, "err", err)
		go prepareLater(ctx, cancel, s, w.Config, w.log) // ends with ctx
	}
	go pruneDaily(ctx, s, Retention(&w.Config), w.log) // ends with ctx
	go w.health.watch(ctx, s)                          // ends with ctx
	go w.health.metrics.count(ctx, s)                  // ends with ctx
	w.greet()
	notify(w.environ, "READY=1")
	select {
	case err := <-w.served:
		return fmt.Errorf("the socket failed: %w", err)
	case <-ctx.Done():
	}
	if err := w.drain(); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// drain ends the server, and lets running transfers end for TFTP_DRAIN.
func (w *worker) drain() error {
	w.health.leaving.Store(true)
	notify(w.environ, "STOPPING=1")
	w.log.Info("stopping: no new requests, running transfers may end", "drain", w.Drain.String())
	drain, stop := context.WithTimeout(context.Background(), time.Duration(w.Drain))
	defer stop()
	defer context.AfterFunc(drain, w.leave)() // a database that is stalled now has had its time
	_ = w.server.Shutdown(drain)              // what was cut off has had its own line
	for range w.sockets {
		if err := <-w.served; !errors.Is(err, tftp.ErrServerClosed) {
			return err
		}
	}
	w.log.Info("stopped")
	return nil
}

// greet says in five lines what the server does; the last one says that it does it.
func (w *worker) greet() {
	log := w.log
	log.Info("tftpsql", "version", w.version)
	database := []any{"url", config.Located(w.Database), "keep-changed", w.KeepChanged.String(), "keep-unchanged", w.KeepUnchanged.String()}
	local := strings.HasPrefix(w.Database, "sqlite:")
	if !local {
		database = append(database, "spool", cmp.Or(w.Spool, "none"))
	}
	if local || w.Spool != "" {
		database = append(database, "min-free", w.health.room.Load().free())
	}
	log.Info("database", database...)
	log.Info("allowed", "sources", cmp.Or(w.Allow.String(), "loopback"), "read", w.Read.String(), "max-size", w.MaxSize.String(), "write-once", bool(w.WriteOnce))
	switch {
	case w.page != nil:
		at := config.HTTPAddr{Addr: w.page.Addr().String()}
		attrs := []any{"url", "http://" + at.Local(), "paths", "/healthz /readyz /metrics"}
		if at.Local() != at.Addr {
			attrs = append(attrs, "addresses", "all")
		}
		log.Info("health", attrs...)
	case w.health.taken != nil:
		log.Warn("health", "url", "none", "err", w.health.taken)
	default:
		log.Info("health", "url", "none")
	}
	attrs := []any{"address", w.sockets[0].LocalAddr().String()}
	if len(w.sockets) > 1 {
		attrs = append(attrs, "shards", len(w.sockets))
	}
	if u, ok := w.sockets[0].LocalAddr().(*net.UDPAddr); ok && u.Port != 69 {
		attrs = append(attrs, "note", "devices speak to port 69: start with -p 69, or redirect it to this one")
	}
	log.Info("listening", attrs...)
}

// trace shows packets in the log where it is to be that talkative.
func trace(log *slog.Logger) func(netip.AddrPort, bool, tftp.Packet) {
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return nil
	}
	return func(peer netip.AddrPort, sent bool, p tftp.Packet) {
		direction := "<- "
		if sent {
			direction = "-> "
		}
		log.Debug(direction+p.String(), "peer", peer.String())
	}
}

// prepare brings the schema up to date, or checks that it is.
func prepare(ctx context.Context, s *store.Store, m config.Migrate) error {
	if m == "off" {
		return s.CheckSchema(ctx)
	}
	return s.Migrate(ctx)
}

// passing reports whether an error may pass while the program runs: the database is away, or doesn't let it in yet.
func passing(err error) bool {
	class := store.ClassOf(err)
	return class == store.Transient || class == store.Login
}

const (
	// firstLimit is how long a start waits for PostgreSQL, and laterLimit how long a later try may take: a migration of a large
	// database takes minutes.
	firstLimit = 10 * time.Second
	laterLimit = 30 * time.Minute
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// prepareLater tries again until the database is there; what can't pass ends the server.
func prepareLater(ctx context.Context, cancel context.CancelCauseFunc, s *store.Store, c config.Config, log *slog.Logger) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		limited, cancelTry := context.WithTimeout(ctx, laterLimit)
		err := prepare(limited, s, c.Migrate)
		cancelTry()
		switch {
		case err == nil:
			log.Info("the database is there: uploads are stored", "database", config.Masked(c.Database))
			return
		case !passing(err):
			cancel(err)
			return
		}
		log.Warn("the database still can't be used", "err", err)
	}
}

// maxTransfers at once, over all shards: package tftp's default.
const maxTransfers = 20_000
