package store

import (
	"context"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// watchEvery is how often an SQLite file is asked for new captures, and PostgreSQL where no notification came: somebody who
	// looks on doesn't notice the delay.
	watchEvery = 500 * time.Millisecond
	watchQuiet = 15 * time.Second

	// watchBehind is how far back captures are looked for that were committed later than others with higher numbers.
	watchBehind = 1000
)

// Watch calls yield for each capture that is stored from now on, until it returns an error or ctx ends. It is told at first
// that it watches, by a nil record. While the database is away it tries again, and says so in the log.
func (s *Store) Watch(ctx context.Context, yield func(*Record) error) error {
	from, err := s.backend.read().NewestID(ctx)
	if err != nil {
		return s.explain("watch", err)
	}
	w := watcher{s: s, from: from, seen: map[int64]bool{}, yield: yield}
	wait, stop := s.backend.listen(ctx)
	defer stop()
	if err := w.look(ctx, true); err != nil { // what was committed before, with a lower number than others
		return s.explain("watch", err)
	}
	if err := yield(nil); err != nil {
		return err
	}
	for {
		if err := wait(); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			s.log.Warn("the database is away: watching again when it is back", "err", s.explain("watch", err))
			continue
		}
		if err := w.look(ctx, false); err != nil {
			if w.failed {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.log.Warn("the database is away: watching again when it is back", "err", s.explain("watch", err))
		}
	}
}

// watcher remembers which captures it has told of. On PostgreSQL numbers are given before the commit, so that a lower one may
// appear after a higher one.
type watcher struct {
	s      *Store
	from   int64
	seen   map[int64]bool
	yield  func(*Record) error
	failed bool // yield returned an error
}

func (w *watcher) look(ctx context.Context, silent bool) error {
	at := max(w.from-watchBehind, 0)
	for {
		rows, err := w.s.backend.read().CapturesAfter(ctx, queries.CapturesAfterParams{ID: at, N: logPage})
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
			if silent {
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

// everySoOften is how an engine listens that can't tell.
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
