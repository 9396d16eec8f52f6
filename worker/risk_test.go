package worker

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// TestRisk: /readyz and the log say where PostgreSQL promises less than a receipt does, to a worker
// without rights on its statistics too, and captures are stored all the same.
func TestRisk(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url := server.Create(t)
	admin, err := pgx.Connect(t.Context(), url+"&synchronous_commit=local")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	set := func(texts ...string) {
		t.Helper()
		for _, text := range append(texts, "SELECT pg_reload_conf()") {
			if _, err := admin.Exec(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	set("CREATE ROLE worker LOGIN", "GRANT ALL ON SCHEMA public TO worker")
	url = strings.Replace(url, "user=postgres", "user=worker", 1)
	log := new(bytes.Buffer)
	h := newHealth(slog.New(slog.NewTextHandler(log, nil)), "test")
	page := httptest.NewServer(h.pages())
	defer page.Close()
	look := func(url, why string) {
		t.Helper()
		s, err := store.Open(url, store.Options{Own: true}) // a new session has the new settings
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := log.Len()
		for range 2 {
			h.look(t.Context(), s)
		}
		status, body := get(t, page.URL+"/readyz")
		first, second, _ := strings.Cut(body, "\n")
		if status != 200 || first != "ready: captures can be stored" ||
			(second == "") != (why == "") || !strings.Contains(second, why) {
			t.Errorf("%d %s, want %s", status, body, why)
		}
		said := log.String()[before:]
		if strings.Contains(said, "level=WARN") != (why != "") || strings.Count(said, "\n") > 1 {
			t.Errorf("%s: the log says %s", why, said)
		}
	}
	look(url, "")
	look(url+"&synchronous_commit=off", "") // it is turned on where a receipt follows
	set("ALTER SYSTEM SET fsync = off")
	look(url, "database: fsync is off")
	set("ALTER SYSTEM RESET fsync")
	look(url, "")
	standby, err := server.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Remove)
	look(url, "database: a failover to one of its standbys (1) may lose")
	if err := server.RequireStandby(t.Context(), "nobody"); err != nil { // the setting is in force
		t.Fatal(err)
	}
	set("ALTER SYSTEM SET synchronous_standby_names = '*'")
	if err := server.Replicated(t.Context()); err != nil {
		t.Fatal(err)
	}
	look(url, "")
	look(url+"&synchronous_commit=local", "synchronous_commit is local")
	if got := log.String(); strings.Count(got, "keeps again") != 2 ||
		strings.Contains(got, "level=ERROR") {
		t.Errorf("the log says\n%s", got)
	}
}
