package store

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tftpsql/tftpsql/queries"
)

// sqliteQueries runs the queries that sqlc made for pgx on SQLite: one SQL text, one set of Go
// types. SQLite's driver takes $1 as PostgreSQL does.
func sqliteQueries(db sqliteDB) *queries.Queries { return queries.New(sqliteConn{db}) }

// sqliteDB is a *sql.DB, or a transaction with its compiled statements.
type sqliteDB interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row
}

// sqliteConn is database/sql in the form that pgx gives to queries.
type sqliteConn struct{ db sqliteDB }

func (c sqliteConn) Exec(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error) {
	result, err := c.db.ExecContext(ctx, text, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	n, err := result.RowsAffected()
	// Only the number of rows is read from a tag.
	return pgconn.NewCommandTag(strconv.FormatInt(n, 10)), err
}

func (c sqliteConn) Query(ctx context.Context, text string, args ...any) (pgx.Rows, error) {
	list, err := c.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return sqliteRows{list: list}, nil
}

func (c sqliteConn) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	return c.db.QueryRowContext(ctx, text, args...)
}

// sqliteRows are rows in the form of pgx, as far as sqlc's code uses it.
type sqliteRows struct {
	pgx.Rows // nil; the other methods are not used
	list     *sql.Rows
}

func (r sqliteRows) Next() bool           { return r.list.Next() }
func (r sqliteRows) Scan(to ...any) error { return r.list.Scan(to...) }
func (r sqliteRows) Err() error           { return r.list.Err() }
func (r sqliteRows) Close()               { _ = r.list.Close() }

// rows converts a list of rows.
func rows[From, To any](list []From, err error, convert func(From) To) ([]To, error) {
	out := make([]To, len(list))
	for i, r := range list {
		out[i] = convert(r)
	}
	return out, err
}
