//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

const (
	besidePrune  = "rows/s beside the prune"
	pauseAlone   = "ms of the longest put alone"
	pauseBeside  = "ms of the longest put beside the prune"
	deletedRate  = "captures deleted/s"
	deletedOfAll = "captures deleted"
	pruneAlone   = "rows/s alone"
	pruneTook    = "s of the prune"
	pruneWithin  = time.Minute
)

// prunes deletes what a retention says, up to a minute, beside uploads that come as fast as they
// can. With million it is 120 days of 10,000 devices, a million captures to delete, all of them.
func prunes(b *bench) (list []*contest, err error) {
	size := pick(b, fleetSize{10_000, 30}, fleetSize{50, 30})
	if b.million {
		size.each = 120
	}
	span := pick(b, 5*time.Second, 50*time.Millisecond)
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		c := &contest{name: fmt.Sprintf("a retention deletes of %s beside uploads, %s", size,
			database), metric: besidePrune}
		// once: what is deleted is gone
		c.add(ours, func() (sample, error) { return b.prune(database, size, span) }).once = true
		c.goals = []goal{{of: ours, metric: besidePrune, against: ours, other: pruneAlone,
			factor: 0.25, text: "uploads go on at a quarter of their rate or more"},
			{of: ours, metric: pauseBeside, factor: 1000, atMost: true}}
		list = append(list, c)
	}
	return list, nil
}

func (b *bench) prune(database string, size fleetSize, span time.Duration) (sample, error) {
	url, err := b.fleetIn(database, size)
	if err != nil {
		return nil, err
	}
	s, err := opened(url)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	maker := &rowMaker{shared: tail(5000 - headSize), of: "beside-"}
	over := make(chan struct{})
	time.AfterFunc(span, func() { close(over) })
	rate, longest, err := uploading(s, maker, over)
	if err != nil {
		return nil, err
	}
	m := sample{pruneAlone: rate, pauseAlone: longest}
	var pruned store.Pruned
	var failure error
	start, done := time.Now(), make(chan struct{})
	go func() { // uploading ends after it
		defer close(done)
		ctx := context.Background()
		if !b.million {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, pruneWithin)
			defer cancel()
		}
		pruned, failure = s.Prune(ctx, store.Retention{Unchanged: 24 * time.Hour}, time.Now(),
			false)
		if ctx.Err() != nil {
			failure = nil // the rest would be as this was
		}
	}()
	if m[besidePrune], m[pauseBeside], err = uploading(s, maker, done); err != nil {
		return nil, err
	}
	m[deletedOfAll] = float64(pruned.Sightings)
	m[pruneTook] = time.Since(start).Seconds()
	m[deletedRate] = m[deletedOfAll] / m[pruneTook]
	if failure == nil && pruned.Sightings == 0 {
		failure = fmt.Errorf("nothing was deleted")
	}
	return m, failure
}

// uploading puts rows until a channel is closed, and returns their rate and how many milliseconds
// the longest of them took.
func uploading(s *store.Store, m *rowMaker, over <-chan struct{}) (rate, longest float64,
	err error) {
	var group sync.WaitGroup
	var done, most atomic.Int64
	failures := make(chan error, putters)
	start := time.Now()
	for range putters {
		group.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				began := time.Now()
				if _, err := s.Put(context.Background(), m.next()); err != nil {
					failures <- err
					return
				}
				took := int64(time.Since(began))
				for before := most.Load(); took > before; before = most.Load() {
					if most.CompareAndSwap(before, took) {
						break
					}
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	if len(failures) > 0 {
		err = <-failures
	}
	return float64(done.Load()) / time.Since(start).Seconds(),
		time.Duration(most.Load()).Seconds() * 1e3, err
}
