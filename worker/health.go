package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

const (
	// readyEvery is how often the database is asked whether captures can be stored, and readyLimit
	// how long it may take.
	readyEvery = 5 * time.Second
	readyLimit = 10 * time.Second

	// failureCounts is how long a capture that could not be stored makes the worker unready, unless
	// another is stored: a database with a full disk still answers. It ends by itself, since an
	// unready worker may get no more uploads.
	failureCounts = 30 * time.Second

	// spoolEvery is how often the spool is tried while PostgreSQL is there, which writes a page. A
	// bad spool is tried again after readyEvery.
	spoolEvery = time.Minute
	spoolLimit = 5 * time.Second

	// headerWithin bounds the reading of a request's header.
	headerWithin = 5 * time.Second

	// readWithin bounds the reading of a request, which is small, and writeWithin that of an answer
	// too: a search of all versions, or a large file over a slow line.
	readWithin  = 15 * time.Second
	writeWithin = 2 * time.Minute

	// loopLimit is how long the UDP loop may take to answer.
	loopLimit = 2 * time.Second
)

// health is what the operator's tools see: /healthz, /readyz and /metrics.
type health struct {
	log     *slog.Logger
	version string
	metrics *metrics
	server  atomic.Pointer[tftp.Server] // nil until it serves
	disk    atomic.Pointer[diskWatch]   // nil before there is one
	// why captures can't be stored, as look found; "" where they can
	unready atomic.Pointer[string]
	failure atomic.Pointer[storeFailure]
	// why the spool can keep nothing; "" where it can, nil without one
	spool atomic.Pointer[string]
	// how the database could lose what it has confirmed; "" where it couldn't
	risk    atomic.Pointer[string]
	leaving atomic.Bool  // the program stops
	taken   error        // why the default address is not served
	beat    func()       // tells systemd's watchdog that the UDP loop answers
	page    http.Handler // everything else that HTTP_ADDR serves; nil for nothing

	// Of watch's goroutine alone: what it found, whether the log was told of trouble, when it last
	// tried the spool.
	wasReady, told bool
	spoolTried     time.Time
}

// storeFailure is a capture that could not be stored.
type storeFailure struct {
	at  time.Time
	err error
}

// lasts reports whether the trouble may go on although the database answers: a full disk, a missing
// right, commits that hang.
func (f *storeFailure) lasts() bool {
	class := store.ClassOf(f.err)
	return class == store.Full || class == store.Config || errors.Is(f.err, store.ErrNotInTime)
}

func newHealth(log *slog.Logger, version string) *health {
	h := &health{log: log, version: version, beat: func() {}}
	starting, none := "starting: the database is being prepared", ""
	h.unready.Store(&starting)
	h.risk.Store(&none)
	h.metrics = newMetrics(h)
	return h
}

// stored notes how storing a capture ended, and how long it took.
func (h *health) stored(took time.Duration, err error) {
	if h == nil {
		return
	}
	h.metrics.commit.Update(took.Seconds())
	switch store.ClassOf(err) {
	case store.Permanent, store.Exists, store.Usage, store.NotFound:
		if err != nil {
			return // the capture's own fault
		}
	}
	if err == nil {
		h.failure.Store(nil)
		none := ""
		h.unready.Store(&none)
		return
	}
	h.failure.Store(&storeFailure{time.Now(), err})
}

// watch keeps the answer of /readyz until ctx ends.
func (h *health) watch(ctx context.Context, s *store.Store) {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if h.alive(ctx) == nil {
			h.beat()
		}
		h.look(ctx, s)
	}
}

// look asks the database, and logs when the answer has changed.
func (h *health) look(ctx context.Context, s *store.Store) {
	limited, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	began := time.Now()
	err := s.Ready(limited)
	if ctx.Err() != nil {
		return
	}
	if f := h.failure.Load(); err == nil && f != nil && time.Since(f.at) < failureCounts &&
		(f.lasts() || f.at.After(began)) {
		err = f.err
	}
	reason := ""
	if err != nil {
		reason = oneLine(err)
	}
	h.unready.Store(&reason)
	switch {
	case err == nil && h.told:
		h.log.Info("ready: captures can be stored again")
		h.told = false
	case err != nil && !h.told && h.wasReady:
		h.log.Error("not ready: captures can't be stored", "err", err)
		h.told = true
	}
	h.wasReady = err == nil
	h.lookAtRisk(limited, s)
	h.lookAtSpool(ctx, s)
}

// lookAtRisk logs when the database begins or ends to promise less than a receipt does.
func (h *health) lookAtRisk(ctx context.Context, s *store.Store) {
	risk, err := s.Risk(ctx)
	if err != nil {
		return // whether captures can be stored is told elsewhere
	}
	switch was := *h.risk.Swap(&risk); {
	case risk != "" && risk != was:
		h.log.Warn("the database promises less than a receipt does", "risk", risk)
	case risk == "" && was != "":
		h.log.Info("the database keeps again what a receipt promises")
	}
}

// lookAtSpool tries the spool before it is needed, and logs when the answer has changed.
func (h *health) lookAtSpool(ctx context.Context, s *store.Store) {
	was := h.spool.Load()
	if !s.HasSpool() || was != nil && *was == "" && time.Since(h.spoolTried) < spoolEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, spoolLimit)
	defer cancel()
	h.spoolTried = time.Now()
	err := s.SpoolReady(ctx)
	if disk := h.disk.Load(); err == nil && disk != nil {
		err = disk.spoolShortage()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the program ends
	}
	reason := ""
	if err != nil {
		reason = strings.TrimPrefix(oneLine(err), "the spool: ")
	}
	h.spool.Store(&reason)
	switch {
	case err != nil && (was == nil || *was == ""):
		h.log.Warn("the spool can't be used: while PostgreSQL is away uploads would be refused",
			"err", err)
	case err == nil && was != nil && *was != "":
		h.log.Info("the spool can be used again")
	}
}

// whyUnready returns why captures can't be stored, "" where they can: what the disk and the last
// capture say at once, else what look found.
func (h *health) whyUnready() string {
	if h.leaving.Load() {
		return "stopping"
	}
	if err := h.whyRefused(); err != nil {
		return oneLine(err)
	}
	if f := h.failure.Load(); f != nil && f.lasts() && time.Since(f.at) < failureCounts {
		return oneLine(f.err)
	}
	return *h.unready.Load()
}

// oneLine returns an error in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// whyRefused returns why uploads are refused, or nil.
func (h *health) whyRefused() error {
	if disk := h.disk.Load(); disk != nil {
		return disk.whyRefused()
	}
	return nil
}

// alive returns an error where the UDP loop doesn't answer.
func (h *health) alive(ctx context.Context) error {
	server := h.server.Load()
	if server == nil || h.leaving.Load() {
		return nil // it starts, or ends
	}
	ctx, cancel := context.WithTimeout(ctx, loopLimit)
	defer cancel()
	if _, err := server.Stats(ctx); err != nil {
		return fmt.Errorf("the UDP loop does not answer: %w", err)
	}
	return nil
}

func (h *health) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := h.alive(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if reason := h.whyUnready(); reason != "" {
			answer(w, http.StatusServiceUnavailable, reason)
			return
		}
		text := "ready: captures can be stored"
		if spool := h.spool.Load(); spool != nil && *spool != "" {
			text += "\nspool: " + *spool
		}
		if risk := *h.risk.Load(); risk != "" {
			text += "\ndatabase: " + risk
		}
		answer(w, http.StatusOK, text)
	})
	mux.Handle("GET /metrics", h.metrics.httpHandler())
	if h.page != nil {
		mux.Handle("/", h.page)
	}
	return mux
}

// ServerHeader is the header Server of answers, by which a health check knows tftpsql from another
// program on the port.
const ServerHeader = "tftpsql"

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Server", ServerHeader)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // the client may have gone
}

// listen opens HTTP_ADDR. It returns nil where there is none, and where another program has the
// default address: a second worker must start as easily as the first.
func (h *health) listen(at config.HTTPAddr) (net.Listener, error) {
	if at.Addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", at.Addr)
	switch {
	case err == nil:
		return l, nil
	case !at.Explicit && errors.Is(err, syscall.EADDRINUSE):
		h.taken = fmt.Errorf("%w: another program has it, so there are no health checks and no "+
			"metrics; HTTP_ADDR (--http) sets another address, or none", err)
		return nil, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf(
			"HTTP_ADDR (--http): %w: another program listens there; choose another, or none", err)
	}
	return nil, fmt.Errorf("HTTP_ADDR (--http): %w", err)
}

// over returns the server, which closes a connection whose header or whole request takes longer.
func (h *health) over(header, request time.Duration) *http.Server {
	return &http.Server{
		Handler: h.pages(), ReadHeaderTimeout: header, ReadTimeout: request,
		WriteTimeout: writeWithin, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
}

// serve answers on l in the background until ctx ends. A nil l is none.
func (h *health) serve(ctx context.Context, l net.Listener) {
	if l == nil {
		return
	}
	server := h.over(headerWithin, readWithin)
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { // ends with ctx
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("health checks and metrics have ended", "err", err)
		}
	}()
}
