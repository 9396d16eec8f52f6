//go:build linux

package main

import (
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
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

// storedIn returns which bytes the whole program has stored under the names from one to another, looking into its file itself.
func storedIn(s *server, from, to string) (map[string][sha256.Size]byte, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "tftpsql.db")+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(storedSQL, from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := map[string][sha256.Size]byte{}
	for rows.Next() {
		var name string
		var b []byte
		if err := rows.Scan(&name, &b); err != nil {
			return nil, err
		}
		stored[name] = [sha256.Size]byte(b)
	}
	return stored, rows.Err()
}
