package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// Imported is the mode of captures that no device has sent.
const Imported = "import"

// Number returns how many captures there are.
func (s *Store) Number(ctx context.Context) (int64, error) {
	n, err := s.backend.read().NumberOfCaptures(ctx)
	return n, s.explain("count captures", err)
}

// Dump calls yield with every capture, the oldest first, in the form in which another database
// stores it with Put: filed under its device's name. It leaves out what can be read from the
// configuration, the fingerprint, and the body, which body returns.
func (s *Store) Dump(
	ctx context.Context, yield func(c Capture, body func() ([]byte, error)) error,
) error {
	p := queries.DumpCapturesParams{N: logPage}
	for {
		page, err := s.backend.read().DumpCaptures(ctx, p)
		if err != nil {
			return s.explain("read captures", err)
		}
		for _, r := range page {
			c := Capture{
				UID: r.UID, ReceivedAt: r.ReceivedAt.UTC(), Source: r.Source,
				SourcePort: uint16(r.SourcePort), Local: r.LocalAddress, Filename: r.Filename,
				Mode: r.Mode, Options: r.Options, Site: r.Site, Name: r.Name, NamedBy: r.NamedBy,
				Filed: true, Duration: time.Duration(r.DurationUs) * time.Microsecond}
			err := yield(c, func() ([]byte, error) {
				body, err := s.content(ctx, r.SHA256)
				return body, s.explain("read content", err)
			})
			if err != nil {
				return err
			}
		}
		if len(page) < logPage {
			return nil
		}
		p.After, p.AfterUID = page[len(page)-1].ReceivedAt, page[len(page)-1].UID
	}
}

// OldestUpload returns when the oldest capture arrived that was not imported, or the zero time.
func (s *Store) OldestUpload(ctx context.Context) (time.Time, error) {
	t, err := s.backend.read().OldestNotOfMode(ctx, Imported)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return t.UTC(), s.explain("find capture", err)
}

// A Name is a site, and the name of a device there.
type Name struct{ Site, Name string }

// OtherNames returns the aliases of a device.
func (s *Store) OtherNames(ctx context.Context, d Device) (names []Name, err error) {
	rows, err := s.backend.read().Aliases(ctx, queries.AliasesParams{DeviceID: d.ID})
	for _, r := range rows {
		names = append(names, Name(r))
	}
	return names, s.explain("list aliases", err)
}

// Adopt takes over what another database knows of a device besides its captures: its other names
// unless they are in use here, how often it must send unless that is set here, and that it is
// retired unless newer captures came here.
func (s *Store) Adopt(ctx context.Context, from Device, names []Name) error {
	return s.explain("adopt device", s.backend.tx(ctx, func(q *queries.Queries) error {
		d, err := q.DeviceNamed(ctx, queries.DeviceNamedParams{Site: from.Site, Name: from.Name})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if d, err = q.HoldDevice(ctx, d.ID); err != nil {
			return err
		}
		for _, n := range names {
			_, err := q.DeviceNamed(ctx, queries.DeviceNamedParams{Site: n.Site, Name: n.Name})
			if errors.Is(err, sql.ErrNoRows) {
				err = q.AddAlias(ctx, queries.AddAliasParams{
					Site: n.Site, Name: n.Name, DeviceID: d.ID})
			}
			if err != nil {
				return err
			}
		}
		if from.Expected > 0 && d.ExpectedUs == 0 {
			p := queries.ExpectDeviceParams{ExpectedUs: from.Expected.Microseconds(), ID: d.ID}
			if err := q.ExpectDevice(ctx, p); err != nil {
				return err
			}
		}
		if from.Retired && !d.LastSeen.After(from.LastSeen) {
			return q.RetireDevice(ctx, d.ID)
		}
		return nil
	}))
}
