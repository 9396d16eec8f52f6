//go:build linux

package main

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/queries"
	"github.com/tftpsql/tftpsql/store"
)

var (
	//go:embed sql/alarms_sqlite.sql
	alarmsSQLite string
	//go:embed sql/alarms_postgres.sql
	alarmsPostgres string
)

const (
	laterScanMS = "ms of a later scan, 100 captures since"
	alarmScans  = "scans of captures, events or deliveries"
	sentSince   = 100 // captures before each later scan
)

// alarms looks for devices that are overdue, in so many that none may be read without a reason.
func alarms(b *bench) (list []*contest, err error) {
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		c := &contest{name: "scans for overdue devices, " + database, metric: laterScanMS}
		for _, n := range pick(b, []int{10_000, 100_000}, []int{1000}) {
			var f *fleetOf
			c.add(fmt.Sprintf("%d devices", n), func() (m sample, err error) {
				if f == nil {
					if f, err = b.fleet(database, n); err != nil {
						return nil, err
					}
				}
				return f.scans()
			})
		}
		few, many := c.lines[0].name, c.lines[len(c.lines)-1].name
		c.goals = []goal{{of: many, metric: alarmScans, atMost: true},
			{of: many, metric: laterScanMS, against: few, factor: 3, atMost: true}}
		c.close = func() {}
		list = append(list, c)
	}
	return list, nil
}

// fleetOf is a database with many devices.
type fleetOf struct {
	store *store.Store
	plan  func() []string
	ask   *queries.Queries
	made  int
}

func (b *bench) fleet(database string, n int) (*fleetOf, error) {
	fill := map[string]string{"SQLite": alarmsSQLite, "PostgreSQL": alarmsPostgres}[database]
	url, plan, ask, err := b.filledWith(database, fmt.Sprint("alarms", n),
		strings.ReplaceAll(fill, "{n}", fmt.Sprint(n)))
	if err != nil {
		return nil, err
	}
	s, err := opened(url)
	return &fleetOf{store: s, plan: plan, ask: ask}, err
}

// scans is a worker's first scan and a later one.
func (f *fleetOf) scans() (sample, error) {
	ctx, m := context.Background(), sample{}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	box := outbox.New(outbox.Options{Store: f.store, Trouble: func() string { return "" },
		Log: slog.New(slog.DiscardHandler)})
	start := time.Now()
	box.Scan(ctx)
	m["ms of the first scan"] = float64(time.Since(start).Microseconds()) / 1e3
	runtime.GC()
	runtime.ReadMemStats(&after)
	m["MB that are remembered"] = (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / 1e6
	for range sentSince {
		f.made++
		name := fmt.Sprintf("fw-%06d", f.made%1000+1)
		if _, err := f.store.Put(ctx, store.Capture{UID: uuid.Must(uuid.NewV7()).String(),
			ReceivedAt: time.Now(), Source: "10.0.0.1", Filename: name, Mode: "octet",
			Site: fmt.Sprint("site", (f.made%1000+1)%50), Name: name,
			NamedBy: store.NamedByConfig, Kind: "full", Complete: true,
			Body: []byte("same")}); err != nil {
			return nil, err
		}
	}
	start = time.Now()
	box.Scan(ctx)
	m[laterScanMS] = float64(time.Since(start).Microseconds()) / 1e3
	runtime.KeepAlive(box)
	found, err := askAlarms(f.plan, f.ask)
	m[alarmScans] = float64(len(found))
	if len(found) > 0 {
		err = fmt.Errorf("whole tables are read: %s", strings.Join(found, "; "))
	}
	return m, err
}

// askAlarms asks what a worker asks all the time, and returns what is read as a whole.
func askAlarms(plan func() []string, r *queries.Queries) (found []string, err error) {
	ctx, now := context.Background(), time.Now().UTC()
	week := now.Add(-7 * 24 * time.Hour)
	for name, query := range map[string]func() error{
		"eventsWait": func() error { _, err := r.EventsWait(ctx); return err },
		"takeEvents": func() error { _, err := r.TakeEvents(ctx, 500); return err },
		"dueDelivery": func() error {
			_, err := r.DueDelivery(ctx, queries.DueDeliveryParams{Channel: "noc", Now: now})
			return err
		},
		"countNew": func() error {
			_, err := r.CountNew(ctx, queries.CountNewParams{Channel: "noc", Kind: "changed",
				N: 21})
			return err
		},
		"leaseNew": func() error {
			_, err := r.LeaseNew(ctx, queries.LeaseNewParams{Channel: "noc", Kind: "changed",
				Message: "m", Until: now})
			return err
		},
		"leaseMessage": func() error {
			_, err := r.LeaseMessage(ctx, queries.LeaseMessageParams{Channel: "noc",
				Message: "m", Until: now, Now: now})
			return err
		},
		"eventsOf": func() error {
			_, err := r.EventsOf(ctx, queries.EventsOfParams{Message: "m", N: 500})
			return err
		},
		"countEvents": func() error {
			_, err := r.CountEvents(ctx, queries.CountEventsParams{Since: week,
				Upto: now})
			return err
		},
		"deliveries": func() error {
			_, err := r.Deliveries(ctx, queries.DeliveriesParams{N: 100})
			return err
		},
		"devicesBetween": func() error {
			_, err := r.DevicesBetween(ctx, queries.DevicesBetweenParams{After: 400, Upto: 500})
			return err
		},
		"capturesFrom": func() error {
			_, err := r.CapturesFrom(ctx, queries.CapturesFromParams{Source: "10.0.0.7",
				DeviceID: 7})
			return err
		},
	} {
		err := query()
		lines := plan()
		if len(lines) == 0 {
			return found, fmt.Errorf("%s was not explained: %w", name, err)
		}
		for _, line := range lines {
			if wholeOfAlarms.MatchString(line) {
				found = append(found, name+": "+strings.TrimSpace(line))
			}
		}
	}
	return found, nil
}

// wholeOfAlarms matches a plan's line that goes through all captures, events or deliveries: with
// SQLite's aliases, and without the indexes that hold what waits alone.
var wholeOfAlarms = regexp.MustCompile(`Seq Scan on (captures|events|deliveries)|` +
	`^SCAN (captures|events|deliveries|[de])$`)
