package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// A device is overdue if it has been silent for more than quietFactor times the longest of its
	// last ten gaps, but at least for leastQuiet. This needs rhythmFrom captures. The views
	// device_rhythms and overdue_devices have the same rule.
	quietFactor = 2
	leastQuiet  = time.Hour
	rhythmFrom  = 3
)

// Allowed is how long a device may be silent; 0 if nothing is expected of it, or if its rhythm
// isn't known.
func (d Device) Allowed() time.Duration {
	switch {
	case d.Retired:
		return 0
	case d.Expected > 0:
		return d.Expected
	case d.Recent < rhythmFrom:
		return 0
	}
	return max(quietFactor*d.LongestGap, leastQuiet)
}

// OverdueSince returns since when a device has been overdue, or the zero time.
func (d Device) OverdueSince(now time.Time) time.Time {
	if a := d.Allowed(); a > 0 && now.Sub(d.LastSeen) > a {
		return d.LastSeen.Add(a)
	}
	return time.Time{}
}

// Devices returns every device, by site and name.
func (s *Store) Devices(ctx context.Context) ([]Device, error) {
	var rows []queries.Device
	var rhythms []queries.DeviceRhythm
	err := s.backend.reading(ctx, func(q *queries.Queries) (err error) {
		if rows, err = q.Devices(ctx, s.within); err == nil {
			rhythms, err = q.Rhythms(ctx, s.within)
		}
		return err
	})
	if err != nil {
		return nil, s.explain("list devices", err)
	}
	of := make(map[int64]queries.DeviceRhythm, len(rhythms))
	for _, r := range rhythms {
		of[r.DeviceID] = r
	}
	list := devices(rows)
	for i := range list {
		r := of[list[i].ID]
		list[i].Recent, list[i].LongestGap = r.Captures, time.Duration(r.LongestUs)*time.Microsecond
	}
	return list, nil
}

const (
	// devicesPage is how many devices EachDevice reads at once.
	devicesPage = 500
	// suspectsAlone is up to how many of a page are looked at one by one.
	suspectsAlone = 50
)

// EachDevice calls yield with every device, in no order that means anything, until it returns
// false. It needs no memory for all of them. The rhythms of those alone are known that may be
// overdue at a time, so that not all histories are read. The zero time is for none of them.
func (s *Store) EachDevice(ctx context.Context, now time.Time, yield func(Device) bool) error {
	return s.eachDevice(ctx, 0, yield, func(q *queries.Queries, list []Device) error {
		return s.addSuspects(ctx, q, list, now)
	})
}

// DevicesFrom calls yield with the devices after the one of a number and their rhythms, in the
// order of numbers.
func (s *Store) DevicesFrom(ctx context.Context, after int64, yield func(Device) bool) error {
	return s.eachDevice(ctx, after, yield, func(q *queries.Queries, list []Device) error {
		err := addRhythms(ctx, q, list)
		for i := 0; i < len(list) && err == nil; i++ {
			s.rhythms.add(list[i], rhythm{gap: list[i].LongestGap, recent: list[i].Recent})
		}
		return err
	})
}

func (s *Store) eachDevice(ctx context.Context, after int64, yield func(Device) bool,
	add func(*queries.Queries, []Device) error) error {
	for {
		var list []Device
		err := s.backend.reading(ctx, func(q *queries.Queries) error {
			rows, err := q.DevicesAfter(ctx,
				queries.DevicesAfterParams{After: after, Within: s.within, N: devicesPage})
			if list = devices(rows); err != nil || len(list) == 0 {
				return err
			}
			return add(q, list)
		})
		if err != nil {
			return s.explain("list devices", err)
		}
		for _, d := range list {
			if !yield(d) {
				return nil
			}
		}
		if len(list) < devicesPage {
			return nil
		}
		after = list[len(list)-1].ID
	}
}

// addRhythms adds the rhythms of devices that are in the order of their numbers.
func addRhythms(ctx context.Context, q *queries.Queries, list []Device) error {
	rhythms, err := q.RhythmsBetween(ctx,
		queries.RhythmsBetweenParams{First: list[0].ID, Last: list[len(list)-1].ID})
	i := 0
	for _, r := range rhythms {
		for i < len(list) && list[i].ID < r.DeviceID {
			i++
		}
		if i < len(list) && list[i].ID == r.DeviceID {
			list[i].Recent = r.Captures
			list[i].LongestGap = time.Duration(r.LongestUs) * time.Microsecond
		}
	}
	return err
}

// addSuspects adds the rhythms of devices that may be overdue: a device isn't where it has been
// silent for no longer than a gap that it had lately allows. The list is in the order of its
// numbers.
func (s *Store) addSuspects(ctx context.Context, q *queries.Queries, list []Device,
	now time.Time) error {
	suspected := func(d Device, r rhythm) bool {
		return !d.Retired && d.Expected == 0 &&
			now.Sub(d.LastSeen) > max(quietFactor*r.gap, leastQuiet)
	}
	var unknown []int
	for i, d := range list {
		r := s.rhythms.of(d)
		if !suspected(d, r) {
			continue
		}
		switch {
		case r.recent > 0:
			list[i].Recent, list[i].LongestGap = r.recent, r.gap
		case r.recent == 0:
			unknown = append(unknown, i)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	part := list[unknown[0] : unknown[len(unknown)-1]+1]
	sent, err := q.LastTwo(ctx,
		queries.LastTwoParams{First: part[0].ID, Last: part[len(part)-1].ID})
	if err != nil {
		return err
	}
	of := make(map[int64]time.Duration, len(part))
	for i, c := range sent {
		_, known := of[c.ID]
		if !known && i > 0 && sent[i-1].ID == c.ID {
			of[c.ID] = sent[i-1].ReceivedAt.Sub(c.ReceivedAt)
		}
	}
	unknown = slices.DeleteFunc(unknown, func(i int) bool {
		r := rhythm{gap: of[list[i].ID]}
		if _, twice := of[list[i].ID]; !twice {
			r.recent = unexpected
		}
		s.rhythms.add(list[i], r)
		return r.recent == unexpected || !suspected(list[i], r)
	})
	if len(unknown) > suspectsAlone {
		err = addRhythms(ctx, q, part)
	}
	for _, i := range unknown {
		if len(unknown) <= suspectsAlone && err == nil {
			err = addRhythms(ctx, q, list[i:i+1])
		}
		if err == nil {
			s.rhythms.add(list[i], rhythm{gap: list[i].LongestGap, recent: list[i].Recent})
		}
	}
	return err
}

// rhythm is what is remembered of a device's rhythm.
type rhythm struct {
	gap time.Duration // the longest that was looked at
	// recent is Device.Recent where all of the last gaps were looked at, or else 0 or unexpected.
	recent int64
}

// unexpected stands for fewer than two captures.
const unexpected = -1

// rhythms remembers the rhythms of devices, each until its device sends again: some 60 bytes for a
// device. So a server goes through the history of a device once for each capture, and not each time
// that somebody looks at the list.
type rhythms struct {
	mu   sync.Mutex
	byID map[int64]knownRhythm
}

// knownRhythm is a rhythm as of a capture. A late capture, or a merged device, adds to the number.
type knownRhythm struct {
	rhythm
	lastSeen time.Time
	captures int64
}

func newRhythms() *rhythms { return &rhythms{byID: map[int64]knownRhythm{}} }

func (k *rhythms) of(d Device) rhythm {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.byID[d.ID]; known.captures == d.Captures && known.lastSeen.Equal(d.LastSeen) {
		return known.rhythm
	}
	return rhythm{}
}

func (k *rhythms) add(d Device, r rhythm) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID[d.ID] = knownRhythm{r, d.LastSeen, d.Captures}
}

// Rhythms adds to devices what is known of their rhythms. Those that were asked for before and have
// not sent since cost nothing.
func (s *Store) Rhythms(ctx context.Context, list []Device) error {
	q := s.backend.read()
	for i, d := range list {
		r := s.rhythms.of(d)
		if r.recent <= 0 {
			if err := addRhythms(ctx, q, list[i:i+1]); err != nil {
				return s.explain("list devices", err)
			}
			s.rhythms.add(d, rhythm{gap: list[i].LongestGap, recent: list[i].Recent})
			continue
		}
		list[i].Recent, list[i].LongestGap = r.recent, r.gap
	}
	return nil
}

// Rhythm returns a device with what is known of its rhythm.
func (s *Store) Rhythm(ctx context.Context, d Device) (Device, error) {
	list := []Device{d}
	err := addRhythms(ctx, s.backend.read(), list)
	return list[0], s.explain("find device", err)
}
