package web

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

const (
	// deltasKept bounds the differences that are remembered: some hundred bytes each.
	deltasKept = 20000
	// deltasWithin is how long a page waits for differences that aren't remembered. What is missing
	// then is there at the next look.
	deltasWithin = 500 * time.Millisecond
)

// cache remembers what captures have changed. A capture never changes, but what it is compared with
// may: an older one may come late. So the one before is a part of the key.
type cache struct {
	mu  sync.Mutex
	of  map[deltaKey]history.Delta
	now []deltaKey // in the order in which they came
}

type deltaKey struct{ before, id int64 }

func newCache() *cache { return &cache{of: map[deltaKey]history.Delta{}} }

func (c *cache) get(k deltaKey) (history.Delta, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.of[k]
	return d, ok
}

func (c *cache) put(k deltaKey, d history.Delta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.of[k]; ok {
		return
	}
	if len(c.now) >= deltasKept {
		delete(c.of, c.now[0])
		c.now = c.now[1:]
	}
	c.of[k] = d
	c.now = append(c.now, k)
}

// A change is a capture that changed something, with the one before it.
type change struct {
	store.Record
	Before *store.Record
	Delta  *history.Delta // nil where it isn't known yet, or can't be shown
}

// fill sets what captures have changed, as far as it can be found out in time. Deltas hold no
// secrets, so that they are the same for everybody.
func (c *cache) fill(ctx context.Context, s *store.Store, list []*change) {
	ctx, cancel := context.WithTimeout(ctx, deltasWithin)
	defer cancel()
	next := make(chan *change)
	var workers sync.WaitGroup
	for range max(runtime.GOMAXPROCS(0)/2, 1) { // captures come first
		workers.Go(func() {
			for one := range next {
				c.fillOne(ctx, s, one)
			}
		})
	}
	for _, one := range list {
		select {
		case next <- one:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
}

func (c *cache) fillOne(ctx context.Context, s *store.Store, one *change) {
	k := deltaKey{id: one.ID}
	if one.Before != nil {
		k.before = one.Before.ID
	}
	if d, ok := c.get(k); ok {
		one.Delta = &d
		return
	}
	var from history.Side
	var err error
	if one.Before != nil {
		if from, err = history.Load(ctx, s, *one.Before); err != nil {
			return
		}
	}
	to, err := history.Load(ctx, s, one.Record)
	if err != nil {
		return
	}
	diff, err := history.Compare(from, to, history.Options{Redact: true})
	unknown := errors.Is(err, history.ErrSecretsUnknown)
	if unknown {
		diff, err = history.Compare(from, to, history.Options{})
	}
	if err != nil {
		return
	}
	d := diff.Delta()
	if unknown {
		d.Blocks, d.More = nil, 0 // which may hold a secret
	}
	c.put(k, d)
	one.Delta = &d
}
