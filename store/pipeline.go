package store

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tftpsql/tftpsql/queries"
)

// A task is a part of a transaction that doesn't depend on the tasks beside it. claim takes the
// device whose captures the task reads and releases the one before. If another task holds the
// device, claim waits, and reports that earlier reads are out of date.
type task func(q *queries.Queries, claim func(device int64) (waited bool)) error

// pipeline runs tasks side by side on one connection and sends their statements together. Each task
// is a coroutine that pauses at a statement and resumes when all tasks have paused and the answers
// have arrived. So a transaction takes as many round trips as its longest task. Within a round,
// statements and their locks are in the order of the tasks.
type pipeline struct {
	conn  sender
	lanes []*lane
	held  map[int64]bool // devices that a task has claimed
	had   map[int64]bool // and those that one had and let go of
}

type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// sendBytes bounds the bodies in one message: more cost more than they save.
const sendBytes = 128 << 10

// lane is a running task.
type lane struct {
	p       *pipeline
	next    func() (ask, bool)
	yield   func(ask) bool
	asks    ask
	answers pgx.BatchResults
	device  int64 // that it has claimed; 0 for none
	wants   int64 // that it waits for; 0 where it asks
	over    bool
	err     error
}

// ask is a statement.
type ask struct {
	text string
	args []any
}

// errStopped ends the tasks beside one that failed.
var errStopped = errors.New("another part of the transaction failed")

// runPipeline runs tasks, and returns the error of the first that fails.
func runPipeline(ctx context.Context, conn sender, tasks []task) error {
	p := &pipeline{conn: conn, held: map[int64]bool{}, had: map[int64]bool{}}
	for _, t := range tasks {
		l := &lane{p: p}
		next, stop := iter.Pull(func(yield func(ask) bool) {
			l.yield = yield
			l.err = t(queries.New(l), l.claim)
			l.release()
		})
		defer stop()
		l.next = next
		p.lanes = append(p.lanes, l)
	}
	for _, l := range p.lanes {
		if err := l.run(); err != nil {
			return err
		}
	}
	p.lanes = slices.DeleteFunc(p.lanes, func(l *lane) bool { return l.over })
	for len(p.lanes) > 0 {
		if err := p.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// run resumes a task until it pauses at a statement, waits for another task, or ends.
func (l *lane) run() error {
	next, more := l.next()
	l.asks, l.over = next, !more
	return l.err
}

// round sends the statements of all tasks and resumes each with its answer.
func (p *pipeline) round(ctx context.Context) error {
	for lanes := p.lanes; len(lanes) > 0; {
		batch, size, n := &pgx.Batch{}, 0, 0
		for ; n < len(lanes) && size < sendBytes; n++ {
			l := lanes[n]
			if l.wants != 0 {
				continue
			}
			batch.Queue(l.asks.text, l.asks.args...)
			for _, arg := range l.asks.args {
				if b, ok := arg.([]byte); ok {
					size += len(b)
				}
			}
		}
		if err := p.answer(ctx, batch, lanes[:n]); err != nil {
			return err
		}
		lanes = lanes[n:]
	}
	left := p.lanes[:0]
	for _, l := range p.lanes {
		if l.wants != 0 && !p.held[l.wants] {
			if err := l.run(); err != nil {
				return err
			}
		}
		if !l.over {
			left = append(left, l)
		}
	}
	p.lanes = left
	return nil
}

func (p *pipeline) answer(ctx context.Context, batch *pgx.Batch, lanes []*lane) (err error) {
	if batch.Len() == 0 {
		return nil
	}
	answers := p.conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, answers.Close()) }()
	for _, l := range lanes {
		if l.wants != 0 {
			continue
		}
		l.answers = answers
		if err := l.run(); err != nil {
			return err
		}
	}
	return nil
}

// claim waits until no other task holds the device. Two names may belong to one device, by an
// alias.
func (l *lane) claim(device int64) (waited bool) {
	if device == l.device {
		return false
	}
	l.release()
	waited = l.p.had[device] // what was read of it may be from before
	for ; l.p.held[device]; waited = true {
		l.wants = device
		if !l.yield(ask{}) {
			return false // the next statement says so
		}
		l.wants = 0
	}
	l.device = device
	l.p.held[device] = true
	return waited
}

// release gives up the claimed device.
func (l *lane) release() {
	if l.device != 0 {
		delete(l.p.held, l.device)
		l.p.had[l.device] = true
		l.device = 0
	}
}

func (l *lane) Exec(_ context.Context, text string, args ...any) (pgconn.CommandTag, error) {
	if !l.yield(ask{text, args}) {
		return pgconn.CommandTag{}, errStopped
	}
	return l.answers.Exec()
}

func (l *lane) Query(_ context.Context, text string, args ...any) (pgx.Rows, error) {
	if !l.yield(ask{text, args}) {
		return nil, errStopped
	}
	return l.answers.Query()
}

func (l *lane) QueryRow(_ context.Context, text string, args ...any) pgx.Row {
	if !l.yield(ask{text, args}) {
		return stopped{}
	}
	return l.answers.QueryRow()
}

// stopped is the answer to a task that must end.
type stopped struct{}

func (stopped) Scan(...any) error { return errStopped }
