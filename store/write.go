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

// followersPage is how many followers are read at once; more are rare (late captures of a device that sends torn files).
const followersPage = 32

// Put stores a capture. A nil error means that it is durable. The same UID again changes nothing, so that a Put whose end
// is unknown may be repeated.
//
// An error of class Transient or Config leaves open whether the capture was stored: the database may have committed and
// not been able to say so. With a spool such an error keeps the capture there, and Put succeeds all the same.
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

// fileBatch stores a batch. Contents go first and in the order of their hashes, then captures in the order of their devices,
// so that two workers take their locks in one order. What one device has sent is one task, since each capture is compared with the
// one before; with write-once all is, since what goes by the name of the file goes across devices.
func (s *Store) fileBatch(ctx context.Context, batch []*write, lock time.Duration) ([]Stored, error) {
	byHash, byDevice := make([]int, len(batch)), make([]int, len(batch))
	asks := false // whether a capture may be stored already
	for i, w := range batch {
		byHash[i], byDevice[i] = i, i
		asks = asks || !w.c.New || w.tried
		w.tried = true
	}
	slices.SortFunc(byHash, func(a, b int) int { return bytes.Compare(batch[a].sum[:], batch[b].sum[:]) })
	slices.SortFunc(byDevice, func(a, b int) int {
		x, y := batch[a].c, batch[b].c
		return cmp.Or(cmp.Compare(x.Site, y.Site), cmp.Compare(x.Name, y.Name), x.ReceivedAt.Compare(y.ReceivedAt), cmp.Compare(x.UID, y.UID))
	})
	results := make([]Stored, len(batch))
	var tasks []task
	for n, i := range byHash {
		w := batch[i]
		if n > 0 && batch[byHash[n-1]].sum == w.sum || s.recent.has(w.sum) {
			continue
		}
		tasks = append(tasks, func(q *queries.Queries, _ func(int64) bool) error { return s.insertContent(ctx, q, w.sum, w.c.Body) })
	}
	for len(byDevice) > 0 {
		first, n := batch[byDevice[0]].c, 1
		for n < len(byDevice) && (s.once || batch[byDevice[n]].c.Site == first.Site && batch[byDevice[n]].c.Name == first.Name) {
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
	err := s.backend.runTasks(ctx, lock, tasks)
	if err != nil && s.backend.missesContent(err) && s.recent.drop(batch) { // it was pruned or forgotten meanwhile, by another program perhaps
		err = &Error{Op: "store capture", Class: conflict, Err: err}
	}
	if err == nil {
		s.recent.add(batch, results)
	}
	return results, err
}

func (s *Store) aboutRow(err error) bool { return s.backend.aboutRow(err) }

func (s *Store) locked(err error) bool { return s.backend.locked(err) }

func (s *Store) insertContent(ctx context.Context, q *queries.Queries, sum [sha256.Size]byte, body []byte) error {
	p := queries.InsertContentParams{SHA256: sum[:], Size: int64(len(body)), Body: body, Encoding: "binary"}
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
		size += int(c >> 7) // each from 0x80 on takes two bytes
	}
	var text strings.Builder
	text.Grow(size)
	for _, c := range b {
		text.WriteRune(rune(c))
	}
	return text.String()
}

// fileCapture stores one capture whose content is there, and sets what follows from it.
func (s *Store) fileCapture(ctx context.Context, q *queries.Queries, claim func(device int64) bool, w *write, asks bool) (Stored, error) {
	c := w.c
	if asks {
		if known, err := q.CaptureByUID(ctx, c.UID); err == nil {
			return Stored{ID: known.ID, Site: c.Site, Device: c.Name, Changed: known.Changed, Known: true}, nil
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
	changed, err := s.differs(ctx, q, d, w)
	if err != nil {
		return Stored{}, err
	}
	stored := Stored{Site: d.Site, Device: d.Name, Changed: changed}
	stored.ID, err = insertCapture(ctx, q, d, w, changed)
	if err != nil {
		return Stored{}, err
	}
	if !newest(d, c) {
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

// fileNewest stores the newest capture of a device that is taken to be as this program left it: then there is nothing to ask. ok is false,
// and nothing is stored, where it is not.
func (s *Store) fileNewest(ctx context.Context, q *queries.Queries, claim func(device int64) bool, d queries.LockDeviceRow, w *write) (stored Stored, ok bool, err error) {
	claim(d.ID)
	changed, err := s.differs(ctx, q, d, w)
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
	stored.ID, err = insertCapture(ctx, q, d, w, changed)
	return stored, true, err
}

func insertCapture(ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, w *write, changed bool) (int64, error) {
	c := w.c
	return q.InsertCapture(ctx, queries.InsertCaptureParams{
		UID: c.UID, ReceivedAt: c.ReceivedAt, Source: c.Source, SourcePort: int64(c.SourcePort), LocalAddress: c.Local,
		Filename: c.Filename, Mode: c.Mode, Options: c.Options, DurationUs: c.Duration.Microseconds(), DeviceID: d.ID,
		Kind: c.Kind, SHA256: w.sum[:], Fingerprint: c.Fingerprint[:], Rules: c.Rules, Changed: changed, Complete: c.Complete,
		Platform: c.Platform, Model: c.Model, OSVersion: c.OSVersion, Serial: c.Serial, ChangedBy: c.ChangedBy, ExportedBy: c.ExportedBy,
	})
}

// onlyOnce returns an error where the file name was stored before with other bytes.
func (s *Store) onlyOnce(ctx context.Context, q *queries.Queries, w *write) error {
	if s.backend.concurrent() {
		if err := q.LockName(ctx, w.c.Filename); err != nil {
			return err
		}
	}
	first, err := q.FirstOfName(ctx, w.c.Filename)
	if err == nil && !bytes.Equal(first, w.sum[:]) {
		return &Error{Op: "store capture", Class: Exists, Err: fmt.Errorf("%s was stored before with other bytes", w.c.Filename),
			Hint: "send it under another name, or turn TFTP_WRITE_ONCE off"}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// lockDevice returns the device that c belongs to, created where there is none.
//
// An alias is the operator's word, and names its device. A name from a configuration is the device's. A name from a file or
// an address belongs to the source that used it first; another source's captures go to NAME@SOURCE. Under the name of a
// configuration a file is filed only if its platform is known and the device was seen from there, as an encrypted backup is:
// anything else under that name would pass for the device's newest configuration.
func (s *Store) lockDevice(ctx context.Context, q *queries.Queries, c *Capture) (queries.LockDeviceRow, error) {
	p := queries.LockDeviceParams{Site: c.Site, Name: c.Name, NamedBy: c.NamedBy, Source: c.Source, Seen: c.ReceivedAt}
	if c.NamedBy != NamedByConfig {
		p.Owner = c.Source
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
		if aliased || d.Owner == "" || d.Owner == c.Source && d.Platform != "" {
			return d, nil
		}
		n, err := q.YieldName(ctx, queries.YieldNameParams{ID: d.ID, NewName: c.Name + "@" + d.Owner})
		if err != nil || n == 0 { // that name is taken too: the two share a device
			return d, err
		}
		return s.lockNamed(ctx, q, p)
	}
	if c.Source == "" { // imported, and nobody knows from where: a name that is a file's too may be the same device's
		if aliased || d.NamedBy != NamedByConfig || c.Platform != "" {
			return d, nil
		}
		p.Name += "@import"
		return s.lockNamed(ctx, q, p)
	}
	if d.Owner == c.Source {
		return d, nil
	}
	if d.Owner == "" && d.NamedBy != NamedByConfig { // imported so far: the first source that uses the name goes on with it
		d.Owner = c.Source
		return d, nil
	}
	if d.Owner == "" && (c.Platform != "" || aliased) {
		seen, err := q.SourceSeen(ctx, queries.SourceSeenParams{Source: c.Source, DeviceID: d.ID})
		if err != nil || seen > 0 {
			return d, err
		}
	}
	p.Name += "@" + c.Source
	return s.lockNamed(ctx, q, p)
}

// lockNamed is q.LockDevice, and a conflict where the name has become another's while this transaction waited for the device: it
// was renamed or merged.
func (s *Store) lockNamed(ctx context.Context, q *queries.Queries, p queries.LockDeviceParams) (queries.LockDeviceRow, error) {
	d, err := q.LockDevice(ctx, p)
	if err != nil || !s.backend.concurrent() {
		return d, err
	}
	owner, err := q.DeviceByAlias(ctx, queries.DeviceByAliasParams{Site: p.Site, Name: p.Name})
	switch {
	case errors.Is(err, sql.ErrNoRows) && d.Site == p.Site && d.Name == p.Name, err == nil && owner.ID == d.ID:
		return d, nil
	case err == nil || errors.Is(err, sql.ErrNoRows):
		err = errRenamed
	}
	return d, err
}

var errRenamed = &Error{Op: "store capture", Class: conflict, Err: errors.New("the device was renamed meanwhile")}

// A digest is what a capture is compared by.
type digest struct {
	sha256, fingerprint []byte
	rules               int64
}

// same reports whether two captures differ in nothing but noise. Where they were fingerprinted by different rules, each is
// fingerprinted again by this program's. body is b's, if it is at hand.
func (s *Store) same(ctx context.Context, q *queries.Queries, a, b digest, body []byte) (bool, error) {
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

func (w *write) digest() digest { return digest{w.sum[:], w.c.Fingerprint[:], w.c.Rules} }

// differs reports whether a capture is a change: it differs from the last complete capture before it.
func (s *Store) differs(ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, w *write) (bool, error) {
	before, ok := s.recent.base(d, w.c.Kind)
	if !ok || !newest(d, w.c) {
		base, err := q.Base(ctx, queries.BaseParams{DeviceID: d.ID, Kind: w.c.Kind, ReceivedAt: w.c.ReceivedAt, UID: w.c.UID})
		if errors.Is(err, sql.ErrNoRows) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		before = digest{base.SHA256, base.Fingerprint, base.Rules}
	}
	same, err := s.same(ctx, q, before, w.digest(), w.c.Body)
	return !same, err
}

// compareFollowers compares the captures that follow one with it, up to the next complete one, and returns by how much the
// number of changes grew. Only a complete capture is a base of comparison.
func (s *Store) compareFollowers(ctx context.Context, q *queries.Queries, device int64, w *write) (grown int64, err error) {
	if !w.c.Complete {
		return 0, nil
	}
	at, uid := w.c.ReceivedAt, w.c.UID
	for {
		page, err := q.Followers(ctx, queries.FollowersParams{
			DeviceID: device, Kind: w.c.Kind, ReceivedAt: at, UID: uid, N: followersPage})
		if err != nil {
			return grown, err
		}
		for _, f := range page {
			same, err := s.same(ctx, q, digest{f.SHA256, f.Fingerprint, f.Rules}, w.digest(), w.c.Body)
			if err != nil {
				return grown, err
			}
			n, err := setChanged(ctx, q, f, !same)
			if grown += n; err != nil || f.Complete {
				return grown, err
			}
		}
		if len(page) < followersPage {
			return grown, nil
		}
		last := page[len(page)-1]
		at, uid = last.ReceivedAt, last.UID
	}
}

// setChanged notes whether a capture is a change, and returns by how much the number of changes grew.
func setChanged(ctx context.Context, q *queries.Queries, f queries.FollowersRow, changed bool) (int64, error) {
	switch {
	case changed == f.Changed:
		return 0, nil
	case changed:
		return 1, q.SetChanged(ctx, queries.SetChangedParams{Changed: true, ID: f.ID})
	}
	return -1, q.SetChanged(ctx, queries.SetChangedParams{Changed: false, ID: f.ID})
}

// newest reports whether a capture is its device's newest, so that none follows it.
func newest(d queries.LockDeviceRow, c *Capture) bool {
	return cmp.Or(c.ReceivedAt.Compare(d.LastSeen), cmp.Compare(c.UID, d.LastUID)) >= 0
}

// countCapture counts a capture that isn't its device's newest.
func countCapture(ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, c *Capture, grown int64) error {
	p := queries.CountCaptureParams{ID: d.ID, NewChanges: grown, ReceivedAt: c.ReceivedAt}
	p.NamedBy, p.Owner = nameAfter(d, c)
	return q.CountCapture(ctx, p)
}

// advance counts a capture that is its device's newest, and takes over what it says. It returns the device as it is then; ok is false,
// and nothing has happened, where the device is no longer as d says.
func advance(ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, c *Capture, changed bool) (after queries.LockDeviceRow, ok bool, err error) {
	p := queries.CountNewestParams{ID: d.ID, KnownUID: d.LastUID, Site: d.Site, Name: d.Name, NewChanges: ones(changed),
		Source: c.Source, Platform: c.Platform, Model: c.Model, OSVersion: c.OSVersion, Build: c.Build, Serial: c.Serial,
		Complete: c.Complete, LastSeen: c.ReceivedAt, LastUID: c.UID}
	p.NamedBy, p.Owner = nameAfter(d, c)
	n, err := q.CountNewest(ctx, p)
	d.NamedBy, d.Owner, d.Platform, d.LastSeen, d.LastUID = p.NamedBy, p.Owner, p.Platform, p.LastSeen, p.LastUID
	return d, n > 0, err
}

// ones is by how much the number of changes grows.
func ones(changed bool) int64 {
	if changed {
		return 1
	}
	return 0
}

// nameAfter is where a device's name is from, and whose it is, after a capture.
func nameAfter(d queries.LockDeviceRow, c *Capture) (by, owner string) {
	if c.NamedBy == NamedByConfig {
		return NamedByConfig, ""
	}
	return d.NamedBy, d.Owner
}
