//go:build linux

package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	modernc "modernc.org/sqlite"

	"github.com/tftpsql/tftpsql/queries"
)

var (
	//go:embed sql/fill_sqlite.sql
	fillSQLite string
	//go:embed sql/fill_postgres.sql
	fillPostgres string
)

const (
	logMS     = "ms of log"
	searchMS  = "ms of search a further device"
	showMS    = "ms of show"
	scans     = "scans of captures or contents"
	perDevice = 100    // captures
	scanFrom  = 10_000 // captures: of fewer a scan is right
)

// SQLite has no function of that name, and what is filled in must have its hash: nothing else is
// given to anybody.
func init() {
	modernc.MustRegisterDeterministicScalarFunction("sha256", 1,
		func(_ *modernc.FunctionContext, args []driver.Value) (driver.Value, error) {
			body, ok := args[0].([]byte)
			if !ok {
				return nil, errors.New("sha256 is of a blob")
			}
			digest := sum(body)
			return digest[:], nil
		})
}

// history measures the commands as captures grow in number, and asks the databases how they answer.
func history(b *bench) (list []*contest, err error) {
	sizes := pick(b, []int{1000, 10_000, 100_000}, []int{1000})
	if b.million {
		sizes = append(sizes, 1_000_000)
	}
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		c := &contest{name: "commands by stored captures, " + database, metric: logMS}
		for _, n := range sizes {
			url, plan := "", (func() ([]string, error))(nil)
			l := c.add(fmt.Sprintf("%d captures", n), func() (sample, error) {
				if url == "" {
					var err error
					if url, plan, err = b.filled(database, n); err != nil {
						return nil, err
					}
				}
				m := sample{}
				for metric, args := range map[string][]string{"ms of devices": {"devices"},
					logMS: {"log"}, "ms of log of a device": {"log", "fw-000007"},
					showMS: {"show", "fw-000007"}, searchMS: {"search", "hostname"}} {
					var err error
					if m[metric], err = command(b.program, url, nil, args...); err != nil {
						return nil, err
					}
				}
				// Program, connection and the first device are what show takes: divided among 100
				// they would be most of it.
				m["ms of search"] = m[searchMS]
				m[searchMS] = (m[searchMS] - m[showMS]) / float64(n/perDevice-1)
				found, err := plan()
				if n < scanFrom {
					return m, err
				}
				m[scans] = float64(len(found))
				for _, line := range found {
					fmt.Fprintf(b.log, "%s, %d captures: %s\n", database, n, line)
				}
				return m, err
			})
			b.explainable(c, l, func(dir string) (sample, error) { return b.searched(url, dir) })
		}
		for i, n := range sizes {
			if n >= scanFrom {
				c.goals = append(c.goals, goal{of: c.lines[i].name, metric: scans, atMost: true},
					goal{of: c.lines[i].name, metric: searchMS, factor: 1, atMost: true})
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// searched searches under a profile, again and again until it shows something.
func (b *bench) searched(url, dir string) (sample, error) {
	program, err := b.profiledProgram()
	if err != nil {
		return nil, err
	}
	return b.longEnough(func() (sample, error) {
		took, err := command(program, url, []string{profileDir + "=" + dir}, "search", "hostname")
		return sample{"ms of search": took}, err
	})
}

// command runs a command on a database, and returns how many milliseconds it took.
func command(program, url string, env []string, args ...string) (ms float64, err error) {
	cmd := exec.Command(program, append(args, "--database", url)...)
	cmd.Env = append(os.Environ(), env...)
	start := time.Now()
	said, err := cmd.Output()
	took := time.Since(start)
	if err != nil || len(said) == 0 {
		return 0, fmt.Errorf("%s: %d bytes, %w", args[0], len(said), err)
	}
	return float64(took.Microseconds()) / 1e3, nil
}

// filled makes a database with n captures. plan returns what its answers to devices, log, show and
// search would scan or compile.
func (b *bench) filled(
	database string, n int,
) (url string, plan func() ([]string, error), err error) {
	fill := map[string]string{"SQLite": fillSQLite, "PostgreSQL": fillPostgres}[database]
	url, lines, r, err := b.filledWith(database, fmt.Sprint("rows", n),
		strings.ReplaceAll(fill, "{n}", fmt.Sprint(n)))
	return url, func() ([]string, error) { return ask(lines, r) }, err
}

// filledWith makes a database and runs a script on it. What r is asked is explained, and plan
// returns what the database said of it.
func (b *bench) filledWith(database, name, fill string) (
	url string, plan func() []string, r *queries.Queries, err error,
) {
	ctx := context.Background()
	path := filepath.Join(b.disk, name+".db")
	url = "sqlite:" + path
	if database != "SQLite" {
		pg, err := b.postgres()
		if err != nil {
			return "", nil, nil, err
		}
		if url, err = pg.database(); err != nil {
			return "", nil, nil, err
		}
	}
	s, err := opened(url)
	if err != nil {
		return "", nil, nil, err
	}
	if err := s.Close(); err != nil {
		return "", nil, nil, err
	}
	if database == "SQLite" {
		db, err := sql.Open("sqlite",
			"file:"+path+"?_time_format=sqlite&_pragma=busy_timeout(5000)")
		if err != nil {
			return "", nil, nil, err
		}
		_, err = db.ExecContext(ctx, fill)
		e := &sqliteExplainer{db: db}
		return url, e.plan, queries.New(e), err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return "", nil, nil, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return "", nil, nil, err
	}
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(ctx, fill).ReadAll()
	e := &postgresExplainer{pool: pool}
	return url, e.plan, queries.New(e), err
}

// errExplained stands for the rows that an explained query doesn't return.
var errExplained = errors.New("explained")

// ask runs the queries against an explainer, and returns what they scan.
func ask(plan func() []string, r *queries.Queries) (found []string, err error) {
	ctx, now := context.Background(), time.Now().UTC()
	for name, query := range map[string]func() error{
		"devices": func() error {
			_, err := r.DevicesAfter(ctx, queries.DevicesAfterParams{N: 500})
			return err
		},
		"overdue": func() error {
			_, err := r.QuietDevices(ctx, queries.QuietDevicesParams{Now: now, N: 500})
			return err
		},
		"devicesByName": func() error {
			_, err := r.DevicesByName(ctx, queries.DevicesByNameParams{Name: "fw-000007"})
			return err
		},
		"captures": func() error {
			_, err := r.Captures(ctx,
				queries.CapturesParams{ReceivedAt: now, N: 50})
			return err
		},
		"changes": func() error {
			_, err := r.Changes(ctx, queries.ChangesParams{ReceivedAt: now, N: 50})
			return err
		},
		"deviceCaptures": func() error {
			_, err := r.DeviceCaptures(ctx, queries.DeviceCapturesParams{DeviceID: 7,
				ReceivedAt: now, UID: "z", N: 50})
			return err
		},
		"newestAt": func() error {
			_, err := r.NewestAt(ctx, queries.NewestAtParams{DeviceID: 7,
				At: now})
			return err
		},
		"newestBefore": func() error {
			_, err := r.NewestBefore(ctx, queries.NewestBeforeParams{DeviceID: 7, Kind: "full",
				ReceivedAt: now, UID: "z"})
			return err
		},
		"versionStart": func() error {
			_, err := r.VersionStart(ctx, queries.VersionStartParams{DeviceID: 7, Kind: "full",
				ReceivedAt: now, UID: "z", VersionsBack: 1})
			return err
		},
		"record": func() error {
			_, err := r.CaptureRecord(ctx, queries.CaptureRecordParams{ID: 7})
			return err
		},
		"recordByUID": func() error {
			_, err := r.CaptureRecordByUID(ctx, queries.CaptureRecordByUIDParams{UID: "z"})
			return err
		},
		"current": func() error {
			_, err := r.CurrentBeyond(ctx, queries.CurrentBeyondParams{N: 100})
			return err
		},
		"body": func() error { _, err := r.Body(ctx, make([]byte, 32)); return err },
	} {
		err := query()
		lines := plan()
		if len(lines) == 0 {
			return found, fmt.Errorf("%s was not explained: %w", name, err)
		}
		for _, line := range lines {
			if wholeTable.MatchString(line) {
				found = append(found, name+": "+strings.TrimSpace(line))
			}
		}
	}
	return found, nil
}

// wholeTable matches a plan's line that goes through all captures or contents: of SQLite, whose
// plans name tables by their aliases, all but devices and aliases.
var wholeTable = regexp.MustCompile(`Seq Scan on (captures|contents)|^SCAN ` +
	`(captures|contents|[cptn])$`)

// postgresExplainer explains queries instead of running them.
type postgresExplainer struct {
	pool  *pgxpool.Pool
	lines []string
}

func (e *postgresExplainer) plan() []string {
	lines := e.lines
	e.lines = nil
	return lines
}

// Exec is not used by the queries that ask explains.
func (e *postgresExplainer) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errExplained
}

// Query explains.
func (e *postgresExplainer) Query(ctx context.Context, text string, args ...any) (pgx.Rows, error) {
	rows, err := e.pool.Query(ctx, "EXPLAIN "+text, args...)
	if err != nil {
		return nil, err
	}
	if e.lines, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, err
	}
	return nil, errExplained
}

// QueryRow explains.
func (e *postgresExplainer) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	_, err := e.Query(ctx, text, args...)
	return explainedRow{err}
}

type explainedRow struct{ err error }

// Scan returns the error: an explained query has no rows.
func (r explainedRow) Scan(...any) error { return r.err }

// sqliteExplainer explains queries instead of running them.
type sqliteExplainer struct {
	db    *sql.DB
	lines []string
}

func (e *sqliteExplainer) plan() []string {
	lines := e.lines
	e.lines = nil
	return lines
}

// Exec is not used by the queries that ask explains.
func (e *sqliteExplainer) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errExplained
}

// Query explains.
func (e *sqliteExplainer) Query(ctx context.Context, text string, args ...any) (pgx.Rows, error) {
	rows, err := e.db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			return nil, err
		}
		e.lines = append(e.lines, line)
	}
	return nil, errors.Join(rows.Err(), errExplained)
}

// QueryRow explains.
func (e *sqliteExplainer) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	_, err := e.Query(ctx, text, args...)
	return explainedRow{err}
}
