package alarm

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestZones: each zone that Go knows is in the archive, and quiet hours know it where the system
// has no table.
func TestZones(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip(err)
	}
	table, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time",
		"zoneinfo.zip"))
	if err != nil {
		t.Skip(err) // a Go without its table
	}
	defer table.Close()
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		writeZones(t, table.File)
	}
	found := 0
	for _, f := range table.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		found++
		if _, err := archivedZone(f.Name); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if found < 400 {
		t.Errorf("%d zones", found)
	}
	berlin, err := archivedZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if _, offset := time.Date(2026, 7, 1, 0, 0, 0, 0, berlin).Zone(); offset != 7200 {
		t.Errorf("Berlin in summer is %d s from UTC", offset)
	}
	if _, err := zone("Europe/Nowhere"); err == nil {
		t.Error("a zone that there isn't is found")
	}
}

// writeZones makes the archive of Go's table.
func writeZones(t *testing.T, files []*zip.File) {
	t.Helper()
	var out bytes.Buffer
	packed, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(packed)
	for _, f := range files {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := archive.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o644,
			Size: int64(len(data)), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("zones.tar.gz", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
