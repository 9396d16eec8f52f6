package move_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/move"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// TestImportWithoutStandby: an import isn't done before the synchronous standby has it, also where
// an earlier one has committed everything on the primary alone.
func TestImportWithoutStandby(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	s, err := store.Open(server.Create(t), store.Options{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err = os.WriteFile(filepath.Join(dir, "sw1.cfg"), []byte("hostname sw1\n!\nend\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	run := func() (move.Report, error) {
		from, err := move.OpenFolder(dir, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		return move.Import{From: from, To: s}.Run(t.Context())
	}
	if err := server.RequireStandby(t.Context(), "nowhere"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := server.CutWaits(ctx, "pg_cancel_backend")
		ended <- err
	}()
	for range 2 {
		if report, err := run(); err == nil || !strings.Contains(err.Error(), "standby") {
			t.Errorf("without a standby: %+v, %v", report, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := server.RequireStandby(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if report, err := run(); err != nil || report.New != 0 || report.Known != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}
