package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// serve is the server: configuration, store, listener, until ctx ends.
func (a *app) serve(cmd *cobra.Command, _ []string) error {
	c := a.config
	if err := a.configErr; err != nil {
		return usageError{err}
	}
	if err := c.check(); err != nil {
		return usageError{err}
	}
	log, closeLog, err := c.logger(a.err, coloured(a.err, a.environ))
	if err != nil {
		return err
	}
	defer closeLog()
	if err = a.serveWith(cmd.Context(), c, log); err != nil && c.LogFile != "" {
		log.Error("stopped", "err", err)
	}
	return err
}

// serveWith listens before it touches the database, so that a port in use leaves nothing behind, and answers before the database does.
func (a *app) serveWith(ctx context.Context, c Config, log *slog.Logger) error {
	if variable(a.environ, "GOMEMLIMIT") == "" { // bodies are half of what there is; the other half is for storing them
		debug.SetMemoryLimit(2 * int64(c.Memory))
	}
	sockets, err := a.sockets(c, log)
	if err != nil {
		return err
	}
	defer func() {
		for _, socket := range sockets {
			_ = socket.Close()
		}
	}()
	health := newHealth(log)
	health.beat = heartbeat(a.environ)
	page, err := health.listen(c.HTTP)
	if err != nil {
		return err
	}
	answering, stop := context.WithCancel(context.Background())
	defer stop() // at last: it answers while transfers drain
	health.serve(answering, page)
	s, err := store.Open(c.Database, store.Options{DirectURL: c.DirectDatabase, Own: true, Create: true, Spool: c.Spool,
		WriteOnce: bool(c.WriteOnce), Fingerprint: device.Fingerprint, Logger: log})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	room := &room{store: s, least: c.MinFree, log: log}
	room.look()
	health.room.Store(room)
	go room.watch(ctx) // ends with ctx
	failures := newRecorder(s, log)
	recording, stopRecording := context.WithCancel(context.Background())
	go failures.run(recording) // ends below
	defer func() {
		stopRecording()
		<-failures.ended
	}()
	quit, leave := context.WithCancel(context.Background())
	defer leave()
	prepared := make(chan struct{})
	handler := &capturer{store: s, sites: c.Sites, read: c.Read, failures: failures, health: health, log: log, quit: quit, prepared: prepared}
	n := len(sockets)
	server := &tftp.Server{
		Handler: handler, Accept: accept(c.Allow, room.full), Ended: handler.ended,
		Limits: tftp.Limits{MaxBlksize: int(c.MaxBlksize), MaxWindowsize: int(c.MaxWindowsize), MaxSize: int64(c.MaxSize), MaxRead: maxPublished,
			Memory: int64(c.Memory) / int64(n), Transfers: maxTransfers / n},
		AckTimeout: time.Duration(c.AckTimeout), Timeout: time.Duration(c.Timeout), Logger: log,
		Trace: trace(log),
	}
	served := make(chan error, n)
	for _, socket := range sockets {
		go func() { served <- server.Serve(socket) }() // ends by Shutdown or Close, or when the socket fails
	}
	defer server.Close()
	health.server.Store(server)
	first, enough := context.WithTimeout(ctx, firstLimit)
	err = prepare(first, s, c.Migrate)
	enough()
	close(prepared)
	if err != nil {
		if !passing(err) || strings.HasPrefix(c.Database, "sqlite:") {
			return err
		}
		text := "the database can't be used: uploads get error 0 until it can"
		if c.Spool != "" {
			text = "the database can't be used: uploads are kept in the spool until it can"
		}
		log.Error(text, "database", masked(c.Database), "spool", c.Spool, "err", err)
		go prepareLater(ctx, cancel, s, c, log) // ends with ctx
	} else {
		health.look(ctx, s)
	}
	go pruneDaily(ctx, s, c.retention(), log) // ends with ctx
	go health.watch(ctx, s)                   // ends with ctx
	go health.metrics.count(ctx, s)           // ends with ctx
	c.greet(log, page, health.taken, sockets)
	notify(a.environ, "READY=1")
	select {
	case err := <-served:
		return fmt.Errorf("the socket failed: %w", err)
	case <-ctx.Done():
	}
	health.leaving.Store(true)
	notify(a.environ, "STOPPING=1")
	log.Info("stopping: no new requests, running transfers may end", "drain", c.Drain.String())
	drain, stop := context.WithTimeout(context.Background(), time.Duration(c.Drain))
	defer stop()
	defer context.AfterFunc(drain, leave)() // a database that is stalled now has had its time
	_ = server.Shutdown(drain)              // what was cut off has had its own line
	for range sockets {
		if err := <-served; !errors.Is(err, tftp.ErrServerClosed) {
			return err
		}
	}
	log.Info("stopped")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// greet says in five lines what the server does; the last one says that it does it.
func (c *Config) greet(log *slog.Logger, page net.Listener, taken error, sockets []net.PacketConn) {
	log.Info("tftpsql", "version", programVersion())
	database := []any{"url", masked(c.Database), "keep-changed", c.KeepChanged.String(), "keep-unchanged", c.KeepUnchanged.String()}
	local := strings.HasPrefix(c.Database, "sqlite:")
	if !local {
		database = append(database, "spool", cmp.Or(c.Spool, "none"))
	}
	if local || c.Spool != "" {
		database = append(database, "min-free", c.MinFree.String())
	}
	log.Info("database", database...)
	log.Info("allowed", "sources", cmp.Or(c.Allow.String(), "loopback"), "read", c.Read.String(), "max-size", c.MaxSize.String(), "write-once", bool(c.WriteOnce))
	switch {
	case page != nil:
		log.Info("health", "url", "http://"+page.Addr().String(), "paths", "/healthz /readyz /metrics")
	case taken != nil:
		log.Warn("health", "url", "none", "err", taken)
	default:
		log.Info("health", "url", "none")
	}
	attrs := []any{"address", sockets[0].LocalAddr().String()}
	if len(sockets) > 1 {
		attrs = append(attrs, "shards", len(sockets))
	}
	if u, ok := sockets[0].LocalAddr().(*net.UDPAddr); ok && u.Port != 69 {
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
func prepare(ctx context.Context, s *store.Store, m Migrate) error {
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
func prepareLater(ctx context.Context, cancel context.CancelCauseFunc, s *store.Store, c Config, log *slog.Logger) {
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
			log.Info("the database is there: uploads are stored", "database", masked(c.Database))
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

// sockets are the one that systemd has opened, or else as many as the settings say on the port that they name.
func (a *app) sockets(c Config, log *slog.Logger) ([]net.PacketConn, error) {
	socket, err := activated(a.environ)
	if err != nil {
		return nil, err
	}
	if socket != nil {
		if c.Shards > 1 {
			log.Warn("TFTP_SHARDS is not used: the socket is systemd's, and there is one")
		}
		return []net.PacketConn{socket}, nil
	}
	var all []net.PacketConn
	for len(all) < int(c.Shards) {
		socket, err := c.listen()
		if err != nil {
			for _, other := range all {
				_ = other.Close()
			}
			return nil, err
		}
		all = append(all, socket)
		if u, ok := socket.LocalAddr().(*net.UDPAddr); ok {
			c.Port = Port(u.Port) // of 0 the first one makes a number
		}
	}
	return all, nil
}

// listen opens a UDP socket. An IPv4 address means IPv4 alone; no address means both families.
func (c *Config) listen() (net.PacketConn, error) {
	network := "udp"
	if addr, err := netip.ParseAddr(c.Host); err == nil && addr.Is4() {
		network = "udp4"
	}
	host := strings.Trim(c.Host, "[]")
	var how net.ListenConfig
	if c.Shards > 1 {
		how.Control = sharePort
	}
	socket, err := how.ListenPacket(context.Background(), network, net.JoinHostPort(host, strconv.Itoa(int(c.Port))))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: another program listens there; stop it, or choose another port with --port", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: ports below 1024 need a privilege (setcap cap_net_bind_service=+ep on the program), or choose another with --port", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: this machine has no such address; look at TFTP_HOST or --host", err)
	case err != nil:
		return nil, fmt.Errorf("%w: look at TFTP_HOST or --host", err)
	}
	return socket, nil
}

// logger makes the log that the settings ask for.
func (c *Config) logger(stderr io.Writer, colour bool) (log *slog.Logger, closeLog func(), err error) {
	w, closeLog := stderr, func() {}
	if c.LogFile != "" {
		f, err := os.OpenFile(c.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("LOG_FILE (--file-log): %w", err)
		}
		w, closeLog = f, func() { _ = f.Close() }
	}
	o := &slog.HandlerOptions{Level: slog.Level(c.LogLevel)}
	if c.verbose {
		o.Level = slog.LevelDebug
	}
	if c.LogFormat == "json" {
		o.ReplaceAttr = inMilliseconds
		return slog.New(slog.NewJSONHandler(w, o)), closeLog, nil
	}
	if colour && c.LogFile == "" {
		return slog.New(newTerminalLog(w, *o)), closeLog, nil
	}
	return slog.New(slog.NewTextHandler(w, o)), closeLog, nil
}
