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

// scan finds devices that are overdue or fail.
type scan struct {
	*Outbox
	newest  int64 // the capture up to which it knows who has sent, 0 before the first scan
	checked time.Time
}

// isOverdue reports whether a device is overdue at a time. Time in which no worker was ready to
// hear it doesn't count as silence.
func isOverdue(d store.Device, downtimes []store.Downtime, now time.Time) bool {
	allowed, silent := d.Allowed(), now.Sub(d.LastSeen)
	return allowed > 0 && silent > allowed && silent > allowed+deaf(downtimes, d.LastSeen, now)
}

// downtimes returns when no worker was ready, up to now. Whether this one is ready doesn't matter:
// where another is, devices are heard, and silence is silence. So the database decides, and all
// workers come to the same answer.
func (b *Outbox) downtimes(ctx context.Context, now time.Time) ([]store.Downtime, error) {
	return b.Store.Downtimes(ctx, now.Add(-downtimesLast), now, readyGap)
}

func (s *scan) run(ctx context.Context) error {
	now := s.Now()
	if s.Trouble() == "" {
		if err := s.Store.NoteReady(ctx, now, readyGap); err != nil {
			return err
		}
	}
	sent, err := s.sent(ctx)
	if err != nil {
		return err
	}
	downtimes, err := s.downtimes(ctx, now)
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

// sent returns the devices that have sent since the last scan.
func (s *scan) sent(ctx context.Context) (sent map[int64]bool, err error) {
	if s.newest == 0 {
		s.newest, err = s.Store.NewestCapture(ctx)
		return nil, err
	}
	ids, newest, err := s.Store.DevicesSince(ctx, s.newest)
	if err != nil {
		return nil, err
	}
	s.newest, sent = newest, map[int64]bool{}
	for _, id := range ids {
		sent[id] = true
	}
	return sent, nil
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
	err = s.Store.EachOverdue(ctx, now, func(d store.Device) bool {
		if _, known := open[d.ID]; !known && isOverdue(d, downtimes, now) {
			list = append(list, store.Trouble{Device: d, Since: d.LastSeen})
		}
		return true
	})
	if err != nil {
		return err
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
