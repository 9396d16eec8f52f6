package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// recorder keeps what failed or was refused, folded by source and hour, off the packets' way. It is best effort: what comes
// while the database is away is only in the log.
type recorder struct {
	store atomic.Pointer[store.Store] // nil until it is open
	log   *slog.Logger
	ended chan struct{} // closed when the last failures are written

	mu       sync.Mutex // guards what follows
	pending  map[failureKey]*store.Failure
	hour     time.Time // of what follows
	rows     map[failureKey]bool
	bySource map[string]int // rows
}

// failureKey is what failures of one hour have in common that are one row.
type failureKey struct{ source, reason, filename string }

const (
	flushEvery = 2 * time.Second
	flushRows  = 256 // in one transaction, so that captures don't wait for long
	flushLimit = 5 * time.Second
	lastLimit  = time.Second // when the program ends

	// keptRows is how many rows this worker writes in an hour: whose backups fail can be seen of a large site, and a month of attacks is
	// some 300 MB. What sent no DATA gets half of them, so that scans and forged requests leave room for uploads that broke off, and one
	// source sourceRows. The rest counts in rows of "others", one a reason, and one a source and reason.
	keptRows   = 500
	sourceRows = 50

	// What strangers can make up is cut to so many characters.
	keptName   = 255
	keptDetail = 512
)

// others stands for the sources and file names that are counted together.
const others = "others"

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
	r, now := o.Request, time.Now()
	code, reason := why(o.Err)
	key := failureKey{source: device.Source(r.Peer.Addr()), reason: reason}
	if r.Op == tftp.OpRead {
		key.reason = "read: " + reason
	}
	if !o.Refused && (o.Bytes > 0 || code == int(tftp.CodeExists)) { // else a stranger could make up any number
		key.filename = cut(device.Text(r.Filename), keptName)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.row(key, o.Bytes > 0, now)
	p := f.pending[row]
	if p == nil {
		p = &store.Failure{Source: row.source, Reason: row.reason, Filename: row.filename, First: r.Received}
		f.pending[row] = p
	}
	p.Last = now
	p.Times++
	p.Bytes += o.Bytes
	p.Code = code
	p.Detail = device.Text(o.Err.Error())
	if row.filename != key.filename || key.filename == "" && r.Filename != "" {
		p.Detail = cut(device.Text(r.Filename), keptName) + ": " + p.Detail
	}
	if row.source != key.source {
		p.Detail = key.source + ": " + p.Detail
	}
	p.Detail = cut(p.Detail, keptDetail)
}

// why returns the TFTP error that the peer was sent, -1 for none, and a fixed phrase.
func why(err error) (code int, reason string) {
	var known *tftp.Error
	var peer *tftp.PeerError
	switch {
	case errors.As(err, &peer):
		return -1, "given up by the device"
	case errors.As(err, &known):
		return int(known.Code), known.Message
	case errors.Is(err, tftp.ErrReplaced):
		return -1, "begun anew by the device"
	case errors.Is(err, tftp.ErrCrowded):
		return -1, "crowded out by other requests"
	case errors.Is(err, tftp.ErrNoReport):
		return -1, "done, but the device had gone"
	}
	return int(tftp.CodeUndefined), "internal error"
}

// row returns the row of this hour in which a failure counts: its own, if there is room for it.
func (f *recorder) row(key failureKey, proven bool, now time.Time) failureKey {
	if hour := now.Truncate(time.Hour); f.hour != hour {
		f.hour, f.rows, f.bySource = hour, map[failureKey]bool{}, map[string]int{}
	}
	most := keptRows / 2
	if proven {
		most = keptRows
	}
	if !f.rows[key] && f.bySource[key.source] >= sourceRows {
		key.filename = others
	}
	if !f.rows[key] && len(f.rows) >= most {
		key.source, key.filename = others, others
	}
	if !f.rows[key] {
		f.rows[key] = true
		f.bySource[key.source]++
	}
	return key
}

func (f *recorder) flush(ctx context.Context) {
	s := f.store.Load()
	if s == nil {
		return
	}
	f.mu.Lock()
	pending := f.pending
	f.pending = map[failureKey]*store.Failure{}
	f.mu.Unlock()
	list := make([]store.Failure, 0, len(pending))
	for _, p := range pending {
		list = append(list, *p)
	}
	for part := range slices.Chunk(list, flushRows) {
		ctx, cancel := context.WithTimeout(ctx, flushLimit)
		err := s.NoteFailures(ctx, part)
		cancel()
		if err != nil {
			f.log.Debug("failures could not be kept", "count", len(part), "err", err)
			return
		}
		f.log.Debug("failures kept", "count", len(part))
	}
}
