package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The table belongs to py3tftpsql, so sqlc doesn't know it. These texts call it backups, whatever
// its name is now.
var (
	//go:embed postgres/py3tftpsql_table.sql
	seedTable string
	//go:embed postgres/py3tftpsql_rows.sql
	seedRows string
	//go:embed postgres/py3tftpsql_config.sql
	seedConfig string
)

// A SeedRow is a row of py3tftpsql's table, without its text.
type SeedRow struct {
	Hostname string
	SHA256   string // hexadecimal, of the text
	at       string // its place in the table
	table    string
}

// SeedTable returns the name of py3tftpsql's table, which a migration may have renamed, or
// ErrNotFound.
func (s *Store) SeedTable(ctx context.Context) (table string, err error) {
	p, ok := s.backend.(*postgres)
	if !ok {
		return "", ErrNotFound
	}
	return table, s.explain("find py3tftpsql's table", p.pool.QueryRow(ctx, seedTable).Scan(&table))
}

// SeedRows returns the rows of py3tftpsql's table (hostname, config) in the order in which they
// were written, or ErrNotFound if there is no such table.
func (s *Store) SeedRows(ctx context.Context) (list []SeedRow, err error) {
	table, err := s.SeedTable(ctx)
	if err != nil {
		return nil, err
	}
	p := s.backend.(*postgres)
	rows, err := p.pool.Query(ctx, inTable(seedRows, table))
	if err != nil {
		return nil, s.explain("read "+table, err)
	}
	list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (SeedRow, error) {
		r := SeedRow{table: table}
		return r, row.Scan(&r.at, &r.Hostname, &r.SHA256)
	})
	return list, s.explain("read "+table, err)
}

// SeedConfig returns the text of a row.
func (s *Store) SeedConfig(ctx context.Context, r SeedRow) ([]byte, error) {
	p, ok := s.backend.(*postgres)
	if !ok {
		return nil, ErrNotFound
	}
	var text string
	err := p.pool.QueryRow(ctx, inTable(seedConfig, r.table), r.at).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &Error{Op: "read " + r.table, Class: Transient,
			Err:  fmt.Errorf("a row of %s went away while it was read", r.table),
			Hint: "stop py3tftpsql, and run this again"}
	}
	return []byte(text), s.explain("read "+r.table, err)
}

func inTable(text, table string) string {
	return strings.Replace(text, "FROM backups ", "FROM "+table+" ", 1)
}
