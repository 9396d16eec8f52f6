package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

var (
	bursts = flag.Int("bursts", 0,
		"bursts of uploads with a fault each, in each world of TestFaults; a few if 0")
	faultSeed = flag.Uint64("fault-seed", 1, "of TestFaults")
)

// world is where bursts of uploads meet faults: a worker in a process of its own, and what it
// stores in.
type world struct {
	t       *testing.T
	r       *rand.Rand
	url     string
	environ []string
	args    []string
	server  *pgtest.Server // nil on SQLite
	disk    string         // of the database
	spool   string         // empty without one
	room    string         // of the spool

	standby *pgtest.Server // nil without one
	second  *world         // another worker on the same database, with half of the uploads; or nil

	attempts int // of an upload

	cmd  *exec.Cmd
	log  *logBuffer
	addr string
	ways *waysIn // by SFTP and HTTP

	acknowledged map[string]bool // bodies
	byWay        map[string]int  // of them
	injected     map[string]int
	stored       map[string]int  // how often each body was found
	seen         map[string]bool // UIDs that were looked at

	lost, doubled int
}

// fault is something that breaks in the middle of a burst, and how it is mended.
type fault struct {
	name   string
	before func(w *world) error // breaks something before the burst; nil for nothing
	inject func(w *world) error
	mend   func(w *world) error
	brief  bool // uploads wait for nothing, so they have little patience
}

var calm = fault{name: "none", inject: func(*world) error { return nil }}

var killWorker = fault{name: "worker killed", brief: true, inject: (*world).kill}

var databaseFaults = []fault{
	{name: "PostgreSQL killed", inject: func(w *world) error { return w.server.Kill() }},
	{name: "PostgreSQL stalled", inject: func(w *world) error { return w.server.Stall() },
		mend: func(w *world) error { return w.server.Resume() }},
	{name: "PostgreSQL restarted", inject: func(w *world) error {
		if err := w.server.Down("fast"); err != nil && w.server.Running() { // it didn't end in time
			if err := w.server.Down("immediate"); err != nil {
				return err
			}
		}
		return w.server.Up()
	}},
	{name: "PostgreSQL read-only", inject: func(w *world) error { return w.readOnly("on") },
		mend: func(w *world) error { return w.readOnly("off") }},
	{name: "PostgreSQL's disk full", inject: func(w *world) error { return fill(w.disk) },
		mend: func(w *world) error { return free(w.disk) }},
}

var (
	spoolFull = fault{name: "spool's disk full, PostgreSQL stalled",
		inject: func(w *world) error { return errors.Join(fill(w.room), w.server.Stall()) },
		mend:   func(w *world) error { return errors.Join(free(w.room), w.server.Resume()) }}
	sqliteFull = fault{name: "SQLite's disk full",
		inject: func(w *world) error { return fill(w.disk) },
		mend:   func(w *world) error { return free(w.disk) }}
)

// TestFaults: whatever breaks in the middle of a burst, an upload whose client saw its receipt, by
// TFTP, SFTP or HTTP, is there byte for byte, once.
func TestFaults(t *testing.T) {
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("mounting small disks and stalling PostgreSQL needs root"))
	}
	for name, set := range map[string]func(w *world) []fault{
		"sqlite": func(w *world) []fault {
			w.disk = tmpfs(w.t, "16m")
			w.url = "sqlite:" + filepath.Join(w.disk, "test.db")
			return []fault{killWorker, sqliteFull}
		},
		"postgres": func(w *world) []fault {
			w.postgres()
			return append([]fault{killWorker}, databaseFaults...)
		},
		"spool": func(w *world) []fault {
			w.postgres()
			w.room = tmpfs(w.t, "24m")
			w.spool = filepath.Join(w.room, "spool.db")
			w.args = append(w.args, "--spool", w.spool)
			return append([]fault{killWorker, spoolFull}, databaseFaults...)
		},
		"standby":        standbyFaults,
		"standby, spool": spooledStandbyFaults,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			faults := set(w)
			n := *bursts
			if n == 0 {
				n = len(faults) // each once
			}
			order := w.r.Perm(len(faults))
			for i := range n {
				w.burst(i, faults[order[i%len(order)]])
				w.check()
			}
			w.calm(n)
			t.Logf("%d bursts, %d uploads of which %d were acknowledged %v, faults %v, lost %d, "+
				"doubled %d", n+1, (n+1)*12, len(w.acknowledged), w.byWay, w.injected, w.lost,
				w.doubled)
		})
	}
}

func newWorld(t *testing.T) *world {
	return &world{t: t, r: rand.New(rand.NewPCG(*faultSeed, 5)), attempts: 3,
		args:         []string{"--min-free", "0", "--max-size", "1MiB"},
		acknowledged: map[string]bool{}, byWay: map[string]int{}, injected: map[string]int{},
		stored: map[string]int{}, seen: map[string]bool{}}
}

// calm is a burst that all must survive. Under load a killed worker may take all of a burst with
// it; without a fault none fails.
func (w *world) calm(number int) {
	before := len(w.acknowledged)
	w.burst(number, calm)
	w.check()
	if ended := len(w.acknowledged) - before; ended < 12 {
		w.t.Errorf("only %d of 12 uploads ended well without a fault", ended)
	}
}

// TestSnapshotFull: a snapshot that doesn't fit says which disk is full, and leaves nothing there.
func TestSnapshotFull(t *testing.T) {
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("mounting small disks needs root"))
	}
	disk := tmpfs(t, "1m")
	p := start(t, databases["sqlite"](t))
	body := make([]byte, 4<<20)
	for i := range body {
		body[i] = byte(rand.Uint32())
	}
	p.put(t, "large", string(body))
	if status, _, errs := p.do(t, "snapshot", filepath.Join(disk, "copy.db")); status != 1 ||
		!strings.Contains(errs, "make room on the disk that holds "+disk) {
		t.Errorf("%d %s", status, errs)
	}
	if left := tree(t, disk); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// TestFullSpoolRefuses: when the spool's disk is full a device hears error 3, and what was
// acknowledged before is stored when PostgreSQL is back.
func TestFullSpoolRefuses(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		pgtest.Missing(t, errors.New("mounting small disks needs root"))
	}
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	w := &world{t: t, url: server.Create(t), spool: filepath.Join(tmpfs(t, "24m"), "spool.db")}
	p := start(t, w.url, "--http", "none", "--spool", w.spool, "--min-free", "0")
	p.put(t, "fw.conf", fortigate("fw", "1"))
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	noise := rand.NewChaCha8([32]byte{5})
	kept := map[string]string{}
	for {
		body := make([]byte, 1<<20)
		_, _ = noise.Read(body)
		name := fmt.Sprintf("dev%d", len(kept))
		if err = (&tftp.Client{Blksize: 8192, Windowsize: 16}).Put(t.Context(), p.addr, name,
			body); err != nil {
			break
		}
		kept[name] = string(body)
	}
	var peer *tftp.PeerError
	if !errors.As(err, &peer) || peer.Code != tftp.CodeFull || peer.Message != "storage full" ||
		len(kept) < 10 {
		t.Errorf("after %d uploads the device hears %v\n%s", len(kept), err, p.log)
	}
	p.log.wait(t, `level=WARN msg=failed op=write .*file=dev`+fmt.Sprint(len(kept))+` .*the spool`)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	w.log = p.log
	w.drain()
	for name, body := range kept {
		if got := p.must(t, "show", name); got != body {
			t.Errorf("%s: %d bytes are stored of %d", name, len(got), len(body))
		}
	}
	p.put(t, "fw.conf", fortigate("fw", "2"))
}

// tmpfs mounts a small disk.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tftpsql-disk") // open to the user that PostgreSQL runs as
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) }) // an empty folder in the worst case
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0777"); err != nil {
		pgtest.Missing(t, fmt.Errorf("mounting a small disk: %w", err))
	}
	// what still has it open has been killed
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill leaves no room on a disk, and free gives it back.
func fill(dir string) error {
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		return err
	}
	for size := 1 << 20; size >= 512; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			break
		}
		err = nil
	}
	return errors.Join(err, f.Close())
}

func free(dir string) error { return os.Remove(filepath.Join(dir, "filler")) }

func (w *world) postgres() {
	w.disk = tmpfs(w.t, "200m")
	server, err := pgtest.StartIn(w.disk, "-c max_wal_size=48MB -c min_wal_size=32MB")
	if err != nil {
		pgtest.Missing(w.t, err)
	}
	w.t.Cleanup(server.Remove)
	w.server, w.url = server, server.Create(w.t)
}

func (w *world) readOnly(value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.server.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err = conn.Exec(ctx,
		"ALTER SYSTEM SET default_transaction_read_only = "+value); err == nil {
		_, err = conn.Exec(ctx, "SELECT pg_reload_conf()")
	}
	return err
}

// workers are the worlds of the workers on the database.
func (w *world) workers() []*world {
	if w.second == nil {
		return []*world{w}
	}
	return []*world{w, w.second}
}

// run starts the workers that aren't there.
func (w *world) run() {
	for _, of := range w.workers() {
		if of.ways == nil {
			of.ways = w.ways
		}
		if of.cmd == nil || of.cmd.ProcessState != nil {
			of.begin()
		}
	}
}

// kill ends the worker by SIGKILL.
func (w *world) kill() error {
	err := w.cmd.Process.Kill()
	_ = w.cmd.Wait() // killed
	return err
}

// begin starts the worker.
func (w *world) begin() {
	w.cmd, w.log = childWith(w.t, w.url, append(w.environ, "SSH_ADDR=127.0.0.1:0"),
		append(w.args, "--http", "127.0.0.1:0")...)
	w.addr = w.log.wait(w.t, `msg=listening address=(\S+)`)[1]
	p := &program{url: w.url, log: w.log}
	if w.ways == nil {
		w.ways = loggedIn(w.t, p)
		return
	}
	again := waysOf(w.t, p)
	again.key, again.token = w.ways.key, w.ways.token
	w.ways = again
}

// burst uploads from a dozen clients at once and injects a fault at some moment, or when so many
// have ended.
func (w *world) burst(number int, f fault) {
	w.run()
	if f.before != nil {
		if err := f.before(w); err != nil {
			w.t.Fatalf("%s: %v", f.name, err)
		}
	}
	const clients = 12
	last, moment := w.r.IntN(clients), time.After(time.Duration(w.r.IntN(60))*time.Millisecond)
	patience := 10 * time.Second // more than a worker takes that waits for PostgreSQL
	if f.brief {
		patience = 2 * time.Second
	}
	type end struct {
		body, way string
		err       error
	}
	ends := make(chan end, clients)
	workers := w.workers()
	for i := range clients {
		to := workers[i/4%len(workers)]
		addr, ways := to.addr, *to.ways
		filler := strings.Repeat(fmt.Sprintf("# %d\n", w.r.Int64()), w.r.IntN(3000))
		go func() {
			var final end
			// each says which it is, so that a receipt belongs to one of them
			for attempt := range w.attempts {
				final.body = fmt.Sprintf("burst %d upload %d attempt %d\n%s", number, i, attempt,
					filler)
				name := fmt.Sprintf("dev%d.conf", i)
				switch i % 4 {
				case 0:
					final.way = "sftp"
					final.err = ways.putSFTP(name, final.body, patience)
				case 1:
					final.way = "http"
					final.err = ways.putHTTP(name, final.body, patience)
				case 2:
					final.way = "scp"
					final.err = ways.putSCP(name, final.body, patience)
				default:
					final.way = "tftp"
					final.err = (&tftp.Client{Blksize: 1428, Patience: patience}).Put(
						context.Background(), addr, name, []byte(final.body))
				}
				if final.err == nil {
					break
				}
			}
			ends <- final
		}()
	}
	inject := func() {
		moment = nil
		if err := f.inject(w); err != nil {
			w.t.Fatalf("%s: %v", f.name, err)
		}
		w.injected[f.name]++
	}
	limit := time.After(2 * time.Minute)
	for ended := 0; ended < clients; {
		if ended == last && moment != nil {
			inject()
		}
		select {
		case <-moment:
			inject()
		case e := <-ends:
			if ended++; e.err == nil {
				w.acknowledged[e.body] = true
				w.byWay[e.way]++
			}
		case <-limit:
			w.t.Fatalf("burst %d, %s: an upload hangs\n%s", number, f.name, w.log)
		}
	}
	w.mend(f)
}

func (w *world) mend(f fault) {
	if f.mend != nil {
		if err := f.mend(w); err != nil && !(w.server != nil && !w.server.Running()) {
			w.t.Fatalf("mending %s: %v", f.name, err)
		}
	}
	if w.server != nil && !w.server.Running() {
		if err := w.server.Up(); err != nil {
			w.t.Fatal(err)
		}
		if f.name == "PostgreSQL read-only" {
			if err := w.readOnly("off"); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// check holds what is stored since the last time against what was acknowledged so far, after the
// spool is empty.
func (w *world) check() {
	w.run()
	for _, of := range w.workers() {
		if of.spool != "" {
			of.drain()
		}
	}
	p := &program{url: w.url}
	var log []wireCapture
	unmarshal(w.t, p.must(w.t, "log", "-n", "0", "--json"), &log)
	s, err := store.Open(w.url, store.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	for _, c := range log {
		if w.seen[c.UID] {
			continue
		}
		w.seen[c.UID] = true
		r, err := s.Resolve(w.t.Context(), c.UID, time.Time{})
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := s.Content(w.t.Context(), r)
		if err != nil {
			w.t.Fatal(err)
		}
		if w.stored[string(body)]++; w.stored[string(body)] > 1 {
			w.doubled++
			w.t.Errorf("doubled: %.40q is there %d times", body, w.stored[string(body)])
		}
	}
	for body := range w.acknowledged {
		if w.stored[body] == 0 {
			w.lost++
			w.t.Errorf("lost: %.40q was acknowledged", body)
		}
	}
}

// drain waits until the worker has forwarded what was in its spool.
func (w *world) drain() {
	limit := time.After(2 * time.Minute)
	for {
		status, out, errs := do(w.t, []string{"DATABASE_URL=" + w.url, "SPOOL=" + w.spool}, "spool",
			"--json")
		if status == 0 && strings.TrimSpace(out) == "[]" {
			return
		}
		select {
		case <-w.log.more: // the worker says something
		case <-time.After(time.Second):
		case <-limit:
			w.t.Fatalf("the spool is not emptied: %d %s %s\n%s", status, out, errs, w.log)
		}
	}
}
