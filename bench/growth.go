//go:build linux

package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

var (
	//go:embed sql/fleet_sqlite.sql
	fleetSQLite string
	//go:embed sql/fleet_postgres.sql
	fleetPostgres string
	//go:embed sql/indexes_sqlite.sql
	indexesSQLite string
	//go:embed sql/indexes_postgres.sql
	indexesPostgres string
	//go:embed sql/truncate.sql
	truncateSQL string
	//go:embed sql/vacuum.sql
	vacuumSQL string
)

// fleetSize is so many devices that have sent so often.
type fleetSize struct{ devices, each int }

func (f fleetSize) String() string {
	return fmt.Sprintf("%d devices x %d captures", f.devices, f.each)
}

// asked is what commands and the page are asked: of all devices, or of few.
var asked = []struct {
	name, path string // path is that of the page
	command    []string
	// devices says that the cost may grow with the devices; with the captures of each it may not
	devices bool
}{
	{"devices", "", []string{"devices"}, true},
	{"devices --overdue", "", []string{"devices", "--overdue"}, true},
	{"log", "", []string{"log"}, false},
	{"log --changed", "", []string{"log", "--changed"}, false},
	{"log GLOB", "", []string{"log", "fw-00000*"}, true},
	{"log DEVICE", "", []string{"log", "fw-000007"}, false},
	{"show", "", []string{"show", "fw-000007"}, false},
	{"diff", "", []string{"diff", "fw-000007"}, false},
	{"blame", "", []string{"blame", "fw-000007"}, false},
	{"search GLOB", "", []string{"search", "hostname", "fw-00000*"}, true},
	{"publish", "", []string{"publish", "fw-000007"}, false},
	{"export one", "", []string{"export", "EXPORT", "fw-000007"}, false},
	{"failures DEVICE", "", []string{"failures", "fw-000007"}, true},
	{"page /", "/", nil, true},
	{"page /devices", "/devices", nil, true},
	{"page of a device", "/d/site7/fw-000007", nil, false},
	{"page /changes", "/changes", nil, false},
	{"page /changes.atom", "/changes.atom", nil, false},
	{"page /alarms", "/alarms", nil, false},
	{"/metrics", "/metrics", nil, false},
}

const (
	cpuMS     = "ms of CPU, all of it"
	growsWith = 1.8 // a cost that doesn't grow with captures: ten times as many, and some noise
)

// growth asks everything of fleets of more and more devices and captures. What counts is CPU, of
// the program and of PostgreSQL: it says the same on a busy machine.
func growth(b *bench) (list []*contest, err error) {
	sizes := pick(b, []fleetSize{{1000, 100}, {10_000, 10}, {10_000, 100}, {100_000, 10}},
		[]fleetSize{{200, 10}})
	if b.million {
		sizes = append(sizes, fleetSize{100_000, 100})
	}
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		c := &contest{name: "commands and pages by devices and captures, " + database,
			metric: cpuMS}
		var open []*grown
		c.close = func() {
			for _, g := range open {
				g.end()
			}
		}
		for _, size := range sizes {
			var g *grown
			c.add(size.String(), func() (m sample, err error) {
				if g == nil {
					if g, err = b.grown(database, size); err != nil {
						return nil, err
					}
					open = append(open, g)
				}
				return g.ask(b)
			})
		}
		for _, pair := range [][2]fleetSize{{{10_000, 10}, {10_000, 100}},
			{{100_000, 10}, {100_000, 100}}} {
			for _, q := range asked {
				if l := c.line(pair[1].String()); l != nil {
					c.goals = append(c.goals, goal{of: l.name, metric: q.name,
						against: pair[0].String(), factor: growsWith, atMost: true})
				}
			}
		}
		for _, q := range asked {
			if few := c.line("1000 devices x 100 captures"); few != nil && !q.devices {
				c.goals = append(c.goals, goal{of: "10000 devices x 100 captures", metric: q.name,
					against: few.name, factor: growsWith, atMost: true})
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// grown is a filled database and the program on it.
type grown struct {
	url     string
	pg      *cluster // nil for SQLite
	page    *paged
	exports string
}

func (b *bench) grown(database string, size fleetSize) (*grown, error) {
	g := &grown{exports: filepath.Join(b.disk, "exports")}
	var err error
	if g.url, err = b.fleetIn(database, size); err != nil {
		return nil, err
	}
	if database != "SQLite" {
		g.pg = b.pg
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	_ = listener.Close() // the program takes it
	env := append(os.Environ(), "DATABASE_URL="+g.url, "HTTP_ADDR="+address, "TFTP_PORT=0",
		"TFTP_HOST=127.0.0.1", "LOG_LEVEL=error")
	g.page = &paged{url: g.url, at: "http://" + address, process: exec.Command(b.program)}
	g.page.process.Env = env
	if err := g.page.process.Start(); err != nil {
		return nil, err
	}
	return g, g.page.login(b.program, env)
}

func (g *grown) end() {
	if g.page != nil && g.page.process.Process != nil {
		g.page.end()
	}
}

// ask returns what each answer takes.
func (g *grown) ask(b *bench) (sample, error) {
	m, all := sample{}, 0.0
	for _, q := range asked {
		before := g.pg.cpu()
		var ms float64
		var err error
		if q.command == nil {
			ms, err = g.get(q.path)
		} else {
			ms, err = g.run(b.program, q.command)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.name, err)
		}
		ms += (g.pg.cpu() - before).Seconds() * 1e3
		m[q.name] = ms
		all += ms
	}
	m[cpuMS] = all
	return m, nil
}

// run returns the CPU of a command.
func (g *grown) run(program string, command []string) (ms float64, err error) {
	args := strings.Split(strings.ReplaceAll(strings.Join(command, "\n"), "EXPORT", g.exports),
		"\n")
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+g.url)
	said, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == 1 {
		err = nil // an answer, as that of diff
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, said)
	}
	used := cmd.ProcessState
	return (used.UserTime() + used.SystemTime()).Seconds() * 1e3, nil
}

// get returns the CPU of a page.
func (g *grown) get(path string) (ms float64, err error) {
	before := cpuOf(g.page.process.Process.Pid)
	r, err := g.page.client.Get(g.page.at + path)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s, %w", r.Status, err)
	}
	return (cpuOf(g.page.process.Process.Pid) - before).Seconds() * 1e3, nil
}

// fleetIn makes a database with a fleet.
func (b *bench) fleetIn(database string, size fleetSize) (url string, err error) {
	fill := strings.NewReplacer("{devices}", fmt.Sprint(size.devices), "{each}",
		fmt.Sprint(size.each))
	path := filepath.Join(b.disk, fmt.Sprintf("fleet%d-%d.db", size.devices, size.each))
	url = "sqlite:" + path
	if database != "SQLite" {
		pg, err := b.postgres()
		if err != nil {
			return "", err
		}
		if url, err = pg.database(); err != nil {
			return "", err
		}
	}
	s, err := opened(url)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return "", err
	}
	if database == "SQLite" {
		return url, fillFleetSQLite(path, fill.Replace(fleetSQLite))
	}
	return url, fillFleetPostgres(url, fill.Replace(fleetPostgres))
}

// fillFleetSQLite fills a file. Indexes are made at the end, since hashes come in no order. There
// are no statistics, as in a file that the program has filled.
func fillFleetSQLite(path, fill string) error {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)"+
		"&_pragma=cache_size(-524288)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	rows, err := db.QueryContext(ctx, indexesSQLite)
	if err != nil {
		return err
	}
	var drop, create []string
	for rows.Next() {
		var dropped, text string
		if err := rows.Scan(&dropped, &text); err != nil {
			return errors.Join(err, rows.Close())
		}
		drop, create = append(drop, dropped), append(create, text)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, text := range append(append(drop, fill), append(create, truncateSQL)...) {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// fillFleetPostgres fills a database, and lets it be vacuumed and analysed as autovacuum does.
func fillFleetPostgres(url, fill string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, indexesPostgres)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Drop, Create string }])
	if err != nil {
		return err
	}
	texts := []string{fill}
	for _, index := range list {
		texts = append([]string{index.Drop}, append(texts, index.Create)...)
	}
	for _, text := range append(texts, vacuumSQL) {
		if _, err := conn.PgConn().Exec(ctx, text).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}
