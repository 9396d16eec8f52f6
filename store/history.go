package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// logPage is how many captures of a history are read at once.
const logPage = 500

// DevicesNamed returns the devices of a name or another name of theirs, by site.
func (s *Store) DevicesNamed(ctx context.Context, name string) ([]Device, error) {
	q := s.backend.read()
	rows, err := q.DevicesByName(ctx, queries.DevicesByNameParams{Name: name, Within: s.within})
	list, err := devices(ctx, q, rows, err)
	return list, s.explain("find device", err)
}

// DevicesOfSource returns the devices whose newest capture came from an address, the newest first,
// two at most.
func (s *Store) DevicesOfSource(ctx context.Context, source string) ([]Device, error) {
	q := s.backend.read()
	rows, err := q.DevicesOfSource(ctx,
		queries.DevicesOfSourceParams{Source: source, Within: s.within, N: 2})
	list, err := devices(ctx, q, rows, err)
	return list, s.explain("find device", err)
}

// DeviceOf returns the device of a capture.
func (s *Store) DeviceOf(ctx context.Context, r Record) (Device, error) {
	return s.Device(ctx, r.Site+"/"+r.Device)
}

// Log returns the newest captures of a device, newest first, n at most; of all devices where d is
// nil, and all of them where n is 0.
func (s *Store) Log(ctx context.Context, d *Device, n int) ([]Record, error) {
	limit := int64(n)
	if n == 0 {
		limit = math.MaxInt64
	}
	if d != nil {
		return s.captures(ctx, *d, never, "", limit)
	}
	rows, err := s.backend.read().Captures(ctx,
		queries.CapturesParams{ReceivedAt: never, N: limit, Within: s.within})
	return records(rows), s.explain("list captures", err)
}

// Between calls yield with each capture of any device since a time and before another, newest
// first, until it returns false; with changed those alone that brought a change. A zero time is no
// bound. With before it begins behind that one.
func (s *Store) Between(ctx context.Context, since, until time.Time, before *Record, changed bool,
	yield func(Record) bool) error {
	p := queries.CapturesParams{Since: stamp(since), N: logPage, Within: s.within}
	p.ReceivedAt, p.UID = start(until, before)
	q := s.backend.read()
	page := q.Captures
	if changed {
		page = func(ctx context.Context, p queries.CapturesParams) ([]queries.CaptureLog, error) {
			return q.Changes(ctx, queries.ChangesParams(p))
		}
	}
	for {
		rows, err := page(ctx, p)
		if err != nil {
			return s.explain("list captures", err)
		}
		for _, r := range records(rows) {
			if !yield(r) {
				return nil
			}
		}
		if len(rows) < logPage {
			return nil
		}
		last := rows[len(rows)-1]
		p.ReceivedAt, p.UID = last.ReceivedAt, last.UID
	}
}

// start is where a list of captures before a time and behind one of them begins.
func start(until time.Time, before *Record) (at time.Time, uid string) {
	at = never
	if !until.IsZero() {
		at = stamp(until) // and no uid, so none at that moment
	}
	if before != nil && !before.ReceivedAt.After(at) {
		at, uid = before.ReceivedAt, before.UID
		if at.Equal(until) {
			uid = ""
		}
	}
	return at, uid
}

// Captures calls yield with each capture of a device, newest first, until it returns false. With
// before it begins behind that one.
func (s *Store) Captures(ctx context.Context, d Device, before *Record,
	yield func(Record) bool) error {
	at, uid := never, ""
	if before != nil {
		at, uid = before.ReceivedAt, before.UID
	}
	for {
		page, err := s.captures(ctx, d, at, uid, logPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			if !yield(r) {
				return nil
			}
		}
		if len(page) < logPage {
			return nil
		}
		at, uid = page[len(page)-1].ReceivedAt, page[len(page)-1].UID
	}
}

// captures returns captures of a device before one, newest first.
func (s *Store) captures(ctx context.Context, d Device, before time.Time, uid string,
	n int64) ([]Record, error) {
	rows, err := s.backend.read().DeviceCaptures(ctx,
		queries.DeviceCapturesParams{DeviceID: d.ID, ReceivedAt: before, UID: uid, N: n})
	return records(rows), s.explain("list captures", err)
}

// First returns the first capture of the version that r belongs to: the one that brought the
// change.
func (s *Store) First(ctx context.Context, r Record) (Record, error) {
	if r.Changed {
		return r, nil
	}
	q := s.backend.read()
	p := queries.VersionStartParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID}
	start := q.VersionStart
	if !r.Complete {
		start = func(
			ctx context.Context, p queries.VersionStartParams,
		) (queries.CaptureLog, error) {
			return q.AnyVersionStart(ctx, queries.AnyVersionStartParams(p))
		}
	}
	row, err := start(ctx, p)
	if errors.Is(err, sql.ErrNoRows) { // it was pruned
		return r, nil
	}
	return record(row), s.explain("find version", err)
}

// After returns the first capture of the next version after r, of the same device and kind, or
// ErrNotFound.
func (s *Store) After(ctx context.Context, r Record) (Record, error) {
	row, err := s.backend.read().NextVersion(ctx, queries.NextVersionParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID})
	return record(row), s.explain("find version", err)
}

// A Version is a capture that changed something, and the number of captures of the same version
// since.
type Version struct {
	Record
	Seen     int       // captures of this version, itself among them
	Until    time.Time // the last of them
	Previous *Record   // the newest capture of the version before it, or nil
}

// Versions calls yield with each version of a device, the newest first, until it returns false.
// Torn captures are versions of their own.
func (s *Store) Versions(ctx context.Context, d Device, yield func(Version) bool) error {
	return s.versions(ctx, d.ID, never, "", newHistory(yield))
}

// VersionsFrom is Versions for the version that r belongs to and those of its kind before it, as if
// r were the newest capture.
func (s *Store) VersionsFrom(ctx context.Context, r Record, yield func(Version) bool) error {
	h := newHistory(yield)
	h.kind = r.Kind
	h.add(r)
	if !h.emit(false) {
		return nil
	}
	return s.versions(ctx, r.deviceID, r.ReceivedAt, r.UID, h)
}

// versions adds the captures of a device before one to a history.
func (s *Store) versions(ctx context.Context, device int64, at time.Time, uid string,
	h *history) error {
	for {
		page, err := s.captures(ctx, Device{ID: device}, at, uid, logPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			if h.add(r); !h.emit(false) {
				return nil
			}
		}
		if len(page) < logPage {
			h.emit(true)
			return nil
		}
		at, uid = page[len(page)-1].ReceivedAt, page[len(page)-1].UID
	}
}

// history folds captures, newest first, into versions.
type history struct {
	kind      string                // of the captures that count; "" for all
	sightings map[sighting]*pending // versions whose first capture is still to come
	last      map[string]*pending   // by kind: the version that waits for its predecessor
	order     []*pending
	yield     func(Version) bool
}

// sighting is which captures are of one version, until one has changed.
type sighting struct {
	kind  string
	whole bool
}

type pending struct {
	Version
	ready bool
}

func newHistory(yield func(Version) bool) *history {
	return &history{sightings: map[sighting]*pending{}, last: map[string]*pending{}, yield: yield}
}

func (h *history) add(r Record) {
	if h.kind != "" && r.Kind != h.kind {
		return
	}
	if r.Complete {
		if w := h.last[r.Kind]; w != nil && !w.ready {
			w.Previous, w.ready = &r, true
		}
	}
	// Torn captures are versions of their own, beside the whole ones. If the first capture of a
	// version was pruned, the oldest one left takes its place.
	key := sighting{r.Kind, r.Complete}
	v := h.sightings[key]
	if v == nil {
		v = &pending{Version: Version{Until: r.ReceivedAt}, ready: !r.Complete}
		h.sightings[key] = v
	}
	v.Seen++
	v.Record = r
	if r.Changed {
		delete(h.sightings, key)
		if r.Complete {
			h.last[r.Kind] = v
		}
		h.order = append(h.order, v)
	}
}

// emit yields the versions that are known completely, or all of them at the end.
func (h *history) emit(all bool) bool {
	if all {
		var left []*pending
		for _, v := range h.sightings {
			left = append(left, v)
		}
		slices.SortFunc(left, func(a, b *pending) int { return b.ReceivedAt.Compare(a.ReceivedAt) })
		h.order = append(h.order, left...)
	}
	for len(h.order) > 0 && (all || h.order[0].ready) {
		v := h.order[0]
		h.order = h.order[1:]
		if !h.yield(v.Version) {
			return false
		}
	}
	return true
}

// HasCaptures reports whether the database holds any capture.
func (s *Store) HasCaptures(ctx context.Context) (bool, error) {
	id, err := s.backend.read().NewestID(ctx)
	return id > 0, s.explain("list captures", err)
}

// Current returns the newest whole capture of each device and kind, logs apart.
func (s *Store) Current(ctx context.Context) (list []Record, err error) {
	err = s.EachCurrent(ctx, func(r Record) bool {
		list = append(list, r)
		return true
	})
	return list, err
}

// currentPage is how many devices EachCurrent looks up at once: the first are there at once.
const currentPage = 128

// EachCurrent calls yield with what Current returns, in its order, until it returns false.
func (s *Store) EachCurrent(ctx context.Context, yield func(Record) bool) error {
	p := queries.CurrentBeyondParams{Within: s.within, N: currentPage}
	for {
		var rows []queries.CaptureLog
		err := s.backend.reading(ctx, func(q *queries.Queries) (err error) {
			rows, err = q.CurrentBeyond(ctx, p)
			return err
		})
		if err != nil {
			return s.explain("list captures", err)
		}
		switch {
		case len(rows) > 0:
			p.N = currentPage
		case p.N == currentPage: // these have nothing that is whole; is there any behind them?
			p.N = math.MaxInt64
		default:
			return nil
		}
		for _, r := range records(rows) {
			if p.Site, p.Name = r.Site, r.Device; r.Kind != KindLog && !yield(r) {
				return nil
			}
		}
	}
}

// CurrentOf is Current for one device: it reads no others'.
func (s *Store) CurrentOf(ctx context.Context, d Device) ([]Record, error) {
	whole, err := s.wholeOf(ctx, d, never)
	list := records(whole)
	return slices.DeleteFunc(list, func(r Record) bool { return r.Kind == KindLog }), err
}

// body returns the bytes of a content, by its hash in hexadecimal.
func (s *Store) body(ctx context.Context, hash string) ([]byte, error) {
	sum, err := hex.DecodeString(hash)
	if err != nil {
		return nil, err
	}
	return s.content(ctx, sum)
}

// content returns the bytes of a content, and an error if they no longer have that hash.
func (s *Store) content(ctx context.Context, sum []byte) ([]byte, error) {
	body, err := s.backend.read().Body(ctx, sum)
	if err != nil {
		return nil, err
	}
	return intact(body, sum)
}

// intact returns bytes that have a hash, and an error for others.
func intact(body, sum []byte) ([]byte, error) {
	if sha256.Sum256(body) == [sha256.Size]byte(sum) {
		return body, nil
	}
	return nil, &Error{Op: "read content", Class: Config,
		Err:  fmt.Errorf("the content %.12x is damaged: its bytes have another hash", sum),
		Hint: "look at the disk, and take it from a backup of the database"}
}

// Former is a device that may be the same under an old name: it has been silent since the new one
// appeared.
type Former struct {
	Device
	Last Record // its newest capture
}

// formersLooked is how many silent devices Formers looks at.
const formersLooked = 5

// Formers returns the first capture of d, and the devices that d may have been before it: those of
// the same site and platform that were silent since, the latest first.
func (s *Store) Formers(ctx context.Context, d Device) (first Record, formers []Former, err error) {
	q := s.backend.read()
	oldest, err := q.Oldest(ctx, d.ID)
	if err != nil {
		return first, nil, s.explain("find former names", err)
	}
	first = record(oldest)
	if d.Platform == "" {
		return first, nil, nil
	}
	rows, err := q.SilentSince(ctx, queries.SilentSinceParams{Site: d.Site, Platform: d.Platform,
		ID: d.ID, Before: oldest.ReceivedAt, N: formersLooked})
	silent, err := devices(ctx, q, rows, err)
	if err != nil {
		return first, nil, s.explain("find former names", err)
	}
	for _, o := range silent {
		last, err := q.NewestAt(ctx, queries.NewestAtParams{DeviceID: o.ID, At: never})
		if err != nil {
			continue // its captures were pruned or moved meanwhile
		}
		formers = append(formers, Former{o, record(last)})
	}
	return first, formers, nil
}

// A Box is what a capture says of the hardware it came from.
type Box struct{ Serial, Model string }

// boxesLooked is how many captures Boxes looks at.
const boxesLooked = 200

// Boxes returns the boxes that a device's newest captures came from, newest first. Equal neighbours
// count once.
func (s *Store) Boxes(ctx context.Context, d Device) ([]Box, error) {
	rows, err := s.backend.read().Boxes(ctx, queries.BoxesParams{DeviceID: d.ID, N: boxesLooked})
	var boxes []Box
	for _, r := range rows {
		if b := Box(r); len(boxes) == 0 || boxes[len(boxes)-1] != b {
			boxes = append(boxes, b)
		}
	}
	return boxes, s.explain("list captures", err)
}

func records(rows []queries.CaptureLog) []Record {
	list := make([]Record, len(rows))
	for i, r := range rows {
		list[i] = record(r)
	}
	return list
}
