package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// A LogQuery picks captures.
type LogQuery struct {
	Device  *store.Device // only of this device; nil for all
	Before  *store.Record // only those that stand after it in the list; nil for all
	Filter  Filter
	Since   time.Time // the zero time for all
	Until   time.Time // before it; the zero time for all
	Changed bool      // only captures that brought a change
	Path    []string  // only captures that changed something in these blocks; none for all
}

// Log yields the captures that a query picks, newest first. It ends after an error.
func Log(ctx context.Context, s *store.Store, q LogQuery) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		sections := sections{store: s, path: q.Path, sums: sums{}}
		var failed error
		err := q.each(ctx, s, func(r store.Record) bool {
			if !q.Filter.picksRecord(r) || (q.Changed || len(q.Path) > 0) && !r.Changed {
				return true
			}
			if len(q.Path) > 0 {
				var wanted bool
				if wanted, failed = sections.changedRecord(ctx, r); failed != nil {
					return false
				}
				if !wanted {
					return true
				}
			}
			return yield(r, nil)
		})
		if failed == nil {
			failed = err
		}
		if failed != nil {
			yield(store.Record{}, failed)
		}
	}
}

// logDevices is up to how many devices a list of captures is put together of theirs. Of more, a
// capture stands soon enough in the list of all.
const logDevices = 1000

// each yields the captures of the query's device and times.
func (q LogQuery) each(ctx context.Context, s *store.Store, yield func(store.Record) bool) error {
	if q.Device == nil {
		if q.Filter.Site != nil || q.Filter.Glob != "" {
			devices, _, err := q.Filter.inPlace(ctx, s)
			if err != nil {
				return err
			}
			if len(devices) <= logDevices {
				return s.BetweenOf(ctx, devices, q.Since, q.Until, q.Before, yield)
			}
		}
		return s.Between(ctx, q.Since, q.Until, q.Before, q.Changed || len(q.Path) > 0, yield)
	}
	return s.Captures(ctx, *q.Device, q.Before, func(r store.Record) bool {
		if !q.Until.IsZero() && !r.ReceivedAt.Before(q.Until) {
			return true
		}
		return !r.ReceivedAt.Before(q.Since) && yield(r)
	})
}

// Head is the head of a capture in a difference; with version that of its version: the capture that
// brought the change, and until when the same was seen.
func Head(ctx context.Context, s *store.Store, r store.Record, version bool) (string, error) {
	first := r
	if version {
		var err error
		if first, err = s.First(ctx, r); err != nil {
			return "", err
		}
	}
	text := fmt.Sprintf("%s\t%s @%d %s", store.Device{Site: r.Site, Name: r.Device}.Ref(),
		store.LocalTime(first.ReceivedAt), first.ID, r.Kind)
	if !r.Complete {
		text += ", torn"
	}
	if first.ID != r.ID {
		text += ", seen until " + store.LocalTime(r.ReceivedAt)
	}
	return text, nil
}

// NoFile is the head of a side that doesn't exist.
const NoFile = "/dev/null"

// changedRecord reports whether a capture differs in the path from the version before it.
func (s sections) changedRecord(ctx context.Context, r store.Record) (bool, error) {
	before, err := s.store.Before(ctx, r, 1)
	v := store.Version{Record: r, Previous: &before}
	if errors.Is(err, store.ErrNotFound) {
		v.Previous, err = nil, nil
	}
	if err != nil {
		return false, err
	}
	return s.changed(ctx, v)
}

// Change returns the two sides of what a capture changed: the version before it, nothing for the
// first, and the capture itself.
func Change(ctx context.Context, s *store.Store, r store.Record) (old *store.Record, from, to Side,
	err error) {
	before, err := s.Before(ctx, r, 1)
	switch {
	case err == nil:
		old = &before
		if from, err = Load(ctx, s, before); err != nil {
			return nil, from, to, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, from, to, err
	}
	to, err = Load(ctx, s, r)
	return old, from, to, err
}

// Load returns a capture as a side of a comparison.
func Load(ctx context.Context, s *store.Store, r store.Record) (Side, error) {
	body, err := s.Content(ctx, r)
	return Side{Kind: r.Kind, Body: body}, err
}
