package history

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// never is longer than any test.
const never = time.Duration(math.MaxInt64)

var databases = map[string]func(testing.TB) string{
	"sqlite": func(t testing.TB) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	},
	"postgres": pgtest.Database,
}

// kept are captures of one device.
type kept struct {
	store   *store.Store
	records []store.Record
}

// keep stores texts as captures of one device, an hour apart.
func keep(t testing.TB, database string, texts ...string) *kept {
	t.Helper()
	s, err := store.Open(databases[database](t), store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &kept{store: s}
	for _, text := range texts {
		h.add(t, text, func(*store.Capture) {})
	}
	return h
}

// add stores a text as a capture that alter may change.
func (h *kept) add(t testing.TB, text string, alter func(*store.Capture)) {
	t.Helper()
	n := len(h.records)
	id, sum := device.Examine([]byte(text))
	c := store.Capture{UID: fmt.Sprintf("01a20702-0000-7000-8000-%012x", n), New: true,
		ReceivedAt: time.Date(2026, 11, 23, 3+n, 0, 0, 0, time.UTC), Source: "192.0.2.1",
		Local: "192.0.2.100", Filename: "fw1.conf", Mode: "octet", Name: "fw1",
		NamedBy: store.NamedByConfig, Platform: id.Platform, Kind: device.KindFull, Complete: true,
		ChangedBy: id.ChangedBy, Body: []byte(text), Fingerprint: sum, Rules: device.Rules}
	alter(&c)
	stored, err := h.store.Put(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.store.Resolve(t.Context(), fmt.Sprintf("@%d", stored.ID), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	h.records = append(h.records, r)
}

// origins are the numbers of the versions, from 1 on, that a capture's lines come from, "<" before
// those that are at least as old.
func (h *kept) origins(t testing.TB, n int, o BlameOptions) string {
	t.Helper()
	if o.Within == 0 {
		o.Within = never
	}
	b, err := Blame(t.Context(), h.store, h.records[n-1], o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, l := range b.Lines {
		if l.Number != i+1 {
			t.Errorf("line %d has number %d", i+1, l.Number)
		}
		at := slices.IndexFunc(h.records, func(r store.Record) bool { return r.ID == l.Origin.ID })
		text := strconv.Itoa(at + 1)
		if l.Origin.Before {
			text = "<" + text
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func everyDatabase(t *testing.T, test func(t *testing.T, database string)) {
	for database := range databases {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			test(t, database)
		})
	}
}

// TestBlameOrigins: insertions, changes, returns, line ends, a last line without end, and versions
// before the newest one.
func TestBlameOrigins(t *testing.T) {
	everyDatabase(t, func(t *testing.T, database string) {
		h := keep(t, database, "a\nb\nc\n", "a\nx\nb\nc\n", "a\nx\nc\n", "a\nx\nb\nc\nd",
			"a\nx\nB\nc\nd\n", "a\nx\nB\nc\nd\ne")
		for n, want := range map[int]string{1: "1 1 1", 2: "1 2 1 1", 3: "1 2 1", 4: "1 2 4 1 4",
			5: "1 2 5 1 4", 6: "1 2 5 1 4 6"} {
			if got := h.origins(t, n, BlameOptions{}); got != want {
				t.Errorf("version %d: %s, want %s", n, got, want)
			}
		}
		b, err := Blame(t.Context(), h.store, h.records[5], BlameOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if l := b.Lines[2]; l.Text != "B" || l.Origin.Previous.ID != h.records[3].ID {
			t.Errorf("line 3 is %q, and the version before is @%d", l.Text, l.Origin.Previous.ID)
		}
		if o := b.Lines[0].Origin; o.Previous != nil || o != b.Lines[3].Origin {
			t.Errorf("the first version has %v before it, and two origins", o.Previous)
		}
	})
}

// TestBlameCRLF: how lines end makes none younger.
func TestBlameCRLF(t *testing.T) {
	text := gate("1")
	h := keep(t, "sqlite", text, strings.ReplaceAll(gate("2"), "\n", "\r\n"),
		strings.ReplaceAll(text, "fw1", "fw2"),
		strings.ReplaceAll(strings.ReplaceAll(text, "fw1", "fw2"), "\n", "\r\n")+"# end\r\n")
	if got := h.origins(t, 4, BlameOptions{}); got != "1 1 1 3 1 4" {
		t.Error(got)
	}
	b, err := Blame(t.Context(), h.store, h.records[3], BlameOptions{})
	if err != nil || b.Lines[3].Text != "    set hostname \"fw2\"" ||
		strings.Join(b.Lines[3].Path, " > ") != "config system global" {
		t.Errorf("%+v, %v", b.Lines[3], err)
	}
}

// guest is a FortiGate's configuration that it displays with this salt.
func guest(salt, timeout string) string {
	return strings.Replace(gate(salt), "user=ada", "user="+salt, 1) +
		"config user local\n    edit \"guest\"\n        set passwd ENC " + salt +
		"\n        set timeout " + timeout + "\n    next\nend\n"
}

// TestBlameNoise: what changes by itself begins no new age, in a part of a line or in all of it,
// also where the lines around it change, and it is dated where it is new.
func TestBlameNoise(t *testing.T) {
	h := keep(t, "sqlite", guest("s1", "5"), guest("s2", "6"), guest("s3", "7"))
	if got := h.origins(t, 3, BlameOptions{}); got != "1 1 1 1 1 1 1 1 3 1 1" {
		t.Error(got)
	}
	router := func(minute, name, vlans string) string {
		return "!\n! Last configuration change at 12:" + minute +
			":00 UTC Mon Nov 2 2026 by ada\n!\nversion 15.2\nhostname " + name + "\n!\n" +
			vlans + "end\n"
	}
	vlan := func(n int) string { return fmt.Sprintf("vlan %d\n name v%d\n!\n", n, n) }
	h = keep(t, "sqlite", router("01", "r1", vlan(1)+vlan(3)), router("02", "r2", vlan(1)+vlan(3)),
		router("03", "r3", vlan(1)+vlan(2)+vlan(3)), router("04", "r3", vlan(3)))
	for n, want := range map[int]string{
		2: "1 1 1 1 2 1 1 1 1 1 1 1 1",
		3: "1 1 1 1 3 1 1 1 1 3 3 3 1 1 1 1", 4: "1 1 1 1 3 1 1 1 1 1"} {
		if got := h.origins(t, n, BlameOptions{}); got != want {
			t.Errorf("version %d: %s, want %s", n, got, want)
		}
	}
}

// TestBlameBounds: where a bound is reached the rest is said to be older.
func TestBlameBounds(t *testing.T) {
	h := keep(t, "sqlite", "a\n", "a\nb\n", "a\nb\nc\n", "a\nb\nc\nd\n")
	for o, want := range map[BlameOptions]string{
		{Versions: 1}: "<4 <4 <4 <4", {Versions: 2}: "<3 <3 <3 4", {Versions: 3}: "<2 <2 3 4",
		{Versions: 4}: "1 2 3 4", {Versions: -1}: "1 2 3 4", {Within: 1}: "<3 <3 <3 4",
	} {
		if got := h.origins(t, 4, o); got != want {
			t.Errorf("%+v: %s, want %s", o, got, want)
		}
	}
	b, err := Blame(t.Context(), h.store, h.records[3], BlameOptions{Versions: 2, Within: never})
	if err != nil || b.Versions != 2 || b.Lines[0].Origin.Previous.ID != h.records[1].ID {
		t.Errorf("%d versions, %v", b.Versions, err)
	}
}

// TestBlameTorn: a torn capture brings nothing to the whole ones after it, and its own lines come
// from the whole ones before it. Where nothing is whole, torn captures are versions.
func TestBlameTorn(t *testing.T) {
	everyDatabase(t, func(t *testing.T, database string) {
		torn := func(c *store.Capture) { c.Complete, c.Cut = false, true }
		h := keep(t, database)
		h.add(t, "a\nb\n", torn)
		h.add(t, "a\nb\nc\n", torn)
		if got := h.origins(t, 2, BlameOptions{}); got != "1 1 2" {
			t.Errorf("nothing whole: %s", got)
		}
		h.add(t, "a\nb\nc\nd\n", func(*store.Capture) {})
		h.add(t, "a\nX\n", torn)
		h.add(t, "a\nX\n", torn)
		h.add(t, "a\nX\nc\nd\n", func(*store.Capture) {})
		h.add(t, "a\nother\n", func(c *store.Capture) { c.Kind = "startup" })
		for n, want := range map[int]string{3: "3 3 3 3", 4: "3 4", 5: "3 4", 6: "3 6 3 3",
			7: "7 7"} {
			if got := h.origins(t, n, BlameOptions{}); got != want {
				t.Errorf("capture %d: %s, want %s", n, got, want)
			}
		}
	})
}

// TestBlameRefuses: what has no lines, or secrets that nobody knows, is an error.
func TestBlameRefuses(t *testing.T) {
	h := keep(t, "sqlite", "#FGBK|4|FGT60F|7|04|2731|\x00one", "\x00\x01\x02", "a\n",
		guest("topsecret", "5"))
	h.add(t, "log\n", func(c *store.Capture) { c.Kind = store.KindLog })
	h.add(t, "", func(c *store.Capture) { c.Kind = store.KindEmpty })
	for n, c := range map[int]struct {
		o    BlameOptions
		want error
	}{1: {BlameOptions{}, ErrNoLines}, 2: {BlameOptions{}, ErrNoLines}, 5: {BlameOptions{},
		ErrNoVersions}, 3: {BlameOptions{Redact: true}, ErrSecretsUnknown},
		4: {BlameOptions{Redact: true}, nil}, 6: {BlameOptions{}, nil}} {
		b, err := Blame(t.Context(), h.store, h.records[n-1], c.o)
		if !errors.Is(err, c.want) || (n == 4) != (len(b.Lines) > 0) {
			t.Errorf("capture %d: %d lines, %v; want %v", n, len(b.Lines), err, c.want)
		}
		for _, l := range b.Lines {
			if strings.Contains(l.Text, "ENC topsecret") {
				t.Errorf("line %d shows a secret: %q", l.Number, l.Text)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Blame(ctx, h.store, h.records[2], BlameOptions{}); !errors.Is(err,
		context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestBlameIsInDiff: the difference that brought a line shows it as new, also where lines repeat.
func TestBlameIsInDiff(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	h := keep(t, "sqlite", made(fortiHead, gateEntry, []string{"end"}, 30, random)...)
	b, err := Blame(t.Context(), h.store, h.records[len(h.records)-1], BlameOptions{Within: never})
	if err != nil {
		t.Fatal(err)
	}
	added := map[*Origin]map[string]bool{}
	for _, l := range b.Lines {
		if l.Origin.Previous == nil {
			continue
		}
		if added[l.Origin] == nil {
			added[l.Origin] = map[string]bool{}
			old, from, to, err := Change(t.Context(), h.store, l.Origin.Record)
			if err != nil || old.ID != l.Origin.Previous.ID {
				t.Fatalf("@%d follows %v, %v", l.Origin.ID, old, err)
			}
			d, err := Compare(from, to, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range d.Hunks {
				for _, changed := range h.Lines {
					if changed.Op == '+' {
						added[l.Origin][changed.Text] = true
					}
				}
			}
		}
		if !added[l.Origin][l.Text] {
			t.Errorf("line %d, %q: the difference of @%d doesn't bring it", l.Number, l.Text,
				l.Origin.ID)
		}
	}
	if len(added) < 10 {
		t.Errorf("lines of %d versions", len(added))
	}
}

// BenchmarkBlame: 100 versions of 200 KB.
func BenchmarkBlame(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{fortiHead + blocks(0, 2400) + "end\n"}
	for range 99 {
		lines := strings.SplitAfter(texts[len(texts)-1], "\n")
		for range 3 {
			at := 10 + random.IntN(len(lines)-20)
			lines[at] += fmt.Sprintf("        set comments \"%d\"\n", random.IntN(1_000_000))
		}
		texts = append(texts, strings.Join(lines, ""))
	}
	h := keep(b, "sqlite", texts...)
	b.SetBytes(int64(len(texts) * len(texts[0])))
	for b.Loop() {
		if _, err := Blame(b.Context(), h.store, h.records[99],
			BlameOptions{Within: never}); err != nil {
			b.Fatal(err)
		}
	}
}
