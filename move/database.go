package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
)

// OpenDatabase opens a database of py3tftpsql or tftpsql, or of both: py3tftpsql's table is
// imported where there is one, and tftpsql's captures where there are some.
func OpenDatabase(ctx context.Context, url string, log *slog.Logger) (*Source, error) {
	s, err := store.Open(url, store.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("SOURCE: %w", err)
	}
	_, err = s.SeedTable(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, errors.Join(err, s.Close())
	}
	seed := err == nil
	d := database{s: s}
	version, _, err := s.SchemaVersion(ctx)
	switch {
	case err == nil && version == 0 && !seed:
		err = errors.New("neither py3tftpsql's table nor tftpsql's are there")
	case err == nil && version > 0:
		if err = s.CheckSchema(ctx); err == nil {
			d.n, err = s.Number(ctx)
			// of this one, and not of the database that it goes to
		} else if strings.Contains(err.Error(), "tftpsql migrate") {
			err = fmt.Errorf("%w --database %s", err, store.Masked(url))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", store.Masked(url), err), s.Close())
	}
	if seed {
		o := &seedTable{database: d}
		return &Source{each: o.each, total: o.total, after: o.after, close: s.Close}, nil
	}
	return &Source{each: d.each, total: d.total, after: d.after, close: s.Close}, nil
}

// database is a database of tftpsql's.
type database struct {
	s *store.Store
	n int64 // captures
}

func (d *database) total() int64 { return d.n }

func (d *database) each(ctx context.Context, _ *store.Store, yield func(item) error) error {
	if d.n == 0 {
		return nil
	}
	return d.s.Dump(ctx, func(c store.Capture, body func() ([]byte, error)) error {
		return yield(item{c.UID, func(context.Context) (store.Capture, error) {
			bytes, err := body()
			switch {
			case errors.Is(err, store.ErrNotFound):
				return c, unreadable(c, errors.New("it went away"))
			// damaged: nothing that comes after it is held up
			case store.ClassOf(err) == store.Config:
				return c, unreadable(c, err)
			case err != nil:
				return c, err
			}
			return again(c, bytes), nil
		}})
	})
}

// unreadable says that a capture of another database can't be read.
func unreadable(c store.Capture, why error) error {
	return &Skipped{What: store.Device{Site: c.Site, Name: c.Name}.Ref(), At: c.ReceivedAt,
		Why: why}
}

// again is a capture of another database: what its configuration says is read anew, the rest is as
// it was.
func again(c store.Capture, body []byte) store.Capture {
	addr, _ := netip.ParseAddr(c.Source) // what was imported there has none
	r := capture.Upload{Filename: c.Filename, Mode: c.Mode,
		Peer:     netip.AddrPortFrom(addr, c.SourcePort),
		Received: c.ReceivedAt, Completed: c.ReceivedAt, Body: body}.Capture()
	r.Source, r.Local, r.Filename, r.Options, r.Duration = c.Source, c.Local, c.Filename, c.Options,
		c.Duration
	r.Site, r.Name, r.NamedBy, r.Filed = c.Site, c.Name, c.NamedBy, c.Filed
	return r
}

// after takes over what was said of the devices.
func (d *database) after(ctx context.Context, to *store.Store, site *string) error {
	if d.n == 0 {
		return nil
	}
	devices, err := d.s.Devices(ctx)
	if err != nil {
		return err
	}
	for _, from := range devices {
		names, err := d.s.OtherNames(ctx, from)
		if err != nil {
			return err
		}
		if site != nil {
			from.Site = *site
			for i := range names {
				names[i].Site = *site
			}
		}
		if err := to.Adopt(ctx, from, names); err != nil {
			return err
		}
	}
	return nil
}

// seedTable is a database with py3tftpsql's table, and maybe tftpsql's too.
type seedTable struct {
	database
	rows []store.SeedRow // read by times
	at   []time.Time     // when each is said to have come
	uids []string
}

func (o *seedTable) total() int64 { return o.n + int64(len(o.rows)) }

// times reads the rows, and gives them times, which they have none of: a day apart, the last of
// each device before anything came here by itself, which is now where nothing did; and after what
// was imported of the device before. It wants the schema of to made: where both are one database,
// that has given the table another name.
func (o *seedTable) times(ctx context.Context, to *store.Store, now time.Time) (err error) {
	if o.rows, err = o.s.SeedRows(ctx); err != nil {
		return err
	}
	end := now
	if to != nil {
		oldest, err := to.OldestUpload(ctx)
		if err != nil {
			return err
		}
		if !oldest.IsZero() && oldest.Before(end) {
			end = oldest.Add(-time.Second)
		}
	}
	o.at, o.uids = make([]time.Time, len(o.rows)), make([]string, len(o.rows))
	times := map[store.SeedRow]int{} // the same text may be there more than once
	fresh := map[string][]int{}      // by host name: rows that are not here yet
	before := map[string]time.Time{} // by host name: the last of those that are
	for i, r := range o.rows {
		same := store.SeedRow{Hostname: r.Hostname, SHA256: r.SHA256}
		times[same]++
		o.uids[i] = uidOf("py3tftpsql", r.Hostname, r.SHA256, fmt.Sprint(times[same]))
		if to == nil {
			fresh[r.Hostname] = append(fresh[r.Hostname], i)
			continue
		}
		known, err := to.Resolve(ctx, o.uids[i], time.Time{})
		switch {
		case errors.Is(err, store.ErrNotFound):
			fresh[r.Hostname] = append(fresh[r.Hostname], i)
		case err != nil:
			return err
		case known.ReceivedAt.After(before[r.Hostname]):
			before[r.Hostname] = known.ReceivedAt
		}
	}
	for host, list := range fresh {
		step := config.Day
		if last := before[host]; !last.IsZero() {
			step = min(config.Day, max(end.Sub(last)/time.Duration(len(list)), time.Microsecond))
		}
		for n, i := range list {
			o.at[i] = end.Add(-step * time.Duration(len(list)-1-n))
		}
	}
	return nil
}

func (o *seedTable) each(ctx context.Context, to *store.Store, yield func(item) error) error {
	if err := o.times(ctx, to, time.Now()); err != nil {
		return err
	}
	for i, r := range o.rows {
		err := yield(item{o.uids[i], func(ctx context.Context) (store.Capture, error) {
			body, err := o.s.SeedConfig(ctx, r)
			if err != nil {
				return store.Capture{}, err
			}
			c := captureFrom("", o.at[i], body)
			if c.NamedBy != store.NamedByConfig {
				c.Name = nameOf(r.Hostname)
			}
			return c, nil
		}})
		if err != nil {
			return err
		}
	}
	return o.database.each(ctx, to, yield)
}
