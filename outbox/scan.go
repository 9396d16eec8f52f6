package outbox

import (
	"cmp"
	"context"
	"errors"
	"sort"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

const (
	// A scan looks again at one of refreshIn parts of all devices, refreshed at most, for what it
	// isn't told: a retention that has changed a rhythm, a device that was merged. Before an alarm
	// is raised its device is looked at in any case.
	refreshIn, refreshed = 30, 1000
	// readyGap is how long no worker must have been ready for it to be a downtime: two scans may be
	// late.
	readyGap = 3 * scanEvery
	// downtimesLast is how far back downtimes count: no device's rhythm is longer.
	downtimesLast = 60 * 24 * time.Hour
	// failingSince is how far back failures count, and failingFrom how many make a device failing:
	// one transfer that breaks off is no news.
	failingSince = time.Hour
	failingFrom  = 3
	// failingLasts is when a failing device that neither sends nor fails any more is forgotten.
	// Until then what fails each night is one alarm.
	failingLasts = 7 * 24 * time.Hour
	// remindEvery is how often an alarm is told again while it lasts.
	remindEvery = 24 * time.Hour
	// alarmsChecked is how often all open alarms are looked at; those of devices that have sent are
	// looked at with each scan.
	alarmsChecked = 10 * time.Minute
)

// scan finds devices that are overdue. It remembers when each will be, so that it reads the
// histories of those alone that have sent since.
type scan struct {
	*Outbox
	devices map[int64]rhythm // those of which something is expected
	newest  int64            // the capture up to which devices is current
	loaded  bool
	part    int64 // the device after which the refreshing goes on
	checked time.Time
}

// rhythm is what a scan remembers of a device: there may be 100,000 of them.
type rhythm struct {
	seen    int64 // when it was last heard of, Unix microseconds
	allowed int64 // how long it may be silent, in microseconds
}

// overdue reports whether a device is overdue at a time. Time in which no worker was ready to hear
// it doesn't count as silence.
func (r rhythm) overdue(downtimes []store.Downtime, now time.Time) bool {
	seen, allowed := time.UnixMicro(r.seen), time.Duration(r.allowed)*time.Microsecond
	return now.Sub(seen) > allowed && now.Sub(seen) > allowed+deaf(downtimes, seen, now)
}

func newScan(b *Outbox) *scan { return &scan{Outbox: b, devices: map[int64]rhythm{}} }

func (s *scan) run(ctx context.Context) error {
	now := s.Now()
	if s.Trouble() == "" {
		if err := s.Store.NoteReady(ctx, now, readyGap); err != nil {
			return err
		}
	}
	sent, err := s.refresh(ctx)
	if err != nil {
		return err
	}
	downtimes, err := s.Store.Downtimes(ctx, now.Add(-downtimesLast))
	if err != nil {
		return err
	}
	if err := s.review(ctx, sent, downtimes, now); err != nil {
		return err
	}
	if err := s.overdue(ctx, downtimes, now); err != nil {
		return err
	}
	return s.failing(ctx, now)
}

// load reads all devices once.
func (s *scan) load(ctx context.Context) error {
	newest, err := s.Store.NewestCapture(ctx)
	if err == nil {
		err = s.Store.DevicesFrom(ctx, 0, func(d store.Device) bool {
			s.remember(d)
			return true
		})
	}
	if err == nil {
		s.newest, s.loaded = newest, true
	}
	return err
}

// refresh brings devices up to date, and returns those that have sent since the last scan.
func (s *scan) refresh(ctx context.Context) (map[int64]bool, error) {
	if !s.loaded {
		if err := s.load(ctx); err != nil {
			return nil, err
		}
	}
	ids, newest, err := s.Store.DevicesSince(ctx, s.newest)
	if err != nil {
		return nil, err
	}
	sent := make(map[int64]bool, len(ids))
	for _, id := range ids {
		sent[id] = true
		if err := s.look(ctx, id); err != nil {
			return nil, err
		}
	}
	if err := s.refreshPart(ctx); err != nil {
		return nil, err
	}
	s.newest = newest
	expected, err := s.Store.ExpectedDevices(ctx)
	for _, d := range expected {
		s.remember(d)
	}
	return sent, err
}

// refreshPart looks at some devices again, at others with each scan.
func (s *scan) refreshPart(ctx context.Context) error {
	left, last := min(len(s.devices)/refreshIn+1, refreshed), s.part
	err := s.Store.DevicesFrom(ctx, s.part, func(d store.Device) bool {
		s.remember(d)
		last = d.ID
		left--
		return left > 0
	})
	if s.part = last; left > 0 { // that was the end
		s.part = 0
	}
	return err
}

func (s *scan) look(ctx context.Context, id int64) error {
	d, err := s.Store.DeviceByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		delete(s.devices, id)
		return nil
	}
	if err == nil {
		s.remember(d)
	}
	return err
}

func (s *scan) remember(d store.Device) {
	if d.Allowed() == 0 {
		delete(s.devices, d.ID)
		return
	}
	s.devices[d.ID] = rhythmOf(d)
}

func rhythmOf(d store.Device) rhythm {
	return rhythm{d.LastSeen.UnixMicro(), d.Allowed().Microseconds()}
}

// isOverdue is rhythm.overdue of a device.
func isOverdue(d store.Device, downtimes []store.Downtime, now time.Time) bool {
	return d.Allowed() > 0 && rhythmOf(d).overdue(downtimes, now)
}

// deaf returns for how long no worker was ready between two times.
func deaf(downtimes []store.Downtime, from, to time.Time) (sum time.Duration) {
	for _, t := range downtimes {
		began, ended := t.Began, t.Ended
		if began.Before(from) {
			began = from
		}
		if ended.After(to) {
			ended = to
		}
		if ended.After(began) {
			sum += ended.Sub(began)
		}
	}
	return sum
}

// overdue raises an alarm for each device that is overdue and has none.
func (s *scan) overdue(ctx context.Context, downtimes []store.Downtime, now time.Time) error {
	open, err := s.open(ctx, store.EventOverdue)
	if err != nil {
		return err
	}
	var list []store.Trouble
	for id, r := range s.devices {
		if _, known := open[id]; known || !r.overdue(downtimes, now) {
			continue
		}
		d, err := s.Store.DeviceByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			delete(s.devices, id)
			continue
		}
		if err != nil {
			return err
		}
		s.remember(d)
		if isOverdue(d, downtimes, now) {
			list = append(list, store.Trouble{Device: d, Since: d.LastSeen})
		}
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i].Device, list[j].Device
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Name, b.Name)) < 0
	})
	n, err := s.Store.Raise(ctx, store.EventOverdue, list, now)
	if n > 0 {
		s.Log.Warn("devices are overdue", "count", n)
	}
	return err
}

// open returns the open alarms of a kind, by device.
func (s *scan) open(ctx context.Context, kind string) (map[int64]store.Alarm, error) {
	list, err := s.Store.OpenAlarms(ctx)
	of := map[int64]store.Alarm{}
	for _, a := range list {
		if a.Kind == kind {
			of[a.Device] = a
		}
	}
	return of, err
}

// review ends the alarms of devices that have sent, and reminds of those that last.
func (s *scan) review(ctx context.Context, sent map[int64]bool, downtimes []store.Downtime,
	now time.Time) error {
	all := now.Sub(s.checked) >= alarmsChecked
	open, err := s.Store.OpenAlarms(ctx)
	if err != nil {
		return err
	}
	var back, over, last []store.Alarm
	for _, a := range open {
		if a.Kind != store.EventOverdue ||
			!all && !sent[a.Device] && now.Sub(a.Told) < remindEvery {
			continue
		}
		d, err := s.Store.DeviceByID(ctx, a.Device)
		switch {
		case errors.Is(err, store.ErrNotFound): // it was merged or forgotten
			over = append(over, a)
		case err != nil:
			return err
		case d.LastSeen.After(a.Since):
			back = append(back, a)
		case !isOverdue(d, downtimes, now): // it was retired, or may be silent for longer
			over = append(over, a)
		case now.Sub(a.Told) >= remindEvery:
			last = append(last, a)
		}
	}
	if all {
		s.checked = now
	}
	if err := s.Store.End(ctx, back, now, store.EventBack); err != nil {
		return err
	}
	if err := s.Store.End(ctx, over, now, store.EventOver); err != nil {
		return err
	}
	return s.Store.Remind(ctx, last, now, "still")
}

// failing raises an alarm for each device whose transfers fail, and ends those that are over.
func (s *scan) failing(ctx context.Context, now time.Time) error {
	found, err := s.Store.Failing(ctx, now.Add(-failingSince))
	if err != nil {
		return err
	}
	open, err := s.open(ctx, store.EventFailing)
	if err != nil {
		return err
	}
	var list []store.Trouble
	for _, f := range found {
		if _, known := open[f.Device]; known {
			delete(open, f.Device)
			continue
		}
		if f.Times < failingFrom {
			continue
		}
		d, err := s.Store.DeviceByID(ctx, f.Device)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		list = append(list, store.Trouble{Device: d, Since: f.First, Detail: f.Reason})
	}
	if _, err := s.Store.Raise(ctx, store.EventFailing, list, now); err != nil {
		return err
	}
	var over []store.Alarm
	for _, a := range open {
		still, err := s.stillFailing(ctx, a, now)
		if err != nil {
			return err
		}
		if !still {
			over = append(over, a)
		}
	}
	sort.Slice(over, func(i, j int) bool { return over[i].Device < over[j].Device })
	return s.Store.End(ctx, over, now, store.EventOver)
}

// stillFailing reports whether a device that doesn't fail now may only be waiting for its next try:
// what fails each night is one alarm.
func (s *scan) stillFailing(ctx context.Context, a store.Alarm, now time.Time) (bool, error) {
	d, err := s.Store.DeviceByID(ctx, a.Device)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return !d.Retired && !d.LastSeen.After(a.Told) && now.Sub(a.Told) < failingLasts, err
}

// digestEvery is how often a channel that wants it gets a digest, also when nothing happened.
const digestEvery = 7 * 24 * time.Hour

// digests makes the digests that are due.
func (b *Outbox) digests(ctx context.Context) error {
	channels, err := b.Store.Channels(ctx)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if !c.Digest || b.Now().Sub(c.Digested) < digestEvery {
			continue
		}
		if _, err := b.Store.Digest(ctx, c, b.Now()); err != nil {
			return err
		}
	}
	return nil
}
