// Package move takes captures in from what another program has kept, and out into files.
package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// A Source is where captures are imported from. [OpenFolder], [OpenGit] and [OpenDatabase] open
// one.
type Source struct {
	// each calls yield with everything that the source has, the oldest first. to is where it goes,
	// or nil.
	each func(ctx context.Context, to *store.Store, yield func(item) error) error
	// total returns how many items there are.
	total func() int64
	// after is done when everything is stored, under that site if it is not nil; nil for nothing.
	after func(ctx context.Context, to *store.Store, site *string) error
	close func() error
}

// Close closes the source.
func (s *Source) Close() error { return s.close() }

// An item is something to import. Its uid is made of what it is and where it was found, so that it
// is stored once however often it is imported.
type item struct {
	uid string
	// a *Skipped error where it is no configuration
	capture func(context.Context) (store.Capture, error)
}

// Skipped says what was left out, and why.
type Skipped struct {
	What string    // printable
	At   time.Time // of the capture, if it has one
	Why  error
}

func (s *Skipped) Error() string { return s.What + ": " + s.Why.Error() }

// An Import takes over what a source has.
type Import struct {
	From     *Source
	To       *store.Store // nil where there is no database yet, with Dry
	Site     *string      // of everything; nil for the site that each capture says
	Dry      bool         // only report what would be imported
	Progress func(done, total int64)
}

// A Report says what was imported.
type Report struct {
	New   int64
	Known int64 // captures that were there before
	// of these by site: captures under another site than the one that was asked for
	Elsewhere map[string]int64
	Devices   []*ImportedDevice // of the new ones, by reference
	Skipped   []*Skipped
}

// An ImportedDevice is what was imported of a device.
type ImportedDevice struct {
	Ref, Platform string
	Captures      int
	First, Last   time.Time
}

// Run imports, and reports what it did also where it failed. What was imported before is not
// imported again, so it may be repeated, or go on after an interruption. Captures are stored one
// after the other, so that their numbers grow with their times, and a device that sends meanwhile
// waits for one of them at most.
func (i Import) Run(ctx context.Context) (Report, error) {
	run := running{Import: i, report: Report{Elsewhere: map[string]int64{}},
		devices: map[string]*ImportedDevice{}}
	done := int64(0)
	err := i.From.each(ctx, i.To, func(it item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if done++; i.Progress != nil {
			i.Progress(done, i.From.total())
		}
		return run.take(ctx, it)
	})
	if err == nil && !i.Dry && i.From.after != nil {
		err = i.From.after(ctx, i.To, i.Site)
	}
	if err == nil && !i.Dry && run.report.Known > 0 {
		err = i.To.Confirm(ctx) // those were only read
	}
	run.report.Devices = slices.SortedFunc(maps.Values(run.devices),
		func(a, b *ImportedDevice) int {
			return strings.Compare(a.Ref, b.Ref)
		})
	return run.report, err
}

// running is an import under way.
type running struct {
	Import
	report  Report
	devices map[string]*ImportedDevice // by reference
}

// take imports an item.
func (r *running) take(ctx context.Context, it item) error {
	if r.To != nil {
		known, err := r.To.Resolve(ctx, it.uid, time.Time{})
		if err == nil {
			r.known(known.Site)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	c, err := it.capture(ctx)
	var skipped *Skipped
	if errors.As(err, &skipped) {
		r.report.Skipped = append(r.report.Skipped, skipped)
		return nil
	}
	if err != nil {
		return err
	}
	c.UID = it.uid
	if r.Site != nil {
		c.Site = *r.Site
	}
	stored := store.Stored{Site: c.Site, Device: c.Name}
	if !r.Dry {
		if stored, err = r.To.Put(ctx, c); err != nil {
			return err
		}
	}
	if stored.Known { // another import runs
		r.known(stored.Site)
		return nil
	}
	r.count(c, store.Device{Site: stored.Site, Name: stored.Device}.Ref())
	return nil
}

// known counts a capture that was there before.
func (r *running) known(site string) {
	r.report.Known++
	if r.Site != nil && site != *r.Site {
		r.report.Elsewhere[site]++
	}
}

// count counts a new capture of a device.
func (r *running) count(c store.Capture, ref string) {
	r.report.New++
	d := r.devices[ref]
	if d == nil {
		d = &ImportedDevice{Ref: ref, First: c.ReceivedAt, Last: c.ReceivedAt}
		r.devices[ref] = d
	}
	d.Captures++
	d.Platform = cmp.Or(c.Platform, d.Platform)
	if c.ReceivedAt.Before(d.First) {
		d.First = c.ReceivedAt
	}
	if c.ReceivedAt.After(d.Last) {
		d.Last = c.ReceivedAt
	}
}

// importSpace is the namespace of the uids of what is imported (RFC 9562, section 5.5).
var importSpace = uuid.MustParse("7c0f4d0e-5a1b-4c52-9a5e-6f1d8f3b2a90")

// uidOf makes a uid of what names a thing wherever it is imported.
func uidOf(parts ...string) string {
	return uuid.NewSHA1(importSpace, []byte(strings.Join(parts, "\x00"))).String()
}

// captureFrom is a file as a capture. The address that it came from is unknown, so a file that
// would be named by its address has its own name. A time in the future becomes now: else nothing
// that is sent until then would be the newest.
func captureFrom(filename string, at time.Time, body []byte) store.Capture {
	if now := time.Now(); at.After(now) {
		at = now
	}
	c := capture.Upload{Filename: filename, Mode: store.Imported, Received: at, Completed: at,
		Body: body}.Capture()
	if c.NamedBy == store.NamedBySource {
		c.Name = nameOf(strings.TrimSuffix(path.Base(filename), path.Ext(filename)))
		c.NamedBy = store.NamedByFilename
	}
	return c
}

// nameOf makes a name for a device of what was not meant as one.
func nameOf(text string) string {
	text = strings.TrimLeft(device.Text(text), "-@~/")
	for len(text) > device.MaxName {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return cmp.Or(text, "unnamed")
}

// leftOut is an item that can't be imported. Its uid is never stored.
func leftOut(name string, why error) item {
	return item{uidOf("left out", name), func(context.Context) (store.Capture,
		error) {
		return store.Capture{}, why
	}}
}

// skipped is why a file is left out.
func skipped(name, why string) error {
	return &Skipped{What: device.Text(name),
		Why: errors.New(why)}
}

func tooLarge(name string, size, most int64) error {
	return skipped(name, fmt.Sprintf("%s, and TFTP_MAX_SIZE is %s", config.Bytes(float64(size)),
		config.Size(most)))
}
