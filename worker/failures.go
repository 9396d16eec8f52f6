package worker

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// recorder keeps what failed or was refused, folded by source, reason and hour. It writes off the
// packet path, and again what could not be written, so failures outlast a database that is away for
// a while.
type recorder struct {
	store atomic.Pointer[store.Store] // nil until it is open
	log   *slog.Logger
	done  chan struct{} // closed when the last failures are written
	wake  chan struct{} // has a value when something is pending

	mu       sync.Mutex // guards what follows
	pending  map[pendingKey]*store.Failure
	hour     time.Time // of what follows
	rows     map[failureKey]bool
	bySource map[string]int // rows
}

// failureKey is what the failures of one row have in common.
type failureKey struct{ source, reason, filename string }

// pendingKey is a row of an hour.
type pendingKey struct {
	failureKey
	hour time.Time
}

const (
	flushPause = 2 * time.Second // between two writes; the first is made at once
	flushRows  = 256             // in one transaction, so that captures don't wait for long
	flushLimit = 5 * time.Second
	lastLimit  = time.Second // when the program ends

	// keptRows is how many rows this worker writes in an hour: enough to see whose backups fail at
	// a large site, while a month of attacks takes some 300 MB. Sources that sent no DATA get half
	// of them, so that scans and forged requests leave space for uploads that broke off. One source
	// gets sourceRows. The rest counts in rows of "others": one a reason, and one a source and
	// reason.
	keptRows   = 500
	sourceRows = 50

	// maxPending bounds the rows that wait for a database that is away: ten hours of keptRows, some
	// 5 MB.
	maxPending = 10 * keptRows

	// Texts that strangers choose are cut to so many characters: names, and causes.
	keptName   = 255
	keptDetail = 512
)

// others stands for the sources and file names that are counted together.
const others = "others"

func newRecorder(log *slog.Logger) *recorder {
	return &recorder{log: log, pending: map[pendingKey]*store.Failure{}, done: make(chan struct{}),
		wake: make(chan struct{}, 1)}
}

// run writes until ctx ends, and once more then, for lastLimit.
func (f *recorder) run(ctx context.Context) {
	defer close(f.done)
	late, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastLimit, cancel) })()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-f.wake:
			if f.flush(late) {
				select {
				case <-ctx.Done():
				case <-time.After(flushPause):
				}
			}
		}
	}
	f.flush(late)
}

// woken has the failures written that are pending.
func (f *recorder) woken() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// note takes the end of a transfer by TFTP. It is called between packets.
func (f *recorder) note(o tftp.Outcome) {
	if o.Err == nil || o.Again {
		return
	}
	r := o.Request
	code, why := reasonOf(o.Err)
	if r.Op == tftp.OpRead {
		if r.Filename == probeName && (why == notFound || why == notAllowed) {
			return // the doctor's, who asks for nothing else
		}
		why = ofRead + why
	}
	f.count(failed{peer: r.Peer.Addr(), filename: r.Filename, why: why, code: code,
		bytes: o.Bytes, began: r.Received, err: o.Err, refused: o.Refused})
}

// failed is a transfer that has failed, however it came.
type failed struct {
	peer     netip.Addr
	filename string
	why      reason
	code     int // -1 for none
	bytes    int64
	began    time.Time
	err      error
	refused  bool // it never began
}

// count counts a failure.
func (f *recorder) count(o failed) {
	now := time.Now()
	key := failureKey{source: device.Source(o.peer), reason: string(o.why)}
	// else a stranger could make up any number
	if !o.refused && (o.bytes > 0 || o.code == int(tftp.CodeExists)) {
		key.filename = shorten(device.Text(o.filename), keptName)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.row(key, o.bytes > 0, now)
	p := f.pendingOf(row, o.began)
	if p == nil {
		return // the log has it
	}
	p.Last = now
	p.Times++
	p.Bytes += o.bytes
	p.Code = o.code
	p.Detail = shorten(device.Text(o.err.Error()), keptDetail)
	if row.filename != key.filename || key.filename == "" && o.filename != "" {
		p.Detail = strconv.Quote(shorten(device.Text(o.filename), keptName)) + ": " + p.Detail
	}
	if row.source != key.source {
		p.Detail = key.source + ": " + p.Detail
	}
}

// pendingOf returns the failure that counts in a row, nil where there are too many.
func (f *recorder) pendingOf(row failureKey, first time.Time) *store.Failure {
	waiting := pendingKey{row, f.hour}
	p := f.pending[waiting]
	if p == nil && len(f.pending) < maxPending {
		p = &store.Failure{Source: row.source, Reason: row.reason, Filename: row.filename,
			First: first}
		f.pending[waiting] = p
		f.woken()
	}
	return p
}

// undelivered counts an alarm that was given up.
func (f *recorder) undelivered(channel, kind, why string) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.row(failureKey{source: alarmSource, reason: string(undelivered),
		filename: shorten(device.Text(channel), keptName)}, true, now)
	if p := f.pendingOf(row, now); p != nil {
		p.Last, p.Code = now, -1
		p.Times++
		p.Detail = shorten(device.Text(kind+": "+why), keptDetail)
	}
}

// shorten returns at most so many characters of s.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
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

// flush writes what is pending, a piece at a time, and reports whether there was anything. What
// can't be written now stays pending.
func (f *recorder) flush(ctx context.Context) (tried bool) {
	s := f.store.Load()
	if s == nil {
		return false
	}
	f.mu.Lock()
	pending := f.pending
	f.pending = map[pendingKey]*store.Failure{}
	f.mu.Unlock()
	tried = len(pending) > 0
	for keys := range slices.Chunk(slices.Collect(maps.Keys(pending)), flushRows) {
		list := make([]store.Failure, len(keys))
		for i, key := range keys {
			list[i] = *pending[key]
		}
		limited, cancel := context.WithTimeout(ctx, flushLimit)
		err := s.NoteFailures(limited, list)
		cancel()
		if err != nil {
			f.log.Debug("failures could not be kept yet", "count", len(pending), "err", err)
			f.putBack(pending)
			break
		}
		f.log.Debug("failures kept", "count", len(list))
		for _, key := range keys {
			delete(pending, key)
		}
	}
	return tried
}

// putBack makes failures pending again, added to those that came meanwhile.
func (f *recorder) putBack(failed map[pendingKey]*store.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.woken()
	for key, was := range failed {
		p := f.pending[key]
		if p == nil {
			f.pending[key] = was
			continue
		}
		p.First = was.First
		p.Times += was.Times
		p.Bytes += was.Bytes
	}
}
