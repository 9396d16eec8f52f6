//go:build linux

package main

import (
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the drivers
	_ "modernc.org/sqlite"
)

//go:embed sql/stored.sql
var storedSQL string

func sum(parts ...[]byte) (s [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(s[:0])
	return s
}

// storedIn returns the hashes of the bytes that the whole program has stored under the names from
// one to another, looking into its database itself.
func storedIn(url, from, to string) (map[string][sha256.Size]byte, error) {
	driver, source, query := "pgx", url, storedSQL
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)"
		query = strings.ReplaceAll(query, "$", "?")
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(query, from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := map[string][sha256.Size]byte{}
	for rows.Next() {
		var name string
		var body sql.RawBytes
		if err := rows.Scan(&name, &body); err != nil {
			return nil, err
		}
		stored[name] = sum(body)
	}
	return stored, rows.Err()
}
