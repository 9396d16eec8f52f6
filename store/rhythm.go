package store

import (
	"context"
	"sort"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// A device's rhythm is kept in its row, by the transaction of each capture: what asks for the
// devices that are overdue would read the histories of all devices otherwise.

const (
	// A device is overdue if it has been silent for more than quietFactor times the longest of its
	// last ten gaps, but at least for leastQuiet. This needs rhythmFrom captures, and looks at
	// rhythmLast. The views device_rhythms and overdue_devices have the same rule.
	quietFactor = 2
	leastQuiet  = time.Hour
	rhythmFrom  = 3
	rhythmLast  = 11
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

// rhythm is what is kept of how often a device sends.
type rhythm struct {
	recent  int64 // Device.Recent
	longest time.Duration
	left    int64 // for how many captures more longest is one of the last ten gaps
}

// rhythmOf returns the rhythm of captures that came at these times, the newest first, rhythmLast
// at most.
func rhythmOf(times []time.Time) rhythm {
	r := rhythm{recent: int64(len(times))}
	for i := 1; i < len(times); i++ {
		if gap := times[i-1].Sub(times[i]); i == 1 || gap > r.longest {
			r.longest, r.left = gap, int64(rhythmLast-1-i)
		}
	}
	return r
}

// next returns the rhythm after another gap. ok is false where it takes the times to say.
func (r rhythm) next(gap time.Duration) (_ rhythm, ok bool) {
	r.recent = min(r.recent+1, rhythmLast)
	if gap >= r.longest {
		r.longest, r.left = gap, rhythmLast-2
		return r, true
	}
	r.left--
	return r, r.left >= 0
}

// quietAt is when a device that was last seen at a time has been silent for too long.
func (r rhythm) quietAt(seen time.Time) time.Time {
	if r.recent < rhythmFrom {
		return never
	}
	return seen.Add(Device{Recent: r.recent, LongestGap: r.longest}.Allowed())
}

// rhythmAfter returns a device's rhythm after a capture that is its newest, whether that is stored
// yet or not.
func rhythmAfter(ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, c *Capture) (
	rhythm, error) {
	if d.Captures == 0 {
		return rhythm{recent: 1}, nil
	}
	if d.RhythmCaptures == d.Captures && d.LastUID != "" {
		known := rhythm{d.Recent, time.Duration(d.LongestUs) * time.Microsecond, d.LongestLeft}
		if r, ok := known.next(c.ReceivedAt.Sub(d.LastSeen)); ok {
			return r, nil
		}
	}
	times, err := q.SentTimes(ctx,
		queries.SentTimesParams{DeviceID: d.ID, UID: c.UID, N: rhythmLast - 1})
	return rhythmOf(append([]time.Time{c.ReceivedAt}, times...)), err
}

// storedRhythm returns the rhythm of a device as its captures are stored.
func storedRhythm(ctx context.Context, q *queries.Queries, device int64) (rhythm, error) {
	times, err := q.SentTimes(ctx, queries.SentTimesParams{DeviceID: device, N: rhythmLast})
	return rhythmOf(times), err
}

// devices returns devices with their rhythms. Where an older program has stored a capture, which
// keeps none, that is computed.
func devices(ctx context.Context, q *queries.Queries, rows []queries.Device, err error) ([]Device,
	error) {
	list := make([]Device, len(rows))
	for i, r := range rows {
		known := rhythm{recent: r.Recent, longest: time.Duration(r.LongestUs) * time.Microsecond}
		if r.RhythmCaptures != r.Captures && err == nil {
			known, err = storedRhythm(ctx, q, r.ID)
		}
		list[i] = device(r)
		list[i].Recent, list[i].LongestGap = known.recent, known.longest
	}
	return list, err
}

// Devices returns every device, by site and name.
func (s *Store) Devices(ctx context.Context) (list []Device, err error) {
	err = s.EachDevice(ctx, func(d Device) bool { list = append(list, d); return true })
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return a.Site < b.Site || a.Site == b.Site && a.Name < b.Name
	})
	return list, err
}

// devicesPage is how many devices EachDevice reads at once.
const devicesPage = 500

// EachDevice calls yield with every device, in the order of their numbers, until it returns false.
// It needs no memory for all of them.
func (s *Store) EachDevice(ctx context.Context, yield func(Device) bool) error {
	return s.eachDevice(ctx, yield, func(q *queries.Queries, after int64) ([]queries.Device,
		error) {
		return q.DevicesAfter(ctx,
			queries.DevicesAfterParams{After: after, Within: s.within, N: devicesPage})
	})
}

// EachOverdue is EachDevice for those that are overdue at a time. It reads no others.
func (s *Store) EachOverdue(ctx context.Context, now time.Time, yield func(Device) bool) error {
	return s.eachDevice(ctx, func(d Device) bool {
		return d.OverdueSince(now).IsZero() || yield(d)
	}, func(q *queries.Queries, after int64) ([]queries.Device, error) {
		return q.QuietDevices(ctx, queries.QuietDevicesParams{After: after, Now: stamp(now),
			Within: s.within, N: devicesPage})
	})
}

func (s *Store) eachDevice(ctx context.Context, yield func(Device) bool,
	page func(*queries.Queries, int64) ([]queries.Device, error)) error {
	for after := int64(0); ; {
		var list []Device
		err := s.backend.reading(ctx, func(q *queries.Queries) error {
			rows, err := page(q, after)
			list, err = devices(ctx, q, rows, err)
			return err
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
