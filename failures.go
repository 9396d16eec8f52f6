package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// recorder keeps what failed or was refused, folded by source and hour, off the packets' way. It is best effort: what comes
// faster than it is written, or while the database is away, is only in the log.
type recorder struct {
	store atomic.Pointer[store.Store] // nil until it is open
	log   *slog.Logger
	ended chan struct{} // closed when the last failures are written

	mu      sync.Mutex // guards what follows
	pending map[failureKey]*store.Failure
	dropped int
}

type failureKey struct{ source, reason, filename string }

const (
	// flushEvery is how often failures are written, and maxPending how many at once: an attack writes 256 rows every two seconds
	// at most, and those fold into one a source, reason and hour.
	flushEvery = 2 * time.Second
	maxPending = 256
	flushLimit = 5 * time.Second
	lastLimit  = time.Second // when the program ends
)

func newRecorder(log *slog.Logger) *recorder {
	return &recorder{log: log, pending: map[failureKey]*store.Failure{}, ended: make(chan struct{})}
}

// run writes until ctx ends, and once more then, for lastLimit.
func (f *recorder) run(ctx context.Context) {
	defer close(f.ended)
	late, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastLimit, cancel) })()
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.flush(late)
			return
		case <-tick.C:
			f.flush(late)
		}
	}
}

// note takes an end of a transfer. It is called between packets.
func (f *recorder) note(o tftp.Outcome) {
	if o.Err == nil || o.Again {
		return
	}
	r := o.Request
	code, reason := 0, "internal error"
	var known *tftp.Error
	var peer *tftp.PeerError
	switch {
	case errors.As(o.Err, &peer):
		code, reason = -1, "given up by the device"
	case errors.As(o.Err, &known):
		code, reason = int(known.Code), known.Message
	}
	key := failureKey{source: device.Source(r.Peer.Addr()), reason: reason}
	if r.Op == tftp.OpRead {
		key.reason = "read: " + reason
	}
	if !o.Refused && (o.Bytes > 0 || r.Op == tftp.OpWrite) {
		key.filename = device.Text(r.Filename)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pending[key]
	if p == nil {
		if len(f.pending) >= maxPending {
			f.dropped++
			return
		}
		p = &store.Failure{Source: key.source, Reason: key.reason, Filename: key.filename, First: r.Received}
		f.pending[key] = p
	}
	p.Last = time.Now()
	p.Times++
	p.Bytes += o.Bytes
	p.Code = code
	p.Detail = device.Text(o.Err.Error())
	if key.filename == "" && r.Filename != "" {
		p.Detail = device.Text(r.Filename) + ": " + p.Detail
	}
}

func (f *recorder) flush(ctx context.Context) {
	s := f.store.Load()
	if s == nil {
		return
	}
	f.mu.Lock()
	pending, dropped := f.pending, f.dropped
	f.pending, f.dropped = map[failureKey]*store.Failure{}, 0
	f.mu.Unlock()
	if dropped > 0 {
		f.log.Warn("more failures than are kept", "dropped", dropped)
	}
	if len(pending) == 0 {
		return
	}
	list := make([]store.Failure, 0, len(pending))
	for _, p := range pending {
		list = append(list, *p)
	}
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := s.NoteFailures(ctx, list); err != nil {
		f.log.Debug("failures could not be kept", "count", len(list), "err", err)
		return
	}
	f.log.Debug("failures kept", "count", len(list))
}
