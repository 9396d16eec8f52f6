//go:build linux

package main

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/store"
)

var (
	//go:embed sql/device_sqlite.sql
	deviceSQLite string
	//go:embed sql/device_postgres.sql
	devicePostgres string
)

const (
	onlyDevice = 7  // the device that all captures are of: the files of SQL name it fw-000007
	senders    = 16 // that wait for the store at once
)

// oneDevice measures what a capture costs as those of its device grow in number, torn and whole.
func oneDevice(b *bench) (list []*contest, err error) {
	sizes := pick(b, []int{1000, 10_000, 100_000}, []int{1000})
	span := pick(b, 500*time.Millisecond, 50*time.Millisecond)
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		c := &contest{name: "captures of one device by those before, " + database, metric: rows}
		var stores []*store.Store
		c.close = func() {
			for _, s := range stores {
				_ = s.Close()
			}
		}
		for _, state := range []string{"whole", "torn"} {
			for _, n := range sizes {
				var s *store.Store
				m := &rowMaker{shared: tail(5000 - headSize), one: true, torn: state == "torn"}
				c.add(fmt.Sprintf("%d %s before", n, state), func() (sample, error) {
					if s == nil {
						opened, err := b.ofOneDevice(database, state, n)
						if err != nil {
							return nil, err
						}
						s, stores = opened, append(stores, opened)
					}
					return putting(s, m, senders, span)
				})
			}
			few, many := fmt.Sprintf("%d %s before", sizes[0], state),
				fmt.Sprintf("%d %s before", sizes[len(sizes)-1], state)
			if few != many {
				c.goals = append(c.goals, goal{of: many, metric: rows, against: few, factor: 0.7})
			}
			c.goals = append(c.goals, goal{of: many, metric: lost, atMost: true})
		}
		list = append(list, c)
	}
	return list, nil
}

// ofOneDevice opens a store with n captures of one device, each of other bytes than the one before.
func (b *bench) ofOneDevice(database, state string, n int) (*store.Store, error) {
	ctx := context.Background()
	fill := strings.NewReplacer("{n}", fmt.Sprint(n), "{whole}",
		strings.ToUpper(fmt.Sprint(state == "whole")))
	if database == "SQLite" {
		path := filepath.Join(b.disk, fmt.Sprintf("device-%s%d.db", state, n))
		s, err := opened("sqlite:" + path)
		if err != nil {
			return nil, err
		}
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
		if err == nil {
			_, err = db.ExecContext(ctx, fill.Replace(deviceSQLite))
			_ = db.Close()
		}
		return s, err
	}
	pg, err := b.postgres()
	if err != nil {
		return nil, err
	}
	url, err := pg.database()
	if err != nil {
		return nil, err
	}
	s, err := opened(url)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return s, err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, fill.Replace(devicePostgres)).ReadAll()
	return s, err
}
