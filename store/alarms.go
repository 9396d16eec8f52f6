package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// An Alarm is something about a device that is wrong now.
type Alarm struct {
	Kind   string // EventOverdue or EventFailing
	Device int64
	Site   string // the device's
	Since  time.Time
	Told   time.Time // the last event about it
}

// OpenAlarms returns what is wrong now.
func (s *Store) OpenAlarms(ctx context.Context) ([]Alarm, error) {
	list, err := s.backend.read().OpenAlarms(ctx)
	return rows(list, s.explain("list alarms", err), func(r queries.Alarm) Alarm {
		return Alarm{r.Kind, r.DeviceID, r.Site, r.Since.UTC(), r.ToldAt.UTC()}
	})
}

// A Trouble is an alarm that is to be raised.
type Trouble struct {
	Device Device
	Since  time.Time
	Detail string
}

// alarmsAtOnce bounds the alarms of a transaction: captures wait for it on SQLite. One for each
// would take so long that what happens at once is told as several messages.
const alarmsAtOnce = 200

// alarms changes n of what is open in pieces, and returns for how many change did: one of several
// workers does.
func (s *Store) alarms(ctx context.Context, what string, n int,
	change func(q *queries.Queries, i int) (bool, error)) (changed int, err error) {
	for first := 0; first < n; first += alarmsAtOnce {
		did := 0
		err := s.backend.tx(ctx, func(q *queries.Queries) error {
			did = 0
			for i := first; i < min(first+alarmsAtOnce, n); i++ {
				ok, err := change(q, i)
				if err != nil {
					return err
				}
				if ok {
					did++
				}
			}
			return nil
		})
		if err != nil {
			return changed, s.explain(what, err)
		}
		changed += did
	}
	return changed, nil
}

// Raise opens alarms of a kind, with their events, unless they are open. It returns how many it has
// opened.
func (s *Store) Raise(ctx context.Context, kind string, list []Trouble, now time.Time) (int,
	error) {
	now = stamp(now)
	return s.alarms(ctx, "raise an alarm", len(list), func(q *queries.Queries, i int) (bool,
		error) {
		t := list[i]
		n, err := q.OpenAlarm(ctx, queries.OpenAlarmParams{Kind: kind, DeviceID: t.Device.ID,
			Site: t.Device.Site, Since: stamp(t.Since), ToldAt: now})
		if err != nil || n == 0 {
			return false, err
		}
		return true, q.AddEvent(ctx, queries.AddEventParams{At: now, Kind: kind,
			Site: t.Device.Site, DeviceID: &t.Device.ID, Since: stamp(t.Since), Detail: t.Detail})
	})
}

// Remind tells alarms again.
func (s *Store) Remind(ctx context.Context, list []Alarm, now time.Time, detail string) error {
	now = stamp(now)
	_, err := s.alarms(ctx, "remind of an alarm", len(list), func(q *queries.Queries, i int) (bool,
		error) {
		a := list[i]
		n, err := q.RemindAlarm(ctx, queries.RemindAlarmParams{Now: now, Kind: a.Kind,
			DeviceID: a.Device, Was: stamp(a.Told)})
		if err != nil || n == 0 {
			return false, err
		}
		return true, q.AddEvent(ctx, a.event(now, a.Kind, detail))
	})
	return err
}

// End ends alarms, with an event each: EventBack, or EventOver.
func (s *Store) End(ctx context.Context, list []Alarm, now time.Time, kind string) error {
	now = stamp(now)
	_, err := s.alarms(ctx, "end an alarm", len(list), func(q *queries.Queries, i int) (bool,
		error) {
		a := list[i]
		n, err := q.EndAlarm(ctx, queries.EndAlarmParams{Kind: a.Kind, DeviceID: a.Device,
			Since: stamp(a.Since)})
		if err != nil || n == 0 {
			return false, err
		}
		return true, q.AddEvent(ctx, a.event(now, kind, a.Kind))
	})
	return err
}

// event is an event about an alarm.
func (a *Alarm) event(now time.Time, kind, detail string) queries.AddEventParams {
	return queries.AddEventParams{At: now, Kind: kind, Site: a.Site, DeviceID: &a.Device,
		Since: stamp(a.Since), Detail: detail}
}

// DeviceByID returns the device of a number, or ErrNotFound.
func (s *Store) DeviceByID(ctx context.Context, id int64) (Device, error) {
	q := s.backend.read()
	row, err := q.DeviceByID(ctx, id)
	list, err := devices(ctx, q, []queries.Device{row}, err)
	return list[0], s.explain("find device", err)
}

// NewestCapture returns the number of the newest capture, 0 for none.
func (s *Store) NewestCapture(ctx context.Context) (int64, error) {
	id, err := s.backend.read().NewestID(ctx)
	return id, s.explain("find the newest capture", err)
}

// DevicesSince returns the numbers of the devices of which captures came after one, up to the
// newest, and the newest.
func (s *Store) DevicesSince(ctx context.Context, after int64) (ids []int64, newest int64,
	err error) {
	q := s.backend.read()
	if newest, err = q.NewestID(ctx); err == nil && newest > after {
		ids, err = q.DevicesBetween(ctx, queries.DevicesBetweenParams{After: after, Upto: newest})
	}
	return ids, newest, s.explain("list devices", err)
}

// A Failing is what has failed lately of a device that has sent nothing since.
type Failing struct {
	Device int64
	Reason string
	Times  int64
	First  time.Time
}

// Failing returns the devices whose transfers have failed since a time, and that have sent nothing
// since they failed.
func (s *Store) Failing(ctx context.Context, since time.Time) (list []Failing, err error) {
	found, err := s.backend.read().FailingDevices(ctx, stamp(since))
	for _, r := range found {
		if n := len(list); n > 0 && list[n-1].Device == r.ID {
			list[n-1].Times += r.Times
			list[n-1].Reason = r.Reason
			if r.FirstAt.Before(list[n-1].First) {
				list[n-1].First = r.FirstAt.UTC()
			}
			continue
		}
		list = append(list, Failing{r.ID, r.Reason, r.Times, r.FirstAt.UTC()})
	}
	return list, s.explain("list failures", err)
}

// A Downtime is when no worker was ready.
type Downtime struct{ Began, Ended time.Time }

// clocksDiffer is more than the clocks of workers differ by. What was noted as much later than now
// was noted by a clock that has been put back since.
const clocksDiffer = 24 * time.Hour

// NoteReady notes that a worker is ready. Where none was for longer than gap, that is a downtime.
// Where the clock has been put back, nothing waits for the time that it showed.
func (s *Store) NoteReady(ctx context.Context, now time.Time, gap time.Duration) error {
	now = stamp(now)
	ahead := now.Add(clocksDiffer)
	return s.explain("note readiness", s.backend.tx(ctx, func(q *queries.Queries) error {
		last, err := q.Ready(ctx)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			err = nil
		case err != nil:
		case last.After(ahead):
			err = putBack(ctx, q, now)
		case now.Sub(last) > gap:
			err = q.AddDowntime(ctx, queries.AddDowntimeParams{Began: last.UTC(), Ended: now})
		}
		if err != nil {
			return err
		}
		return q.SetReady(ctx, queries.SetReadyParams{Now: now, Ahead: ahead})
	}))
}

// putBack makes what was noted as later than now as old as now.
func putBack(ctx context.Context, q *queries.Queries, now time.Time) error {
	for _, mend := range []func(context.Context, time.Time) error{q.DropDowntimesAfter,
		q.HurryDeliveries, q.TellAlarmsBefore, q.DigestBefore} {
		if err := mend(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

// Downtimes returns when no worker was ready, since a time. Where none has been for longer than gap
// now, that is the last one: it ends now.
func (s *Store) Downtimes(ctx context.Context, since, now time.Time, gap time.Duration) ([]Downtime,
	error) {
	q := s.backend.read()
	// First, so that a downtime that another worker ends meanwhile is in the list.
	ready, err := q.Ready(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, s.explain("list downtimes", err)
	}
	lasts := err == nil && now.Sub(ready) > gap
	list, err := q.Downtimes(ctx, stamp(since))
	if n := len(list); lasts && (n == 0 || list[n-1].Began.Before(ready)) {
		list = append(list, queries.Downtime{Began: ready, Ended: now})
	}
	return rows(list, s.explain("list downtimes", err), func(r queries.Downtime) Downtime {
		return Downtime{r.Began.UTC(), r.Ended.UTC()}
	})
}
