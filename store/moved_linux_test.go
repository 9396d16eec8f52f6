package store_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// TestNameMoves: after a failover the database's name leads to the old primary, which is a standby
// now. As soon as the name leads to the new one captures are stored there: no connection to the old
// one is used again.
func TestNameMoves(t *testing.T) {
	t.Parallel()
	old, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(old.Remove)
	u, err := url.Parse(old.Create(t))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "name")
	lead := func(to *pgtest.Server) {
		t.Helper()
		at, err := url.Parse(to.URL(""))
		if err == nil {
			err = os.Symlink(at.Query().Get("host"), name+".new")
		}
		if err == nil {
			err = os.Rename(name+".new", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	lead(old)
	q := u.Query()
	q.Set("host", name)
	u.RawQuery = q.Encode()
	s, err := store.Open(u.String(), store.Options{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, capture(1, "fw1", "a"))
	successor, err := old.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(successor.Remove)
	for _, step := range []func() error{old.Kill, successor.Promote,
		func() error { return old.Follow(successor) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(t.Context(), capture(2, "fw1", "b")); err == nil ||
		!strings.Contains(err.Error(), "read-only: after a failover this passes") {
		t.Errorf("on the old primary: %v", err)
	}
	lead(successor)
	put(t, s, capture(2, "fw1", "b"))
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
