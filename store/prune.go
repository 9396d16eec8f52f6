package store

import (
	"context"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// failuresKept is how long failures are kept: as long as somebody may ask what went wrong last month.
const failuresKept = 30 * 24 * time.Hour

// A Retention says what is kept. What is newest of each device and kind stays in any case, the newest whole capture too, and
// what is published.
type Retention struct {
	Changed   time.Duration // how long a version stays after another has replaced it; 0 for ever
	Unchanged time.Duration // how long a capture stays that says nothing new; 0 for ever
}

// Pruned says what Prune has deleted, or would delete.
type Pruned struct {
	Versions  int   // captures of replaced versions
	Sightings int   // captures that said nothing new
	Contents  int   // bodies that nobody refers to any more
	Bytes     int64 // of those bodies
}

// Prune deletes what is older than it is to be kept, in small pieces, so that captures come in meanwhile. With dry it only says
// what it would delete.
func (s *Store) Prune(ctx context.Context, keep Retention, now time.Time, dry bool) (Pruned, error) {
	p := pruning{s: s, dry: dry, gone: map[[32]byte]int64{}}
	var err error
	if !dry {
		err = s.backend.tx(ctx, func(q *queries.Queries) error {
			if err := q.PruneFailures(ctx, stamp(now.Add(-failuresKept))); err != nil {
				return err
			}
			return q.DropExpired(ctx, stamp(now))
		})
	}
	if err == nil && keep.Changed > 0 {
		err = p.pass(ctx, &p.total.Versions, stamp(now.Add(-keep.Changed)), func(a queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error) {
			found, err := s.backend.read().PrunableVersions(ctx, queries.PrunableVersionsParams(a))
			return rows(found, err, func(r queries.PrunableVersionsRow) queries.PrunableSightingsRow {
				return queries.PrunableSightingsRow(r)
			})
		})
	}
	if err == nil && keep.Unchanged > 0 {
		err = p.pass(ctx, &p.total.Sightings, stamp(now.Add(-keep.Unchanged)), func(a queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error) {
			return s.backend.read().PrunableSightings(ctx, a)
		})
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
	seen  map[int64]bool     // with dry: captures that an earlier pass would have deleted
	gone  map[[32]byte]int64 // with dry: how many references to a content would go
}

// pass goes through what find finds, from the oldest on.
func (p *pruning) pass(ctx context.Context, count *int, before time.Time, find func(queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error)) error {
	a := queries.PrunableSightingsParams{Before: before, N: pieceRows}
	for {
		rows, err := find(a)
		if err != nil || len(rows) == 0 {
			return err
		}
		if p.dry {
			err = p.pretend(ctx, count, rows)
		} else {
			*count += len(rows)
			err = p.delete(ctx, rows)
		}
		if err != nil || len(rows) < pieceRows {
			return err
		}
		last := rows[len(rows)-1]
		a.After, a.AfterUID = last.ReceivedAt, last.UID
	}
}

func (p *pruning) delete(ctx context.Context, rows []queries.PrunableSightingsRow) error {
	var contents int
	var bytes int64
	err := p.s.again(ctx, func(q *queries.Queries) error {
		contents, bytes = 0, 0
		for _, r := range rows {
			if err := q.DeleteCapture(ctx, r.ID); err != nil {
				return err
			}
		}
		for _, r := range rows {
			n, err := q.DeleteContent(ctx, r.SHA256)
			if err != nil {
				return err
			}
			contents += int(n)
			bytes += n * r.Size
		}
		return nil
	})
	p.total.Contents += contents
	p.total.Bytes += bytes
	return err
}

// pretend counts what delete would delete.
func (p *pruning) pretend(ctx context.Context, count *int, rows []queries.PrunableSightingsRow) error {
	if p.seen == nil {
		p.seen = map[int64]bool{}
	}
	for _, r := range rows {
		if p.seen[r.ID] {
			continue
		}
		p.seen[r.ID] = true
		*count++
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
