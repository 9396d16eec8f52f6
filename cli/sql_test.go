package cli

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the tests look at the tables as people do
)

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func openSQLite(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestColumns holds the fields of --json and the columns of tables and views together, and both
// engines' columns.
func TestColumns(t *testing.T) {
	t.Parallel()
	lite := databases["sqlite"](t)
	start(t, lite)
	rows, err := openSQLite(t, lite).Query("SELECT m.name, p.name FROM sqlite_master m, " +
		"pragma_table_info(m.name) p WHERE m.type IN ('table', 'view') ORDER BY m.name, p.cid")
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], column)
	}
	if want := jsonFields(reflect.TypeFor[wireCapture]()); !slices.Equal(columns["changes"], want) {
		t.Errorf("the view changes has %v, log --json %v", columns["changes"], want)
	}
	for _, f := range jsonFields(reflect.TypeFor[wireDevice]()) {
		if reckoned := f == "allowed_s" || f == "overdue_since"; !reckoned &&
			!slices.Contains(columns["devices"], f) {
			t.Errorf("devices --json has %s, the table devices not", f)
		}
	}
	url := databases["postgres"](t)
	start(t, url)
	for table, want := range columns {
		if strings.HasPrefix(table, "sqlite_") {
			continue
		}
		rows, err := connect(t, url).Query(t.Context(), "SELECT column_name::text FROM "+
			"information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position", table)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s has %v on PostgreSQL, %v on SQLite, err %v", table, got, want, err)
		}
	}
}

func jsonFields(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("json"))
	}
	return names
}

// TestDocumentedQueries runs the queries of docs/sql.md on both engines.
func TestDocumentedQueries(t *testing.T) {
	var list []string
	for _, block := range blocks(pages(t)["docs/sql.md"], "sql") {
		for line := range strings.Lines(block) {
			if strings.HasPrefix(line, "SELECT ") {
				list = append(list, line)
			}
		}
	}
	if len(list) < 5 {
		t.Fatalf("docs/sql.md has %d queries", len(list))
	}
	everywhere(t, func(t *testing.T, url string) {
		s := opened(t, url)
		for i := range 4 {
			insert(t, s, time.Now().Add(time.Duration(i-10)*time.Hour),
				gate("fw1", "s", fmt.Sprint("web", i), "192.0.2.53"))
		}
		for _, query := range list {
			if got := column(t, url, "SELECT '' || count(*) FROM ("+strings.TrimSuffix(
				strings.TrimSpace(query), ";")+") AS q"); got[0] == "0" {
				t.Errorf("finds nothing: %s", query)
			}
		}
	})
}
