package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/tftpsql/tftpsql/queries"
)

// A digest is what captures are compared by.
type digest struct {
	sha256, fingerprint []byte
	rules               int64
}

func (w *write) digest() digest { return digest{w.sum[:], w.c.Fingerprint[:], w.c.Rules} }

// before is what a capture is compared with, of the same device and kind.
type before struct {
	last *digest // the capture before it, whole or torn; nil if there is none
	base *digest // the newest whole one before it; nil if there is none
}

// changed reports whether a capture is a change: it differs from the newest whole capture before
// it, or from the one before it where none is whole. A capture that equals the one before it is
// never a change. body is its body, or nil.
func (s *Store) changed(
	ctx context.Context, q *queries.Queries, b before, this digest, body []byte,
) (bool, error) {
	for _, other := range []*digest{b.last, b.base} {
		if other == nil {
			continue
		}
		same, err := s.same(ctx, q, *other, this, body)
		if err != nil || same {
			return false, err
		}
	}
	return true, nil
}

// next is what the capture after this one is compared with.
func (b before) next(this digest, complete bool) before {
	b.last = &this
	if complete {
		b.base = &this
	}
	return b
}

// same reports whether two captures differ in noise only. If different rules made their
// fingerprints, both bodies are fingerprinted again by the rules of this program. body is b's body,
// or nil.
func (s *Store) same(
	ctx context.Context, q *queries.Queries, a, b digest, body []byte,
) (bool, error) {
	switch {
	case bytes.Equal(a.sha256, b.sha256):
		return true, nil
	case a.rules == b.rules || s.fingerprint == nil:
		return bytes.Equal(a.fingerprint, b.fingerprint), nil
	}
	old, err := q.Body(ctx, a.sha256)
	if err != nil {
		return false, err
	}
	if body == nil {
		if body, err = q.Body(ctx, b.sha256); err != nil {
			return false, err
		}
	}
	return s.fingerprint(old) == s.fingerprint(body), nil
}

// beforeCapture returns what the capture at a time and UID is compared with. It costs two look-ups
// in an index, however many torn captures a device has sent.
func beforeCapture(
	ctx context.Context, q *queries.Queries, p queries.PreviousParams,
) (b before, err error) {
	last, err := q.Previous(ctx, p)
	if errors.Is(err, sql.ErrNoRows) {
		return before{}, nil
	}
	if err != nil {
		return before{}, err
	}
	b.last = &digest{last.SHA256, last.Fingerprint, last.Rules}
	if last.Complete {
		b.base = b.last
		return b, nil
	}
	base, err := q.Base(ctx, queries.BaseParams(p))
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	b.base = &digest{base.SHA256, base.Fingerprint, base.Rules}
	return b, err
}

// compare reports whether a capture is a change, and decides whether it is whole: one that lacks
// its end just as the capture does that it is compared with is as whole as that one. Logs and empty
// files are never a change.
func (s *Store) compare(
	ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, w *write,
) (changed bool, err error) {
	if w.c.aside() {
		return false, nil
	}
	var b before
	if base, ok := s.recent.base(d, w.c.Kind); ok && newest(d, w.c) {
		b = before{last: &base, base: &base}
	} else if b, err = beforeCapture(ctx, q, queries.PreviousParams{DeviceID: d.ID, Kind: w.c.Kind,
		ReceivedAt: w.c.ReceivedAt, UID: w.c.UID}); err != nil {
		return false, err
	}
	if !w.c.Complete {
		if err := s.judgeEnding(ctx, q, b, w.c); err != nil {
			return false, err
		}
	}
	return s.changed(ctx, q, b, w.digest(), w.c.Body)
}

// judgeEnding makes a capture whole that ends as the whole one before it does, or as the one before
// it where none is whole.
func (s *Store) judgeEnding(
	ctx context.Context, q *queries.Queries, b before, c *Capture,
) error {
	model := b.base
	if model == nil {
		model = b.last
	}
	if s.ending == nil || model == nil || c.Cut {
		return nil
	}
	ending := s.ending(c.Body)
	if ending == "" {
		return nil
	}
	body, err := q.Body(ctx, model.sha256)
	if err == nil && s.ending(body) == ending {
		c.Complete = true
	}
	return err
}

// compareFollowers compares the captures that follow w anew: the next one, and if w is whole all up
// to the next whole one. It returns by how much the number of changes grew.
func (s *Store) compareFollowers(
	ctx context.Context, q *queries.Queries, device int64, w *write,
) (grown int64, err error) {
	if w.c.aside() {
		return 0, nil
	}
	p := queries.FollowersParams{DeviceID: device, Kind: w.c.Kind, ReceivedAt: w.c.ReceivedAt,
		UID: w.c.UID, N: followersPage}
	b, err := beforeCapture(ctx, q, queries.PreviousParams{DeviceID: device, Kind: w.c.Kind,
		ReceivedAt: w.c.ReceivedAt, UID: w.c.UID})
	if err != nil {
		return 0, err
	}
	b = b.next(w.digest(), w.c.Complete)
	for {
		page, err := q.Followers(ctx, p)
		if err != nil {
			return grown, err
		}
		for _, f := range page {
			n, err := s.compareFollower(ctx, q, b, f)
			if grown += n; err != nil || f.Complete || !w.c.Complete {
				return grown, err
			}
			b = b.next(digest{f.SHA256, f.Fingerprint, f.Rules}, f.Complete)
		}
		if len(page) < followersPage {
			return grown, nil
		}
		last := page[len(page)-1]
		p.ReceivedAt, p.UID = last.ReceivedAt, last.UID
	}
}

// compareFollower stores whether a capture is a change, and returns by how much the number of
// changes grew.
func (s *Store) compareFollower(
	ctx context.Context, q *queries.Queries, b before, f queries.FollowersRow,
) (int64, error) {
	changed, err := s.changed(ctx, q, b, digest{f.SHA256, f.Fingerprint, f.Rules}, nil)
	if err != nil {
		return 0, err
	}
	return setChanged(ctx, q, f, changed)
}
