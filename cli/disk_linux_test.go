package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

// refuses checks that /readyz says why the server refuses uploads before a client sends one, and
// that an upload gets error 3.
func (p *program) refuses(t *testing.T, why string) {
	t.Helper()
	if status, body := get(t, p.page(t)+"/readyz"); status != 503 || !strings.Contains(body, why) {
		t.Errorf("readyz: %d %s", status, body)
	}
	if _, text := get(t, p.page(t)+"/metrics"); !strings.Contains(text, "\ntftpsql_ready 0\n") {
		t.Error("the metric says it is ready")
	}
	var peer *tftp.PeerError
	if err := (&tftp.Client{}).Put(t.Context(), p.addr, "fw1.conf", []byte("x")); !errors.As(err,
		&peer) || peer.Code != tftp.CodeFull || peer.Message != "storage full" {
		t.Errorf("an upload: %v", err)
	}
}

// TestDiskFills: the server refuses uploads before the disk is full, and takes them again when
// there is free space.
func TestDiskFills(t *testing.T) {
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("mounting small disks needs root"))
	}
	disk := tmpfs(t, "64m")
	p := start(t, "sqlite:"+filepath.Join(disk, "test.db"), "--http", "127.0.0.1:0")
	p.log.wait(t, `msg=database .* min-free=8MiB\n`)
	p.put(t, "fw1.conf", gate("fw1", "a", "web", "1"))
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 57<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p.log.wait(t, `level=ERROR msg="uploads are refused" err=".* MIN_FREE is 8MiB`)
	p.refuses(t, "MIN_FREE is 8MiB: make room, or lower MIN_FREE")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.log.wait(t, `msg="the disk has space again`)
	if status, body := get(t, p.page(t)+"/readyz"); status != 200 {
		t.Errorf("readyz: %d %s", status, body)
	}
	p.put(t, "fw1.conf", gate("fw1", "b", "web", "2"))
}

// TestMinFreeIsTakenAsSet: the server takes MIN_FREE as it is set, also where the disk is smaller.
func TestMinFreeIsTakenAsSet(t *testing.T) {
	t.Parallel()
	p := start(t, databases["sqlite"](t), "--http", "127.0.0.1:0", "--min-free", "8000000GiB")
	p.refuses(t, "MIN_FREE is 8000000GiB")
}
