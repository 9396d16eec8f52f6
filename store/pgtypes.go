package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// registerTypes tells pgx the PostgreSQL type of each parameter. It needs them if
// default_query_exec_mode is exec or simple_protocol, where pgx doesn't ask the server. Programs
// are built with nopgxregisterdefaulttypes, since pgx's own list of all types and their arrays
// takes 1.4 MB.
func registerTypes(_ context.Context, c *pgx.Conn) error {
	for value, name := range map[any]string{
		false: "bool", int64(0): "int8", "": "text", time.Time{}: "timestamptz",
		0: "int8", // golang-migrate uses int
	} {
		c.TypeMap().RegisterDefaultPgType(value, name)
	}
	c.TypeMap().RegisterDefaultPgType([]byte(nil), "bytea")
	c.TypeMap().RegisterDefaultPgType([]int64(nil), "_int8")
	c.TypeMap().RegisterDefaultPgType([]string(nil), "_text")
	c.TypeMap().RegisterDefaultPgType([]time.Time(nil), "_timestamptz")
	return nil
}
