package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	neturl "net/url"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/tftpsql/tftpsql/queries"
)

const (
	// There are at most mostWriters write transactions at once: enough to keep the server busy
	// while some of them wait for its disk, few enough that queued captures share a transaction.
	mostWriters = 4

	// connectTimeout bounds a connection attempt unless the URL does: a device repeats its last
	// block after about 5 s.
	connectTimeout = 4 * time.Second

	// connLifetime bounds the age of a connection: proxies of managed databases cut it after 10
	// minutes.
	connLifetime = 9 * time.Minute

	// idleTimeout is how long PostgreSQL keeps the transaction of a worker that is silent because
	// its host has vanished. A worker that is alive takes milliseconds between two statements.
	idleTimeout = 10 * time.Second

	// commitLimit bounds the wait for a COMMIT where the caller doesn't: while a synchronous
	// standby is away it has no end.
	commitLimit = 20 * time.Second

	// lockTimeout bounds how long a migration waits for another worker's, or for a table in use.
	lockTimeout = "15s"
)

type postgres struct {
	pool      *pgxpool.Pool
	direct    *pgx.ConnConfig // where migrations run, as it was at the start
	directURL string
	log       *slog.Logger
	told      *announcer
}

func openPostgres(url string, o Options) (backend, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, usage("the form is postgres://USER:PASSWORD@HOST:PORT/DATABASE",
			withoutSecrets(url, err))
	}
	direct, directURL := config.ConnConfig.Copy(), cmp.Or(o.DirectURL, url)
	if o.DirectURL != "" {
		if direct, err = pgx.ParseConfig(o.DirectURL); err != nil {
			return nil, usage("look at DATABASE_DIRECT_URL: the form is "+
				"postgres://USER:PASSWORD@HOST:PORT/DATABASE", withoutSecrets(o.DirectURL, err))
		}
	}
	if !strings.Contains(url, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = mostWriters + 4 + ReadersAtOnce // plus some for reading
	}
	if !strings.Contains(url, "pool_max_conn_lifetime") {
		config.MaxConnLifetime = connLifetime
	}
	if !strings.Contains(url, "pool_max_conn_idle_time") {
		config.MaxConnIdleTime = connLifetime / 2
	}
	direct.ConnectTimeout = config.ConnConfig.ConnectTimeout
	direct.RuntimeParams["lock_timeout"] = lockTimeout
	direct.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		// From RAISE NOTICE in a migration. A notice of the server's own has another code.
		if n.Severity == "NOTICE" && n.Code == "00000" {
			o.Logger.Info(n.Message)
		}
	}
	config.ConnConfig.OnNotice = keepWarning
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		renew(c, url)
		return nil
	}
	config.AfterConnect = registerTypes
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, usage("look at DATABASE_URL", withoutSecrets(url, err))
	}
	told := &announcer{db: pool, log: o.Logger}
	return &postgres{pool, direct, directURL, o.Logger, told}, nil
}

// renew reads again what a connection needs from files: a passfile, certificates and keys may have
// been replaced since the start. A file that is just being replaced leaves what there was.
func renew(c *pgx.ConnConfig, url string) {
	fresh, err := pgx.ParseConfig(url)
	if err != nil {
		return
	}
	c.Password, c.TLSConfig = fresh.Password, fresh.TLSConfig
	c.Host, c.Port, c.Fallbacks = fresh.Host, fresh.Port, fresh.Fallbacks
}

// toDirect returns how a connection for migrations is made.
func (p *postgres) toDirect() *pgx.ConnConfig {
	c := p.direct.Copy()
	renew(c, p.directURL)
	return c
}

// withoutSecrets returns the reason why a URL is malformed. It removes the URL, which holds a
// password, and the values of its parameters, since a password may be among them by mistake.
func withoutSecrets(database string, err error) error {
	malformed := errors.New("malformed database URL")
	var parse *pgconn.ParseConfigError
	u, urlErr := neturl.Parse(database)
	if urlErr != nil || !strings.HasPrefix(u.Scheme, "postgres") || !errors.As(err, &parse) ||
		errors.Unwrap(parse) == nil {
		return malformed
	}
	values, urlErr := neturl.ParseQuery(u.RawQuery)
	if urlErr != nil {
		return malformed
	}
	text := errors.Unwrap(parse).Error()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[key] {
			whole := regexp.MustCompile(`(^|[^[:alnum:]])` + regexp.QuoteMeta(v) +
				`($|[^[:alnum:]])`)
			if v != "" && whole.MatchString(text) {
				text = key + ": " + whole.ReplaceAllString(text, "${1}xxxxx${2}")
			}
		}
	}
	quoted := regexp.MustCompile(`"[^"]*"`) // which may be a part of a value
	return errors.New(quoted.ReplaceAllString(text, `"xxxxx"`))
}

func (p *postgres) read() *queries.Queries { return queries.New(p.pool) }

// reading turns off JIT: PostgreSQL overestimates these queries, and compiling them takes longer
// than running them.
func (p *postgres) reading(ctx context.Context, fn func(*queries.Queries) error) error {
	return pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			q := queries.New(tx)
			if err := q.TurnOffJIT(ctx); err != nil {
				return err
			}
			return fn(q)
		})
}

func (p *postgres) check(ctx context.Context, fn func(*queries.Queries) error) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return fn(queries.New(tx)) })
}

func (p *postgres) risk(ctx context.Context) (string, error) {
	r, err := p.read().GetRisk(ctx)
	switch {
	case err != nil:
		return "", err
	case r.NoFsync:
		return "fsync is off: what is stored may be lost when its machine crashes; turn it on", nil
	case r.Standbys > 0 && r.Asynchronous:
		return fmt.Sprintf("a failover to one of its standbys (%d) may lose what is stored: they "+
			"are asynchronous; set synchronous_standby_names, or Patroni's synchronous_mode",
			r.Standbys), nil
	case !r.Asynchronous && r.LocalCommit:
		return "a failover to its standby may lose what is stored: synchronous_commit is local, " +
			"so nothing waits for the standby; set it to on", nil
	}
	return "", nil
}

func (p *postgres) tx(ctx context.Context, fn func(*queries.Queries) error) error {
	return p.transact(ctx, func(tx pgx.Tx) error {
		q := queries.New(tx)
		if err := q.RequireDurableCommit(ctx); err != nil {
			return err
		}
		return fn(q)
	})
}

func (p *postgres) runTasks(ctx context.Context, lock time.Duration, tasks []task,
	last func(*queries.Queries) error) error {
	idle := idleTimeout
	// Over a slow line a statement may take long.
	if at, ok := ctx.Deadline(); ok && time.Until(at) > maxPatience {
		idle = time.Until(at).Round(time.Second)
	}
	begin := func(q *queries.Queries, _ func(int64) bool) error {
		return q.BeginCaptures(ctx, queries.BeginCapturesParams{
			LockTimeout: milliseconds(lock), IdleTimeout: milliseconds(idle)})
	}
	return p.transact(ctx, func(tx pgx.Tx) error {
		if err := runPipeline(ctx, tx, append([]task{begin}, tasks...)); err != nil {
			return err
		}
		return last(queries.New(tx))
	})
}

// addEvents keeps the events of a batch by one statement: as one of each capture they would take a
// round trip more, and a sixth of PostgreSQL's time.
func (p *postgres) addEvents(ctx context.Context, q *queries.Queries,
	list []queries.AddEventParams) error {
	var all queries.AddEventsParams
	for _, e := range list {
		all.At = append(all.At, e.At)
		all.Kind = append(all.Kind, e.Kind)
		all.Site = append(all.Site, e.Site)
		all.DeviceID = append(all.DeviceID, *e.DeviceID)
		all.CaptureID = append(all.CaptureID, *e.CaptureID)
		all.Detail = append(all.Detail, e.Detail)
	}
	if len(list) == 0 {
		return nil
	}
	return q.AddEvents(ctx, all)
}

// deleteCaptures deletes by two statements, however many captures there are.
func (p *postgres) deleteCaptures(ctx context.Context, q *queries.Queries,
	list []queries.DeviceContentsRow) (n, contents int, bytes int64, err error) {
	ids, sums := make([]int64, len(list)), make([][]byte, len(list))
	for i, c := range list {
		ids[i], sums[i] = c.ID, c.SHA256
	}
	if err := q.DeleteCaptures(ctx, ids); err != nil {
		return 0, 0, 0, err
	}
	sizes, err := q.DeleteContents(ctx, sums)
	for _, size := range sizes {
		bytes += size
	}
	return len(list), len(sizes), bytes, err
}

// transact runs fn in a transaction. A nil error means that PostgreSQL has confirmed its COMMIT,
// also for the synchronous standby. A COMMIT waits for that standby, and an operator may cut the
// wait off: then PostgreSQL commits all the same, without the standby, and sends a warning.
func (p *postgres) transact(ctx context.Context, fn func(pgx.Tx) error) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // nothing after COMMIT; fn's error counts
	if err := fn(tx); err != nil {
		return err
	}
	session := conn.Conn().PgConn().CustomData()
	delete(session, lastWarning) // of a statement
	limited, cancel := context.WithTimeout(ctx, commitLimit)
	defer cancel()
	err = tx.Commit(limited)
	switch warning, warned := session[lastWarning]; {
	case err == nil && !warned:
		return nil
	case err == nil:
		err = fmt.Errorf("PostgreSQL has not confirmed the commit: %s", warning)
	case limited.Err() != nil:
		err = fmt.Errorf("PostgreSQL has not confirmed the commit: %w", limited.Err())
	default:
		return err
	}
	return &Error{Op: "commit", Class: Transient, Err: err,
		Hint: "look at PostgreSQL and its synchronous standby; what is repeated is stored once"}
}

// lastWarning is where a session keeps the text of its last warning.
const lastWarning = "warning"

// keepWarning is a notice handler. The text of a warning may be translated, its severity isn't.
func keepWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[lastWarning] = n.Message
	}
}

// milliseconds formats a time for PostgreSQL's settings.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// locked reports whether an error says that a transaction waited too long for a lock.
func (p *postgres) locked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// missesContent reports whether an error says that a capture's content is missing.
func (p *postgres) missesContent(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503"
}

// aboutRow reports whether an error may be about one capture, and not about the server or the
// connection.
func (p *postgres) aboutRow(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "42P01", "42703", "3F000": // the schema is not there
		return false
	}
	switch pg.Code[:2] {
	case "08", "53", "28", "3D", "25", "58": // connection, resources, login, read-only, the system
		return false
	case "57": // 57014 is a cancelled statement; the others are a server that stops
		return pg.Code == "57014"
	}
	return true
}

// writers is as many as there are cores to work for them, but at least two, so that one works while
// the other commits. With four on two cores a transaction had half as many captures, each of which
// took a sixth more of both programs' CPU.
func (p *postgres) writers() int { return min(max(runtime.GOMAXPROCS(0), 2), mostWriters) }

func (p *postgres) concurrent() bool { return true }

// atomicMigrations is true: a file is one simple query, and so one transaction.
func (p *postgres) atomicMigrations() bool { return true }

// reclaim does nothing: autovacuum makes the space free for new rows.
func (p *postgres) reclaim(context.Context, bool) error { return nil }

func (p *postgres) committed(batch []*write, results []Stored) {
	p.told.add(announcements(batch, results))
}

// listen waits on a connection of its own for a notification. Every watchQuiet it returns without
// one, since a commit during a reconnect isn't notified.
func (p *postgres) listen(ctx context.Context) (wait func() error, stop func()) {
	var conn *pgx.Conn
	wait = func() (err error) {
		if conn == nil {
			if conn, err = pgx.ConnectConfig(ctx, p.toDirect()); err == nil {
				err = queries.New(conn).Listen(ctx)
			}
			if err != nil {
				if conn != nil {
					_ = conn.Close(context.WithoutCancel(ctx)) // it is unusable
					conn = nil
				}
				select {
				case <-ctx.Done():
				case <-time.After(watchEvery):
				}
			}
			return err
		}
		quiet, cancel := context.WithTimeout(ctx, watchQuiet)
		defer cancel()
		if _, err = conn.WaitForNotification(quiet); err == nil || quiet.Err() == nil {
			if err != nil {
				_ = conn.Close(context.WithoutCancel(ctx)) // broken
				conn = nil
			}
			return err
		}
		if conn.IsClosed() {
			conn = nil
		}
		return ctx.Err()
	}
	return wait, func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx)) // nothing was written
		}
	}
}

func (p *postgres) spendReserve() bool { return false } // the disk is the server's

func (p *postgres) keepsLatin1() bool { return false }

// exclusive holds an advisory lock on a connection of its own. lock_timeout bounds the wait for it.
func (p *postgres) exclusive(ctx context.Context, fn func() error) error {
	conn, err := pgx.ConnectConfig(ctx, p.toDirect())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which releases the lock
	if err := queries.New(conn).LockMigrations(ctx); err != nil {
		return err
	}
	return fn()
}

// close waits for at most closePatience. pgx would wait 15 s for a stalled server, and nothing is
// in progress any more.
func (p *postgres) close() error {
	closed := make(chan struct{})
	go func() { // ends with the connections
		p.told.done.Wait()
		p.pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(closePatience):
	}
	return nil
}

func (p *postgres) migrations() (*sql.DB, error) {
	db := stdlib.OpenDB(*p.toDirect(), stdlib.OptionAfterConnect(registerTypes))
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	var encoding string
	conn, err := db.Conn(ctx)
	if err == nil {
		err = conn.Raw(func(c any) error {
			encoding = c.(*stdlib.Conn).Conn().PgConn().ParameterStatus("server_encoding")
			return nil
		})
		err = errors.Join(err, conn.Close())
	}
	if err == nil && encoding != "UTF8" {
		err = &Error{Op: "migrate", Class: Config,
			Hint: "create it with: CREATE DATABASE tftpsql ENCODING 'UTF8' TEMPLATE template0",
			Err: errors.New("the database's encoding is " + encoding +
				" and can't hold every name that a device may send")}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// classify reads the SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html). After a
// broken connection it is unknown whether the transaction was committed; the UIDs make another try
// harmless.
func (p *postgres) classify(err error) (Class, string) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return Transient, "look whether PostgreSQL runs and can be reached"
	}
	switch pg.Code {
	case "40001", "40P01": // serialization, deadlock
		return conflict, ""
	case "23503", "23505": // the content was just pruned, the name just taken
		return conflict, ""
	case "42P01":
		return noTable, ""
	case "53100":
		return Full, "make room on the database server's disk"
	case "25006":
		p.pool.Reset() // after a failover its connections lead to a standby
		return Transient, "PostgreSQL is read-only: after a failover this passes; else look at " +
			"default_transaction_read_only"
	case "28000", "28P01", "3D000":
		return Login, "look at user, password and database in DATABASE_URL and its passfile"
	case "42501":
		return Config, "grant the user of DATABASE_URL the rights on tftpsql's tables; to make " +
			"them it needs to own the database"
	case "55P03":
		return Transient, "another session holds a table or a row that this one needs, or " +
			"migrates: look at pg_stat_activity and end it"
	case "42P05", "26000":
		// PgBouncer changes the connection, and each has its own prepared statements.
		return Config, "PgBouncer in transaction mode needs " +
			"?default_query_exec_mode=cache_describe at the end of DATABASE_URL"
	case "08P01":
		if strings.Contains(pg.Message, "unsupported startup parameter") {
			return Config, "migrations can't run through PgBouncer: set DATABASE_DIRECT_URL to " +
				"PostgreSQL's own address"
		}
	case "54000": // a stuck listener has filled the queue
		return Transient, "end the session that listens and doesn't read: look at " +
			"pg_stat_activity for LISTEN"
	case "57P03":
		return Transient, "PostgreSQL is starting or stopping"
	}
	switch pg.Code[:2] {
	case "22", "23", "0A", "54", "P0": // P0: a trigger of the operator's refuses
		return Permanent, ""
	case "42":
		return Config, "the schema is not this program's: look at tftpsql migrate version"
	}
	return Transient, ""
}
