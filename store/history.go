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

const (
	// logPage is how many captures of a history are read at once.
	logPage = 500

	// A device is overdue if it has been silent for more than quietFactor times the longest of its
	// last ten gaps, but at least for leastQuiet. This needs rhythmFrom captures. The views
	// device_rhythms and overdue_devices have the same rule.
	quietFactor = 2
	leastQuiet  = time.Hour
	rhythmFrom  = 3
)

// Allowed is how long a device may be silent; 0 if nothing is expected of it. Only [Store.Devices]
// knows a device's rhythm.
func (d Device) Allowed() time.Duration {
	switch {
	case d.Retired:
		return 0
	case d.Expected > 0:
		return d.Expected
	case d.Recent < rhythmFrom:
		return 0
	}
	return max(quietFactor*d.LongestGap, leastQuiet)
}

// OverdueSince returns since when a device has been overdue, or the zero time.
func (d Device) OverdueSince(now time.Time) time.Time {
	if a := d.Allowed(); a > 0 && now.Sub(d.LastSeen) > a {
		return d.LastSeen.Add(a)
	}
	return time.Time{}
}

// Devices returns every device, by site and name.
func (s *Store) Devices(ctx context.Context) ([]Device, error) {
	var rows []queries.Device
	var rhythms []queries.DeviceRhythm
	err := s.backend.reading(ctx, func(q *queries.Queries) (err error) {
		if rows, err = q.Devices(ctx, s.within); err == nil {
			rhythms, err = q.Rhythms(ctx, s.within)
		}
		return err
	})
	if err != nil {
		return nil, s.explain("list devices", err)
	}
	of := make(map[int64]queries.DeviceRhythm, len(rhythms))
	for _, r := range rhythms {
		of[r.DeviceID] = r
	}
	list := devices(rows)
	for i := range list {
		r := of[list[i].ID]
		list[i].Recent, list[i].LongestGap = r.Captures, time.Duration(r.LongestUs)*time.Microsecond
	}
	return list, nil
}

// devicesPage is how many devices EachDevice reads at once.
const devicesPage = 500

// EachDevice calls yield with every device, in no order that means anything, until it returns
// false. It needs no memory for all of them.
func (s *Store) EachDevice(ctx context.Context, yield func(Device) bool) error {
	return s.DevicesFrom(ctx, 0, yield)
}

// DevicesFrom is EachDevice for the devices after the one of a number, in the order of numbers.
func (s *Store) DevicesFrom(ctx context.Context, after int64, yield func(Device) bool) error {
	for {
		var list []Device
		err := s.backend.reading(ctx, func(q *queries.Queries) (err error) {
			list, err = s.devicesAfter(ctx, q, after)
			return err
		})
		if err != nil {
			return s.explain("list devices", err)
		}
		for _, d := range list {
			if !yield(d) {
				return nil
			}
		}
		if len(list) < devicesPage {
			return nil
		}
		after = list[len(list)-1].ID
	}
}

func (s *Store) devicesAfter(ctx context.Context, q *queries.Queries, after int64) ([]Device,
	error) {
	rows, err := q.DevicesAfter(ctx,
		queries.DevicesAfterParams{After: after, Within: s.within, N: devicesPage})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	list := devices(rows)
	rhythms, err := q.RhythmsBetween(ctx,
		queries.RhythmsBetweenParams{First: list[0].ID, Last: list[len(list)-1].ID})
	i := 0
	for _, r := range rhythms {
		for i < len(list) && list[i].ID < r.DeviceID {
			i++
		}
		if i < len(list) && list[i].ID == r.DeviceID {
			list[i].Recent = r.Captures
			list[i].LongestGap = time.Duration(r.LongestUs) * time.Microsecond
		}
	}
	return list, err
}

// Rhythm returns a device with what is known of its rhythm.
func (s *Store) Rhythm(ctx context.Context, d Device) (Device, error) {
	list, err := s.backend.read().RhythmsBetween(ctx,
		queries.RhythmsBetweenParams{First: d.ID, Last: d.ID})
	for _, r := range list {
		d.Recent, d.LongestGap = r.Captures, time.Duration(r.LongestUs)*time.Microsecond
	}
	return d, s.explain("find device", err)
}

// DevicesOfSource returns the devices whose newest capture came from an address, the newest first,
// two at most.
func (s *Store) DevicesOfSource(ctx context.Context, source string) ([]Device, error) {
	rows, err := s.backend.read().DevicesOfSource(ctx,
		queries.DevicesOfSourceParams{Source: source, Within: s.within, N: 2})
	return devices(rows), s.explain("find device", err)
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
// first, until it returns false. A zero time is no bound. With before it begins behind that one.
func (s *Store) Between(ctx context.Context, since, until time.Time, before *Record,
	yield func(Record) bool) error {
	p := queries.CapturesParams{Since: stamp(since), ReceivedAt: never, N: logPage,
		Within: s.within}
	if !until.IsZero() {
		p.ReceivedAt = stamp(until) // and no uid, so none at that moment
	}
	if before != nil && !before.ReceivedAt.After(p.ReceivedAt) {
		p.ReceivedAt, p.UID = before.ReceivedAt, before.UID
		if p.ReceivedAt.Equal(until) {
			p.UID = ""
		}
	}
	for {
		rows, err := s.backend.read().Captures(ctx, p)
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
func (s *Store) Current(ctx context.Context) ([]Record, error) {
	var rows []queries.CurrentLog
	err := s.backend.reading(ctx, func(q *queries.Queries) (err error) {
		rows, err = q.CurrentCaptures(ctx, s.within)
		return err
	})
	list := make([]Record, 0, len(rows))
	for _, r := range rows {
		if r.Kind != KindLog {
			list = append(list, record(queries.CaptureLog(r)))
		}
	}
	return list, s.explain("list captures", err)
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
	if err == nil && sha256.Sum256(body) != [sha256.Size]byte(sum) {
		return nil, &Error{Op: "read content", Class: Config,
			Err:  fmt.Errorf("the content %.12x is damaged: its bytes have another hash", sum),
			Hint: "look at the disk, and take it from a backup of the database"}
	}
	return body, err
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
	if err != nil {
		return first, nil, s.explain("find former names", err)
	}
	for _, o := range devices(rows) {
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
