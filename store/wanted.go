package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	_ "embed"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"modernc.org/sqlite"

	"github.com/tftpsql/tftpsql/queries"
)

// A search reads thousands of bodies, a blame hundreds, and copying them would take longer than
// looking. So each is looked at where the driver has it, and copied if it is wanted.

// bodyIf is Body for bytes that wanted is true of, and nil for others.
func (p *postgres) bodyIf(ctx context.Context, sum []byte, wanted func([]byte) bool) ([]byte,
	error) {
	return queries.New(seeing{p.pool, wanted}).Body(ctx, sum)
}

// seeing lets the one value of a row be looked at before it is copied.
type seeing struct {
	queries.DBTX
	wanted func([]byte) bool
}

func (s seeing) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	return seen{s.DBTX.QueryRow(ctx, text, args...), s.wanted, nil}
}

type seen struct {
	row    pgx.Row
	wanted func([]byte) bool
	body   []byte
}

func (s seen) Scan(to ...any) error {
	err := s.row.Scan(&s)
	*to[0].(*[]byte) = s.body
	return err
}

// ScanBytes takes a body, whose bytes are the driver's.
func (s *seen) ScanBytes(body []byte) error {
	if s.wanted(body) {
		s.body = bytes.Clone(body)
	}
	return nil
}

//go:embed sqlite/wanted.sql
var wantedBody string

// wanting holds what SQLite's function tftpsql_wanted asks, by number.
var (
	wanting sync.Map
	wants   atomic.Int64
)

func init() {
	err := sqlite.RegisterFunction("tftpsql_wanted", &sqlite.FunctionImpl{NArgs: 2,
		VolatileArgs: true, // wanted keeps none of its bytes
		Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			number, _ := args[0].(int64)
			body, _ := args[1].([]byte)
			wanted, ok := wanting.Load(number)
			return ok && wanted.(func([]byte) bool)(body), nil
		}})
	if err != nil {
		panic(err)
	}
}

func (f *sqliteFile) bodyIf(ctx context.Context, sum []byte, wanted func([]byte) bool) (
	body []byte, err error) {
	number := wants.Add(1)
	wanting.Store(number, wanted)
	defer wanting.Delete(number)
	err = f.reader.QueryRowContext(ctx, wantedBody, sum, number).Scan(&body)
	return body, err
}
