package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"

	"github.com/tftpsql/tftpsql/queries"
)

// A digest is what captures are compared by.
type digest struct {
	sha256, fingerprint []byte
	rules               int64
	ending              string // as captures.ending
	ended               bool   // it is known to have its platform's end
}

func (w *write) digest() digest {
	return digest{w.sum[:], w.c.Fingerprint[:], w.c.Rules, w.ending,
		w.c.Complete && w.ending == ""}
}

func digestOf(f queries.FollowersRow) digest {
	return digest{f.SHA256, f.Fingerprint, f.Rules, f.Ending, false}
}

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
	b.last = &digest{last.SHA256, last.Fingerprint, last.Rules, last.Ending, false}
	if last.Complete {
		b.base = b.last
		return b, nil
	}
	base, err := q.Base(ctx, queries.BaseParams(p))
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	b.base = &digest{base.SHA256, base.Fingerprint, base.Rules, base.Ending, false}
	return b, err
}

// compare reports whether a capture is a change, and decides whether it is whole. Logs and empty
// files are never a change.
func (s *Store) compare(
	ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, w *write,
) (changed bool, err error) {
	if w.c.aside() {
		return false, nil
	}
	if w.ending == "" && !w.c.Cut && w.c.Platform != "" &&
		!(w.c.Complete && bytes.HasSuffix(w.c.Body, []byte("\n"))) {
		w.ending = s.endingOf(w.c.Body)
	}
	at := queries.PreviousParams{DeviceID: d.ID, Kind: w.c.Kind, ReceivedAt: w.c.ReceivedAt,
		UID: w.c.UID}
	var b before
	if base, ok := s.recent.base(d, w.c.Kind); ok && newest(d, w.c) {
		b = before{last: &base, base: &base}
	} else if b, err = beforeCapture(ctx, q, at); err != nil {
		return false, err
	}
	if w.ending != "" {
		if w.c.Complete, err = s.likewise(ctx, q, b, at, w.digest(), w.c.Body); err != nil {
			return false, err
		}
	}
	return s.changed(ctx, q, b, w.digest(), w.c.Body)
}

// endingOf returns how a body ends that lacks its platform's end, as it is stored, or "".
func (s *Store) endingOf(body []byte) string {
	if s.ending == nil {
		return ""
	}
	ending := s.ending(body)
	if ending == "" || unsure(ending) {
		return ending
	}
	sum := sha256.Sum256([]byte(ending))
	return hex.EncodeToString(sum[:16])
}

// unsure reports whether an ending is that of a body which is complete and may be cut off.
func unsure(ending string) bool { return ending == Unended || ending == Bare }

// likewise reports whether a capture that lacks its end is whole. It is if it says the same as the
// newest whole one before it. Else that one must lack its end too, or there is none, and an earlier
// capture must end likewise. So those before it alone decide, in whatever order they came. body is
// the capture's, or nil.
func (s *Store) likewise(
	ctx context.Context, q *queries.Queries, b before, at queries.PreviousParams, this digest,
	body []byte,
) (bool, error) {
	if base := b.base; base != nil {
		if same, err := s.same(ctx, q, *base, this, body); same || err != nil {
			return same, err
		}
		if unsure(this.ending) {
			return s.uncut(ctx, q, *base, this, body)
		}
		// Or it was stored by a program that kept no ending, or had other rules.
		if !base.ended && (base.ending == "" || base.rules != this.rules) {
			body, err := q.Body(ctx, base.sha256)
			if err != nil {
				return false, err
			}
			ending := s.endingOf(body)
			if base.ended = ending == ""; ending == this.ending {
				return true, nil
			}
		}
		if base.ended {
			return false, nil
		}
	}
	if unsure(this.ending) {
		return true, nil
	}
	return q.EndsLikewise(ctx, queries.EndsLikewiseParams{DeviceID: at.DeviceID, Kind: at.Kind,
		Ending: this.ending, ReceivedAt: at.ReceivedAt, UID: at.UID})
}

// uncut reports whether a capture that may be cut off isn't, as the newest whole one before it has
// it. body is the capture's, or nil.
func (s *Store) uncut(
	ctx context.Context, q *queries.Queries, base, this digest, body []byte,
) (bool, error) {
	if this.ending == Unended && base.ended {
		return false, nil
	}
	before, err := q.Body(ctx, base.sha256)
	if err != nil || this.ending == Unended && s.endingOf(before) == "" {
		return false, err
	}
	if body == nil {
		if body, err = q.Body(ctx, this.sha256); err != nil {
			return false, err
		}
	}
	return !s.cutOff(body, before), nil
}

// compareFollowers compares the captures that follow w anew, and decides anew which of them are
// whole. It returns by how much the number of changes grew.
func (s *Store) compareFollowers(
	ctx context.Context, q *queries.Queries, device int64, w *write,
) (grown int64, err error) {
	if w.c.aside() {
		return 0, nil
	}
	at := queries.PreviousParams{DeviceID: device, Kind: w.c.Kind, ReceivedAt: w.c.ReceivedAt,
		UID: w.c.UID}
	b, err := beforeCapture(ctx, q, at)
	if err != nil {
		return 0, err
	}
	grown, err = s.follow(ctx, q, at, b.next(w.digest(), w.c.Complete), w.c.Complete)
	if err != nil || w.ending == "" || unsure(w.ending) {
		return grown, err
	}
	// Of those that end likewise the next one alone has had no other before it.
	next, err := q.NextLikewise(ctx, queries.NextLikewiseParams{DeviceID: device, Kind: w.c.Kind,
		Ending: w.ending, ReceivedAt: w.c.ReceivedAt, UID: w.c.UID})
	if errors.Is(err, sql.ErrNoRows) {
		return grown, nil
	}
	if err != nil || next.Complete {
		return grown, err
	}
	at.ReceivedAt, at.UID = next.ReceivedAt, next.UID
	if b, err = beforeCapture(ctx, q, at); err != nil {
		return grown, err
	}
	f := queries.FollowersRow(next)
	if err := s.decide(ctx, q, b, at, &f); err != nil || !f.Complete {
		return grown, err
	}
	more, err := s.follow(ctx, q, at, b.next(digestOf(f), true), true)
	return grown + more, err
}

// follow compares the captures behind a place anew, up to the first that is whole as before. If
// what stands at the place isn't whole, it compares the next one alone. b is what the next one is
// compared with.
func (s *Store) follow(
	ctx context.Context, q *queries.Queries, at queries.PreviousParams, b before, whole bool,
) (grown int64, err error) {
	for {
		page, err := q.Followers(ctx, queries.FollowersParams{DeviceID: at.DeviceID, Kind: at.Kind,
			ReceivedAt: at.ReceivedAt, UID: at.UID, N: followersPage})
		if err != nil {
			return grown, err
		}
		for _, f := range page {
			was := f.Complete
			at.ReceivedAt, at.UID = f.ReceivedAt, f.UID
			n, err := s.compareFollower(ctx, q, b, at, &f)
			grown += n
			whole = whole || f.Complete != was
			if err != nil || !whole || was && f.Complete {
				return grown, err
			}
			b = b.next(digestOf(f), f.Complete)
		}
		if len(page) < followersPage {
			return grown, nil
		}
	}
}

// compareFollower stores whether a capture is whole and a change, and returns by how much the
// number of changes grew.
func (s *Store) compareFollower(
	ctx context.Context, q *queries.Queries, b before, at queries.PreviousParams,
	f *queries.FollowersRow,
) (int64, error) {
	if err := s.decide(ctx, q, b, at, f); err != nil {
		return 0, err
	}
	changed, err := s.changed(ctx, q, b, digestOf(*f), nil)
	if err != nil {
		return 0, err
	}
	return setChanged(ctx, q, *f, changed)
}

// decide stores whether a capture is whole, if it lacks its end.
func (s *Store) decide(
	ctx context.Context, q *queries.Queries, b before, at queries.PreviousParams,
	f *queries.FollowersRow,
) error {
	if f.Ending == "" {
		return nil
	}
	whole, err := s.likewise(ctx, q, b, at, digestOf(*f), nil)
	if err != nil || whole == f.Complete {
		return err
	}
	f.Complete = whole
	return q.SetComplete(ctx, queries.SetCompleteParams{Complete: whole, ID: f.ID})
}
