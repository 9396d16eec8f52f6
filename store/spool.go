package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tftpsql/tftpsql/queries"
	"github.com/tftpsql/tftpsql/queries/spool"
	"github.com/tftpsql/tftpsql/schema"
)

const (
	// spoolPatience is how long PostgreSQL has if there is a spool. A device repeats its last block
	// after about 5 s, and the spool's own commit must come before.
	spoolPatience = 3 * time.Second

	// probeEvery is how often the worker tries a PostgreSQL that is away, and probeLimit bounds a
	// try. A server that refuses the login is tried every loginEvery only: each try fills its log,
	// and only an operator can mend it.
	probeEvery = time.Second
	probeLimit = 2 * time.Second
	loginEvery = 10 * time.Second

	// sayEvery is how often the log says that captures wait.
	sayEvery = time.Minute
)

// forwardPace is the pace of captures that leave a spool, where no device waits. It has one small
// transaction at a time, so that a failure costs little, and enough time for a line of 0.5 Mbit/s.
var forwardPace = pace{writers: 1, bytes: 1 << 20, patience: 30 * time.Second, rate: 64 << 10}

// lateTries is how many transactions in a row may be late before a database that has answered
// counts as hanging.
const lateTries = 3

// A Spool is a file that keeps captures while PostgreSQL is away. Its captures are durable. They
// leave it only for the database or by an operator's command.
type Spool struct {
	file    *sqliteFile
	group   *group // nil if the spool is read-only
	waiting atomic.Int64

	// The rest belongs to the worker.
	away  atomic.Bool   // PostgreSQL has failed: captures go straight to the spool
	kick  chan struct{} // holds one when a capture has come or failed
	quit  chan struct{} // closed when forwarding is to end
	ended sync.WaitGroup
}

// Waiting is a capture in the spool.
type Waiting struct {
	ID         int64
	UID        string
	ReceivedAt time.Time
	Site, Name string
	Source     string
	Filename   string
	Size       int64
	Refused    string // why the database refused it for good; empty if it waits
}

// SpoolStatus is what a spool holds.
type SpoolStatus struct {
	Waiting int64     // captures to be forwarded
	Refused int64     // captures kept aside
	Bytes   int64     // of both
	Oldest  time.Time // arrival of the oldest that waits, or the zero time
	Away    bool      // PostgreSQL is away, as far as this worker knows
}

// OpenSpool opens the spool at path. With own it takes the lock that one process at a time holds,
// and creates a missing file. Without own the spool is read-only.
func OpenSpool(path string, own bool) (*Spool, error) { return openSpool(path, own, nil) }

func openSpool(path string, own bool, log *slog.Logger) (*Spool, error) {
	file, err := openSQLite(path, aSpool, Options{Own: own, Create: own, Logger: log})
	if err != nil {
		return nil, spoolError(err)
	}
	p := &Spool{file: file, kick: make(chan struct{}, 1), quit: make(chan struct{})}
	if own {
		if err := file.roomy(p.migrate); err != nil {
			return nil, errors.Join(spoolError(p.explain(err)), file.close())
		}
		p.group = newGroup(p, uploadPace(1, patience))
	}
	status, err := p.Status(context.Background())
	if err != nil {
		return nil, errors.Join(spoolError(err), p.Close())
	}
	p.waiting.Store(status.Waiting)
	return p, nil
}

// spoolError adds to an error that it is about the spool, not about the database.
func spoolError(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{Op: e.Op, Class: e.Class, Hint: e.Hint,
			Err: fmt.Errorf("the spool: %w", e.Err)}
	}
	return err
}

func (p *Spool) migrate() error {
	db, err := p.file.migrations()
	if err != nil {
		return err
	}
	m, err := schema.New(db, schema.Spool)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(m.Up(schema.Spool), m.Close())
}

// Close ends the spool. Its captures stay in the file.
func (p *Spool) Close() error {
	if p.group != nil {
		p.group.close()
	}
	return p.file.close()
}

func (p *Spool) read() *spool.Queries { return spool.New(p.file.reader) }

func (p *Spool) class(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	class, _ := p.file.classify(err)
	return class
}

func (p *Spool) explain(err error) error {
	var e *Error
	switch {
	case err == nil || errors.As(err, &e):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return &Error{Op: "spool", Class: NotFound, Hint: "tftpsql spool lists what waits",
			Err: ErrNotFound}
	}
	class, hint := p.file.classify(err)
	return &Error{Op: "spool", Class: class, Hint: hint, Err: err}
}

func (p *Spool) aboutRow(err error) bool { return p.file.aboutRow(err) }

func (p *Spool) locked(err error) bool { return p.file.locked(err) }

// fileBatch keeps a batch in the spool.
func (p *Spool) fileBatch(ctx context.Context, batch []*write, _ time.Duration) ([]Stored, error) {
	results := make([]Stored, len(batch))
	err := p.file.write(ctx, func(tx *sql.Tx) error {
		q := spool.New(tx)
		for i, w := range batch {
			c := *w.c
			c.Body = nil
			capture, err := json.Marshal(c)
			if err != nil {
				return err
			}
			body := w.c.Body
			if body == nil {
				body = []byte{} // an empty file is not NULL
			}
			err = q.Keep(ctx, spool.KeepParams{
				UID: c.UID, ReceivedAt: c.ReceivedAt, Site: c.Site, Name: c.Name,
				Source: c.Source, Filename: c.Filename, Size: int64(len(body)),
				Capture: string(capture), Refused: c.refused, Body: body})
			if err != nil {
				return err
			}
			results[i] = Stored{Site: c.Site, Device: c.Name, Spooled: true}
		}
		return nil
	})
	return results, err
}

// Status returns what the spool holds.
func (p *Spool) Status(ctx context.Context) (SpoolStatus, error) {
	row, err := p.read().Status(ctx)
	if err != nil {
		return SpoolStatus{}, p.explain(err)
	}
	st := SpoolStatus{Waiting: row.Waiting, Refused: row.Refused, Bytes: row.Bytes,
		Away: p.away.Load()}
	if st.Waiting > 0 {
		if oldest, err := p.read().Oldest(ctx); err == nil {
			st.Oldest = oldest.UTC()
		}
	}
	return st, nil
}

// List returns the captures in the spool, the oldest first.
func (p *Spool) List(ctx context.Context) ([]Waiting, error) {
	found, err := p.read().List(ctx)
	return rows(found, p.explain(err), func(r spool.ListRow) Waiting { return Waiting(r) })
}

// Body returns the bytes of a capture in the spool.
func (p *Spool) Body(ctx context.Context, uid string) ([]byte, error) {
	body, err := p.read().BodyByUID(ctx, uid)
	return body, p.explain(err)
}

// Drop deletes a capture from the spool, for good.
func (p *Spool) Drop(ctx context.Context, uid string) error {
	err := p.file.roomy(func() error {
		return p.file.write(ctx, func(tx *sql.Tx) error {
			n, err := spool.New(tx).DropByUID(ctx, uid)
			if err == nil && n == 0 {
				return sql.ErrNoRows
			}
			return err
		})
	})
	if err == nil {
		err = p.file.reclaim(ctx, false)
	}
	return p.explain(err)
}

// Retry marks refused captures to be tried again, and returns how many there are.
func (p *Spool) Retry(ctx context.Context) (n int64, err error) {
	err = p.file.write(ctx, func(tx *sql.Tx) (err error) {
		n, err = spool.New(tx).Retry(ctx)
		return err
	})
	return n, p.explain(err)
}

// newestFrom returns the newest waiting file of a name that came by TFTP from a source, if it came
// after a time, and the devices that wait from there: those of the database by their names there,
// and without those that are named by a file.
func (p *Spool) newestFrom(
	ctx context.Context, q *queries.Queries, source, filename string, after time.Time,
) (body []byte, found bool, names []Name, err error) {
	waiting, err := p.read().DevicesOfSource(ctx, source)
	if err != nil || len(waiting) == 0 {
		return nil, false, nil, err
	}
	for _, w := range waiting {
		d, err := q.DeviceNamed(ctx, queries.DeviceNamedParams{Site: w.Site, Name: w.Name})
		switch {
		case err != nil: // a new device, or the database is away
			names = append(names, Name{w.Site, w.Name})
		case d.NamedBy == NamedByConfig:
			names = append(names, Name{d.Site, d.Name})
		}
	}
	newest, err := p.read().NewestFromSource(ctx, spool.NewestFromSourceParams{Source: source,
		Filename: filename, Slashed: "/" + filename})
	if errors.Is(err, sql.ErrNoRows) || err == nil && newest.ReceivedAt.Before(after) {
		return nil, false, names, nil
	}
	if err == nil {
		body, err = p.read().Body(ctx, newest.ID)
	}
	return body, err == nil, names, err
}

// openSpool makes the store keep captures at path while PostgreSQL is away.
func (s *Store) openSpool(path string, log *slog.Logger) (err error) {
	s.spool, err = openSpool(path, true, log)
	if err == nil {
		s.spool.poke()
	}
	return err
}

// ready returns nil if the spool can write, and if the file on the disk is still a spool. It reads
// the file through a new connection, since an open one may have its pages in memory.
func (p *Spool) ready(ctx context.Context) error {
	err := p.file.write(ctx, func(tx *sql.Tx) error { return spool.New(tx).Prove(ctx) })
	if err != nil {
		return spoolError(p.explain(err))
	}
	db, err := sql.Open("sqlite", p.file.plain())
	if err == nil {
		_, err = spool.New(db).Status(ctx)
		err = errors.Join(err, db.Close())
	}
	return spoolError(p.explain(err))
}

// SpoolStatus returns what this worker's spool holds, or the zero value if it has none.
func (s *Store) SpoolStatus(ctx context.Context) (SpoolStatus, error) {
	if s.spool == nil {
		return SpoolStatus{}, nil
	}
	return s.spool.Status(ctx)
}

// A Disk is a disk that captures are written to.
type Disk struct {
	File       string // the database or the spool that is on it
	Free, Size int64  // in bytes; Free is what this user may still write
}

// Disk returns the disk that the next capture goes to. ok is false if that is another machine's, or
// unknown.
func (s *Store) Disk() (d Disk, ok bool) {
	switch f, isFile := s.backend.(*sqliteFile); {
	case isFile:
		return DiskOf(f.path)
	case s.spool != nil && s.spool.away.Load():
		return s.SpoolDisk()
	}
	return Disk{}, false
}

// SpoolDisk returns the spool's disk. ok is false if there is no spool, or its disk is unknown.
func (s *Store) SpoolDisk() (d Disk, ok bool) {
	if s.spool == nil {
		return Disk{}, false
	}
	return DiskOf(s.spool.file.path)
}

// HasSpool reports whether captures are kept in a spool while PostgreSQL is away.
func (s *Store) HasSpool() bool { return s.spool != nil }

// putWithSpool stores a capture in PostgreSQL, or else in the spool. A capture that PostgreSQL
// refuses for good is set aside there.
func (s *Store) putWithSpool(
	ctx context.Context, c Capture, sum [sha256.Size]byte,
) (Stored, error) {
	if !s.spool.away.Load() {
		stored, err := s.group.enqueue(ctx, c, sum)
		if err == nil {
			return stored, nil
		}
		switch class := s.class(err); {
		case class == Exists || ctx.Err() != nil || errors.Is(err, errClosed):
			return Stored{}, s.explain("store capture", err)
		case class == Permanent:
			c.refused = s.explain("store capture", err).Error()
			s.log.Error("PostgreSQL refuses a capture, which is kept aside in the spool: "+
				"look at tftpsql spool", "uid", c.UID, "file", c.Filename, "err", err)
		case s.backend.aboutRow(err): // other captures may go through
			s.log.Error("PostgreSQL doesn't take a capture, which is kept in the spool",
				"uid", c.UID, "file", c.Filename, "err", s.explain("store capture", err))
		default:
			s.spool.away.Store(true)
			s.log.Error("PostgreSQL is away: captures are kept in the spool",
				"err", s.explain("store capture", err))
		}
	}
	away := s.spool.away.Load()
	c.New = false // PostgreSQL may have stored it all the same
	stored, err := s.spool.group.enqueue(ctx, c, sum)
	if err != nil && away { // PostgreSQL may be back
		if stored, err := s.group.enqueue(ctx, c, sum); err == nil {
			return stored, nil
		}
	}
	if err != nil {
		return Stored{}, spoolError(s.spool.explain(err))
	}
	if c.refused == "" {
		s.spool.waiting.Add(1)
		s.spool.poke()
	}
	return stored, nil
}

// poke wakes the forwarder.
func (p *Spool) poke() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

func (p *Spool) stop() {
	close(p.quit)
	p.ended.Wait()
}

// forwardAll forwards waiting captures whenever PostgreSQL is reachable, until the store closes.
func (s *Store) forwardAll() {
	defer s.spool.ended.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the store
		<-s.spool.quit
		cancel()
	}()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var said time.Time
	if s.spool.waiting.Load() == 0 {
		s.spool.emptied(ctx, s.log) // the file may still hold forwarded captures
	}
	for {
		select {
		case <-s.spool.quit:
			return
		case <-s.spool.kick:
		case <-tick.C:
		}
		if st, err := s.spool.Status(ctx); err == nil {
			s.spool.waiting.Store(st.Waiting) // an operator's command may have changed the file
		}
		if s.spool.waiting.Load() == 0 && !s.spool.away.Load() {
			continue
		}
		if err := s.probe(ctx); err != nil {
			s.spool.away.Store(true)
			if time.Since(said) > sayEvery && ctx.Err() == nil {
				said = time.Now()
				s.log.Warn("captures wait in the spool",
					"waiting", s.spool.waiting.Load(), "err", s.explain("forward", err))
			}
			pause := probeEvery
			if s.class(err) == Login {
				pause = loginEvery
			}
			s.sleep(ctx, pause)
			continue
		}
		forwarded, refused, err := s.Forward(ctx, s.spool)
		// The database has answered the probe. If some captures went through, an error now is about
		// one capture or about the spool's own disk, and PostgreSQL isn't away.
		away := err != nil && forwarded+refused == 0 && !isSpools(err) && !s.backend.aboutRow(err)
		switch was := s.spool.away.Swap(away); {
		case forwarded+refused > 0 || was && err == nil:
			s.log.Info("PostgreSQL is back", "forwarded", forwarded,
				"refused", refused, "waiting", s.spool.waiting.Load())
			said = time.Time{}
		case err != nil && ctx.Err() == nil && time.Since(said) > sayEvery:
			said = time.Now()
			s.log.Warn("forwarding failed and goes on later",
				"waiting", s.spool.waiting.Load(), "err", err)
		}
		if s.spool.waiting.Load() == 0 {
			s.spool.emptied(ctx, s.log)
		}
		if err != nil {
			s.sleep(ctx, probeEvery)
		}
	}
}

// emptied returns the space of forwarded captures to the disk.
func (p *Spool) emptied(ctx context.Context, log *slog.Logger) {
	if err := p.file.reclaim(ctx, false); err != nil {
		log.Debug("the spool's room could not be given back yet", "err", err)
	}
}

// isSpools reports whether an error is the spool's own.
func isSpools(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == "spool"
}

// sleep waits for d, or until ctx ends.
func (s *Store) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// probe returns nil if PostgreSQL commits a write.
func (s *Store) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.DropExpired(ctx, stamp(time.Now()))
	})
}

// Forward stores the captures of a spool, the oldest first, until none waits or the database fails.
// A capture that the database refuses for good is set aside with the reason and doesn't hold up
// others.
func (s *Store) Forward(ctx context.Context, p *Spool) (forwarded, refused int, err error) {
	after, late, skipped := int64(0), 0, error(nil)
	for {
		batch, err := p.read().Next(ctx, spool.NextParams{After: after, N: maxBatchRows})
		switch {
		case err != nil:
			return forwarded, refused, p.explain(err)
		case len(batch) == 0:
			return forwarded, refused, s.explain("forward", skipped)
		}
		size := 0
		for i, r := range batch {
			if size += int(r.Size); i > 0 && size > forwardPace.bytes {
				batch = batch[:i]
				break
			}
		}
		after = batch[len(batch)-1].ID
		ends := make([]error, len(batch))
		var puts sync.WaitGroup // of the goroutines below
		for i, r := range batch {
			puts.Go(func() { ends[i] = s.forward(ctx, p, r) })
		}
		puts.Wait()
		stored, bad, err := p.settle(ctx, batch, ends, s.class)
		forwarded, refused = forwarded+stored, refused+bad
		if late++; stored > 0 {
			late = 0
			p.away.Store(false) // new captures needn't wait behind those that are left
		}
		if err != nil && !s.backend.aboutRow(err) &&
			(late == lateTries || !errors.Is(err, ErrNotInTime)) {
			return forwarded, refused, s.explain("forward", err)
		}
		if err != nil && skipped == nil { // the others don't have to wait for this one
			skipped = err
		}
	}
}

// forward stores one capture of a spool.
func (s *Store) forward(ctx context.Context, p *Spool, r spool.NextRow) error {
	var c Capture
	if err := json.Unmarshal([]byte(r.Capture), &c); err != nil {
		return &Error{Op: "forward", Class: Permanent, Err: err}
	}
	body, err := p.read().Body(ctx, r.ID)
	if err != nil {
		return p.explain(err)
	}
	c.Body = body
	_, err = s.forwarding.enqueue(ctx, c, sha256.Sum256(body))
	return s.explain("forward", err)
}

// settle removes stored captures from the spool and sets refused ones aside. It returns the first
// other error.
func (p *Spool) settle(
	ctx context.Context, batch []spool.NextRow, ends []error, class func(error) Class,
) (stored, refused int, first error) {
	ctx = context.WithoutCancel(ctx) // a stored capture must be dropped in any case
	err := p.file.roomy(func() error {
		return p.file.write(ctx, func(tx *sql.Tx) error {
			q := spool.New(tx)
			stored, refused, first = 0, 0, nil
			for i, r := range batch {
				err := ends[i]
				switch c := class(err); {
				case err == nil:
					stored++
					if err := q.Drop(ctx, r.ID); err != nil {
						return err
					}
				case c == Permanent || c == Exists:
					refused++
					p := spool.RefuseParams{Refused: err.Error(), ID: r.ID}
					if err := q.Refuse(ctx, p); err != nil {
						return err
					}
				case first == nil:
					first = err
				}
			}
			return nil
		})
	})
	if err != nil {
		return 0, 0, p.explain(err)
	}
	p.waiting.Add(-int64(stored + refused))
	return stored, refused, first
}
