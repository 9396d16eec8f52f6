package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// pieceRows is how many captures are moved or deleted in one transaction, and pieceBytes bounds
	// their bodies. Uploads to SQLite wait for it, so it should take pieceTime.
	pieceRows  = 100
	pieceBytes = 4 << 20
	pieceTime  = 50 * time.Millisecond

	// conflictTries is how often a transaction is tried again after a conflict with an upload.
	conflictTries = 20
)

// again runs a transaction. It tries again after a conflict with another one, and after it has
// spent the reserve on a full disk.
func (s *Store) again(ctx context.Context, fn func(*queries.Queries) error) (err error) {
	for try := range conflictTries {
		err = s.backend.tx(ctx, fn)
		if err == nil {
			return nil
		}
		class := s.class(err)
		if class != conflict && (class != Full || !s.backend.spendReserve()) {
			return err
		}
		s.sleep(ctx, time.Duration(try)*time.Millisecond)
	}
	return err
}

// Rename gives a device another name. The old name becomes an alias, so that uploads under it still
// belong to the device.
func (s *Store) Rename(ctx context.Context, d Device, name string) error {
	return s.explain("rename device", s.again(ctx, func(q *queries.Queries) error {
		held, err := q.HoldDevice(ctx, d.ID)
		if err != nil || held.Name == name {
			return err
		}
		other, err := q.DeviceNamed(ctx, queries.DeviceNamedParams{Site: held.Site, Name: name})
		if err == nil && other.ID != d.ID {
			return &Error{Op: "rename device", Class: Exists,
				Err: fmt.Errorf("there is a device %s/%s", held.Site, name),
				Hint: fmt.Sprintf("to make the two one: tftpsql device merge %s %s/%s", d.Ref(),
					held.Site, name)}
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = q.DropAlias(ctx, queries.DropAliasParams{Site: held.Site, Name: name})
		if err != nil {
			return err
		}
		err = q.RenameDevice(ctx, queries.RenameDeviceParams{Name: name, ID: d.ID})
		if err != nil {
			return err
		}
		return q.AddAlias(ctx, queries.AddAliasParams{
			Site: held.Site, Name: held.Name, DeviceID: d.ID})
	}))
}

// Aliases returns the other names of a device. One may be of another site: devices are merged.
func (s *Store) Aliases(ctx context.Context, d Device) (refs []string, err error) {
	rows, err := s.backend.read().Aliases(ctx,
		queries.AliasesParams{DeviceID: d.ID, Within: s.within})
	for _, r := range rows {
		refs = append(refs, Device{Site: r.Site, Name: r.Name}.Ref())
	}
	return refs, s.explain("list aliases", err)
}

// Retire says that a device is no longer expected to send. Its history stays, and its next upload
// brings it back.
func (s *Store) Retire(ctx context.Context, d Device) error {
	return s.explain("retire device", s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.RetireDevice(ctx, d.ID)
	}))
}

// Expect says how often a device must send; 0 leaves it to the device's own rhythm.
func (s *Store) Expect(ctx context.Context, d Device, every time.Duration) error {
	return s.explain("expect device", s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.ExpectDevice(ctx, queries.ExpectDeviceParams{
			ExpectedUs: every.Microseconds(), ID: d.ID})
	}))
}

// Merge makes old a part of into. Its name becomes an alias, which counts at once, and then its
// captures move. An interrupted merge continues when Merge is called again.
func (s *Store) Merge(ctx context.Context, old, into Device) error {
	if old.ID == into.ID {
		return &Error{Op: "merge devices", Class: Usage,
			Err: fmt.Errorf("%s and %s are one device", old.Ref(), into.Ref())}
	}
	err := s.again(ctx, func(q *queries.Queries) error {
		move := queries.MoveAliasesParams{NewDevice: into.ID, OldDevice: old.ID}
		if err := q.MoveAliases(ctx, move); err != nil {
			return err
		}
		return q.AddAlias(ctx, queries.AddAliasParams{
			Site: old.Site, Name: old.Name, DeviceID: into.ID})
	})
	for try := 0; err == nil; try++ {
		if err = s.moveCaptures(ctx, old.ID, into.ID); err != nil {
			break
		}
		err = s.backend.tx(ctx, func(q *queries.Queries) error {
			return absorb(ctx, q, old.ID, into.ID)
		})
		if err == nil || s.class(err) != conflict || try == conflictTries {
			break
		}
		err = nil // a capture came for the old device meanwhile
	}
	if err == nil {
		err = s.recompareAll(ctx, into.ID)
	}
	return s.explain("merge devices", err)
}

// moveCaptures gives one device's captures to another, piece by piece.
func (s *Store) moveCaptures(ctx context.Context, oldID, intoID int64) error {
	for {
		var moved int64
		err := s.again(ctx, func(q *queries.Queries) (err error) {
			if err := hold(ctx, q, oldID, intoID); err != nil {
				return err
			}
			moved, err = q.MoveCaptures(ctx, queries.MoveCapturesParams{
				NewDevice: intoID, OldDevice: oldID, N: pieceRows})
			return err
		})
		if err != nil || moved < pieceRows {
			return err
		}
	}
}

// hold locks devices in the order of their numbers, so that all callers take their locks in one
// order.
func hold(ctx context.Context, q *queries.Queries, ids ...int64) error {
	slices.Sort(ids)
	for _, id := range ids {
		if _, err := q.HoldDevice(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// absorb adds one device to another, and drops the one whose captures have moved.
func absorb(ctx context.Context, q *queries.Queries, oldID, intoID int64) error {
	if err := hold(ctx, q, oldID, intoID); err != nil {
		return err
	}
	into, err := q.HoldDevice(ctx, intoID)
	if err != nil {
		return err
	}
	old, err := q.HoldDevice(ctx, oldID)
	if err != nil {
		return err
	}
	newer := into
	if cmp.Or(old.LastSeen.Compare(into.LastSeen), cmp.Compare(old.LastUID, into.LastUID)) > 0 {
		newer = old
	}
	p := queries.AbsorbDeviceParams{
		MoreCaptures: old.Captures, MoreChanges: old.Changes, FirstSeen: into.FirstSeen,
		NamedBy: into.NamedBy, Owner: into.Owner, Source: newer.Source, Platform: newer.Platform,
		Model: newer.Model, OSVersion: newer.OSVersion, Build: newer.Build, Serial: newer.Serial,
		Complete: newer.Complete, LastSeen: newer.LastSeen, LastUID: newer.LastUID, ID: intoID,
	}
	if old.FirstSeen.Before(p.FirstSeen) {
		p.FirstSeen = old.FirstSeen
	}
	if old.NamedBy == NamedByConfig {
		p.NamedBy, p.Owner = NamedByConfig, ""
	}
	r, err := storedRhythm(ctx, q, intoID)
	if err != nil {
		return err
	}
	p.Recent, p.LongestUs, p.LongestLeft = r.recent, r.longest.Microseconds(), r.left
	p.QuietAt = r.quietAt(newer.LastSeen)
	if err := q.AbsorbDevice(ctx, p); err != nil {
		return err
	}
	return q.DropDevice(ctx, oldID)
}

// recompareAll compares each capture of a device with the one before it, decides anew which are
// whole, and counts the changes.
func (s *Store) recompareAll(ctx context.Context, id int64) error {
	kinds, err := s.backend.read().Kinds(ctx, id)
	for _, kind := range kinds {
		if kind == KindLog || kind == KindEmpty {
			continue // never a change
		}
		at, uid := time.Time{}, ""
		for err == nil {
			var last *queries.FollowersRow
			err = s.again(ctx, func(q *queries.Queries) error {
				if _, err := q.HoldDevice(ctx, id); err != nil {
					return err
				}
				var grown int64
				if last, grown, err = s.recompare(ctx, q, id, kind, at, uid); err != nil {
					return err
				}
				return q.AddChanges(ctx, queries.AddChangesParams{More: grown, ID: id})
			})
			if err != nil || last == nil {
				break
			}
			at, uid = last.ReceivedAt, last.UID
		}
	}
	if err != nil {
		return err
	}
	return s.again(ctx, func(q *queries.Queries) error { return q.RefreshDevice(ctx, id) })
}

// recompare sets changed, and what is whole, for a page of a device's captures of one kind, those
// after a time and UID. It returns the last one, nil if none is left, and by how much the number of
// changes grew.
func (s *Store) recompare(
	ctx context.Context, q *queries.Queries, device int64, kind string, at time.Time, uid string,
) (last *queries.FollowersRow, grown int64, err error) {
	page, err := q.Followers(ctx, queries.FollowersParams{
		DeviceID: device, Kind: kind, ReceivedAt: at, UID: uid, N: pieceRows})
	if err != nil || len(page) == 0 {
		return nil, 0, err
	}
	b, err := beforeCapture(ctx, q, queries.PreviousParams{
		DeviceID: device, Kind: kind, ReceivedAt: page[0].ReceivedAt, UID: page[0].UID})
	if err != nil {
		return nil, 0, err
	}
	for _, f := range page {
		n, err := s.compareFollower(ctx, q, b, queries.PreviousParams{DeviceID: device,
			Kind: kind, ReceivedAt: f.ReceivedAt, UID: f.UID}, &f)
		if grown += n; err != nil {
			return nil, grown, err
		}
		b = b.next(digestOf(f), f.Complete)
	}
	return &page[len(page)-1], grown, nil
}

// Forget deletes a device: its captures, the contents that no other device has sent and their
// publications, and its names. It returns the number of captures.
func (s *Store) Forget(ctx context.Context, d Device) (captures int, err error) {
	for {
		var n int
		err = s.again(ctx, func(q *queries.Queries) error {
			page, err := q.DeviceContents(ctx,
				queries.DeviceContentsParams{DeviceID: d.ID, N: pieceRows})
			if err != nil {
				return err
			}
			page = page[:piece(page, func(r queries.DeviceContentsRow) int64 { return r.Size })]
			for _, c := range page {
				p := queries.UnpublishContentParams{SHA256: c.SHA256, DeviceID: d.ID}
				if err := q.UnpublishContent(ctx, p); err != nil {
					return err
				}
			}
			if n, _, _, err = s.backend.deleteCaptures(ctx, q, page); err != nil || n > 0 {
				return err
			}
			if err := q.DropAliases(ctx, d.ID); err != nil {
				return err
			}
			return q.DropDevice(ctx, d.ID)
		})
		captures += n
		if err != nil || n == 0 {
			break
		}
	}
	if err == nil {
		err = s.backend.reclaim(ctx, true)
	}
	return captures, s.explain("forget device", err)
}

// piece is how many captures fit into one transaction.
func piece[T any](page []T, sizeOf func(T) int64) int {
	size := int64(0)
	for i, c := range page {
		if size += sizeOf(c); i > 0 && size > pieceBytes {
			return i
		}
	}
	return len(page)
}
