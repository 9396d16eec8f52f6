package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

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
	uid = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	})
	backwards = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(.+)~([0-9]{1,9})$`)
	})
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

// DeviceNamed returns the device of a site that has a name, or else that name as an alias.
func (s *Store) DeviceNamed(ctx context.Context, site, name string) (Device, error) {
	q := s.backend.read()
	row, err := q.DeviceNamed(ctx,
		queries.DeviceNamedParams{Site: site, Name: name, Within: s.within})
	list, err := devices(ctx, q, []queries.Device{row}, err)
	return list[0], s.explain("find device", err)
}

// candidates returns the devices that ref names as SITE/NAME, or else those of that name in any
// site.
func (s *Store) candidates(ctx context.Context, ref string) ([]Device, error) {
	var found []Device
	for i := range len(ref) { // a site or a name may contain slashes
		if ref[i] != '/' {
			continue
		}
		d, err := s.DeviceNamed(ctx, ref[:i], ref[i+1:])
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	if len(found) > 0 {
		return found, nil
	}
	return s.DevicesNamed(ctx, ref)
}

// NamesBeginning returns the devices whose NAME or SITE/NAME begins with a text, n at most, by
// name.
func (s *Store) NamesBeginning(ctx context.Context, text string, n int) ([]Name, error) {
	rows, err := s.backend.read().NamesBeginning(ctx, queries.NamesBeginningParams{First: text,
		Beyond: text + string(utf8.MaxRune), Within: s.within, N: int64(n)})
	names := make([]Name, len(rows))
	for i, r := range rows {
		names[i] = Name(r)
	}
	return names, s.explain("find devices", err)
}

// Resolve finds the capture that ref names: @ID, a UID, or a device as for Device. A device stands
// for its configuration: the newest whole capture of its main kind, or with ~N the newest capture
// of the Nth changed version back. It is as of at, or as of now if at is zero. Any other capture
// goes by its own number: half a configuration is never handed out for the whole.
func (s *Store) Resolve(ctx context.Context, ref string, at time.Time) (Record, error) {
	q := s.backend.read()
	var row queries.CaptureLog
	var err error
	if !at.IsZero() && (strings.HasPrefix(ref, "@") || uid().MatchString(strings.ToLower(ref))) {
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
		row, err = q.CaptureRecord(ctx, queries.CaptureRecordParams{ID: n, Within: s.within})
	} else if uid().MatchString(strings.ToLower(ref)) {
		row, err = q.CaptureRecordByUID(ctx, queries.CaptureRecordByUIDParams{
			UID: strings.ToLower(ref), Within: s.within})
	} else {
		return s.resolveDevice(ctx, ref, at)
	}
	if err = s.explain("find capture", err); errors.Is(err, ErrNotFound) {
		err = &Error{Op: "find capture", Class: NotFound, Hint: "tftpsql log lists them",
			Err: notFound("no capture %s", ref)}
	}
	return record(row), err
}

// CaptureByID returns the capture of a number.
func (s *Store) CaptureByID(ctx context.Context, id int64) (Record, error) {
	row, err := s.backend.read().CaptureRecord(ctx,
		queries.CaptureRecordParams{ID: id, Within: s.within})
	return record(row), s.explain("find capture", err)
}

func (s *Store) resolveDevice(ctx context.Context, ref string, at time.Time) (Record, error) {
	d, err := s.Device(ctx, ref)
	back := int64(0)
	if m := backwards().FindStringSubmatch(ref); m != nil && errors.Is(err, ErrNotFound) {
		back, _ = strconv.ParseInt(m[2], 10, 64) // at most nine digits
		d, err = s.Device(ctx, m[1])
	}
	if err != nil {
		return Record{}, err
	}
	if at.IsZero() {
		at = never
	}
	r, err := s.configuration(ctx, d, at)
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
			Err:  notFound("%s has not changed so often", d.Ref())}
	}
	return older, err
}

// mainWithin is how much older than a device's newest whole capture one of its main kind may be:
// devices that send several kinds send each at least once a week.
const mainWithin = 7 * 24 * time.Hour

// rank orders kinds: the first that a device sends is its main kind. The view main_captures has the
// same rule.
func rank(kind string) int {
	switch kind {
	case "full":
		return 1
	case "full-config":
		return 2
	case "encrypted":
		return 3
	case "startup":
		return 5
	case "other":
		return 6
	case KindLog:
		return 7
	}
	return 4 // a VDOM, a context, or what a file's name says to be the running one
}

// wholeOf returns a device's newest whole capture of each kind as of a time, by kind.
func (s *Store) wholeOf(ctx context.Context, d Device, at time.Time) ([]queries.CaptureLog, error) {
	q := s.backend.read()
	kinds, err := q.Kinds(ctx, d.ID)
	if err != nil {
		return nil, s.explain("find capture", err)
	}
	var whole []queries.CaptureLog
	for _, kind := range kinds {
		row, err := q.NewestOfKind(ctx,
			queries.NewestOfKindParams{DeviceID: d.ID, Kind: kind, At: stamp(at)})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, s.explain("find capture", err)
		}
		whole = append(whole, row)
	}
	return whole, nil
}

// configuration returns a device's configuration as of a time.
func (s *Store) configuration(ctx context.Context, d Device, at time.Time) (Record, error) {
	whole, err := s.wholeOf(ctx, d, at)
	if err != nil {
		return Record{}, err
	}
	if len(whole) == 0 {
		return s.nothingWhole(ctx, d, at)
	}
	newest := slices.MaxFunc(whole, func(a, b queries.CaptureLog) int {
		return a.ReceivedAt.Compare(b.ReceivedAt)
	})
	whole = slices.DeleteFunc(whole, func(r queries.CaptureLog) bool {
		return r.ReceivedAt.Before(newest.ReceivedAt.Add(-mainWithin))
	})
	return record(slices.MinFunc(whole, func(a, b queries.CaptureLog) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.Kind, b.Kind))
	})), nil
}

// nothingWhole returns the error that a device has no whole capture as of a time, or its newest
// capture where that is an empty file: nothing is half of it.
func (s *Store) nothingWhole(ctx context.Context, d Device, at time.Time) (Record, error) {
	newest, err := s.newestAt(ctx, d, at)
	switch {
	case err == nil && newest.Kind == KindEmpty:
		return newest, nil
	case err == nil:
		return Record{}, &Error{Op: "find capture", Class: NotFound,
			Err: notFound("nothing whole of %s has come", d.Ref()),
			Hint: fmt.Sprintf("its newest torn capture is @%d of %s", newest.ID,
				LocalTime(newest.ReceivedAt))}
	case !errors.Is(err, ErrNotFound):
		return Record{}, err
	}
	missing := notFound("no capture of %s", d.Ref())
	if at != never {
		missing = notFound("no capture of %s as of %s", d.Ref(), LocalTime(at))
	}
	return Record{}, &Error{Op: "find capture", Class: NotFound, Err: missing,
		Hint: "tftpsql log " + d.Ref() + " lists them"}
}

// LocalTime is a time as people here write it, with its zone.
func LocalTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05Z07:00") }

// newestAt returns the newest capture of a device as of a time, whatever it is.
func (s *Store) newestAt(ctx context.Context, d Device, at time.Time) (Record, error) {
	row, err := s.backend.read().NewestAt(ctx,
		queries.NewestAtParams{DeviceID: d.ID, At: stamp(at)})
	return record(row), s.explain("find capture", err)
}

// NewerTorn returns the newest capture of r's device if it came after r and is torn, or nil.
func (s *Store) NewerTorn(ctx context.Context, r Record) (*Record, error) {
	newest, err := s.newestAt(ctx, Device{ID: r.deviceID}, never)
	if err != nil || newest.Complete || !newest.ReceivedAt.After(r.ReceivedAt) {
		return nil, err
	}
	return &newest, nil
}

// Before returns the newest capture of the nth changed version before the one that r belongs to, of
// the same device and kind, or ErrNotFound. The version before a torn capture is the last whole
// one. Where nothing was ever whole, torn captures are versions.
func (s *Store) Before(ctx context.Context, r Record, n int64) (Record, error) {
	q := s.backend.read()
	if !r.Complete {
		row, err := q.NewestBefore(ctx, queries.NewestBeforeParams{
			DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID})
		if errors.Is(err, sql.ErrNoRows) {
			return s.beforeTorn(ctx, r, n)
		}
		if err != nil || n == 1 {
			return record(row), s.explain("find version", err)
		}
		r, n = record(row), n-1
	}
	start, err := q.VersionStart(ctx, queries.VersionStartParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID,
		VersionsBack: n - 1})
	if errors.Is(err, sql.ErrNoRows) {
		return s.beforeTorn(ctx, r, n)
	}
	if err != nil {
		return Record{}, s.explain("find version", err)
	}
	row, err := q.NewestBefore(ctx, queries.NewestBeforeParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: start.ReceivedAt, UID: start.UID})
	if errors.Is(err, sql.ErrNoRows) { // before the first whole one
		row, err = q.AnyBefore(ctx, queries.AnyBeforeParams{
			DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: start.ReceivedAt, UID: start.UID})
	}
	return record(row), s.explain("find version", err)
}

// beforeTorn is Before where nothing was whole.
func (s *Store) beforeTorn(ctx context.Context, r Record, n int64) (Record, error) {
	q := s.backend.read()
	start, err := q.AnyVersionStart(ctx, queries.AnyVersionStartParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: r.ReceivedAt, UID: r.UID,
		VersionsBack: n - 1})
	if err != nil {
		return Record{}, s.explain("find version", err)
	}
	row, err := q.AnyBefore(ctx, queries.AnyBeforeParams{
		DeviceID: r.deviceID, Kind: r.Kind, ReceivedAt: start.ReceivedAt, UID: start.UID})
	return record(row), s.explain("find version", err)
}
