package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tftpsql/tftpsql/store"
)

// TestMadeByRoot: a database that root makes in a service's folder belongs to the service.
func TestMadeByRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	const nobody = 65534
	dir := filepath.Join(t.TempDir(), "service")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open("sqlite:"+filepath.Join(dir, "a.db"),
		store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 3 {
		t.Fatalf("%v, err %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != nobody || info.Mode().Perm() != 0o600 {
			t.Errorf("%s belongs to %d, %v", e.Name(), uid, info.Mode())
		}
	}
}
