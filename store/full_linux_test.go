package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// smallDisk mounts a disk of 24 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("mounting a small disk needs root"))
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		pgtest.Missing(t, fmt.Errorf("mounting a small disk: %w", err))
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // a store may have it open
	return dir
}

// fill writes until the disk is full.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if n, err := f.Write(make([]byte, size)); err != nil || n < size {
			size /= 2
		}
	}
}

// TestFullSpool: a spool on a full disk can be opened, and is emptied when PostgreSQL is back.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	server, url := downed(t)
	disk := smallDisk(t)
	spool := filepath.Join(disk, "spool.db")
	s := openSpooled(t, url, spool)
	kept, err := 0, error(nil)
	for ; err == nil; kept++ {
		_, err = s.Put(t.Context(), capture(kept, fmt.Sprintf("fw%d", kept),
			strings.Repeat(fmt.Sprintln("set name", kept), 20_000)))
	}
	if kept--; store.ClassOf(err) != store.Full || kept < 20 {
		t.Fatalf("after %d captures: %v", kept, err)
	}
	fill(t, disk)
	if err := s.Close(); err != nil {
		t.Log(err) // it can't write either
	}
	fill(t, disk)
	s = openSpooled(t, url, spool)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	if devices, err := s.Devices(t.Context()); err != nil || len(devices) != kept {
		t.Errorf("%d devices are stored of %d, err %v", len(devices), kept, err)
	}
}

// TestFullDisk: a database on a full disk can be opened and read, and reports that the disk is
// full.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	url := "sqlite:" + filepath.Join(disk, "test.db")
	s := open(t, url)
	kept, err := 0, error(nil)
	for ; err == nil; kept++ {
		_, err = s.Put(t.Context(), capture(kept, "fw1", strings.Repeat(fmt.Sprintln("set name",
			kept), 20_000)))
	}
	if kept--; store.ClassOf(err) != store.Full {
		t.Fatalf("after %d captures: %v", kept, err)
	}
	fill(t, disk)
	_ = s.Close() // it can't write either
	fill(t, disk)
	s, err = store.Open(url, store.Options{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if d := device(t, s, "fw1"); d.Captures != int64(kept) {
		t.Errorf("%d captures are there of %d", d.Captures, kept)
	}
	if _, err := s.Put(t.Context(), capture(kept+1, "fw1", strings.Repeat("another\n",
		1<<18))); store.ClassOf(err) != store.Full {
		t.Errorf("one more: %v", err)
	}
}
