//go:build linux

package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain lets the test's own program be the peers, as bench is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestShort: every workload runs, nothing of ours fails or is lost in it, and the chart is drawn. How fast anything is doesn't matter.
func TestShort(t *testing.T) {
	chart := filepath.Join(t.TempDir(), "bench.svg")
	if testing.Short() {
		t.Skip("it takes a quarter of a minute or so")
	}
	var out bytes.Buffer
	if err := run([]string{"-short", "-svg", chart}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "PostgreSQL is not installed") && os.Getenv("CI") == "" {
			continue
		}
		if strings.HasPrefix(line, "failed: ") || strings.HasPrefix(line, "| tftpsql") && strings.Contains(line, "| failed | failed |") {
			t.Error(line)
		}
		if strings.HasPrefix(line, "- MISSED") && (strings.Contains(line, ": failed =") || strings.Contains(line, ": lost =")) {
			t.Error(line)
		}
	}
	picture, err := os.ReadFile(chart)
	if err != nil {
		t.Fatal(err)
	}
	var elements struct {
		Texts []string `xml:"text"`
	}
	if err := xml.Unmarshal(picture, &elements); err != nil || !slices.Contains(elements.Texts, engine) {
		t.Errorf("the chart: %v\n%s", err, picture)
	}
}

// TestConfig: a configuration has the size that was asked for.
func TestConfig(t *testing.T) {
	for _, size := range []int{5000, 200_000, 1 << 20} {
		if n := len(whole(size, 7, 3)); n != size {
			t.Errorf("%d bytes instead of %d", n, size)
		}
	}
}
