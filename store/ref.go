package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// An AmbiguousError says that a reference names more than one device. Each candidate is a reference
// that names one of them.
type AmbiguousError struct {
	Ref        string
	Candidates []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is ambiguous: it may be %s", e.Ref, strings.Join(e.Candidates, ", "))
}

var (
	uid       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	backwards = regexp.MustCompile(`^(.+)~([0-9]{1,9})$`)
)

// Device finds the device that ref names: SITE/NAME, /NAME for a device without site, or a NAME
// that only one site has.
func (s *Store) Device(ctx context.Context, ref string) (Device, error) {
	found, err := s.candidates(ctx, ref)
	if err != nil {
		return Device{}, err
	}
	switch len(found) {
	case 0:
		return Device{}, &Error{Op: "find device", Class: NotFound,
			Hint: "tftpsql devices lists them",
			Err:  notFound("no device %q", ref)}
	case 1:
		return found[0], nil
	}
	e := &AmbiguousError{Ref: ref}
	for _, d := range found {
		e.Candidates = append(e.Candidates, d.Ref())
	}
	return Device{}, &Error{Op: "find device", Class: Usage, Err: e}
}

// candidates returns the devices that ref names as SITE/NAME, or else those of that name in any
// site.
func (s *Store) candidates(ctx context.Context, ref string) ([]Device, error) {
	q := s.backend.read()
	var found []Device
	for i := range len(ref) { // a site or a name may contain slashes
		if ref[i] != '/' {
			continue
		}
		d, err := named(ctx, q, ref[:i], ref[i+1:])
		err = s.explain("find device", err)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, devices([]queries.Device{d})...)
	}
	if len(found) > 0 {
		return found, nil
	}
	rows, err := q.DevicesByName(ctx, ref)
	return devices(rows), s.explain("find device", err)
}

// named returns the device of a name, or else of an alias.
func named(ctx context.Context, q *queries.Queries, site, name string) (queries.Device, error) {
	d, err := q.DeviceBySiteName(ctx, queries.DeviceBySiteNameParams{Site: site, Name: name})
	if errors.Is(err, sql.ErrNoRows) {
		return q.DeviceByAlias(ctx, queries.DeviceByAliasParams{Site: site, Name: name})
	}
	return d, err
}

// Resolve finds the capture that ref names: @ID, a UID, or a device as for Device. A device stands
// for its newest capture, or with ~N for the newest capture of the Nth changed version back. The
// newest is as of at, or as of now if at is zero.
func (s *Store) Resolve(ctx context.Context, ref string, at time.Time) (Record, error) {
	q := s.backend.read()
	var row queries.CaptureLog
	var err error
	if !at.IsZero() && (strings.HasPrefix(ref, "@") || uid.MatchString(strings.ToLower(ref))) {
		return Record{}, &Error{Op: "find capture", Class: Usage,
			Err: fmt.Errorf("%s is one capture: a time goes with a device's name", ref)}
	}
	if id, ok := strings.CutPrefix(ref, "@"); ok && !strings.Contains(id, "/") {
		n, parseErr := strconv.ParseInt(id, 10, 64)
		if parseErr != nil {
			return Record{}, &Error{Op: "find capture", Class: Usage, Err: fmt.Errorf(
				"%q is no capture's number: @ is followed by digits, and ~N goes with a device's "+
					"name",
				ref)}
		}
		row, err = q.CaptureRecord(ctx, n)
	} else if uid.MatchString(strings.ToLower(ref)) {
		row, err = q.CaptureRecordByUID(ctx, strings.ToLower(ref))
	} else {
		return s.resolveDevice(ctx, ref, at)
	}
	if err = s.explain("find capture", err); errors.Is(err, ErrNotFound) {
		err = &Error{Op: "find capture", Class: NotFound, Hint: "tftpsql log lists them",
			Err: notFound("no capture %s", ref)}
	}
	return record(row), err
}

func (s *Store) resolveDevice(ctx context.Context, ref string, at time.Time) (Record, error) {
	d, err := s.Device(ctx, ref)
	back := int64(0)
	if m := backwards.FindStringSubmatch(ref); m != nil && errors.Is(err, ErrNotFound) {
		back, _ = strconv.ParseInt(m[2], 10, 64) // at most nine digits
		d, err = s.Device(ctx, m[1])
	}
	if err != nil {
		return Record{}, err
	}
	if at.IsZero() {
		at = never
	}
	row, err := s.backend.read().NewestAt(ctx,
		queries.NewestAtParams{DeviceID: d.ID, At: stamp(at)})
	if err = s.explain("find capture", err); errors.Is(err, ErrNotFound) {
		err = notFound("no capture of %s", ref)
		if at != never {
			err = notFound("no capture of %s as of %s", ref, at.Format(time.RFC3339))
		}
		return Record{}, &Error{Op: "find capture", Class: NotFound, Err: err,
			Hint: "tftpsql log " + d.Ref() + " lists them"}
	}
	r := record(row)
	if err != nil {
		return r, err
	}
	if back == 0 {
		return r, nil
	}
	older, err := s.Before(ctx, r, back)
	if errors.Is(err, ErrNotFound) {
		err = &Error{Op: "find capture", Class: NotFound,
			Hint: "tftpsql log " + d.Ref() + " lists them",
			Err:  notFound("%s has not changed so often: no %s", d.Ref(), ref)}
	}
	return older, err
}

// Before returns the newest capture of the nth changed version before the one that r belongs to, of
// the same device and kind, or ErrNotFound.
func (s *Store) Before(ctx context.Context, r Record, n int64) (Record, error) {
	q := s.backend.read()
	if !r.Complete { // the version before a torn capture is the last whole one
		row, err := q.NewestBefore(ctx, queries.NewestBeforeParams{
			DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID})
		if err != nil || n == 1 {
			return record(row), s.explain("find version", err)
		}
		r, n = record(row), n-1
	}
	start, err := q.VersionStart(ctx, queries.VersionStartParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID,
		VersionsBack: n - 1})
	if err != nil {
		return Record{}, s.explain("find version", err)
	}
	row, err := q.NewestBefore(ctx, queries.NewestBeforeParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: start.ReceivedAt, UID: start.UID})
	return record(row), s.explain("find version", err)
}
