// Package outbox tells what has happened: events become messages, and each is repeated until a
// receiver has taken it or it is given up.
//
// An event is committed with its capture. Deliveries are made of events; each is leased, sent and
// settled. What isn't settled is sent again with the same message ID. Of several workers the one
// that holds the lease sends.
package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/store"
)

// Options are what an Outbox works with.
type Options struct {
	Store *store.Store
	// Channels are what all channels need: the mail server, and whether targets may be near.
	Channels alarm.Options
	// BaseURL is the page's address as readers have it, "" for none.
	BaseURL string
	// Heartbeat is fetched while the worker is ready, "" for nothing.
	Heartbeat string
	// Trouble returns why captures can't be stored, "" where they can.
	Trouble func() string
	// Settled is called after each attempt with the state of its delivery, and a reason where it
	// wasn't taken, or not by all; nil for nothing.
	Settled func(channel, kind, state, reason string)
	// Now is the clock; nil for the system's.
	Now func() time.Time
	Log *slog.Logger
}

const (
	// batch is how long a message waits for others of its kind and site, unless its channel says
	// otherwise, from shortestBatch to longestBatch.
	batch         = 30 * time.Second
	shortestBatch = time.Second
	longestBatch  = time.Hour
	// pollEvery is how often events and due messages are looked for. Each time costs an index
	// lookup.
	pollEvery = time.Second
	// scanEvery is how often devices are looked at that may be overdue.
	scanEvery = time.Minute
	// leaseFor is longer than any attempt: after it another worker tries again.
	leaseFor = 2 * time.Minute
	// sendingAtOnce bounds the messages that are being sent. One channel sends one at a time.
	sendingAtOnce = 8
	// keepFor is how long events and their deliveries are kept.
	keepFor = 90 * 24 * time.Hour
	// pollLimit and scanLimit end what waits for a database that hangs, so that it is tried again.
	pollLimit = 30 * time.Second
	scanLimit = 10 * time.Minute
	// settleLimit is how long the outcome of an attempt may take to be kept, also after the end.
	settleLimit = 5 * time.Second
)

// Outbox is one worker's part in telling. Several share the work by the database.
type Outbox struct {
	Options
	scan    *scan
	storage *storage
	heart   heart
	slots   chan struct{}
	sending sync.WaitGroup

	mu   sync.Mutex // guards what follows
	busy map[string]bool
	told map[string]bool // what the log knows that it can't be done

	pruned time.Time // of Scan alone
	first  string    // of Poll alone: the channel that had to wait, and is first next time
}

// New returns an outbox.
func New(o Options) *Outbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Outbox{Options: o, slots: make(chan struct{}, sendingAtOnce), busy: map[string]bool{},
		told: map[string]bool{}}
	b.scan = &scan{Outbox: b}
	b.storage = newStorage(b)
	return b
}

// Run tells what happens until ctx ends. Attempts that are under way then are cut off; they are
// repeated.
func (b *Outbox) Run(ctx context.Context) {
	defer b.sending.Wait()
	var loops sync.WaitGroup
	defer loops.Wait()
	// None waits for another: a database that hangs holds up polls and scans, and is to be told.
	loops.Go(func() { every(ctx, pollEvery, b.Poll) })
	loops.Go(func() { every(ctx, scanEvery, b.Scan) })
	loops.Go(func() { every(ctx, scanEvery, b.Look) })
}

// every calls fn at once and then again and again, until ctx ends.
func every(ctx context.Context, pause time.Duration, fn func(context.Context)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		fn(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Poll hands new events on and begins to send what is due.
func (b *Outbox) Poll(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	b.note(ctx, "tell what has happened", b.poll(ctx, limited))
}

// Scan looks for devices that are overdue, failing or back, and for digests that are due.
func (b *Outbox) Scan(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, scanLimit)
	defer cancel()
	err := b.scan.run(limited)
	if err == nil {
		err = b.digests(limited)
	}
	if now := b.Now(); err == nil && now.Sub(b.pruned) > 24*time.Hour {
		if err = b.Store.PruneEvents(limited, now.Add(-keepFor)); err == nil {
			b.pruned = now
		}
	}
	b.note(ctx, "look for overdue devices", err)
}

// Look tells that captures can't be stored, or are stored again, and fetches Heartbeat. It asks no
// database.
func (b *Outbox) Look(ctx context.Context) {
	b.storage.look(ctx)
	b.heart.beat(ctx, b)
}

// Wait waits until no message is being sent.
func (b *Outbox) Wait() { b.sending.Wait() }

// note logs trouble with the database once.
func (b *Outbox) note(ctx context.Context, what string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err != nil && !b.told[what]:
		b.Log.Warn("alarms wait: the outbox can't be used", "to", what, "err", err)
		b.told[what] = true
	case err == nil && b.told[what]:
		b.Log.Info("the outbox can be used again", "to", what)
		b.told[what] = false
	}
}

// poll is Poll. What it sends goes on until run ends, what it asks until ctx does.
func (b *Outbox) poll(run, ctx context.Context) error {
	channels, err := b.Store.Channels(ctx)
	if err != nil {
		return err
	}
	b.storage.keep(channels)
	for {
		n, err := b.Store.HandEvents(ctx, func(e store.Event) []store.Route {
			return b.routes(channels, e)
		})
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	return b.beginAll(run, ctx, channels)
}

// beginAll begins a message of each channel. Where channels that hang take all slots, the next time
// begins with the one that had to wait.
func (b *Outbox) beginAll(run, ctx context.Context, channels []store.Channel) error {
	first := max(slices.IndexFunc(channels, func(c store.Channel) bool {
		return c.Name == b.first
	}), 0)
	for _, c := range slices.Concat(channels[first:], channels[:first]) {
		busy, err := b.begin(run, ctx, c)
		if err != nil {
			return err
		}
		if busy {
			b.first = c.Name
			break
		}
	}
	return nil
}

// routes returns the channels that an event goes out by, and when.
func (b *Outbox) routes(channels []store.Channel, e store.Event) (list []store.Route) {
	now := b.Now()
	for _, c := range channels {
		if !wants(c, e) || c.Sites != nil && !slices.Contains(c.Sites, e.Site) {
			continue
		}
		at := now.Add(cmp.Or(c.Batch, batch))
		if until, held := quietUntil(c, at); held {
			at = until
		}
		list = append(list, store.Route{Channel: c.Name, At: at})
	}
	return list
}

// quietUntil reports whether a channel's messages are held back at a time, and until when.
func quietUntil(c store.Channel, at time.Time) (time.Time, bool) {
	quiet, err := alarm.ParseQuiet(c.Quiet)
	if err != nil { // it was checked when it was added
		return time.Time{}, false
	}
	return quiet.Holds(at)
}

// wants reports whether a channel is told an event.
func wants(c store.Channel, e store.Event) bool {
	if e.Kind == store.EventOver {
		return alarm.Single(c.URL) && Wants(c, e.Detail)
	}
	return Wants(c, e.Kind)
}

// usual are the kinds of a channel that names none. What happens all the time isn't among them.
var usual = []string{store.EventChanged, store.EventFirst, store.EventOverdue, store.EventBack,
	store.EventTorn, store.EventFailing, string(alarm.Storage), string(alarm.Digest)}

// Wants reports whether a channel is told events of a kind.
func Wants(c store.Channel, kind string) bool {
	if c.Kinds == nil {
		return slices.Contains(usual, kind)
	}
	return slices.Contains(c.Kinds, kind) ||
		kind == store.EventBack && slices.Contains(c.Kinds, store.EventOverdue)
}

// begin sends what is due of a channel, in the background, unless one of its messages is on its
// way. busy says that no slot was free.
func (b *Outbox) begin(run, ctx context.Context, c store.Channel) (busy bool, err error) {
	now := b.Now()
	// What was tried before, or was held back for another reason, is quiet at night too.
	if _, held := quietUntil(c, now); held || !b.take(c.Name) {
		return false, nil
	}
	select {
	case b.slots <- struct{}{}:
	default:
		b.leave(c.Name)
		return true, nil
	}
	channel, parseErr := alarm.Parse(c.URL, b.options(c))
	d, err := b.Store.Lease(ctx, c.Name, uuid.Must(uuid.NewV7()).String(), now, now.Add(leaseFor),
		parseErr == nil && channel.Single())
	if err != nil || d == nil {
		<-b.slots
		b.leave(c.Name)
		return false, err
	}
	b.sending.Go(func() {
		defer b.leave(c.Name)
		defer func() { <-b.slots }()
		b.attempt(run, c, channel, parseErr, d)
	})
	return false, nil
}

func (b *Outbox) take(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy[name] {
		return false
	}
	b.busy[name] = true
	return true
}

func (b *Outbox) leave(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.busy, name)
}

// options are those of one channel.
func (b *Outbox) options(c store.Channel) alarm.Options {
	o := b.Channels
	o.Secret = c.Secret
	return o
}

// attempt sends a message once, and keeps what became of it.
func (b *Outbox) attempt(ctx context.Context, c store.Channel, channel *alarm.Channel,
	parseErr error, d *store.Delivery) {
	result := alarm.Result{Outcome: alarm.Later}
	if parseErr != nil { // a setting is missing now, such as SMTP_URL
		result.Reason = parseErr.Error()
	} else if m, err := b.compose(ctx, c, d); err != nil {
		result.Reason = "the database could not be read: " + err.Error()
	} else {
		result = channel.Send(ctx, m)
	}
	if ctx.Err() != nil && result.Outcome != alarm.Taken {
		return // the program ends; the lease ends too, and it is tried again
	}
	if err := b.settle(c, d, result); err != nil {
		b.Log.Warn("what became of an alarm could not be kept: it is sent again", "channel", c.Name,
			"message", d.Message, "err", err)
	}
}

// settle keeps what became of an attempt.
func (b *Outbox) settle(c store.Channel, d *store.Delivery, result alarm.Result) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	now := b.Now()
	state, next := store.DeliverySent, now
	left := strings.Join(result.Left(), ",")
	reason := result.Reason
	switch {
	case result.Outcome == alarm.Taken && left == "":
		if list := result.Rejected(); len(list) > 0 {
			reason = "refused by " + strings.Join(list, ", ")
		}
	case result.Outcome == alarm.Refused, result.Outcome == alarm.Gone:
		state = store.DeliveryGivenUp
	default:
		wait, giveUp := alarm.Next(int(d.Attempt), result.RetryAfter)
		state, next = store.DeliveryWaiting, now.Add(wait)
		if giveUp {
			state = store.DeliveryGivenUp
		}
	}
	if err := b.Store.Settle(ctx, d, state, next, now, left, reason); err != nil {
		return err
	}
	if b.Settled != nil {
		b.Settled(c.Name, d.Kind, state, reason)
	}
	attrs := []any{"channel", c.Name, "kind", d.Kind, "message", d.Message, "attempt", d.Attempt}
	switch state {
	case store.DeliverySent:
		if reason != "" {
			b.Log.Warn("an alarm was taken by some alone", append(attrs, "err", reason)...)
			return nil
		}
		b.Log.Info("an alarm was taken", attrs...)
		return nil
	case store.DeliveryWaiting:
		b.Log.Warn("an alarm was not taken: it is sent again", append(attrs, "next",
			next.UTC().Format(time.RFC3339), "err", reason)...)
		return nil
	}
	b.Log.Error("an alarm was given up", append(attrs, "err", reason)...)
	if result.Outcome == alarm.Gone {
		return b.Store.DisableChannel(ctx, c.Name, "its receiver is gone: "+reason)
	}
	return nil
}

// Try sends a test message by a channel, and returns what the receiver said.
func Try(ctx context.Context, c store.Channel, o alarm.Options, now time.Time) (alarm.Result,
	error) {
	o.Secret = c.Secret
	channel, err := alarm.Parse(c.URL, o)
	if err != nil {
		return alarm.Result{}, err
	}
	m := alarm.Message{ID: uuid.Must(uuid.NewV7()).String(), Kind: alarm.Test, When: now,
		Title: "a test of the channel " + c.Name,
		Text:  "This is a test. What tftpsql has to tell arrives here."}
	result := channel.Send(ctx, m)
	if channel.Single() && result.Outcome == alarm.Taken {
		m.Resolved = true
		result = channel.Send(ctx, m)
	}
	return result, nil
}

// CheckChannel returns an error where a channel can't be used.
func CheckChannel(c store.Channel, o alarm.Options) error {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if c.Name == "" || len(c.Name) > longestChannel || strings.ContainsFunc(c.Name, odd) {
		return fmt.Errorf("a channel's name has 1 to %d bytes, all of them printable",
			longestChannel)
	}
	for _, k := range c.Kinds {
		if !slices.Contains(kindNames(), k) {
			return fmt.Errorf("%q is no kind of event: there are %s", k,
				strings.Join(kindNames(), ", "))
		}
	}
	if _, err := alarm.ParseQuiet(c.Quiet); c.Quiet != "" && err != nil {
		return err
	}
	if c.Batch != 0 && (c.Batch < shortestBatch || c.Batch > longestBatch) {
		return fmt.Errorf("a message waits for others from %s to %s", shortestBatch, longestBatch)
	}
	o.Secret = c.Secret
	if _, err := alarm.Parse(c.URL, o); err != nil {
		return err
	}
	if c.Secret != "" && !alarm.Signed(c.URL) {
		return errors.New("a secret signs webhooks alone")
	}
	return alarm.CheckScheme(c.URL)
}

// longestChannel bounds the name of a channel, in bytes.
const longestChannel = 100

// kindNames are the kinds that a channel may be told.
func kindNames() (names []string) {
	for _, k := range alarm.Kinds() {
		if k != alarm.Test && k != alarm.GivenUp {
			names = append(names, string(k))
		}
	}
	return names
}

// heart fetches Heartbeat while the worker is ready.
type heart struct{ last time.Time }

const (
	heartbeatEvery = 5 * time.Minute
	heartbeatLimit = 10 * time.Second
)

func (h *heart) beat(ctx context.Context, b *Outbox) {
	if now := b.Now(); b.Heartbeat == "" || b.Trouble() != "" || now.Sub(h.last) < heartbeatEvery {
		return
	} else {
		h.last = now
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeatLimit)
	defer cancel()
	if err := fetch(ctx, b.Heartbeat); err != nil {
		b.Log.Warn("HEARTBEAT_URL could not be fetched", "err", err)
	}
}

func fetch(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("it is no address") // it may hold a secret
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return errors.New("no answer in time, or none at all")
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	return nil
}

// State returns what there is to say of a channel in a word, or why nothing is sent.
func State(c store.Channel, now time.Time) string {
	switch {
	case c.Disabled != "":
		return "disabled: " + c.Disabled
	case c.Paused.After(now):
		return "paused until " + store.LocalTime(c.Paused)
	case c.Failed.After(c.OK):
		return "failing"
	}
	return "ok"
}
