package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// spooled opens a store with a spool on a server of its own.
func spooled(t *testing.T) (s *store.Store, server *pgtest.Server, url, spool string) {
	t.Helper()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url, spool = server.Create(t), filepath.Join(t.TempDir(), "spool.db")
	return openSpooled(t, url, spool), server, url, spool
}

func openSpooled(t *testing.T, url, spool string) *store.Store {
	t.Helper()
	s, err := store.Open(url, store.Options{Own: true, Spool: spool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil && store.ClassOf(err) != store.Transient {
		t.Fatal(err)
	}
	return s
}

// emptied waits until the spool is empty.
func emptied(t *testing.T, s *store.Store) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; {
		st, err := s.SpoolStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Waiting == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d captures still wait", st.Waiting)
		}
		time.Sleep(20 * time.Millisecond) // the forwarder has no event for it
	}
}

// TestSpool: while PostgreSQL is away captures are kept in the spool. When it is back they are
// forwarded, also by another worker, and the tables are the same as without the failure.
func TestSpool(t *testing.T) {
	t.Parallel()
	s, server, url, path := spooled(t)
	put(t, s, capture(1, "fw1", "a"))
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	for n, body := range []string{"a", "b", "b"} {
		c := capture(n+2, "fw1", body)
		c.Filename = "fw1.conf"
		if stored := put(t, s, c); !stored.Spooled || stored.Device != "fw1" {
			t.Errorf("%+v", stored)
		}
		put(t, s, c) // the same transfer again
	}
	st, err := s.SpoolStatus(t.Context())
	if err != nil || st.Waiting != 3 || !st.Away || !st.Oldest.Equal(day.Add(2*time.Minute)) ||
		st.Bytes != 3 {
		t.Errorf("status %+v, err %v", st, err)
	}
	if _, _, err := s.NewestFrom(t.Context(), "192.0.2.1",
		"fw1.conf", time.Now()); store.ClassOf(err) != store.Transient {
		t.Errorf("read while PostgreSQL can't say whose the address is: %v", err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("captures are kept in the spool, and yet: %v", err)
	}
	if _, err := store.OpenSpool(path, true); store.ClassOf(err) != store.Config {
		t.Errorf("a second owner: %v", err)
	}
	beside, err := store.OpenSpool(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	list, err := beside.List(t.Context())
	if err != nil || len(list) != 3 || list[1].UID != capture(3, "", "").UID ||
		list[1].Name != "fw1" || list[1].Size != 1 {
		t.Errorf("list %+v, err %v", list, err)
	}
	if body, err := beside.Body(t.Context(), list[1].UID); err != nil || string(body) != "b" {
		t.Errorf("body %q, err %v", body, err)
	}
	if err := s.Close(); err != nil { // a restart, PostgreSQL still away
		t.Fatal(err)
	}
	s = openSpooled(t, url, path)
	put(t, s, capture(5, "fw1", "c"))
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	want := "[fw1 c changed=true fw1 b changed=false fw1 b changed=true fw1 a changed=false fw1 " +
		"a changed=true]"
	if got := history(t, s, "fw1"); fmt.Sprint(got) != want {
		t.Errorf("history %v", got)
	}
	if stored := put(t, s, capture(6, "fw1", "d")); stored.Spooled {
		t.Error("PostgreSQL is back, and captures still go to the spool")
	}
}

// TestSpoolOfOldJournal: a spool in another journal mode is opened with its captures.
func TestSpoolOfOldJournal(t *testing.T) {
	t.Parallel()
	s, server, url, path := spooled(t)
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	put(t, s, capture(1, "fw1", "a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
	if err == nil {
		err = errors.Join(db.Ping(), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s = openSpooled(t, url, path)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	if got := history(t, s, "fw1"); len(got) != 1 {
		t.Errorf("history %v", got)
	}
}

// TestSpoolRefused: a capture that PostgreSQL refuses for good is set aside and doesn't hold up
// others.
func TestSpoolRefused(t *testing.T) {
	t.Parallel()
	s, server, url, path := spooled(t)
	poisoned := capture(1, "bad\x00name", "poison") // no text of PostgreSQL's
	poisoned.Filename = "poison.conf"
	if stored := put(t, s, poisoned); !stored.Spooled {
		t.Errorf("%+v", stored)
	}
	newer := capture(4, "bad\x00name", "with a login")
	newer.Filename, newer.Mode = poisoned.Filename, "scp"
	put(t, s, newer)
	if body, _, err := s.NewestFrom(t.Context(), newer.Source, newer.Filename,
		day); string(body) != "poison" || err != nil {
		t.Errorf("TFTP reads %q, %v; want what came by TFTP", body, err)
	}
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	other := capture(2, "bad\x00too", "poison too")
	put(t, s, other)
	put(t, s, capture(3, "fw1", "good"))
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	if got := history(t, s, "fw1"); fmt.Sprint(got) != "[fw1 good changed=true]" {
		t.Errorf("history %v", got)
	}
	st, err := s.SpoolStatus(t.Context())
	if err != nil || st.Refused != 3 {
		t.Errorf("status %+v, err %v", st, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := store.OpenSpool(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	list, err := p.List(t.Context())
	if err != nil || len(list) != 3 || list[0].Refused == "" {
		t.Fatalf("list %+v, err %v", list, err)
	}
	if n, err := p.Retry(t.Context()); err != nil || n != 3 {
		t.Errorf("retried %d, err %v", n, err)
	}
	plain := open(t, url)
	if forwarded, refused, err := plain.Forward(t.Context(), p); err != nil || forwarded != 0 ||
		refused != 3 {
		t.Errorf("forwarded %d, refused %d, err %v", forwarded, refused, err)
	}
	if err := p.Drop(t.Context(), list[0].UID); err != nil {
		t.Error(err)
	}
	if err := p.Drop(t.Context(), list[0].UID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("dropped twice: %v", err)
	}
}

// TestSpoolOwn: a capture in the spool counts as the newest of its source.
func TestSpoolOwn(t *testing.T) {
	t.Parallel()
	s, server, url, path := spooled(t)
	put(t, s, capture(1, "fw1", "old"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Captures that wait while PostgreSQL answers: they are written into a spool that has no
	// forwarder yet.
	if err := server.Down("fast"); err != nil {
		t.Fatal(err)
	}
	s = openSpooled(t, url, path)
	put(t, s, capture(2, "fw1", "new"))
	if body, _, err := s.NewestFrom(t.Context(), "192.0.2.1", "fw1.conf", day); err == nil {
		t.Errorf("read %q", body)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	if body, names, err := s.NewestFrom(t.Context(), "192.0.2.1", "fw1.conf", day); err != nil ||
		string(body) != "new" || len(names) != 1 {
		t.Errorf("read %q, devices %v, err %v", body, names, err)
	}
}

// TestSpoolWithSQLite: beside SQLite a spool is not used.
func TestSpoolWithSQLite(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open("sqlite:"+filepath.Join(dir, "a.db"),
		store.Options{Own: true, Create: true, Spool: filepath.Join(dir, "spool.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := os.Stat(filepath.Join(dir, "spool.db")); err == nil {
		t.Error("there is a spool")
	}
}

// TestSpoolMistaken: a spool isn't opened as a database, nor the other way round, and the file
// isn't changed.
func TestSpoolMistaken(t *testing.T) {
	dir := t.TempDir()
	database, spool, other := filepath.Join(dir, "a.db"), filepath.Join(dir, "spool.db"),
		filepath.Join(dir, "other.db")
	s, err := store.Open("sqlite:"+database, store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := store.OpenSpool(spool, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Migrate(t.Context()), s.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE theirs (x)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	for _, file := range []string{database, spool, other} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before[file] = string(b)
	}
	for _, own := range []bool{false, true} {
		if _, err := store.Open("sqlite:"+spool,
			store.Options{Own: own, Create: own}); store.ClassOf(err) != store.Config ||
			!strings.Contains(fmt.Sprint(err), "spool.db is a spool: DATABASE_URL") {
			t.Errorf("a spool as a database: %v", err)
		}
		if _, err := store.OpenSpool(database, own); store.ClassOf(err) != store.Config ||
			!strings.Contains(fmt.Sprint(err), "a.db is a database of tftpsql's: SPOOL") {
			t.Errorf("a database as a spool: %v", err)
		}
		if _, err := store.OpenSpool(other, own); store.ClassOf(err) != store.Config ||
			!strings.Contains(fmt.Sprint(err), "other.db is another program's database: SPOOL") {
			t.Errorf("another's as a spool: %v", err)
		}
	}
	for file, was := range before {
		if b, err := os.ReadFile(file); err != nil || string(b) != was {
			t.Errorf("%s was changed, %v", file, err)
		}
	}
}
