package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// The kinds of events.
const (
	EventChanged   = "changed"
	EventFirst     = "first"
	EventTorn      = "torn"
	EventNewSource = "new_source"
	EventFetched   = "fetched"
	EventOverdue   = "overdue"
	EventBack      = "back"
	EventFailing   = "failing"
	// EventOver says that an alarm is over for another reason than that its device has sent. Its
	// detail is the alarm's kind. Receivers that keep a state need it, and nobody else.
	EventOver = "over"
)

// An Event is something that has happened, to be told. It is committed with what it is about.
type Event struct {
	ID      int64
	At      time.Time
	Kind    string
	Site    string
	Device  int64 // its number; 0 for none
	Capture int64 // its number; 0 for none
	Since   time.Time
	Detail  string
}

// eventsOf returns what a capture means. Imports mean nothing.
func eventsOf(ctx context.Context, q *queries.Queries, d queries.LockDeviceRow, c *Capture,
	stored Stored) (list []queries.AddEventParams, err error) {
	if c.Filed || c.Mode == Imported || c.aside() {
		return nil, nil
	}
	add := func(kind, detail string) {
		list = append(list, queries.AddEventParams{At: c.ReceivedAt, Kind: kind, Site: d.Site,
			DeviceID: &d.ID, CaptureID: &stored.ID, Since: c.ReceivedAt, Detail: detail})
	}
	switch {
	case d.LastUID == "":
		add(EventFirst, c.Source)
		return list, nil
	case stored.Changed && !c.Complete:
		add(EventTorn, "")
	case stored.Changed:
		add(EventChanged, c.ChangedBy)
	}
	if c.Source == d.Source {
		return list, nil
	}
	// The capture itself is one from there.
	n, err := q.CapturesFrom(ctx, queries.CapturesFromParams{Source: c.Source, DeviceID: d.ID})
	if err == nil && n == 1 {
		add(EventNewSource, c.Source)
	}
	return list, err
}

// eventsTaken is how many events are handed on at once.
const eventsTaken = 500

// A Route is a channel that an event goes out by, and when at the earliest.
type Route struct {
	Channel string
	At      time.Time
}

// HandEvents makes deliveries of new events: route says by which channels one goes out. It returns
// how many events there were. Each event is handed on once, however many workers do so.
func (s *Store) HandEvents(ctx context.Context, route func(Event) []Route) (n int, err error) {
	if waits, err := s.backend.read().EventsWait(ctx); err != nil || waits == 0 {
		return 0, s.explain("hand events on", err)
	}
	err = s.backend.tx(ctx, func(q *queries.Queries) error {
		taken, err := q.TakeEvents(ctx, eventsTaken)
		if err != nil {
			return err
		}
		n = len(taken)
		sort.Slice(taken, func(i, j int) bool { return taken[i].ID < taken[j].ID })
		for _, e := range taken {
			event := Event{ID: e.ID, At: e.At.UTC(), Kind: e.Kind, Site: e.Site,
				Detail: e.Detail}
			for _, r := range route(event) {
				err := q.AddDelivery(ctx, queries.AddDeliveryParams{Channel: r.Channel,
					EventID: e.ID, Kind: e.Kind, Site: e.Site, NextTry: stamp(r.At)})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n, s.explain("hand events on", err)
}

// A Delivery is a message on its way by a channel: the events that it tells.
type Delivery struct {
	Message    string // its number, the same at each attempt
	Channel    string
	Kind       string
	Attempt    int64  // from 1 on
	Recipients string // of a mail, those that are left; "" for all
	Events     []Event
	More       int // events beyond those that are listed
}

// How a delivery is put together.
const (
	// together is how many events of a kind go out in messages of their own sites; more are one.
	together = 20
	// eventsListed bounds the events that a message lists.
	eventsListed = 500
)

// Lease takes the message of a channel that has waited longest, for a worker that sends it until a
// time, or returns nil for none. A new message gets the number message. A single channel wants a
// message for each event.
func (s *Store) Lease(ctx context.Context, channel, message string, now, until time.Time,
	single bool) (d *Delivery, err error) {
	now, until = stamp(now), stamp(until)
	due := queries.DueDeliveryParams{Channel: channel, Now: now}
	if _, err := s.backend.read().DueDelivery(ctx, due); err != nil {
		if errors.Is(err, sql.ErrNoRows) { // as nearly always
			return nil, nil
		}
		return nil, s.explain("take a message", err)
	}
	err = s.backend.tx(ctx, func(q *queries.Queries) error {
		d = nil
		due, err := q.DueDelivery(ctx, due)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		out := &Delivery{Message: due.Message, Channel: due.Channel, Kind: due.Kind}
		n, err := out.lease(ctx, q, due, message, now, until, single)
		if err != nil || n == 0 { // another worker was faster
			return err
		}
		list, err := q.EventsOf(ctx,
			queries.EventsOfParams{Message: out.Message, N: eventsListed})
		if err != nil {
			return err
		}
		for _, e := range list {
			out.Events = append(out.Events, event(e))
		}
		out.More = n - len(list)
		d = out
		return nil
	})
	return d, s.explain("take a message", err)
}

// lease takes a message again, or makes one of what waits for its first attempt. It returns how
// many events the message tells.
func (d *Delivery) lease(ctx context.Context, q *queries.Queries, due queries.DueDeliveryRow,
	message string, now, until time.Time, single bool) (int, error) {
	if due.Message != "" {
		list, err := q.LeaseMessage(ctx, queries.LeaseMessageParams{Until: until,
			Channel: due.Channel, Message: due.Message, Now: now})
		for _, r := range list {
			d.Attempt, d.Recipients = r.Attempts, r.Recipients
		}
		return len(list), err
	}
	d.Message, d.Attempt = message, 1
	if single {
		n, err := q.LeaseOne(ctx, queries.LeaseOneParams{Until: until, Message: message,
			Channel: due.Channel, EventID: due.EventID, Now: now})
		return int(n), err
	}
	n, err := q.CountNew(ctx, queries.CountNewParams{Channel: due.Channel, Kind: due.Kind,
		N: together + 1})
	if err != nil {
		return 0, err
	}
	list, err := q.LeaseNew(ctx, queries.LeaseNewParams{Until: until, Message: message,
		Channel: due.Channel, Kind: due.Kind, Site: due.Site, EverySite: n > together})
	return len(list), err
}

func event(e queries.EventsOfRow) Event {
	out := Event{ID: e.ID, At: e.At.UTC(), Kind: e.Kind, Site: e.Site, Since: e.Since.UTC(),
		Detail: e.Detail}
	if e.DeviceID != nil {
		out.Device = *e.DeviceID
	}
	if e.CaptureID != nil {
		out.Capture = *e.CaptureID
	}
	return out
}

// The states of a delivery.
const (
	DeliveryWaiting = "waiting"
	DeliverySent    = "sent"
	DeliveryGivenUp = "given up"
)

// Settle keeps what became of an attempt: DeliverySent, DeliveryGivenUp, or
// DeliveryWaiting until next.
func (s *Store) Settle(ctx context.Context, d *Delivery, state string, next, now time.Time,
	recipients, reason string) error {
	return s.explain("settle a message", s.backend.tx(ctx, func(q *queries.Queries) error {
		err := q.SettleMessage(ctx, queries.SettleMessageParams{State: state, NextTry: stamp(next),
			Recipients: recipients, Error: reason, Now: stamp(now), Message: d.Message})
		switch {
		case err != nil:
		case state == DeliverySent:
			err = q.ChannelOK(ctx, queries.ChannelOKParams{Now: stamp(now), Name: d.Channel})
		default:
			err = q.ChannelError(ctx, queries.ChannelErrorParams{Now: stamp(now), Error: reason,
				Name: d.Channel})
		}
		return err
	}))
}

// A Channel is a receiver of messages, as it is kept. The URL and the secret are as they are.
type Channel struct {
	Name, URL, Secret string
	Kinds             []string // nil for all
	Sites             []string // nil for all
	Quiet             string
	Batch             time.Duration // how long a message waits for others; 0 for the usual time
	FullDiff          bool
	Digest            bool
	Created           time.Time
	Paused            time.Time // until then
	Disabled          string    // why nothing is sent
	Digested          time.Time
	// OK and Failed are the last message that was taken, and that was not; Created for none.
	OK, Failed time.Time
	Error      string
}

// AddChannel adds a channel.
func (s *Store) AddChannel(ctx context.Context, c Channel) error {
	return s.explain("add channel", s.backend.tx(ctx, func(q *queries.Queries) error {
		scope, err := s.addScope(ctx, q, c.Sites)
		if err != nil {
			return err
		}
		n, err := q.AddChannel(ctx, queries.AddChannelParams{Name: c.Name, URL: c.URL,
			Secret: c.Secret, Kinds: strings.Join(c.Kinds, ","), Scope: scope, Quiet: c.Quiet,
			BatchUs: c.Batch.Microseconds(), FullDiff: c.FullDiff,
			Digest: c.Digest, CreatedAt: stamp(c.Created)})
		if err == nil && n == 0 {
			return &Error{Op: "add channel", Class: Exists,
				Err:  fmt.Errorf("there is a channel %q", c.Name),
				Hint: "tftpsql alarm remove removes it"}
		}
		return err
	}))
}

// Channels returns the channels, by name.
func (s *Store) Channels(ctx context.Context) ([]Channel, error) {
	list, err := s.backend.read().Channels(ctx, s.within)
	return rows(list, s.explain("list channels", err), func(r queries.Channel) Channel {
		c := Channel{Name: r.Name, URL: r.URL, Secret: r.Secret, Sites: sitesOf(r.Scope),
			Quiet: r.Quiet, Batch: time.Duration(r.BatchUs) * time.Microsecond,
			FullDiff: r.FullDiff, Digest: r.Digest, Created: r.CreatedAt.UTC(),
			Paused: r.PausedUntil.UTC(), Disabled: r.Disabled, Digested: r.DigestAt.UTC(),
			OK: r.OkAt.UTC(), Failed: r.ErrorAt.UTC(), Error: r.Error}
		if r.Kinds != "" {
			c.Kinds = strings.Split(r.Kinds, ",")
		}
		return c
	})
}

// Channel returns the channel of a name, or ErrNotFound.
func (s *Store) Channel(ctx context.Context, name string) (Channel, error) {
	list, err := s.Channels(ctx)
	if err != nil {
		return Channel{}, err
	}
	for _, c := range list {
		if c.Name == name {
			return c, nil
		}
	}
	return Channel{}, noChannel(name)
}

func noChannel(name string) error {
	return &Error{Op: "find channel", Class: NotFound, Hint: "tftpsql alarm list lists them",
		Err: notFound("no channel %q", name)}
}

// RemoveChannel removes a channel, and what waits for it.
func (s *Store) RemoveChannel(ctx context.Context, name string) error {
	return s.explain("remove channel", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.RemoveChannel(ctx, queries.RemoveChannelParams{Name: name, Within: s.within})
		if err == nil && n == 0 {
			return noChannel(name)
		}
		if err != nil {
			return err
		}
		return q.DropDeliveries(ctx, name)
	}))
}

// PauseChannel holds a channel's messages back until a time, and enables it.
func (s *Store) PauseChannel(ctx context.Context, name string, until time.Time) error {
	return s.explain("pause channel", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.PauseChannel(ctx, queries.PauseChannelParams{Name: name, Until: stamp(until),
			Within: s.within})
		if err == nil && n == 0 {
			return noChannel(name)
		}
		if err != nil {
			return err
		}
		return q.DisableChannel(ctx, queries.DisableChannelParams{Name: name, Reason: ""})
	}))
}

// DisableChannel ends sending by a channel, for a reason, until it is paused or resumed.
func (s *Store) DisableChannel(ctx context.Context, name, reason string) error {
	return s.explain("disable channel", s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.DisableChannel(ctx, queries.DisableChannelParams{Name: name, Reason: reason})
	}))
}

// Digest makes the event of a channel's digest if none was made since the last that c knows, and
// reports whether it did: one of several workers does. The event tells what was since that one.
func (s *Store) Digest(ctx context.Context, c Channel, now time.Time) (made bool, err error) {
	err = s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.ClaimDigest(ctx, queries.ClaimDigestParams{Name: c.Name, Now: stamp(now),
			Was: stamp(c.Digested)})
		made = n > 0
		if err != nil || !made {
			return err
		}
		id, err := q.AddHandedEvent(ctx, queries.AddHandedEventParams{At: stamp(now),
			Kind: "digest", Since: stamp(c.Digested)})
		if err != nil {
			return err
		}
		return q.AddDelivery(ctx, queries.AddDeliveryParams{Channel: c.Name, EventID: id,
			Kind: "digest", NextTry: stamp(now)})
	})
	return made, s.explain("make a digest", err)
}

// CountEvents returns how many events of each kind there were from a time to before another.
func (s *Store) CountEvents(ctx context.Context, since, upto time.Time) (map[string]int64, error) {
	list, err := s.backend.read().CountEvents(ctx, queries.CountEventsParams{Since: stamp(since),
		Upto: stamp(upto), Within: s.within})
	counts := map[string]int64{}
	for _, r := range list {
		counts[r.Kind] = r.N
	}
	return counts, s.explain("count events", err)
}

// A Message is a row of the outbox as it is listed.
type Message struct {
	Channel, Kind, ID, State string
	Events, Attempts         int64
	Next                     time.Time // the next attempt of one that waits
	Ended                    time.Time // of the last attempt
	Error                    string
}

// Deliveries returns the newest messages, n at most.
func (s *Store) Deliveries(ctx context.Context, n int) ([]Message, error) {
	list, err := s.backend.read().Deliveries(ctx,
		queries.DeliveriesParams{Within: s.within, N: int64(n)})
	return rows(list, s.explain("list deliveries", err), func(r queries.DeliveriesRow) Message {
		return Message{Channel: r.Channel, Kind: r.Kind, ID: r.Message, State: r.State,
			Events: r.Events, Attempts: r.Attempts, Next: r.NextTry.UTC(), Ended: r.EndedAt.UTC(),
			Error: r.Error}
	})
}

// CountGivenUp returns how many messages were given up from a time to before another, by a channel,
// or by all for "".
func (s *Store) CountGivenUp(ctx context.Context, channel string, since, upto time.Time) (int64,
	error) {
	n, err := s.backend.read().CountGivenUp(ctx, queries.CountGivenUpParams{Channel: channel,
		Since: stamp(since), Upto: stamp(upto)})
	return n, s.explain("count messages", err)
}

// PruneEvents deletes what was told and settled before a time.
func (s *Store) PruneEvents(ctx context.Context, before time.Time) error {
	before = stamp(before)
	err := s.backend.tx(ctx, func(q *queries.Queries) error {
		return errors.Join(q.PruneDeliveries(ctx, before), q.PruneDowntimes(ctx, before))
	})
	for err == nil {
		var n int64
		err = s.backend.tx(ctx, func(q *queries.Queries) (err error) {
			n, err = q.PruneEvents(ctx, queries.PruneEventsParams{Before: before, N: eventsTaken})
			return err
		})
		if n < eventsTaken {
			break
		}
	}
	return s.explain("prune events", err)
}
