package store

import (
	"context"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// failuresKept is how long failures are kept: long enough for questions about last month.
const failuresKept = 30 * 24 * time.Hour

// A Retention says how long captures are kept. The newest capture of each device and kind, the
// newest whole one and published ones always stay.
type Retention struct {
	Changed   time.Duration // how long a replaced version stays; 0 for ever
	Unchanged time.Duration // how long a capture stays that changed nothing; 0 for ever
}

// Pruned says what Prune has deleted, or would delete.
type Pruned struct {
	Versions  int   // captures of replaced versions
	Sightings int   // captures that changed nothing
	Contents  int   // bodies without other references
	Bytes     int64 // of those bodies
}

const (
	// A transaction of a prune takes more captures or fewer than the one before, between these
	// bounds, so that it takes pieceTime.
	pruneLeast, pruneMost = 20, 1000
)

// Prune deletes captures that have passed their time, in small transactions, so that uploads are
// stored meanwhile. With dry it only counts them.
func (s *Store) Prune(
	ctx context.Context, keep Retention, now time.Time, dry bool,
) (Pruned, error) {
	p := pruning{s: s, dry: dry, gone: map[[32]byte]int64{}}
	a := queries.PrunableParams{N: pieceRows}
	if keep.Changed > 0 {
		a.ReplacedBefore = stamp(now.Add(-keep.Changed))
	}
	if keep.Unchanged > 0 {
		a.UnchangedBefore = stamp(now.Add(-keep.Unchanged))
	}
	a.Before = a.ReplacedBefore
	if a.UnchangedBefore.After(a.Before) {
		a.Before = a.UnchangedBefore
	}
	var err error
	if !dry {
		err = s.backend.tx(ctx, func(q *queries.Queries) error {
			if err := q.PruneFailures(ctx, stamp(now.Add(-failuresKept))); err != nil {
				return err
			}
			return q.DropExpired(ctx, stamp(now))
		})
	}
	if err == nil && !a.Before.IsZero() {
		err = p.pieces(ctx, a)
	}
	if err == nil && !dry && p.total.Contents > 0 {
		err = s.backend.reclaim(ctx, false)
	}
	return p.total, s.explain("prune", err)
}

type pruning struct {
	s     *Store
	dry   bool
	total Pruned
	gone  map[[32]byte]int64 // with dry: how many references to a content would go
}

// pieces deletes what is found, piece by piece.
func (p *pruning) pieces(ctx context.Context, a queries.PrunableParams) error {
	for {
		var rows []queries.PrunableRow
		err := p.s.backend.reading(ctx, func(q *queries.Queries) (err error) {
			rows, err = q.Prunable(ctx, a)
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		end, did := len(rows) < int(a.N), 0
		if p.dry {
			err = p.pretend(ctx, rows)
		} else {
			seen := map[[32]byte]bool{}
			n := piece(rows, func(r queries.PrunableRow) int64 {
				sum := [32]byte(r.SHA256)
				if seen[sum] {
					return 0
				}
				seen[sum] = true
				return r.Size
			})
			var took time.Duration
			did, took, err = p.delete(ctx, rows[:n])
			end = end && did == len(rows)
			rows = rows[:did]
			a.N = int64(pieceTime) * int64(did) / max(int64(took), 1)
			a.N = min(max(a.N, pruneLeast), pruneMost)
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if r.Replaced {
				p.total.Versions++
			} else {
				p.total.Sightings++
			}
		}
		if end {
			return nil
		}
		last := rows[len(rows)-1]
		a.DeviceID, a.After, a.AfterUID = last.DeviceID, last.ReceivedAt, last.UID
	}
}

// delete deletes the first of some captures, and returns how many, and how long it held a
// transaction. Where there is one writer it then waits for as long, so that uploads have half of
// the time.
func (p *pruning) delete(ctx context.Context, rows []queries.PrunableRow) (n int,
	took time.Duration, err error) {
	captures := make([]queries.DeviceContentsRow, len(rows))
	for i, r := range rows {
		captures[i] = queries.DeviceContentsRow{ID: r.ID, SHA256: r.SHA256, Size: r.Size}
	}
	var began time.Time
	var contents int
	var bytes int64
	err = p.s.again(ctx, func(q *queries.Queries) (err error) {
		began = time.Now()
		n, contents, bytes, err = p.s.backend.deleteCaptures(ctx, q, captures)
		return err
	})
	took = time.Since(began)
	if !p.s.backend.concurrent() {
		p.s.sleep(ctx, took)
	}
	if err == nil {
		p.total.Contents += contents
		p.total.Bytes += bytes
	}
	return n, took, err
}

// pretend counts what delete would delete.
func (p *pruning) pretend(ctx context.Context, rows []queries.PrunableRow) error {
	for _, r := range rows {
		sum := [32]byte(r.SHA256)
		p.gone[sum]++
		n, err := p.s.backend.read().References(ctx, r.SHA256)
		if err != nil {
			return err
		}
		if p.gone[sum] == n {
			p.total.Contents++
			p.total.Bytes += r.Size
		}
	}
	return nil
}
