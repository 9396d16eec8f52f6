package store

import (
	"cmp"
	"container/heap"
	"context"
	"time"
)

const (
	// mergePage bounds how many captures of a device BetweenOf reads at once, and mergeRows how
	// many of all devices, as long as there are fewer devices than that.
	mergePage, mergeRows = 50, 5000
)

// BetweenOf is Between for the captures of some devices alone: it reads no others'.
func (s *Store) BetweenOf(ctx context.Context, of []Device, since, until time.Time, before *Record,
	yield func(Record) bool) error {
	at, uid := start(until, before)
	n := max(min(mergePage, mergeRows/max(len(of), 1)), 1)
	var m merge
	for _, d := range of {
		page, err := s.captures(ctx, d, at, uid, int64(n))
		if err != nil {
			return err
		}
		if len(page) > 0 {
			m = append(m, stream{d, page})
		}
	}
	heap.Init(&m)
	for len(m) > 0 {
		first := &m[0]
		r := first.page[0]
		if r.ReceivedAt.Before(since) || !yield(r) {
			return nil
		}
		if first.page = first.page[1:]; len(first.page) == 0 {
			var err error
			if first.page, err = s.captures(ctx, first.of, r.ReceivedAt, r.UID,
				mergePage); err != nil {
				return err
			}
		}
		if len(first.page) == 0 {
			heap.Pop(&m)
		} else {
			heap.Fix(&m, 0)
		}
	}
	return nil
}

// stream is what was read of a device's captures, the newest first.
type stream struct {
	of   Device
	page []Record
}

// merge is a heap of streams with the newest capture on top.
type merge []stream

func (m merge) Len() int { return len(m) }

func (m merge) Less(i, j int) bool {
	a, b := m[i].page[0], m[j].page[0]
	return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.UID, b.UID)) > 0
}

func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

func (m *merge) Push(x any) { *m = append(*m, x.(stream)) }

func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
