//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

var (
	//go:embed sql/content.sql
	contentSQL string
	//go:embed sql/capture.sql
	captureSQL string
	//go:embed sql/device.sql
	deviceSQL string
	//go:embed sql/new_device.sql
	newDeviceSQL string
	//go:embed sql/create.sql
	createSQL string
	//go:embed sql/postmaster.sql
	postmasterSQL string
	//go:embed sql/checkpoint.sql
	checkpointSQL string
	//go:embed sql/grouped.sql
	groupedSQL string
)

const (
	storePath    = "tftpsql's store"
	storeSingle  = "a row a commit"
	bareSQLite   = "bare SQLite loop"
	barePostgres = "bare pgx loop"
	rows         = "rows/s"

	putters = 128 // that wait for the store at once
	// rows of a transaction of the bare pgx loop, and as many again of SQLite's: what putters leave
	// for each writer
	bareBatch   = 32
	bareWriters = 4 // connections of the bare pgx loop, as many as the store has on four cores
	// of bodies that the bare pgx loop sends in one batch: larger ones cost more than they save
	sendBytes = 128 << 10
	fleet     = 500 // devices that the rows are of, in turn
)

// cluster is the PostgreSQL of a run, with fsync.
type cluster struct {
	*pgtest.Server
	postmaster int
	databases  int
}

// postgres starts PostgreSQL when it is first needed.
func (b *bench) postgres() (*cluster, error) {
	if b.pg != nil {
		return b.pg, nil
	}
	pg, err := b.cluster("")
	if err == nil {
		b.pg = pg
	}
	return pg, err
}

// cluster starts a PostgreSQL with fsync.
func (b *bench) cluster(options string) (*cluster, error) {
	s, err := pgtest.StartIn(b.disk, "-c log_min_messages=fatal "+options)
	if err != nil {
		return nil, err
	}
	c, file := &cluster{Server: s}, ""
	err = c.ask(s.URL("postgres"), postmasterSQL, &file)
	if err == nil {
		pid, _, _ := strings.Cut(file, "\n")
		c.postmaster, err = strconv.Atoi(pid)
	}
	if err != nil {
		s.Remove()
		return nil, err
	}
	return c, nil
}

// database makes an empty one.
func (c *cluster) database() (string, error) {
	c.databases++
	name := "bench" + strconv.Itoa(c.databases)
	return c.URL(name), c.ask(c.URL("postgres"), strings.TrimSpace(createSQL)+" "+name, nil)
}

// cpu is what PostgreSQL has used so far; nothing before it was started.
func (c *cluster) cpu() time.Duration {
	if c == nil {
		return 0
	}
	total := cpuOf(c.postmaster)
	for _, pid := range children(c.postmaster) {
		total += cpuOf(pid)
	}
	return total
}

// ask runs a statement on a database of the cluster.
func (c *cluster) ask(url, query string, into any, args ...any) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if into == nil {
		_, err = conn.Exec(ctx, query, args...)
		return err
	}
	return conn.QueryRow(ctx, query, args...).Scan(into)
}

// checkpoint writes what is to be written.
func (c *cluster) checkpoint() error { return c.ask(c.URL("postgres"), checkpointSQL, nil) }

// grouped is how many captures of such names went into a transaction.
func (c *cluster) grouped(url, from, to string) (n float64, err error) {
	return n, c.ask(url, groupedSQL, &n, from, to)
}

// opened is a store on an empty database with the product's tables.
func opened(url string) (*store.Store, error) {
	s, err := store.Open(url, store.Options{Own: true, Create: true})
	if err != nil {
		return nil, err
	}
	if err := s.Migrate(context.Background()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// rowMaker makes captures, each of other bytes, unless it repeats itself.
type rowMaker struct {
	shared []byte
	made   atomic.Int64
	repeat bool // every device sends what it has sent before, and they are other devices
	one    bool // all are of one device
	torn   bool
	of     string // what the devices' names begin with
}

func (m *rowMaker) next() store.Capture {
	n := int(m.made.Add(1))
	revision, device := n, n%fleet
	if m.one {
		device = onlyDevice
	}
	if m.repeat {
		revision = 0
	}
	body := make([]byte, 0, headSize+len(m.shared))
	body = append(append(body, head(device, revision)...), m.shared...)
	name := fmt.Sprintf("%sfw-%06d", m.of, device)
	if m.repeat {
		name = "same-" + name
	}
	return store.Capture{UID: uuid.Must(uuid.NewV7()).String(), New: true, ReceivedAt: time.Now(),
		Source: "192.0.2.1", SourcePort: 2000, Local: "192.0.2.2",
		Filename: name + ".conf", Mode: "octet", Duration: time.Millisecond, Name: name,
		NamedBy: store.NamedByConfig, Platform: "fortinet",
		Options: "blksize=1428", Model: "FG100F", OSVersion: "7.4.8", Kind: "full",
		Complete: !m.torn, Body: body}
}

// row is a row of the bare loops: all that is known before it is stored.
type row struct {
	store.Capture
	digest [sha256.Size]byte
}

func (m *rowMaker) row() row {
	c := m.next()
	return row{c, sum(c.Body)}
}

// putting puts rows for a while, so many at once, and looks whether the last of each are there,
// byte for byte.
func putting(s *store.Store, m *rowMaker, width int, span time.Duration) (sample, error) {
	var group sync.WaitGroup
	var done atomic.Int64
	last, gone := make([]store.Capture, width), 0
	var failure atomic.Pointer[error]
	start := time.Now()
	for i := range width {
		group.Go(func() {
			for time.Since(start) < span && failure.Load() == nil {
				c := m.next()
				if _, err := s.Put(context.Background(), c); err != nil {
					failure.Store(&err)
				}
				last[i] = c
				done.Add(1)
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	if err := failure.Load(); err != nil {
		return nil, *err
	}
	for _, c := range last {
		if c.UID == "" {
			continue // its time was over before it began
		}
		r, err := s.Resolve(context.Background(), c.UID, time.Time{})
		if err != nil {
			return nil, err
		}
		if body, err := s.Content(context.Background(), r); err != nil ||
			!bytes.Equal(body, c.Body) {
			gone++
		}
	}
	return sample{rows: float64(done.Load()) / took.Seconds(), lost: float64(gone)}, nil
}

// bareLoop stores the same rows for a while without asking or comparing anything: what the database
// can do. next may be called at once by several, and says when there is no more.
type bareLoop func(next func() (row, bool)) (stored int, err error)

// during makes rows for a while, beside the goroutines that store them, as it is for the store: a
// bound that hashed between two rows would be lower than what the database can do.
func (m *rowMaker) during(span time.Duration) func() (row, bool) {
	made, over := make(chan row, 2*bareBatch), time.After(span)
	go func() { // ends with the time, and whatever is left by then is stored too
		defer close(made)
		for {
			select {
			case made <- m.row():
			case <-over:
				return
			}
		}
	}()
	return func() (row, bool) {
		r, more := <-made
		return r, more
	}
}

// list makes rows beforehand, so that making them costs nothing later.
func (m *rowMaker) list(n int) func() (row, bool) {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = m.row()
	}
	var taken atomic.Int64
	return func() (row, bool) {
		i := int(taken.Add(1)) - 1
		if i >= n {
			return row{}, false
		}
		return rows[i], true
	}
}

// sqliteLoop is the bare loop on an SQLite file that has the product's tables and settings.
func sqliteLoop(path string) (bareLoop, func(), error) {
	db, err := sql.Open("sqlite",
		"file:"+path+"?_time_format=sqlite&_txlock=immediate"+
			"&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)"+
			"&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=temp_store(MEMORY)"+
			"&_pragma=cache_size(-32768)&_pragma=wal_autocheckpoint(4000)")
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	var statements []*sql.Stmt
	for _, text := range []string{contentSQL, captureSQL, deviceSQL, newDeviceSQL} {
		st, err := db.Prepare(strings.ReplaceAll(text, "$", "?"))
		if err != nil {
			return nil, nil, err
		}
		statements = append(statements, st)
	}
	ids := make([]int64, fleet)
	for i := range ids {
		if err := statements[3].QueryRow(fmt.Sprintf("bare-%06d", i),
			time.Now().UTC()).Scan(&ids[i]); err != nil {
			return nil, nil, err
		}
	}
	return func(next func() (row, bool)) (done int, err error) {
		for more := true; more; {
			tx, err := db.Begin()
			if err != nil {
				return done, err
			}
			for range 2 * bareBatch {
				var c row
				if c, more = next(); !more {
					break
				}
				id, at := ids[done%fleet], c.ReceivedAt.UTC()
				_, err := tx.Stmt(statements[0]).Exec(c.digest[:], len(c.Body), c.Body)
				_, err2 := tx.Stmt(statements[1]).Exec(c.UID, at, c.Filename, id, c.digest[:],
					c.digest[:])
				_, err3 := tx.Stmt(statements[2]).Exec(id, at, c.UID)
				if err := errors.Join(err, err2, err3); err != nil {
					return done, err
				}
				done++
			}
			if err := tx.Commit(); err != nil {
				return done, err
			}
		}
		return done, nil
	}, func() { _ = db.Close() }, nil
}

// postgresLoop is the bare loop on PostgreSQL, statements in batches.
func postgresLoop(url string, writers int) (bareLoop, func(), error) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, fmt.Sprintf("%s&pool_max_conns=%d", url, writers))
	if err != nil {
		return nil, nil, err
	}
	ids := make([]int64, fleet*writers)
	for i := range ids {
		if err := pool.QueryRow(ctx, newDeviceSQL, fmt.Sprintf("bare-%06d", i),
			time.Now()).Scan(&ids[i]); err != nil {
			return nil, nil, err
		}
	}
	writer := func(next func() (row, bool), ids []int64) (done int, err error) {
		for more := true; more; {
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				batch, queued := &pgx.Batch{}, 0
				for range bareBatch {
					var c row
					if c, more = next(); !more {
						break
					}
					id := ids[done%fleet]
					batch.Queue(contentSQL, c.digest[:], len(c.Body), c.Body)
					batch.Queue(captureSQL, c.UID, c.ReceivedAt, c.Filename, id, c.digest[:],
						c.digest[:])
					batch.Queue(deviceSQL, id, c.ReceivedAt, c.UID)
					done++
					if queued += len(c.Body); queued >= sendBytes {
						if err := tx.SendBatch(ctx, batch).Close(); err != nil {
							return err
						}
						batch, queued = &pgx.Batch{}, 0
					}
				}
				return tx.SendBatch(ctx, batch).Close()
			})
			if err != nil {
				return done, err
			}
		}
		return done, nil
	}
	return func(next func() (row, bool)) (int, error) {
		var group sync.WaitGroup
		counts, failures := make([]int, writers), make([]error, writers)
		for i := range writers {
			group.Go(func() { counts[i], failures[i] = writer(next, ids[i*fleet:(i+1)*fleet]) })
		}
		group.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		return total, errors.Join(failures...)
	}, pool.Close, nil
}

// storage compares the store with the bare loops.
func storage(b *bench) (list []*contest, err error) {
	span := pick(b, time.Second, 50*time.Millisecond)
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		url, bareURL, bareName := "", "", bareSQLite
		if database == "SQLite" {
			url = "sqlite:" + filepath.Join(b.disk, "store.db")
			bareURL = filepath.Join(b.disk, "bare.db")
			s, err := opened("sqlite:" + bareURL)
			if err != nil {
				return nil, err
			}
			if err := s.Close(); err != nil {
				return nil, err
			}
		} else {
			bareName = barePostgres
			pg, err := b.postgres()
			if err != nil {
				return nil, err
			}
			if url, err = pg.database(); err != nil {
				return nil, err
			}
			bareURL = url // both use one database: PostgreSQL has room for all
		}
		s, err := opened(url)
		if err != nil {
			return nil, err
		}
		loop, closeLoop, err := sqliteLoop, func() {}, error(nil)
		if database != "SQLite" {
			loop = func(url string) (bareLoop, func(), error) {
				return postgresLoop(url, bareWriters)
			}
		}
		bare, closeLoop, err := loop(bareURL)
		if err != nil {
			return nil, err
		}
		puts := func(m *rowMaker, width int) func() (sample, error) {
			return func() (sample, error) {
				return putting(s, m, width, span)
			}
		}
		for _, size := range []int{200_000, 5_000} {
			m := &rowMaker{shared: tail(size - headSize)}
			c := &contest{name: fmt.Sprintf("storage path alone, %d KB, %s with fsync", size/1000,
				database), metric: rows}
			b.inProcess(c, c.add(storePath, puts(m, putters)))
			c.add(bareName, func() (sample, error) {
				start := time.Now()
				n, err := bare(m.during(span))
				return sample{rows: float64(n) / time.Since(start).Seconds()}, err
			})
			c.add(storeSingle, puts(m, 1))
			c.goals = []goal{{of: storePath, metric: rows, against: bareName, factor: 0.9},
				{of: storePath, metric: lost, atMost: true}}
			if size == 5_000 {
				c.goals = append(c.goals, goal{of: storePath, metric: rows, against: storeSingle,
					factor: 3})
			}
			if size == 5_000 {
				c.inChart("5 KB into "+database+", fsync", false)
			}
			list = append(list, c)
		}
		m, again := &rowMaker{shared: tail(200_000 - headSize)},
			&rowMaker{shared: tail(200_000 - headSize), repeat: true}
		m.made.Store(1 << 30)
		c := &contest{name: "200 KB seen again or changed, " + database, metric: rows}
		unchanged := c.add("unchanged", func() (sample, error) {
			for again.made.Load() < fleet { // each once before it can be seen again
				if _, err := s.Put(context.Background(), again.next()); err != nil {
					return nil, err
				}
			}
			return puts(again, putters)()
		})
		b.inProcess(c, unchanged)
		c.add("changed", puts(m, putters))
		c.goals = []goal{{of: "unchanged", metric: rows, against: "changed", factor: 2}}
		c.close = func() {
			closeLoop()
			_ = s.Close()
		}
		list = append(list, c)
	}
	return list, nil
}
