// Package worker is a server at work: it listens, stores what comes, and answers for its health
// until its context ends.
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
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
	"github.com/tftpsql/tftpsql/web"
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
	handler  *handler
	health   *health
	failures *recorder
	alarms   alarm.Options
	listener net.Listener                // of health; nil for none
	ssh      net.Listener                // of SSH_ADDR; nil for none
	inbox    *web.Page                   // whose uploads end before the program does
	store    atomic.Pointer[store.Store] // for the page; nil until it is open
	opened   chan struct{}               // closed when handler.store is set
	prepared chan struct{}               // closed when the schema is migrated, or could not be
	leave    func()                      // makes handlers stop waiting
}

// Run serves until ctx ends. It listens before it opens the database, so that a port in use leaves
// nothing behind, and answers before the database does: uploads wait for it.
func Run(ctx context.Context, c config.Config, environ []string, version string,
	log *slog.Logger) error {
	// bodies take half; storing them takes the other half
	if config.Variable(environ, "GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(2 * int64(c.Memory))
	}
	alarms, err := AlarmOptions(c, version)
	if err != nil {
		return err
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
	w := &worker{
		Config: c, environ: environ, version: version, log: log,
		sockets: sockets, served: make(chan error, len(sockets)), alarms: alarms,
		health: newHealth(log, version),
		opened: make(chan struct{}), prepared: make(chan struct{}),
	}
	w.health.beat = heartbeat(environ)
	quit, leave := context.WithCancel(context.Background())
	w.leave = leave
	failures := newRecorder(log)
	w.failures = failures
	recording, stopRecording := context.WithCancel(context.Background())
	go failures.run(recording) // ends below
	w.handler = &handler{sites: c.Sites, read: c.Read, logs: c.Logs, failures: failures,
		health: w.health,
		log:    log,
		quit:   quit, opened: w.opened, prepared: w.prepared}
	defer func() {
		leave()
		stopRecording()
		<-failures.done
		if w.handler.store != nil {
			_ = w.handler.store.Close() // every receipt was given after a commit
		}
	}()
	if w.ssh, err = listenSSH(c.SSH); err != nil {
		return err
	}
	if w.ssh != nil {
		defer w.ssh.Close()
	}
	w.serve()
	defer w.server.Close()
	w.inbox = w.page()
	w.health.page = w.inbox
	if w.listener, err = w.health.listen(c.HTTP); err != nil {
		return err
	}
	if w.listener, err = w.secured(w.listener); err != nil {
		return err
	}
	answering, stop := context.WithCancel(context.Background())
	defer stop() // at last: health is answered while transfers drain
	w.health.serve(answering, w.listener)
	s, err := store.Open(c.Database, store.Options{
		DirectURL: c.DirectDatabase, Own: true, Create: true, Spool: c.Spool,
		WriteOnce:   bool(c.WriteOnce),
		Fingerprint: device.Fingerprint, Ending: device.Ending, CutOff: device.CutOff,
		Logger: log,
	})
	if err != nil {
		return err
	}
	w.handler.store = s
	w.store.Store(s)
	failures.store.Store(s)
	failures.woken()
	return w.work(ctx, s)
}

// serve answers on the sockets, before there is a store.
func (w *worker) serve() {
	n := len(w.sockets)
	w.server = &tftp.Server{
		Handler: w.handler, Accept: admission(w.Allow, w.health.whyRefused), Ended: w.handler.ended,
		Limits: tftp.Limits{
			MaxBlksize: int(w.MaxBlksize), MaxWindowsize: int(w.MaxWindowsize),
			MaxSize: int64(w.MaxSize),
			MaxRead: store.MaxPublished, Memory: int64(w.Memory) / int64(n),
			Transfers: tftp.DefaultTransfers / n,
		},
		AckTimeout: time.Duration(w.AckTimeout), Timeout: time.Duration(w.Timeout), Logger: w.log,
		Trace: trace(w.log),
	}
	for _, socket := range w.sockets {
		// ends by Shutdown or Close, or when the socket fails
		go func() { w.served <- w.server.Serve(socket) }()
	}
	// the loops begin before the database is opened, which takes the processor for milliseconds
	runtime.Gosched()
}

// work prepares the database and serves until ctx ends. Then it lets transfers end.
func (w *worker) work(ctx context.Context, s *store.Store) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	disk := &diskWatch{store: s, least: w.MinFree, log: w.log}
	disk.look()
	w.health.disk.Store(disk)
	w.health.server.Store(w.server)
	close(w.opened)
	go disk.run(ctx) // ends with ctx
	if err := w.prepare(ctx, s, cancel); err != nil {
		return err
	}
	go pruneDaily(ctx, s, Retention(w.Config), w.log) // ends with ctx
	go w.health.watch(ctx, s)                         // ends with ctx
	go w.health.metrics.count(ctx, s)                 // ends with ctx
	telling, quiet := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() { defer close(told); w.tellAlarms(telling, s) }() // ends below
	defer func() { quiet(); <-told }()
	bySSH := w.startSSH(s, w.ssh)
	w.logStartup()
	notify(w.environ, "READY=1")
	select {
	case err := <-w.served:
		return fmt.Errorf("the socket failed: %w", err)
	case <-ctx.Done():
	}
	if err := w.drain(bySSH); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// prepare migrates the schema. Where PostgreSQL is away it goes on trying in the background, and
// cancels the worker when the trouble can't pass.
func (w *worker) prepare(ctx context.Context, s *store.Store,
	cancel context.CancelCauseFunc) error {
	first, enough := context.WithTimeout(ctx, firstLimit)
	err := migrate(first, s, w.Migrate)
	enough()
	close(w.prepared)
	switch {
	case err == nil:
		w.health.look(ctx, s)
		return nil
	case !mayPass(err) || w.onSQLite():
		return err
	}
	text := "the database can't be used: uploads get error 0 until it can"
	if w.Spool != "" {
		text = "the database can't be used: uploads are kept in the spool until it can"
	}
	w.log.Error(text, "database", store.Masked(w.Database), "spool", w.Spool, "err", err)
	go migrateLater(ctx, cancel, s, w.Config, w.log) // ends with ctx
	return nil
}

func (w *worker) onSQLite() bool { return strings.HasPrefix(w.Database, "sqlite:") }

// drain ends the server, and lets running transfers end for TFTP_DRAIN.
func (w *worker) drain(bySSH *sshServer) error {
	w.health.leaving.Store(true)
	notify(w.environ, "STOPPING=1")
	w.log.Info("stopping: no new requests, running transfers may end", "drain", w.Drain.String())
	drain, stop := context.WithTimeout(context.Background(), time.Duration(w.Drain))
	defer stop()
	defer context.AfterFunc(drain, w.leave)() // a database that is stalled now has had its time
	var others sync.WaitGroup
	others.Go(func() { bySSH.stop(drain) })
	others.Go(func() { w.inbox.Drain(drain) })
	defer others.Wait()
	// each transfer that was cut off has its own line in the log
	_ = w.server.Shutdown(drain)
	for range w.sockets {
		if err := <-w.served; !errors.Is(err, tftp.ErrServerClosed) {
			return err
		}
	}
	w.log.Info("stopped")
	return nil
}

// logStartup says in five lines what the server does. The last one says that it is ready.
func (w *worker) logStartup() {
	log := w.log
	log.Info("tftpsql", "version", w.version)
	database := []any{"url", store.Located(w.Database),
		"keep-changed", w.KeepChanged.String(), "keep-unchanged", w.KeepUnchanged.String()}
	if !w.onSQLite() {
		database = append(database, "spool", cmp.Or(w.Spool, "none"))
	}
	if w.onSQLite() || w.Spool != "" {
		database = append(database, "min-free", w.health.disk.Load().minFree())
	}
	log.Info("database", database...)
	log.Info("allowed", "sources", cmp.Or(w.Allow.String(), "loopback"), "read", w.Read.String(),
		"max-size", w.MaxSize.String(), "write-once", bool(w.WriteOnce))
	w.logHealth()
	listening := []any{"address", w.sockets[0].LocalAddr().String()}
	if len(w.sockets) > 1 {
		listening = append(listening, "shards", len(w.sockets))
	}
	if u, ok := w.sockets[0].LocalAddr().(*net.UDPAddr); ok && u.Port != 69 {
		listening = append(listening, "note",
			"devices send to port 69: start with -p 69, or redirect it to this one")
	}
	log.Info("listening", listening...)
}

// logHealth says where health and metrics are served.
func (w *worker) logHealth() {
	switch {
	case w.listener != nil:
		at := config.HTTPAddr{Addr: w.listener.Addr().String()}
		scheme := "http://"
		if w.TLSCert != "" {
			scheme = "https://"
		}
		attrs := []any{"url", scheme + at.Local(), "paths", "/healthz /readyz /metrics"}
		if at.Local() != at.Addr {
			attrs = append(attrs, "addresses", "all")
		}
		w.log.Info("health", attrs...)
	case w.health.taken != nil:
		w.log.Warn("health", "url", "none", "err", w.health.taken)
	default:
		w.log.Info("health", "url", "none")
	}
}

// trace returns what logs every packet, nil where the log's level is above debug.
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

// migrate brings the schema up to date; with MIGRATE=off it only checks it.
func migrate(ctx context.Context, s *store.Store, m config.Migrate) error {
	if m == "off" {
		return s.CheckSchema(ctx)
	}
	return s.Migrate(ctx)
}

// mayPass reports whether an error may pass while the program runs: the database is away, or
// refuses the login.
func mayPass(err error) bool {
	class := store.ClassOf(err)
	return class == store.Transient || class == store.Login
}

const (
	// firstLimit is how long a start waits for PostgreSQL. laterLimit is how long a later try may
	// take: migrating a large database takes minutes.
	firstLimit = 10 * time.Second
	laterLimit = 30 * time.Minute
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// migrateLater tries again until the database is there. Trouble that can't pass ends the server.
func migrateLater(ctx context.Context, cancel context.CancelCauseFunc, s *store.Store,
	c config.Config, log *slog.Logger) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		limited, cancelTry := context.WithTimeout(ctx, laterLimit)
		err := migrate(limited, s, c.Migrate)
		cancelTry()
		switch {
		case err == nil:
			log.Info("the database is there: uploads are stored", "database",
				store.Masked(c.Database))
			return
		case !mayPass(err):
			cancel(err)
			return
		}
		log.Warn("the database still can't be used", "err", err)
	}
}
