package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// A transaction takes what is in the queue, up to these bounds. From 16 rows on its fixed cost
	// no longer shows; more rows would make captures wait for their neighbours.
	maxBatchRows  = 64
	maxBatchBytes = 16 << 20

	// A capture is given up when there has been no commit for patience, plus a second for each
	// slowBytes of its size, and after maxPatience in any case. Meanwhile a device that repeats its
	// last block hears nothing; it gives up after about 20 s.
	patience    = 5 * time.Second
	slowBytes   = 16 << 20
	maxPatience = 20 * time.Second

	// lockWait bounds how long a transaction waits for a lock. Another transaction holds one for
	// the time of its commit, unless it is stuck. lockGlance is the bound where captures are tried
	// one by one because one of them waited too long.
	lockWait   = 1500 * time.Millisecond
	lockGlance = 200 * time.Millisecond

	// closePatience is how long Close waits for captures in progress. Transfers have had their own
	// time to drain.
	closePatience = time.Second

	// retryPause is the pause before another try after a failure that isn't about the capture.
	retryPause = 100 * time.Millisecond
)

// ErrNotInTime says that the database did not store a capture in time.
var ErrNotInTime error = &Error{Op: "store capture", Class: Transient,
	Err: errors.New("the database has not committed in time"),
	Hint: "look at the database: it is stalled, it waits for a synchronous standby that is away, " +
		"or it is slower than what arrives"}

var errClosed = errors.New("the store is closed")

// A committer stores the captures of a group.
type committer interface {
	// fileBatch stores a batch in one transaction. lock bounds the wait for each lock.
	fileBatch(ctx context.Context, batch []*write, lock time.Duration) ([]Stored, error)
	// class returns the class of an error.
	class(err error) Class
	// aboutRow and locked are as the backend's.
	aboutRow(err error) bool
	locked(err error) bool
}

// pace bounds the size and the time of a group's transactions.
type pace struct {
	writers  int           // transactions at once
	bytes    int           // of a transaction, if it has more than one capture
	patience time.Duration // without a commit
	rate     int           // bytes a second that a capture adds to patience
	limit    time.Duration // in any case; 0 for none
}

// inTime is how long a transaction with so many bytes may take.
func (p pace) inTime(size int) time.Duration {
	if p.limit > 0 {
		return p.limit
	}
	return p.patience + time.Duration(size/p.rate)*time.Second
}

// uploadPace is the pace of captures whose devices wait.
func uploadPace(writers int, patience time.Duration) pace {
	return pace{writers, maxBatchBytes, patience, slowBytes, maxPatience}
}

// group is group commit: a transaction takes all captures in the queue, and no capture waits for
// others to come.
type group struct {
	committer
	pace
	ctx    context.Context // of the transactions; cancel ends them
	cancel context.CancelFunc

	queue   chan *write
	writing sync.WaitGroup // of the writers; close ends them by closing quit
	quit    chan struct{}  // closed when the group is to end
	ended   chan struct{}  // closed when no writer is left
	// unconfirmed says that the last transaction has failed, and not because of a capture.
	unconfirmed atomic.Bool
	lastCommit  atomic.Int64 // time of the last commit that succeeded, Unix nanoseconds
}

// write is a capture in the queue.
type write struct {
	waiting atomic.Pointer[Capture] // nil once it is abandoned, so that the body is freed
	c       *Capture                // the writer's copy of the pointer
	sum     [sha256.Size]byte
	ending  string                   // as captures.ending
	events  []queries.AddEventParams // what it means, of this try
	tried   bool                     // an earlier try may have stored it
	left    atomic.Pointer[func()]   // tells its transaction that it is abandoned
	done    chan result              // holds one
}

// abandon gives a write up. A transaction whose writes are all abandoned is cancelled, so that a
// stalled database doesn't make the worker keep their bodies.
func (w *write) abandon() {
	w.waiting.Store(nil)
	if left := w.left.Swap(nil); left != nil {
		(*left)()
	}
}

type result struct {
	stored Stored
	err    error
}

// newGroup starts a group.
func newGroup(c committer, p pace) *group {
	g := &group{committer: c, pace: p, queue: make(chan *write, maxBatchRows),
		quit: make(chan struct{}), ended: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	for range p.writers {
		g.writing.Go(g.run)
	}
	return g
}

// close ends the group. Captures in the queue are stored first.
func (g *group) close() {
	close(g.quit)
	late := time.AfterFunc(closePatience, g.cancel) // for a stalled database
	g.writing.Wait()
	late.Stop()
	g.cancel()
	close(g.ended)
}

func (g *group) enqueue(ctx context.Context, c Capture, sum [sha256.Size]byte) (Stored, error) {
	size := len(c.Body)
	w := &write{sum: sum, done: make(chan result, 1)}
	w.waiting.Store(&c)
	select {
	case <-g.quit:
		return Stored{}, errClosed
	default:
	}
	start := time.Now()
	timer := time.NewTimer(time.Until(g.deadline(start, size)))
	defer timer.Stop()
	queue := g.queue
	for {
		select {
		case queue <- w:
			queue = nil
		case r := <-w.done:
			return r.stored, r.err
		case <-g.ended:
			select {
			case r := <-w.done:
				return r.stored, r.err
			default: // the last writer had ended before it was queued
				return Stored{}, errClosed
			}
		case <-ctx.Done():
			w.abandon()
			return Stored{}, ctx.Err()
		case <-timer.C:
			left := time.Until(g.deadline(start, size))
			if left <= 0 {
				w.abandon()
				return Stored{}, ErrNotInTime
			}
			timer.Reset(left)
		}
	}
}

// deadline returns when a capture is given up that has waited since start.
func (g *group) deadline(start time.Time, size int) time.Time {
	from := start
	if last := time.Unix(0, g.lastCommit.Load()); last.After(start) {
		from = last
	}
	d := from.Add(g.patience + time.Duration(size/g.rate)*time.Second)
	if last := start.Add(g.limit); g.limit > 0 && d.After(last) {
		return last
	}
	return d
}

// run is a writer: it collects a batch and commits it, until the group ends.
func (g *group) run() {
	for {
		batch, more := g.collect()
		if !more {
			return
		}
		if len(batch) > 0 {
			g.commit(batch)
		}
	}
}

// collect waits for a write and returns it with all others in the queue. It leaves out abandoned
// writes. more is false when the group has ended and its queue is empty.
func (g *group) collect() (batch []*write, more bool) {
	var w *write
	select {
	case w = <-g.queue:
	case <-g.quit:
		select {
		case w = <-g.queue:
		default:
			return nil, false
		}
	}
	for size := 0; ; {
		if w.c = w.waiting.Load(); w.c != nil {
			batch, size = append(batch, w), size+len(w.c.Body)
		}
		if len(batch) == maxBatchRows || size >= g.bytes {
			return batch, true
		}
		select {
		case w = <-g.queue:
		default:
			return batch, true
		}
	}
}

// commit stores a batch in one transaction. If that fails because of one capture, it tries each
// alone, so that only that one fails. If one waited too long for a lock, the others don't wait as
// long again.
func (g *group) commit(batch []*write) {
	results, err := g.commitPatiently(batch, lockWait)
	class := g.class(err)
	single := class == Permanent || class == Exists || g.aboutRow(err)
	if err == nil || len(batch) == 1 || !single {
		tell(batch, results, err)
		return
	}
	lock := lockWait
	if g.locked(err) {
		lock = lockGlance
	}
	for i := range batch {
		results, err := g.commitPatiently(batch[i:i+1], lock)
		tell(batch[i:i+1], results, err)
	}
}

// tell gives the writes of a batch their results.
func tell(batch []*write, results []Stored, err error) {
	for i, w := range batch {
		w.waiting.Store(nil)
		w.c = nil
		if err != nil {
			w.done <- result{err: err}
		} else {
			w.done <- result{stored: results[i]}
		}
	}
}

// commitPatiently tries a transaction again at once after a conflict with another one, up to
// conflictTries times, and after a pause if a pooled connection was dead, up to transientTries
// times. The UIDs make that harmless.
func (g *group) commitPatiently(batch []*write, lock time.Duration) (results []Stored, err error) {
	size := 0
	for _, w := range batch {
		size += len(w.c.Body)
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.inTime(size))
	defer cancel()
	var waiting atomic.Int64
	waiting.Store(int64(len(batch)))
	left := func() {
		if waiting.Add(-1) == 0 {
			cancel()
		}
	}
	for _, w := range batch {
		w.left.Store(&left)
		// It may have been abandoned before left was there.
		if w.waiting.Load() == nil && w.left.Swap(nil) != nil {
			left()
		}
	}
	for conflicts, faults := 0, 0; ; {
		results, err = g.fileBatch(ctx, batch, lock)
		if err == nil {
			g.lastCommit.Store(time.Now().UnixNano())
			g.unconfirmed.Store(false)
			return results, nil
		}
		class := g.class(err)
		if class == Transient && !g.aboutRow(err) {
			g.unconfirmed.Store(true)
		}
		switch {
		case ctx.Err() != nil:
			return nil, err
		case class == conflict && conflicts < conflictTries:
			conflicts++
		case class == Transient && !g.aboutRow(err) && faults < transientTries-1:
			faults++
			time.Sleep(time.Duration(faults) * retryPause)
		default:
			return nil, err
		}
	}
}

const transientTries = 3
