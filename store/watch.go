package store

import (
	"context"
	"math"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// watchEvery is how often an SQLite file is read for new captures: a person who watches doesn't
	// notice the delay. watchQuiet is how often PostgreSQL is read without a notification.
	watchEvery = 500 * time.Millisecond
	watchQuiet = 15 * time.Second

	// watchBehind is how far back Watch looks for captures that were committed after others with
	// higher numbers.
	watchBehind = 1000
)

// Watch calls yield for each capture that is stored from now on, or that has a higher number than
// after where that isn't 0, until yield returns an error or ctx ends. Where after is a number that
// no capture has yet, it logs that and goes on from the newest. A call with a nil record says that
// watching has begun. If the database goes away, Watch logs it and tries again.
func (s *Store) Watch(ctx context.Context, after int64, yield func(*Record) error) error {
	from, err := s.backend.read().NewestID(ctx)
	if err != nil {
		return s.explain("watch", err)
	}
	known := int64(math.MaxInt64)
	if after > from {
		s.log.Warn("no capture has that number yet: watching from the newest", "after", after,
			"newest", from)
	}
	if after > 0 {
		from = min(after, from)
		known = from
	}
	w := watcher{s: s, from: from, seen: map[int64]bool{}, yield: yield}
	wait, stop := s.backend.listen(ctx)
	defer stop()
	if after > 0 {
		if err := yield(nil); err != nil {
			return err
		}
	}
	if err := w.look(ctx, known); err != nil {
		if w.failed {
			return err
		}
		return s.explain("watch", err)
	}
	if after == 0 {
		if err := yield(nil); err != nil {
			return err
		}
	}
	for {
		if err := wait(); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			s.log.Warn("the database is away: watching again when it is back",
				"err", s.explain("watch", err))
			continue
		}
		if err := w.look(ctx, 0); err != nil {
			if w.failed {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.log.Warn("the database is away: watching again when it is back",
				"err", s.explain("watch", err))
		}
	}
}

// watcher remembers the captures that it has yielded. PostgreSQL assigns numbers before the commit,
// so that a lower number may appear after a higher one.
type watcher struct {
	s      *Store
	from   int64
	seen   map[int64]bool
	yield  func(*Record) error
	failed bool // yield returned an error
}

// look yields new captures. Those with numbers up to known were there before, and are only
// remembered.
func (w *watcher) look(ctx context.Context, known int64) error {
	at := max(w.from-watchBehind, 0)
	for {
		rows, err := w.s.backend.read().CapturesAfter(ctx,
			queries.CapturesAfterParams{ID: at, N: logPage})
		if err != nil {
			return err
		}
		for _, row := range rows {
			at = row.ID
			if w.seen[row.ID] {
				continue
			}
			w.seen[row.ID] = true
			w.from = max(w.from, row.ID)
			if row.ID <= known {
				continue
			}
			r := record(row)
			if err := w.yield(&r); err != nil {
				w.failed = true
				return err
			}
		}
		if len(rows) < logPage {
			break
		}
	}
	for id := range w.seen {
		if id < w.from-2*watchBehind {
			delete(w.seen, id)
		}
	}
	return nil
}

// everySoOften is listen for a backend without notifications.
func everySoOften(ctx context.Context, every time.Duration) (wait func() error, stop func()) {
	ticker := time.NewTicker(every)
	return func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			return nil
		}
	}, ticker.Stop
}
