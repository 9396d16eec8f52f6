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
	"time"
)

// TestMain lets the test's own program be the peers, as bench is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestShort: every workload runs, nothing of ours fails or is lost in it, what takes time can be
// explained, and the chart is drawn. How fast anything is doesn't matter.
func TestShort(t *testing.T) {
	chart := filepath.Join(t.TempDir(), "bench.svg")
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	var out bytes.Buffer
	if err := run([]string{"-short", "-svg", chart, "-profile", t.TempDir()}, &out,
		t.Output()); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, why := range []string{engine + " once more, under a profile", ours +
		" once more, under a profile", storePath + " once more, under a profile",
		"    Initialising "} {
		if !strings.Contains(out.String(), "\n"+why) &&
			!strings.Contains(out.String(), "PostgreSQL is not installed") {
			t.Errorf("nothing has %q", why)
		}
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "PostgreSQL is not installed") && os.Getenv("CI") == "" {
			continue
		}
		if strings.HasPrefix(line, "failed: ") || strings.Contains(line, ": no profile: ") ||
			strings.HasPrefix(line, "| tftpsql") && strings.Contains(line, "| failed | failed |") {
			t.Error(line)
		}
		if strings.HasPrefix(line, "- MISSED") &&
			(strings.Contains(line, ": failed =") || strings.Contains(line, ": lost =")) {
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
	if err := xml.Unmarshal(picture, &elements); err != nil ||
		!slices.Contains(elements.Texts, engine) {
		t.Errorf("the chart: %v\n%s", err, picture)
	}
}

// TestWhere: the CPU of a profile is told by the parts that have a share in it, whether pprof calls
// a function inlined or not.
func TestWhere(t *testing.T) {
	list := readTraces([]byte(`File: tftpsql
Type: cpu
Duration: 1s, Total samples = 100000us (10.00%)
-----------+-------------------------------------------------------
   50000us   internal/runtime/syscall/linux.Syscall6
             syscall.RawSyscall6 (inline)
             github.com/tftpsql/tftpsql/tftp.(*udpConn).send
             github.com/tftpsql/tftpsql/tftp.(*Server).Serve
-----------+-------------------------------------------------------
   30000us   crypto/internal/fips140/sha256.blockSHANI
             github.com/tftpsql/tftpsql/store.(*Store).Put
-----------+-------------------------------------------------------
   10000us   runtime.scanobject
             runtime.gcDrain
             runtime.gcBgMarkWorker.func2
             runtime.systemstack
-----------+-------------------------------------------------------
   10000us   slices.insertionSortCmpFunc[go.shape.struct { A int }]
             github.com/jackc/pgx/v5.(*Conn).Exec
             github.com/tftpsql/tftpsql/store.(*Store).Put
`))
	var out bytes.Buffer
	where(&out, list, time.Second)
	for _, wanted := range []string{"0.10 s of CPU in 1.00 s: 50.0 % system calls, 30.0 % " +
		"hashing (crypto), 10.0 % garbage collection, 10.0 % pgx\n",
		"system calls by: 50.0 % tftp.(*udpConn).send\n",
		"10.0 % slices.insertionSortCmpFunc[go.shape.struct { A int }]",
		" 40.0 % store.(*Store).Put\n"} {
		if !strings.Contains(out.String(), wanted) {
			t.Errorf("no %q in\n%s", wanted, out.String())
		}
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
