package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// pieceRows is how many captures are moved or deleted in one transaction: a device waits for it, so it takes 50 ms at most.
const pieceRows = 100

// Rename gives a device another name. The old one stays an alias, so that what still comes under it is the device's.
func (s *Store) Rename(ctx context.Context, d Device, name string) error {
	return s.explain("rename device", s.db.tx(ctx, func(q queries.Querier) error {
		held, err := q.HoldDevice(ctx, d.ID)
		if err != nil || held.Name == name {
			return err
		}
		other, err := named(ctx, q, held.Site, name)
		if err == nil && other.ID != d.ID {
			return &Error{Op: "rename device", Class: Exists, Err: fmt.Errorf("there is a device %s/%s", held.Site, name),
				Hint: fmt.Sprintf("to make the two one: tftpsql device merge %s %s/%s", d.Ref(), held.Site, name)}
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := q.DropAlias(ctx, queries.DropAliasParams{Site: held.Site, Name: name}); err != nil {
			return err
		}
		if err := q.RenameDevice(ctx, queries.RenameDeviceParams{Name: name, ID: d.ID}); err != nil {
			return err
		}
		return q.AddAlias(ctx, queries.AddAliasParams{Site: held.Site, Name: held.Name, DeviceID: d.ID})
	}))
}

// Aliases returns the other names of a device.
func (s *Store) Aliases(ctx context.Context, d Device) (refs []string, err error) {
	rows, err := s.db.read().Aliases(ctx, d.ID)
	for _, r := range rows {
		refs = append(refs, Device{Site: r.Site, Name: r.Name}.Ref())
	}
	return refs, s.explain("list aliases", err)
}

// Retire says that a device is not expected any more. Its history stays, and its next upload brings it back.
func (s *Store) Retire(ctx context.Context, d Device) error {
	return s.explain("retire device", s.db.tx(ctx, func(q queries.Querier) error { return q.RetireDevice(ctx, d.ID) }))
}

// Expect says how often a device must send; 0 leaves it to its own rhythm.
func (s *Store) Expect(ctx context.Context, d Device, every time.Duration) error {
	return s.explain("expect device", s.db.tx(ctx, func(q queries.Querier) error {
		return q.ExpectDevice(ctx, queries.ExpectDeviceParams{ExpectedUs: every.Microseconds(), ID: d.ID})
	}))
}

// Merge makes old a part of into: its name becomes an alias, which is what counts from now on, and its captures move. What was
// interrupted goes on when it is called again.
func (s *Store) Merge(ctx context.Context, old, into Device) error {
	if old.ID == into.ID {
		return &Error{Op: "merge devices", Class: Usage, Err: fmt.Errorf("%s and %s are one device", old.Ref(), into.Ref())}
	}
	err := s.db.tx(ctx, func(q queries.Querier) error {
		if err := q.MoveAliases(ctx, queries.MoveAliasesParams{NewDevice: into.ID, OldDevice: old.ID}); err != nil {
			return err
		}
		return q.AddAlias(ctx, queries.AddAliasParams{Site: old.Site, Name: old.Name, DeviceID: into.ID})
	})
	for err == nil {
		var moved int64
		err = s.db.tx(ctx, func(q queries.Querier) error {
			if _, err := q.HoldDevice(ctx, into.ID); err != nil {
				return err
			}
			moved, err = q.MoveCaptures(ctx, queries.MoveCapturesParams{NewDevice: into.ID, OldDevice: old.ID, N: pieceRows})
			return err
		})
		if moved < pieceRows {
			break
		}
	}
	if err == nil {
		err = s.db.tx(ctx, func(q queries.Querier) error { return s.absorb(ctx, q, old.ID, into.ID) })
	}
	return s.explain("merge devices", err)
}

// absorb compares the captures of a device anew, into which those of another have moved, and drops the other.
func (s *Store) absorb(ctx context.Context, q queries.Querier, oldID, intoID int64) error {
	into, err := q.HoldDevice(ctx, intoID)
	if err != nil {
		return err
	}
	old, err := q.HoldDevice(ctx, oldID)
	if err != nil {
		return err
	}
	kinds, err := q.Kinds(ctx, intoID)
	if err != nil {
		return err
	}
	grown := int64(0)
	for _, kind := range kinds {
		n, err := s.recompare(ctx, q, intoID, kind)
		if err != nil {
			return err
		}
		grown += n
	}
	newer := into
	if old.LastSeen.After(into.LastSeen) {
		newer = old
	}
	p := queries.AbsorbDeviceParams{
		Captures: into.Captures + old.Captures, Changes: into.Changes + old.Changes + grown, FirstSeen: into.FirstSeen,
		Source: newer.Source, Platform: newer.Platform, Model: newer.Model, OSVersion: newer.OSVersion, Build: newer.Build,
		Serial: newer.Serial, Complete: newer.Complete, LastSeen: newer.LastSeen, LastUID: newer.LastUID, ID: intoID,
	}
	if old.FirstSeen.Before(p.FirstSeen) {
		p.FirstSeen = old.FirstSeen
	}
	if err := q.AbsorbDevice(ctx, p); err != nil {
		return err
	}
	return q.DropDevice(ctx, oldID) // which fails where a capture came for it meanwhile; then this is done again
}

// recompare sets changed for all captures of a device and kind, and returns by how much the number of changes grew.
func (s *Store) recompare(ctx context.Context, q queries.Querier, device int64, kind string) (grown int64, err error) {
	var base *print
	at, uid := time.Time{}, ""
	for {
		page, err := q.Followers(ctx, queries.FollowersParams{DeviceID: device, Kind: kind, ReceivedAt: at, UID: uid, N: logPage})
		if err != nil {
			return grown, err
		}
		for _, f := range page {
			this, same := print{f.SHA256, f.Fingerprint, f.Rules}, false
			if base != nil {
				if same, err = s.same(ctx, q, *base, this, nil); err != nil {
					return grown, err
				}
			}
			n, err := setChanged(ctx, q, f, !same)
			if grown += n; err != nil {
				return grown, err
			}
			if f.Complete {
				base = &this
			}
		}
		if len(page) < logPage {
			return grown, nil
		}
		at, uid = page[len(page)-1].ReceivedAt, page[len(page)-1].UID
	}
}

// Forget deletes a device: its captures, their contents that no other device sent, what of them was published, its names. It
// returns how many captures that were.
func (s *Store) Forget(ctx context.Context, d Device) (captures int, err error) {
	for {
		var n int
		err = s.db.tx(ctx, func(q queries.Querier) error {
			page, err := q.DeviceContents(ctx, queries.DeviceContentsParams{DeviceID: d.ID, N: pieceRows})
			if err != nil {
				return err
			}
			for _, c := range page {
				if err := q.UnpublishContent(ctx, c.SHA256); err != nil {
					return err
				}
			}
			n = len(page)
			if err := deleteCaptures(ctx, q, page); err != nil || n > 0 {
				return err
			}
			if err := q.DropAliases(ctx, d.ID); err != nil {
				return err
			}
			return q.DropDevice(ctx, d.ID)
		})
		captures += n
		switch {
		case err != nil && s.class(err) == conflict: // a capture came meanwhile
		case err != nil:
			return captures, s.explain("forget device", err)
		case n == 0:
			return captures, s.explain("forget device", s.db.reclaim(ctx))
		}
	}
}

// deleteCaptures deletes captures and the contents that nobody refers to then.
func deleteCaptures(ctx context.Context, q queries.Querier, captures []queries.DeviceContentsRow) error {
	for _, c := range captures {
		if err := q.DeleteCapture(ctx, c.ID); err != nil {
			return err
		}
	}
	for _, c := range captures {
		if _, err := q.DeleteContent(ctx, c.SHA256); err != nil {
			return err
		}
	}
	return nil
}
