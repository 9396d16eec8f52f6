package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// TestClasses: each SQLSTATE becomes a class of error and a hint for the operator. If the error may
// be about one capture alone, the others of its batch are stored.
func TestClasses(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s := open(t, database)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	// A capture whose file name is "raise 53100" is refused with that SQLSTATE.
	_, err = conn.Exec(t.Context(), `
		CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.filename LIKE 'raise %' THEN
				RAISE EXCEPTION 'planted' USING ERRCODE = substr(NEW.filename, 7);
			END IF;
			RETURN NEW; END $$;
		CREATE TRIGGER planted BEFORE INSERT ON captures
			FOR EACH ROW EXECUTE FUNCTION planted()`)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	next := func(filename string) store.Capture {
		n++
		c := capture(n, fmt.Sprint("fw", n), fmt.Sprint("body ", n))
		c.Filename = filename
		return c
	}
	for _, c := range []struct {
		states string
		class  store.Class
		alone  bool   // the others of its batch are stored
		hint   string // is told
	}{
		{"22000 22003 22021 22P05 23000 23502 23514 0A000 54001 P0001", store.Permanent, true,
			"planted"},
		// Trying again at once doesn't help here.
		{"40001 40P01 23503 23505", store.Transient, true, "planted"},
		{"55P03", store.Transient, true, "another session holds a table or a row"},
		{"57014 XX000", store.Transient, true, "planted"},
		{"54000", store.Transient, true, "end the session that listens"},
		{"42501", store.Config, true, "grant the user"},
		{"42P05 26000", store.Config, true, "default_query_exec_mode=cache_describe"},
		{"42883 42P07", store.Config, true, "the schema is not this program's"},
		{"42703", store.Config, false, "planted"},
		{"42P01", store.Config, false, "run: tftpsql migrate up"},
		{"28000 28P01 3D000", store.Login, false,
			"look at user, password and database in DATABASE_URL"},
		{"53100", store.Full, false, "make room on the database server's disk"},
		{"3F000 53000 53200 53300 58030 08000 08006 08P01 57P01 57P02", store.Transient, false,
			"planted"},
		{"57P03", store.Transient, false, "PostgreSQL is starting or stopping"},
		{"25006", store.Transient, false, "PostgreSQL is read-only"},
	} {
		for _, state := range strings.Fields(c.states) {
			_, err := s.Put(t.Context(), next("raise "+state))
			if err == nil || store.ClassOf(err) != c.class ||
				!strings.Contains(err.Error(), c.hint) {
				t.Errorf("%s: class %d, not %d, and %v", state, store.ClassOf(err), c.class, err)
			}
			if !c.alone {
				continue
			}
			var others sync.WaitGroup
			for i := range 30 {
				filename := "good"
				if i == 15 {
					filename = "raise " + state
				}
				one := next(filename)
				others.Go(func() {
					if _, err := s.Put(t.Context(), one); (err == nil) != (filename == "good") {
						t.Errorf("beside %s, %q: %v", state, filename, err)
					}
				})
			}
			others.Wait()
		}
	}
}
