package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// registerTypes tells pgx what a parameter's type is in PostgreSQL, where default_query_exec_mode is exec or simple_protocol and nobody
// asks the server. Programs are built with nopgxregisterdefaulttypes, since pgx's own list, of all types and their arrays, is 1.4 MB.
func registerTypes(_ context.Context, c *pgx.Conn) error {
	for value, name := range map[any]string{false: "bool", 0: "int8", int64(0): "int8", "": "text", time.Time{}: "timestamptz"} {
		c.TypeMap().RegisterDefaultPgType(value, name) // int is golang-migrate's
	}
	c.TypeMap().RegisterDefaultPgType([]byte(nil), "bytea")
	return nil
}
