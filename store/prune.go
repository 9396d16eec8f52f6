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

// Prune deletes captures that have passed their time, in small transactions, so that uploads are
// stored meanwhile. With dry it only counts them.
func (s *Store) Prune(
	ctx context.Context, keep Retention, now time.Time, dry bool,
) (Pruned, error) {
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
		err = p.pass(ctx, &p.total.Versions, stamp(now.Add(-keep.Changed)), p.versions(ctx))
	}
	if err == nil && keep.Unchanged > 0 {
		err = p.pass(ctx, &p.total.Sightings, stamp(now.Add(-keep.Unchanged)), p.sightings(ctx))
	}
	if err == nil && !dry && p.total.Contents > 0 {
		err = s.backend.reclaim(ctx, false)
	}
	return p.total, s.explain("prune", err)
}

// findPrunable returns a page of captures that have passed their time.
type findPrunable func(queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error)

type pruning struct {
	s     *Store
	dry   bool
	total Pruned
	seen  map[int64]bool     // with dry: captures that an earlier pass would have deleted
	gone  map[[32]byte]int64 // with dry: how many references to a content would go
}

func (p *pruning) versions(ctx context.Context) findPrunable {
	return func(a queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error) {
		found, err := p.s.backend.read().PrunableVersions(ctx, queries.PrunableVersionsParams(a))
		return rows(found, err, func(r queries.PrunableVersionsRow) queries.PrunableSightingsRow {
			return queries.PrunableSightingsRow(r)
		})
	}
}

func (p *pruning) sightings(ctx context.Context) findPrunable {
	return func(a queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error) {
		return p.s.backend.read().PrunableSightings(ctx, a)
	}
}

// pass deletes all captures that find returns, the oldest first.
func (p *pruning) pass(
	ctx context.Context, count *int, before time.Time, find findPrunable,
) error {
	a := queries.PrunableSightingsParams{Before: before, N: pieceRows}
	for {
		rows, err := find(a)
		if err != nil || len(rows) == 0 {
			return err
		}
		end := len(rows) < pieceRows
		if p.dry {
			err = p.pretend(ctx, count, rows)
		} else {
			n := piece(rows, func(r queries.PrunableSightingsRow) int64 { return r.Size })
			end = end && n == len(rows)
			rows = rows[:n]
			*count += n
			start := time.Now()
			err = p.delete(ctx, rows)
			p.s.sleep(ctx, time.Since(start)) // uploads have at least half of the time
		}
		if err != nil || end {
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
func (p *pruning) pretend(
	ctx context.Context, count *int, rows []queries.PrunableSightingsRow,
) error {
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
