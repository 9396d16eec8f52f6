package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/queries"
)

// followersPage is how many followers are read at once. More are rare: late captures of a device
// that sends torn files.
const followersPage = 32

// Put stores a capture. A nil error means that it is durable. A second Put of the same UID changes
// nothing, so the caller may repeat a Put whose outcome is unknown.
//
// After an error of class Transient or Config the capture may be stored all the same: the database
// may have committed and lost the connection before its answer. With a spool, such an error moves
// the capture there, and Put succeeds.
func (s *Store) Put(ctx context.Context, c Capture) (Stored, error) {
	c.ReceivedAt = stamp(c.ReceivedAt)
	sum := sha256.Sum256(c.Body)
	if c.Rules == 0 {
		c.Fingerprint = sum
	}
	if s.spool != nil {
		return s.putWithSpool(ctx, c, sum)
	}
	stored, err := s.group.enqueue(ctx, c, sum)
	return stored, s.explain("store capture", err)
}

// fileBatch stores a batch in one transaction. Contents go first, in the order of their hashes,
// then captures in the order of their devices, so that all workers take their locks in one order.
// All captures of one device are one task, since each is compared with the one before. With
// write-once the whole batch is one task, since a file name may belong to several devices.
func (s *Store) fileBatch(
	ctx context.Context, batch []*write, lock time.Duration,
) ([]Stored, error) {
	byHash, byDevice := make([]int, len(batch)), make([]int, len(batch))
	asks := false // whether a capture of the batch may be stored already
	for i, w := range batch {
		byHash[i], byDevice[i] = i, i
		asks = asks || !w.c.New || w.tried
		w.tried, w.events = true, nil
	}
	slices.SortFunc(byHash, func(a, b int) int {
		return bytes.Compare(batch[a].sum[:], batch[b].sum[:])
	})
	slices.SortFunc(byDevice, func(a, b int) int {
		x, y := batch[a].c, batch[b].c
		return cmp.Or(cmp.Compare(x.Site, y.Site), cmp.Compare(x.Name, y.Name),
			x.ReceivedAt.Compare(y.ReceivedAt), cmp.Compare(x.UID, y.UID))
	})
	results, ordered := make([]Stored, len(batch)), byDevice
	var tasks []task
	for n, i := range byHash {
		w := batch[i]
		if n > 0 && batch[byHash[n-1]].sum == w.sum || s.recent.has(w.sum) {
			continue
		}
		tasks = append(tasks, func(q *queries.Queries, _ func(int64) bool) error {
			return s.insertContent(ctx, q, w.sum, w.c.Body)
		})
	}
	for len(byDevice) > 0 {
		first, n := batch[byDevice[0]].c, 1
		for n < len(byDevice) && (s.once || batch[byDevice[n]].c.Site == first.Site &&
			batch[byDevice[n]].c.Name == first.Name) {
			n++
		}
		same := byDevice[:n]
		byDevice = byDevice[n:]
		tasks = append(tasks, func(q *queries.Queries, claim func(int64) bool) (err error) {
			for _, i := range same {
				if results[i], err = s.fileCapture(ctx, q, claim, batch[i], asks); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := s.backend.runTasks(ctx, lock, tasks, func(q *queries.Queries) error {
		var events []queries.AddEventParams
		for _, i := range ordered {
			events = append(events, batch[i].events...)
		}
		return s.backend.addEvents(ctx, q, events)
	})
	// Another program may have pruned or forgotten it meanwhile.
	if err != nil && s.backend.missesContent(err) && s.recent.drop(batch) {
		err = &Error{Op: "store capture", Class: conflict, Err: err}
	}
	if err == nil {
		s.recent.add(batch, results)
		s.backend.committed(batch, results)
	}
	return results, err
}

func (s *Store) aboutRow(err error) bool { return s.backend.aboutRow(err) }

func (s *Store) locked(err error) bool { return s.backend.locked(err) }

func (s *Store) insertContent(
	ctx context.Context, q *queries.Queries, sum [sha256.Size]byte, body []byte,
) error {
	p := queries.InsertContentParams{SHA256: sum[:], Size: int64(len(body)), Body: body,
		Encoding: "binary"}
	if body == nil {
		p.Body = []byte{} // an empty file is not NULL
	}
	if bytes.IndexByte(body, 0) < 0 {
		p.Encoding = "utf-8"
		if !utf8.Valid(body) {
			p.Encoding = "latin-1"
			if s.backend.keepsLatin1() {
				text := latin1(body)
				p.Latin1 = &text
			}
		}
	}
	return q.InsertContent(ctx, p)
}

func latin1(b []byte) string {
	size := len(b)
	for _, c := range b {
		size += int(c >> 7) // from 0x80 on it takes two bytes
	}
	var text strings.Builder
	text.Grow(size)
	for _, c := range b {
		text.WriteRune(rune(c))
	}
	return text.String()
}

// fileCapture stores one capture whose content is there, and updates its device and the captures
// that follow it.
func (s *Store) fileCapture(
	ctx context.Context, q *queries.Queries, claim func(device int64) bool, w *write, asks bool,
) (Stored, error) {
	c := w.c
	if asks {
		if known, err := q.CaptureByUID(ctx, c.UID); err == nil {
			return Stored{ID: known.ID, Site: c.Site, Device: c.Name, Changed: known.Changed,
				Known: true}, nil
		} else if !errors.Is(err, sql.ErrNoRows) {
			return Stored{}, err
		}
	}
	if s.once {
		if err := s.onlyOnce(ctx, q, w); err != nil {
			return Stored{}, err
		}
	}
	if d, ok := s.recent.device(c); ok && !asks {
		if stored, ok, err := s.fileNewest(ctx, q, claim, d, w); ok || err != nil {
			return stored, err
		}
	}
	d, err := s.lockDevice(ctx, q, c)
	for err == nil && claim(d.ID) {
		d, err = s.lockDevice(ctx, q, c)
	}
	if err != nil {
		return Stored{}, err
	}
	changed, err := s.compare(ctx, q, d, w)
	if err != nil {
		return Stored{}, err
	}
	stored := Stored{Site: d.Site, Device: d.Name, Changed: changed, first: d.LastUID == ""}
	stored.ID, err = insertCapture(ctx, q, d, w, changed)
	if err != nil {
		return Stored{}, err
	}
	if w.events, err = eventsOf(ctx, q, d, c, stored); err != nil {
		return Stored{}, err
	}
	if !newest(d, c) || c.aside() {
		n, err := s.compareFollowers(ctx, q, d.ID, w)
		if err != nil {
			return Stored{}, err
		}
		return stored, countCapture(ctx, q, d, c, n+ones(changed))
	}
	after, ok, err := advance(ctx, q, d, c, changed)
	if err == nil && !ok {
		err = errRenamed
	}
	stored.device = after
	return stored, err
}

// fileNewest is the fast path: it stores the newest capture of a device whose row this program
// knows, so that there is nothing to ask. If the device row has changed since, ok is false and
// nothing is stored.
func (s *Store) fileNewest(
	ctx context.Context, q *queries.Queries, claim func(device int64) bool, d queries.LockDeviceRow,
	w *write,
) (stored Stored, ok bool, err error) {
	claim(d.ID)
	changed, err := s.compare(ctx, q, d, w)
	if err != nil {
		return Stored{}, false, err
	}
	after, ok, err := advance(ctx, q, d, w.c, changed)
	if err != nil {
		return Stored{}, false, err
	}
	if !ok {
		s.recent.lose(d)
		return Stored{}, false, nil
	}
	stored = Stored{Site: d.Site, Device: d.Name, Changed: changed, device: after}
	if stored.ID, err = insertCapture(ctx, q, d, w, changed); err == nil {
		w.events, err = eventsOf(ctx, q, d, w.c, stored)
	}
	return stored, true, err
}

func insertCapture(
	ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, w *write, changed bool,
) (int64, error) {
	c := w.c
	return q.InsertCapture(ctx, queries.InsertCaptureParams{
		UID: c.UID, ReceivedAt: c.ReceivedAt, Source: c.Source, SourcePort: int64(c.SourcePort),
		LocalAddress: c.Local, Filename: c.Filename, Mode: c.Mode, Options: c.Options,
		DurationUs: c.Duration.Microseconds(), DeviceID: d.ID, Kind: c.Kind, SHA256: w.sum[:],
		Fingerprint: c.Fingerprint[:], Rules: c.Rules, Changed: changed, Complete: c.Complete,
		Ending:   w.ending,
		Platform: c.Platform, Model: c.Model, OSVersion: c.OSVersion, Serial: c.Serial,
		ChangedBy: c.ChangedBy, ExportedBy: c.ExportedBy,
	})
}

// onlyOnce returns an error if other bytes were stored before under the file name.
func (s *Store) onlyOnce(ctx context.Context, q *queries.Queries, w *write) error {
	if s.backend.concurrent() {
		if err := q.LockName(ctx, w.c.Filename); err != nil {
			return err
		}
	}
	first, err := q.FirstOfName(ctx, w.c.Filename)
	if err == nil && !bytes.Equal(first, w.sum[:]) {
		return &Error{Op: "store capture", Class: Exists,
			Err:  fmt.Errorf("%s was stored before with other bytes", w.c.Filename),
			Hint: "send it under another name, or turn TFTP_WRITE_ONCE off"}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// lockDevice returns the device that c belongs to and creates it if necessary.
//
// An alias names its device: the operator has said so. A name from a configuration belongs to the
// device. A name from a file or an address belongs to the source that used it first: if each
// arrival decided anew, their order would rename devices. Captures of another source go to
// NAME@SOURCE. A file may use a name that comes from a configuration only if its platform is known
// and the device was seen from its source, as with an encrypted backup, or if it is kept aside. Any
// other file under that name would pass for the device's newest configuration.
func (s *Store) lockDevice(
	ctx context.Context, q *queries.Queries, c *Capture,
) (queries.LockDeviceRow, error) {
	p := queries.LockDeviceParams{Site: c.Site, Name: c.Name, NamedBy: c.NamedBy, Source: c.Source,
		Seen: c.ReceivedAt}
	if c.NamedBy != NamedByConfig {
		p.Owner = c.Source
	}
	if c.aside() && c.NamedBy != NamedByConfig && c.Source != "" {
		of, err := q.SourceDevices(ctx, c.Source)
		switch {
		case err != nil:
			return queries.LockDeviceRow{}, err
		case len(of) == 1:
			p.Site, p.Name = of[0].Site, of[0].Name
			return s.lockNamed(ctx, q, p)
		case c.Kind == KindLog: // it must not make a device of its file's name
			p.Name, p.NamedBy = c.Source, NamedBySource
			return s.lockNamed(ctx, q, p)
		}
	}
	d, err := s.lockNamed(ctx, q, p)
	if err != nil {
		return d, err
	}
	aliased := d.Site != c.Site || d.Name != c.Name
	if c.Filed {
		return d, nil
	}
	if c.NamedBy == NamedByConfig {
		if aliased || d.Owner == "" || d.Owner == c.Source && (d.Platform != "" || d.Changes == 0) {
			return d, nil
		}
		other := c.Name + "@" + d.Owner
		n, err := q.YieldName(ctx, queries.YieldNameParams{ID: d.ID, NewName: other})
		if err != nil || n == 0 { // that name is in use too: the two share a device
			return d, err
		}
		return s.lockNamed(ctx, q, p)
	}
	// Imported, from an unknown source: a device of the same name may be the same device.
	if c.Source == "" {
		if aliased || d.NamedBy != NamedByConfig || c.Platform != "" {
			return d, nil
		}
		p.Name += "@import"
		return s.lockNamed(ctx, q, p)
	}
	if d.Owner == c.Source {
		return d, nil
	}
	// Imported so far: the first source that uses the name gets it.
	if d.Owner == "" && d.NamedBy != NamedByConfig {
		d.Owner = c.Source
		return d, nil
	}
	if d.Owner == "" && (c.Platform != "" || aliased || c.aside()) {
		seen, err := q.SourceSeen(ctx, queries.SourceSeenParams{Source: c.Source, DeviceID: d.ID})
		if err != nil || seen > 0 {
			return d, err
		}
	}
	p.Name += "@" + c.Source
	return s.lockNamed(ctx, q, p)
}

// lockNamed is q.LockDevice. It returns a conflict if the device was renamed or merged while this
// transaction waited for its row.
func (s *Store) lockNamed(
	ctx context.Context, q *queries.Queries, p queries.LockDeviceParams,
) (queries.LockDeviceRow, error) {
	d, err := q.LockDevice(ctx, p)
	if err != nil || !s.backend.concurrent() {
		return d, err
	}
	owner, err := q.DeviceByAlias(ctx, queries.DeviceByAliasParams{Site: p.Site, Name: p.Name})
	switch {
	case errors.Is(err, sql.ErrNoRows) && d.Site == p.Site && d.Name == p.Name:
		return d, nil
	case err == nil && owner.ID == d.ID:
		return d, nil
	case err == nil || errors.Is(err, sql.ErrNoRows):
		err = errRenamed
	}
	return d, err
}

var errRenamed = &Error{Op: "store capture", Class: conflict,
	Err: errors.New("the device was renamed meanwhile")}

// setChanged stores whether a capture is a change, and returns by how much the number of changes
// grew.
func setChanged(
	ctx context.Context, q *queries.Queries, f queries.FollowersRow, changed bool,
) (int64, error) {
	switch {
	case changed == f.Changed:
		return 0, nil
	case changed:
		return 1, q.SetChanged(ctx, queries.SetChangedParams{Changed: true, ID: f.ID})
	}
	return -1, q.SetChanged(ctx, queries.SetChangedParams{Changed: false, ID: f.ID})
}

// newest reports whether a capture is its device's newest.
func newest(d queries.LockDeviceRow, c *Capture) bool {
	return cmp.Or(c.ReceivedAt.Compare(d.LastSeen), cmp.Compare(c.UID, d.LastUID)) >= 0
}

// countCapture counts a capture that isn't its device's newest.
func countCapture(
	ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, c *Capture, grown int64,
) error {
	r, err := storedRhythm(ctx, q, d.ID)
	if err != nil {
		return err
	}
	p := queries.CountCaptureParams{ID: d.ID, NewChanges: grown, ReceivedAt: c.ReceivedAt,
		Recent: r.recent, LongestUs: r.longest.Microseconds(), LongestLeft: r.left,
		QuietAt: r.quietAt(d.LastSeen)}
	p.NamedBy, p.Owner = nameAfter(d, c)
	return q.CountCapture(ctx, p)
}

// advance counts a capture that is its device's newest, and copies its fields to the device. It
// returns the new device row. If the row is no longer as d says, ok is false and nothing has
// changed.
func advance(
	ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, c *Capture, changed bool,
) (after queries.LockDeviceRow, ok bool, err error) {
	r, err := rhythmAfter(ctx, q, d, c)
	if err != nil {
		return d, false, err
	}
	p := queries.CountNewestParams{
		ID: d.ID, KnownUID: d.LastUID, KnownCaptures: d.Captures, Site: d.Site, Name: d.Name,
		NewChanges: ones(changed), Recent: r.recent, LongestUs: r.longest.Microseconds(),
		LongestLeft: r.left, QuietAt: r.quietAt(c.ReceivedAt),
		Source: c.Source, Platform: c.Platform, Model: c.Model, OSVersion: c.OSVersion,
		Build: c.Build, Serial: c.Serial, Complete: c.Complete, LastSeen: c.ReceivedAt,
		LastUID: c.UID}
	p.NamedBy, p.Owner = nameAfter(d, c)
	n, err := q.CountNewest(ctx, p)
	d.NamedBy, d.Owner, d.Platform = p.NamedBy, p.Owner, p.Platform
	d.LastSeen, d.LastUID, d.Source = p.LastSeen, p.LastUID, p.Source
	d.Recent, d.LongestUs, d.LongestLeft = p.Recent, p.LongestUs, p.LongestLeft
	d.Captures++
	d.RhythmCaptures = d.Captures
	return d, n > 0, err
}

// ones is a change as a number.
func ones(changed bool) int64 {
	if changed {
		return 1
	}
	return 0
}

// nameAfter returns the origin of a device's name, and its owner, after a capture.
func nameAfter(d queries.LockDeviceRow, c *Capture) (by, owner string) {
	if c.NamedBy == NamedByConfig {
		return NamedByConfig, ""
	}
	return d.NamedBy, d.Owner
}
