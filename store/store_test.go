package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// engines are the databases of the conformance suite: a URL of a database without captures each.
var engines = map[string]func(testing.TB) string{
	"sqlite": func(t testing.TB) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	},
	"postgres": migrated,
}

// migrated is a database of PostgreSQL with the schema of now.
func migrated(t testing.TB) string {
	return pgtest.Filled(t, func(url string) error {
		s, err := store.Open(url, store.Options{Own: true, Create: true})
		if err != nil {
			return err
		}
		return errors.Join(s.Migrate(t.Context()), s.Close())
	})
}

// conform runs a test on every engine, with an empty, migrated store.
func conform(t *testing.T, test func(t *testing.T, s *store.Store)) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, url(t)))
		})
	}
}

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(url, store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// beside opens a database as a second program would.
func beside(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var day = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// capture is a plausible capture, received n minutes after day.
func capture(n int, name, body string) store.Capture {
	return store.Capture{
		UID:        fmt.Sprintf("01a20702-0000-7000-8000-%012x", n),
		ReceivedAt: day.Add(time.Duration(n) * time.Minute),
		Source:     "192.0.2.1", SourcePort: 49152, Local: "192.0.2.100",
		Filename: name + ".conf", Mode: "octet", Options: "blksize=1428",
		Duration: 1500 * time.Microsecond, Name: name, NamedBy: store.NamedByConfig,
		Platform: "fortinet", Model: "FGT60F", OSVersion: "7.4.7", Build: "2731",
		Serial: "FGT60F0000000001", Kind: "full",
		Complete: true, Body: []byte(body),
	}
}

func put(t testing.TB, s *store.Store, c store.Capture) store.Stored {
	t.Helper()
	r, err := s.Put(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPutKeepsEveryByte(t *testing.T) {
	bodies := map[string]string{
		"text": "config system global\n", "empty": "", "nul": "a\x00b",
		"latin-1": "caf\xe9 \xa0\xff\x01\n", "all": string(allBytes()),
		"utf-16": "\xff\xfec\x00o\x00", "gzip": "\x1f\x8b\x08\x00",
		"utf-8": "größe ☃ \U0001f600",
		"large": strings.Repeat("set x y\n", 1<<19),
	}
	conform(t, func(t *testing.T, s *store.Store) {
		n := 0
		for name, body := range bodies {
			n++
			put(t, s, capture(n, name, body))
			r, err := s.Resolve(t.Context(), name, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Content(t.Context(), r)
			if err != nil || string(got) != body {
				t.Errorf("%s: %d bytes came back of %d, err %v", name, len(got), len(body), err)
			}
			for _, wanted := range []bool{true, false} {
				got, err := s.ContentIf(t.Context(), r, func(b []byte) bool {
					return wanted == (string(b) == body)
				})
				if err != nil || wanted && string(got) != body || !wanted && got != nil {
					t.Errorf("%s, wanted %v: %d bytes, err %v", name, wanted, len(got), err)
				}
			}
			sum := sha256.Sum256([]byte(body))
			if r.SHA256 != hex.EncodeToString(sum[:]) || r.Size != int64(len(body)) {
				t.Errorf("%s: record says %s, %d bytes", name, r.SHA256, r.Size)
			}
		}
	})
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(255 - i)
	}
	return b
}

func TestRecords(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		c := capture(1, "fw1", "x\n")
		c.Site, c.Filename = "acme", `sub\\dir/fw1 \xff.conf`
		c.ReceivedAt = time.Date(2026, 11, 23, 5, 6, 7, 123456789, time.FixedZone("", 3600))
		stored := put(t, s, c)
		if !stored.Changed || stored.Known || stored.Device != "fw1" || stored.Site != "acme" {
			t.Errorf("stored %+v", stored)
		}
		r, err := s.Resolve(t.Context(), fmt.Sprintf("@%d", stored.ID), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		want := time.Date(2026, 11, 23, 4, 6, 7, 123456000, time.UTC)
		if !r.ReceivedAt.Equal(want) || r.ReceivedAt.Location() != time.UTC {
			t.Errorf("received at %v, want %v", r.ReceivedAt, want)
		}
		if r.UID != c.UID || r.Site != "acme" || r.Device != "fw1" || r.Platform != "fortinet" ||
			r.Kind != "full" || r.Source != c.Source ||
			r.Filename != c.Filename || r.Mode != "octet" || r.Size != 2 || !r.Changed ||
			!r.Complete {
			t.Errorf("record %+v", r)
		}
		devices, err := s.Devices(t.Context())
		if err != nil || len(devices) != 1 {
			t.Fatal(devices, err)
		}
		d := devices[0]
		d.ID = 0
		if d != (store.Device{Site: "acme", Name: "fw1", NamedBy: "config", FirstSeen: want,
			LastSeen: want, LastChange: want, Captures: 1,
			Changes: 1, Source: c.Source, Platform: "fortinet", Model: "FGT60F", OSVersion: "7.4.7",
			Build: "2731", Serial: "FGT60F0000000001", Complete: true, Recent: 1}) {
			t.Errorf("device %+v", d)
		}
	})
}

func TestUIDIsStoredOnce(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		first := put(t, s, capture(1, "fw1", "a"))
		again := put(t, s, capture(1, "fw1", "a"))
		if !again.Known || again.ID != first.ID || !again.Changed {
			t.Errorf("again: %+v, first %+v", again, first)
		}
		mistaken := capture(1, "fw1", "a")
		mistaken.New = true
		if again := put(t, s, mistaken); !again.Known || again.ID != first.ID {
			t.Errorf("said to be new: %+v, first %+v", again, first)
		}
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				c := capture(2, "fw1", "b")
				c.New = n%2 == 0 // which only one of them is
				if _, err := s.Put(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		log, err := s.Log(t.Context(), nil, 0)
		if err != nil || len(log) != 2 {
			t.Errorf("%d captures, err %v", len(log), err)
		}
		devices, _ := s.Devices(t.Context())
		if devices[0].Captures != 2 || devices[0].Changes != 2 {
			t.Errorf("device %+v", devices[0])
		}
	})
}

func TestChanged(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		torn := capture(5, "fw1", "b, to")
		torn.Complete = false
		vdom := capture(6, "fw1", "v")
		vdom.Kind = "vdom:root"
		for i, step := range []struct {
			c    store.Capture
			want bool
			why  string
		}{
			{capture(1, "fw1", "a"), true, "the first"},
			{capture(2, "fw1", "a"), false, "the same"},
			{capture(3, "fw1", "b"), true, "another"},
			{capture(4, "fw2", "b"), true, "the first of another device"},
			{torn, true, "torn, and other than the last"},
			{vdom, true, "the first of its kind"},
			{capture(7, "fw1", "b"), false, "as the last complete one: a torn one is no base"},
			{capture(8, "fw1", "a"), true, "back to what was before"},
		} {
			if got := put(t, s, step.c); got.Changed != step.want {
				t.Errorf("%d (%s): changed = %v", i, step.why, got.Changed)
			}
		}
	})
}

// TestOrderDoesNotMatter delivers the same captures in many orders, some twice: the tables must
// come out the same.
func TestOrderDoesNotMatter(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(4) {
				r := rand.New(rand.NewPCG(seed, 7))
				captures := randomCaptures(r, 30)
				want := deliver(t, url(t), captures)
				for range 2 {
					shuffled := append([]store.Capture(nil), captures...)
					shuffled = append(shuffled, captures[:10]...)
					r.Shuffle(len(shuffled), func(i, j int) {
						shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
					})
					if got := deliver(t, url(t), shuffled); !reflect.DeepEqual(got, want) {
						t.Fatalf("seed %d: another order, other tables:\n%s\nwant\n%s", seed,
							strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				}
			}
		})
	}
}

func randomCaptures(r *rand.Rand, n int) []store.Capture {
	list := make([]store.Capture, n)
	for i := range list {
		c := capture(i, fmt.Sprintf("fw%d", r.IntN(3)), string(rune('a'+r.IntN(3))))
		c.ReceivedAt = day.Add(time.Duration(r.IntN(n/2)) * time.Minute) // some at the same moment
		c.Complete = r.IntN(4) > 0
		c.Kind = []string{"full", "vdom:root"}[r.IntN(2)]
		c.OSVersion = fmt.Sprint("7.4.", i)
		if r.IntN(3) == 0 {
			c.NamedBy = store.NamedByFilename // from the same source as the configurations
		}
		list[i] = c
	}
	return list
}

// deliver stores captures by several programs and returns the tables without the numbers, which
// depend on the order.
func deliver(t *testing.T, url string, captures []store.Capture) (lines []string) {
	t.Helper()
	s := open(t, url)
	other := beside(t, url)
	seen := map[string]bool{}
	for i, c := range captures {
		c.New = !seen[c.UID]
		seen[c.UID] = true
		if i%5 > 2 {
			put(t, other, c)
		} else {
			put(t, s, c)
		}
	}
	devices, err := s.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		log, err := s.Log(t.Context(), &d, 0)
		if err != nil {
			t.Fatal(err)
		}
		d.ID = 0
		lines = append(lines, fmt.Sprintf("%+v", d))
		for _, r := range log {
			lines = append(lines, fmt.Sprintln(r.UID, r.ReceivedAt, r.Device, r.Kind, r.SHA256[:6],
				r.Changed, r.Complete))
		}
	}
	return lines
}

func TestNames(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		n := 0
		from := func(source, name, by string) string {
			n++
			c := capture(n, name, fmt.Sprint(n))
			c.Source, c.NamedBy = source, by
			if by == "junk" {
				c.NamedBy, c.Platform, c.Model, c.Kind = store.NamedByFilename, "", "", "other"
			}
			return put(t, s, c).Device
		}
		for _, step := range []struct{ source, name, by, want string }{
			{"192.0.2.1", "core", store.NamedByFilename, "core"},
			// the name belongs to the first
			{"192.0.2.2", "core", store.NamedByFilename, "core@192.0.2.2"},
			{"192.0.2.1", "core", store.NamedByFilename, "core"},
			// a configuration says it: the file's name gives way
			{"192.0.2.3", "core", store.NamedByConfig, "core"},
			{"192.0.2.1", "core", store.NamedByFilename, "core@192.0.2.1"},
			// seen from there, so it is that device's backup
			{"192.0.2.3", "core", store.NamedByFilename, "core"},
			{"192.0.2.4", "core", store.NamedByConfig, "core"}, // a device may move
			// of no known platform: it must not pass for core's configuration
			{"192.0.2.4", "core", "junk", "core@192.0.2.4"},
			{"192.0.2.5", "edge", store.NamedByFilename, "edge"},
			{"192.0.2.5", "edge", store.NamedByConfig, "edge"},
			{"192.0.2.6", "192.0.2.6", store.NamedBySource, "192.0.2.6"},
		} {
			if got := from(step.source, step.name, step.by); got != step.want {
				t.Errorf("%+v went to %s", step, got)
			}
		}
		devices, err := s.Devices(t.Context())
		var names []string
		for _, d := range devices {
			names = append(names, d.Name+" "+d.NamedBy)
		}
		want := "[192.0.2.6 source core config core@192.0.2.1 filename core@192.0.2.2 filename " +
			"core@192.0.2.4 filename edge config]"
		if got := fmt.Sprint(names); err != nil || got != want {
			t.Errorf("devices %s, err %v, want %s", got, err, want)
		}
	})
}

func TestReferences(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		n := 0
		add := func(site, name, body string) store.Stored {
			n++
			c := capture(n, name, body)
			c.Site = site
			return put(t, s, c)
		}
		add("", "fw1", "one")
		add("", "fw1", "one")
		add("", "fw1", "two")
		add("", "fw1", "two")
		last := add("", "fw1", "three")
		add("acme", "core", "acme's")
		add("globex", "core", "globex's")
		add("", "core~1", "a name that looks like a version")
		add("acme", "x/y", "a name with a slash")
		for ref, want := range map[string]string{
			"fw1": "three", "/fw1": "three", "fw1~0": "three", "fw1~1": "two", "fw1~2": "one",
			"acme/core": "acme's", "globex/core~0": "globex's",
			"core~1": "a name that looks like a version", "acme/x/y": "a name with a slash",
			"x/y":                       "a name with a slash",
			fmt.Sprintf("@%d", last.ID): "three", strings.ToUpper(capture(1, "", "").UID): "one",
		} {
			r, err := s.Resolve(t.Context(), ref, time.Time{})
			if err != nil {
				t.Errorf("%s: %v", ref, err)
				continue
			}
			if body, err := s.Content(t.Context(), r); string(body) != want || err != nil {
				t.Errorf("%s is %q, want %q, err %v", ref, body, want, err)
			}
		}
		if r, _ := s.Resolve(t.Context(), "fw1~1",
			time.Time{}); !r.ReceivedAt.Equal(day.Add(4 * time.Minute)) {
			t.Errorf("fw1~1 is of %v: not the newest capture of that version", r.ReceivedAt)
		}
		for ref, class := range map[string]store.Class{
			"none": store.NotFound, "fw1~3": store.NotFound, "@999": store.NotFound,
			"@x": store.Usage, "core": store.Usage,
			"01a20702-0000-7000-8000-ffffffffffff": store.NotFound, "": store.NotFound,
			"nosite/fw1": store.NotFound,
		} {
			if _, err := s.Resolve(t.Context(), ref, time.Time{}); err == nil ||
				store.ClassOf(err) != class {
				t.Errorf("%q: err %v", ref, err)
			}
		}
		var ambiguous *store.AmbiguousError
		if _, err := s.Resolve(t.Context(), "core", time.Time{}); !errors.As(err, &ambiguous) ||
			fmt.Sprint(ambiguous.Candidates) != "[acme/core globex/core]" {
			t.Errorf("core: %v", err)
		}
		r, _ := s.Resolve(t.Context(), "@3", time.Time{})
		before, err := s.Before(t.Context(), r, 1)
		if err != nil || before.ID != 2 {
			t.Errorf("before @3 is %d, err %v", before.ID, err)
		}
	})
}

// TestTornIsNoVersion: no capture is ever compared with a torn one.
func TestTornIsNoVersion(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		n := 0
		add := func(body string, complete bool) store.Record {
			t.Helper()
			n++
			c := capture(n, "fw1", body)
			c.Complete = complete
			r, err := s.Resolve(t.Context(), fmt.Sprint("@", put(t, s, c).ID), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		before := func(r store.Record, n int64, want string) {
			t.Helper()
			b, err := s.Before(t.Context(), r, n)
			got, _ := s.Content(t.Context(), b)
			if err != nil && want == "" {
				return
			}
			if err != nil || string(got) != want {
				t.Errorf("%d before @%d is %q, %v; want %q", n, r.ID, got, err, want)
			}
		}
		add("one", true)
		torn := add("on", false)
		same := add("one", true)
		two := add("two", true)
		tornTwo := add("tw", false)
		again := add("one", true)
		before(torn, 1, "one")
		before(same, 1, "")
		before(two, 1, "one")
		before(tornTwo, 1, "two")
		before(tornTwo, 2, "one")
		before(again, 1, "two")
		before(again, 2, "one")
	})
}

func TestPutAfterClose(t *testing.T) {
	s, err := store.Open(engines["sqlite"](t), store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), capture(1, "fw1", "x")); err == nil ||
		!strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}

// TestDeletedFile: a write to a deleted file is not durable.
func TestDeletedFile(t *testing.T) {
	url := engines["sqlite"](t)
	s := open(t, url)
	put(t, s, capture(1, "fw1", "x"))
	path := strings.TrimPrefix(url, "sqlite:")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Skip(err) // a system that doesn't let go of open files
	}
	if _, err := s.Put(t.Context(), capture(2, "fw1", "y")); store.ClassOf(err) != store.Config ||
		err == nil {
		t.Error(err)
	}
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	put(t, s, capture(2, "fw1", "y"))
}

// TestRestoredUnderServer: a server that was started before the restored file is in its place
// acknowledges nothing, however the file came there, and doesn't change it.
func TestRestoredUnderServer(t *testing.T) {
	for name, restore := range map[string]func(copied []byte, file string) error{
		"moved": func(copied []byte, file string) error {
			return errors.Join(os.WriteFile(file+".new", copied, 0o600),
				os.Rename(file+".new", file))
		},
		"copied": func(copied []byte, file string) error {
			return os.WriteFile(file, copied, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := engines["sqlite"](t)
			file := strings.TrimPrefix(url, "sqlite:")
			s := open(t, url)
			put(t, s, capture(1, "fw1", "kept"))
			if err := s.Snapshot(t.Context(), file+".copy"); err != nil {
				t.Fatal(err)
			}
			copied, err := os.ReadFile(file + ".copy")
			if err != nil {
				t.Fatal(err)
			}
			put(t, s, capture(2, "fw1", "after the copy"))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, url) // too early
			put(t, s, capture(4, "fw2", "in the journal"))
			if err := restore(copied, file); err != nil {
				t.Skip(err) // a system that doesn't let go of open files
			}
			for _, suffix := range []string{"-wal", "-shm"} {
				if err := os.Remove(file + suffix); err != nil {
					t.Skip(err)
				}
			}
			if _, err := s.Put(t.Context(), capture(3, "fw1", "lost")); err == nil ||
				store.ClassOf(err) != store.Config ||
				!strings.Contains(err.Error(), "while it was in use") {
				t.Errorf("acknowledged: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, copied) {
				t.Errorf("the restored file was changed (%v)", err)
			}
			// as the next process does, which shares nothing with this one
			s = open(t, "sqlite:"+file+".copy")
			put(t, s, capture(3, "fw1", "stored"))
			want := "[fw1 stored changed=true fw1 kept changed=true]"
			if got := fmt.Sprint(history(t, s, "fw1")); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestNewestFrom(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(2, "fw1", "new"))
		put(t, s, capture(1, "fw1", "old"))
		body, names, err := s.NewestFrom(t.Context(), "192.0.2.1", "/fw1.conf", day)
		if string(body) != "new" || len(names) != 1 || err != nil {
			t.Errorf("%q, devices %v, err %v", body, names, err)
		}
		for _, ask := range [][2]string{{"192.0.2.2", "fw1.conf"}, {"192.0.2.1", "fw2.conf"}} {
			if _, _, err := s.NewestFrom(t.Context(), ask[0], ask[1], day); !errors.Is(err,
				store.ErrNotFound) {
				t.Errorf("%v: err %v", ask, err)
			}
		}
		for n, mode := range []string{"sftp", "scp", "http"} { // with a login
			c := capture(10+n, "fw1", mode)
			c.Mode = mode
			put(t, s, c)
			c = capture(20+n, "fw1", "")
			c.Mode, c.Kind, c.Complete, c.Filename = mode, store.KindEmpty, false, "empty.conf"
			put(t, s, c)
		}
		if body, _, err := s.NewestFrom(t.Context(), "192.0.2.1", "fw1.conf",
			day); string(body) != "new" || err != nil {
			t.Errorf("what came with a login is read without one: %q, %v", body, err)
		}
		if _, _, err := s.NewestFrom(t.Context(), "192.0.2.1", "empty.conf",
			day); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an empty file that came with a login: %v", err)
		}
		put(t, s, capture(3, "fw2", "other"))
		if _, names, _ := s.NewestFrom(t.Context(), "192.0.2.1", "fw1.conf", day); len(names) != 2 {
			t.Errorf("two devices send from there, and it says %v", names)
		}
		later := day.Add(40 * 24 * time.Hour) // the address may be another device's by then
		put(t, s, capture(40*24*60, "fw2", "newer"))
		_, names, _ = s.NewestFrom(t.Context(), "192.0.2.1", "fw1.conf", later)
		if len(names) != 1 {
			t.Errorf("one of them sent a month ago, and it says %v", names)
		}
	})
}

func TestLog(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for i := range 60 {
			put(t, s, capture(i, fmt.Sprintf("fw%d", i%2), "x"))
		}
		d, err := s.Device(t.Context(), "fw1")
		if err != nil {
			t.Fatal(err)
		}
		for _, ask := range []struct {
			d    *store.Device
			n    int
			want int
		}{{nil, 50, 50}, {nil, 0, 60}, {&d, 0, 30}, {&d, 7, 7}} {
			log, err := s.Log(t.Context(), ask.d, ask.n)
			if err != nil || len(log) != ask.want {
				t.Errorf("%+v: %d captures, err %v", ask, len(log), err)
			}
			for i := 1; i < len(log); i++ {
				if log[i].ReceivedAt.After(log[i-1].ReceivedAt) {
					t.Errorf("%v stands before %v", log[i-1].ReceivedAt, log[i].ReceivedAt)
				}
			}
		}
	})
}

// TestManyAtOnce stores captures of crossed devices and contents from two stores over one database:
// captures share transactions, deadlocks are tried again, and nothing is lost.
func TestManyAtOnce(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Database(t)
		stores := []*store.Store{open(t, url), open(t, url)}
		many(t, stores)
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		many(t, []*store.Store{open(t, engines["sqlite"](t))})
	})
}

func many(t *testing.T, stores []*store.Store) {
	t.Helper()
	const n = 200
	var all sync.WaitGroup
	for i := range n {
		c := capture(i, fmt.Sprintf("fw%d", i*7%13), strings.Repeat(fmt.Sprint(i*5%17), 1000))
		all.Go(func() {
			if _, err := stores[i%len(stores)].Put(context.Background(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	log, err := stores[0].Log(t.Context(), nil, 0)
	if err != nil || len(log) != n {
		t.Errorf("%d captures of %d, err %v", len(log), n, err)
	}
	devices, _ := stores[0].Devices(t.Context())
	var captures int64
	for _, d := range devices {
		captures += d.Captures
	}
	if captures != n {
		t.Errorf("the devices count %d captures of %d", captures, n)
	}
}

// TestEachCurrent: what is listed page by page is what each device has, although whole pages of
// devices have nothing to list.
func TestEachCurrent(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		var all sync.WaitGroup
		for i := range 300 {
			c := capture(i, fmt.Sprintf("fw%03d", i), fmt.Sprint(i))
			c.Site, c.Complete = []string{"", "a"}[i%2], i%2 == 0 || i > 290
			c.Kind = []string{"full", store.KindLog, "full-config"}[i%3]
			second := capture(1000+i, c.Name, fmt.Sprint("second ", i))
			second.Site = c.Site
			all.Go(func() {
				_, err := s.Put(t.Context(), c)
				if err == nil && i%7 == 0 && c.Complete {
					_, err = s.Put(t.Context(), second)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, p := range []store.Person{{}, {Sites: []string{"a"}}, {Sites: []string{"b"}}} {
			of := s.For(p)
			devices, err := of.Devices(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got, want []store.Record
			for _, d := range devices {
				list, err := of.CurrentOf(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, list...)
			}
			err = of.EachCurrent(t.Context(), func(r store.Record) bool {
				got = append(got, r)
				return true
			})
			if err != nil || !slices.Equal(got, want) || len(want) < 3 && p.Sites == nil {
				t.Errorf("%v: %d captures, want %d, err %v", p.Sites, len(got), len(want), err)
			}
		}
	})
}

// TestPoisonedRowFailsAlone puts one capture that the database must refuse among good ones.
func TestPoisonedRowFailsAlone(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		var all sync.WaitGroup
		for i := range 40 {
			c := capture(i, fmt.Sprint("fw", i), fmt.Sprint(i))
			if i == 20 {
				c.Name = "" // the table's CHECK refuses it
			}
			all.Go(func() {
				_, err := s.Put(context.Background(), c)
				if (err != nil) != (i == 20) {
					t.Errorf("capture %d: err %v", i, err)
				}
				if err != nil && store.ClassOf(err) != store.Permanent {
					t.Errorf("class %v of %v", store.ClassOf(err), err)
				}
			})
		}
		all.Wait()
	})
}

func TestSQLiteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?%#.db")
	s := open(t, "sqlite:"+path)
	put(t, s, capture(1, "fw1", "x"))
	for _, suffix := range []string{"", "-wal", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, err %v", suffix, info.Mode(), err)
		}
	}
	if _, err := store.Open("sqlite:"+path, store.Options{Own: true, Create: true}); err == nil ||
		!strings.Contains(err.Error(), "in use by another tftpsql") {
		t.Errorf("a second owner: %v", err)
	}
	beside, err := store.Open("sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if err := beside.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if log, err := beside.Log(t.Context(), nil, 0); len(log) != 1 || err != nil {
		t.Errorf("beside the owner: %v, err %v", log, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		url   string
		own   bool
		class store.Class
		says  string
	}{
		{"mysql://x", true, store.Usage, "begins with postgres:// or sqlite:"},
		{"", true, store.Usage, "begins with postgres:// or sqlite:"},
		{"sqlite:", true, store.Usage, "sqlite:PATH"},
		{"postgres://u:secret@[broken", true, store.Usage, "the form is postgres://"},
		{"sqlite:" + filepath.Join(dir, "none.db"), false, store.Config, "no database at " +
			filepath.Join(dir, "none.db")},
		{"sqlite:" + filepath.Join(dir, "no", "folder.db"), true, store.Config,
			"folder must exist"},
		{"sqlite:" + damaged, true, store.Config, "damaged"},
	} {
		s, err := store.Open(c.url, store.Options{Own: c.own})
		if err == nil {
			t.Errorf("%s: opened", c.url)
			s.Close()
			continue
		}
		if store.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: class %v, %v", c.url, store.ClassOf(err), err)
		}
	}
	if b, err := os.ReadFile(damaged); err != nil || !bytes.HasPrefix(b, []byte("no database")) {
		t.Errorf("the damaged file was overwritten, err %v", err)
	}
}

// TestDatabaseAway stops PostgreSQL under a store: no capture is reported as stored, and storing
// continues when the server is back.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	s := open(t, server.Create(t))
	put(t, s, capture(1, "fw1", "a"))
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), capture(2, "fw1",
		"b")); store.ClassOf(err) != store.Transient || err == nil {
		t.Errorf("while it is away: %v", err)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	if r := put(t, s, capture(2, "fw1", "b")); !r.Changed {
		t.Errorf("when it is back: %+v", r)
	}
	log, err := s.Log(t.Context(), nil, 0)
	if err != nil || len(log) != 2 {
		t.Errorf("%d captures, err %v", len(log), err)
	}
}

func TestMigrations(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, url(t))
			ctx := t.Context()
			put(t, s, capture(1, "fw1", "a"))
			version := func(want uint, wantDirty bool) {
				t.Helper()
				if v, dirty, err := s.SchemaVersion(ctx); v != want || dirty != wantDirty ||
					err != nil {
					t.Errorf("version %d, dirty %v, err %v; want %d, %v", v, dirty, err, want,
						wantDirty)
				}
			}
			version(s.LatestSchema(), false)
			if err := s.MigrateDown(int(s.LatestSchema()) + 3); err != nil {
				t.Fatal(err)
			}
			version(0, false)
			if err := s.CheckSchema(ctx); err == nil ||
				!strings.Contains(err.Error(), "tftpsql migrate up") {
				t.Errorf("without schema: %v", err)
			}
			if _, err := s.Put(ctx, capture(2, "fw1", "a")); err == nil ||
				!strings.Contains(err.Error(), "tftpsql migrate up") {
				t.Errorf("Put without schema: %v", err)
			}
			if err := errors.Join(s.Migrate(ctx), s.Migrate(ctx)); err != nil {
				t.Fatal(err)
			}
			version(s.LatestSchema(), false)
			// as a newer program would have left it
			if err := s.MigrateForce(int(s.LatestSchema()) + 7); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Migrate(ctx), s.CheckSchema(ctx)); err != nil {
				t.Errorf("a newer schema is served: %v", err)
			}
			put(t, s, capture(3, "fw1", "a"))
		})
	}
}

// TestTwoMigrateAtOnce starts workers at once on an empty PostgreSQL.
func TestTwoMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	var all sync.WaitGroup
	for n := range 6 {
		s, err := store.Open(url, store.Options{Own: true, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		all.Go(func() {
			// some come while another is in the middle
			time.Sleep(time.Duration(n) * 7 * time.Millisecond)
			if err := errors.Join(s.Migrate(t.Context()), s.CheckSchema(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if v, dirty, err := open(t, url).SchemaVersion(t.Context()); v == 0 || dirty || err != nil {
		t.Errorf("version %d, dirty %v, err %v", v, dirty, err)
	}
}

// TestMigrationBlocked: py3tftpsql's table is being read when the worker starts. The migration
// gives up in time, leaves a clean schema behind, and succeeds later; readers of the table can read
// the view.
func TestMigrationBlocked(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	ctx := t.Context()
	reader, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(ctx)
	role := fmt.Sprint("reader_", os.Getpid())
	_, err = reader.Exec(ctx,
		"CREATE TABLE backups (hostname text, config text); CREATE ROLE "+role+
			"; GRANT SELECT ON backups TO "+role+"; BEGIN; SELECT * FROM backups")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(url, store.Options{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); store.ClassOf(err) != store.Transient ||
		!strings.Contains(fmt.Sprint(err), "pg_stat_activity") {
		t.Errorf("while the table is read: %v", err)
	}
	if v, dirty, err := s.SchemaVersion(ctx); v != 0 || dirty || err != nil {
		t.Errorf("version %d, dirty %v, %v", v, dirty, err)
	}
	if _, err := reader.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec(ctx, "SET ROLE "+role+"; SELECT config FROM backups"); err != nil {
		t.Errorf("a reader of the table can't read the view: %v", err)
	}
}

// TestMayNotMigrate: a user without the right to create tables gets an error that says so.
func TestMayNotMigrate(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	owner, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	role := fmt.Sprint("guest_", os.Getpid())
	if _, err := owner.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := owner.Exec(context.WithoutCancel(t.Context()), "DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	}()
	s, err := store.Open(strings.Replace(url, "user=postgres", "user="+role, 1),
		store.Options{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); store.ClassOf(err) != store.Config ||
		!strings.Contains(err.Error(), "own the database") ||
		strings.Contains(err.Error(), "CREATE TABLE") {
		t.Error(err)
	}
}

// TestLostFile: a missing file beside its journal is reported, and the journal stays.
func TestLostFile(t *testing.T) {
	for name, lose := range map[string]func(string) error{
		"moved":   func(file string) error { return os.Rename(file, file+".away") },
		"emptied": func(file string) error { return os.Truncate(file, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.db")
			for _, suffix := range []string{"", "-wal"} {
				if err := os.WriteFile(file+suffix, []byte("what a crash has left"),
					0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := lose(file); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Open("sqlite:"+file,
				store.Options{Own: true, Create: true}); store.ClassOf(err) != store.Config ||
				!strings.Contains(err.Error(), "journal") {
				t.Errorf("opened: %v", err)
			}
			if _, err := store.OpenSpool(file, true); store.ClassOf(err) != store.Config {
				t.Errorf("opened as a spool: %v", err)
			}
			if b, err := os.ReadFile(file + "-wal"); err != nil ||
				string(b) != "what a crash has left" {
				t.Errorf("the journal is %q, err %v", b, err)
			}
		})
	}
}

// TestDamagedContent: bytes that have changed on the disk are not returned as the content.
func TestDamagedContent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	s := open(t, "sqlite:"+file)
	body := strings.Repeat("a line of a configuration\n", 100)
	put(t, s, capture(1, "fw1", body))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("a line of a configuration"))
	if i < 0 {
		t.Fatal("the body is not in the file")
	}
	b[i] = 'A'
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = store.Open("sqlite:"+file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.Resolve(t.Context(), "fw1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Content(t.Context(), r); store.ClassOf(err) != store.Config || got != nil {
		t.Errorf("%d bytes, err %v", len(got), err)
	}
	for _, wanted := range []bool{true, false} {
		got, err := s.ContentIf(t.Context(), r, func([]byte) bool { return wanted })
		if (store.ClassOf(err) == store.Config) != wanted || got != nil {
			t.Errorf("wanted %v: %d bytes, err %v", wanted, len(got), err)
		}
	}
	if err := s.Read(t.Context(), r, func(body []byte) {
		t.Errorf("%d bytes to read", len(body))
	}); store.ClassOf(err) != store.Config {
		t.Errorf("read: %v", err)
	}
}

// TestAway: an error of several lines says each cause once, in one line.
func TestAway(t *testing.T) {
	// Nothing listens there.
	s, err := store.Open("postgres://u@127.0.0.1:1,127.0.0.1:2/d", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text := fmt.Sprint(s.Ready(t.Context()))
	if strings.Count(text, "tcp 127.0.0.1:1: connect") != 1 ||
		strings.Count(text, "tcp 127.0.0.1:2: connect") != 1 ||
		!strings.Contains(text, "; 127.0.0.1:2 ") || strings.Contains(text, "\n") {
		t.Error(text)
	}
}

// TestMadePrivate: a server makes files private that others could read.
func TestMadePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	file := filepath.Join(t.TempDir(), "a.db")
	var log strings.Builder
	own := store.Options{Own: true, Create: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	mode := func(file string, want os.FileMode) {
		t.Helper()
		if st, err := os.Stat(file); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", file, st.Mode(), err, want)
		}
	}
	s, err := store.Open("sqlite:"+file, own)
	if err != nil {
		t.Fatal(err)
	}
	mode(file, 0o600)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
	for _, suffix := range []string{"", "-wal", "-shm"} { // as a copy has them
		if err := errors.Join(os.WriteFile(file+suffix, nil, 0o600),
			os.Chmod(file+suffix, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	beside, err := store.Open("sqlite:"+file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	mode(file, 0o644)
	if s, err = store.Open("sqlite:"+file, own); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		// SQLite may have taken the empty ones away
		if _, err := os.Stat(file + suffix); suffix == "" || err == nil {
			mode(file+suffix, 0o600)
		}
	}
	if got := log.String(); !strings.Contains(got, "file="+file+" mode=-rw-r--r--\n") {
		t.Error(got)
	}
}

// TestURLSecrets: the error about a malformed URL names the parameter and shows none of its values.
func TestURLSecrets(t *testing.T) {
	const url = "postgres://u:pass@h/d?"
	for url, want := range map[string]string{
		url + "pool_max_conns=secret": "pool_max_conns: strconv.ParseInt: parsing " +
			"\"xxxxx\": ",
		url + "a=b&connect_timeout=secret":     "connect_timeout: ",
		url + "sslrootcert=/secret/a%20b":      "sslrootcert: unable to read CA file: open xxxxx: ",
		url + "a=%zzsecret":                    "malformed database URL: the form",
		"postgres://u:se/cret@h/d":             "malformed database URL: the form",
		url + "default_query_exec_mode=a":      "default_query_exec_mode: unknown value \"xxxxx\"",
		url + "pool_max_conn_lifetime=1secret": "pool_max_conn_lifetime: ",
	} {
		_, err := store.Open(url, store.Options{})
		text := fmt.Sprint(err)
		shown := strings.Contains(text, "secret") || strings.Contains(text, "pass@")
		if store.ClassOf(err) != store.Usage || !strings.HasPrefix(text, want) || shown {
			t.Errorf("%s: %s", url, text)
		}
	}
	direct := "host=h password=secret port=secret"
	_, err := store.Open("postgres://h/d", store.Options{DirectURL: direct})
	if store.ClassOf(err) != store.Usage || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// TestMasked: a URL for logs has no password, whatever form it has.
func TestMasked(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u:hidden@h:5433/d":         "postgres://u:xxxxx@h:5433/d",
		"postgresql://u@h/d":                   "postgresql://u@h/d",
		"postgres:///d?password=hidden&user=u": "postgres:///d?password=xxxxx&user=u",
		"postgres:///d?sslpassword=hidden":     "postgres:///d?sslpassword=xxxxx",
		"postgres://u:hid/den@h/d":             "a malformed URL",
		"mysql://u:hidden@h/d":                 "a malformed URL",
		"postgres://u:%zz@h/d":                 "a malformed URL",
		"hidden":                               "a malformed URL",
		"sqlite:a b/test.db":                   "sqlite:a b/test.db",
	} {
		if got := store.Masked(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"sqlite:x/test.db":           "sqlite:" + filepath.Join(here, "x", "test.db"),
		"sqlite://test.db":           "sqlite:" + filepath.Join(here, "test.db"),
		"postgres://u:hidden@h/test": "postgres://u:xxxxx@h/test",
	} {
		if got := store.Located(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// TestJournalIsCopied: what the journal holds gets into the file beside the captures, long before a
// commit has to wait for it.
func TestJournalIsCopied(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	s := open(t, "sqlite:"+file)
	size := func(name string) int64 {
		stat, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return stat.Size()
	}
	const most = 64 << 20 // half of what a commit waits for
	for n := 1; size(file) < 16<<20; n++ {
		if size(file+"-wal") > most {
			t.Fatalf("the journal has %d bytes, the file %d", size(file+"-wal"), size(file))
		}
		put(t, s, capture(n, "fw1", strings.Repeat(fmt.Sprint("line ", n, "\n"), 40_000)))
	}
}
