package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	_ "github.com/jackc/pgx/v5/stdlib"

	netdevice "github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// openEnding opens a store that knows how texts end: by their last line, and not at all where that
// is "end", or is cut. Where "end" lacks its newline they may be cut.
func openEnding(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(url, store.Options{Own: true, Create: true,
		Ending: func(body []byte) string {
			switch {
			case bytes.HasSuffix(body, []byte("end")):
				return store.Unended
			case bytes.HasPrefix(body, []byte("bare\n")):
				return store.Bare
			}
			if !bytes.HasSuffix(body, []byte("\n")) || bytes.HasSuffix(body, []byte("end\n")) {
				return ""
			}
			lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
			return string(lines[len(lines)-1])
		}, CutOff: netdevice.CutOff})
	if err == nil {
		err = s.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func torn(n int, name, body string) store.Capture {
	c := capture(n, name, body)
	c.Complete = false
	return c
}

func ofKind(c store.Capture, kind string) store.Capture {
	c.Kind = kind
	return c
}

// configuration returns the body that a device stands for, or the error's text.
func configuration(t *testing.T, s *store.Store, ref string) string {
	t.Helper()
	r, err := s.Resolve(t.Context(), ref, time.Time{})
	if err != nil {
		return err.Error()
	}
	body, err := s.Content(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// versions returns the numbers of a device's versions, the newest first, each with how often it was
// seen.
func versions(t *testing.T, s *store.Store, ref string) string {
	t.Helper()
	d, err := s.Device(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	err = s.Versions(t.Context(), d, func(v store.Version) bool {
		list = append(list, fmt.Sprintf("%d*%d", v.ID, v.Seen))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

// TestTornAgain: equal bytes are never a change, and a device that is never whole has a history,
// but no configuration.
func TestTornAgain(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for n, c := range []struct {
			body    string
			changed bool
		}{{"a", true}, {"a", false}, {"b", true}, {"b", false}, {"a", true}} {
			if got := put(t, s, torn(n, "fw1", c.body)); got.Changed != c.changed {
				t.Errorf("capture %d: changed %v", n, got.Changed)
			}
		}
		if got := versions(t, s, "fw1"); got != "5*1 3*2 1*2" {
			t.Errorf("versions %s", got)
		}
		if got := configuration(t, s, "fw1"); !strings.Contains(got,
			"nothing whole of /fw1 has come") ||
			!strings.Contains(got, "@5") {
			t.Errorf("its configuration: %s", got)
		}
		if got := configuration(t, s, "@5"); got != "a" {
			t.Errorf("by its own number: %s", got)
		}
		r, err := s.Resolve(t.Context(), "@5", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range []string{"b", "a"} {
			before, err := s.Before(t.Context(), r, int64(n+1))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := s.Content(t.Context(), before); err != nil || string(body) != want {
				t.Errorf("%d versions before: %s, %v", n+1, body, err)
			}
		}
	})
}

// TestNeverHalf: a torn capture doesn't replace a whole one, and is told of.
func TestNeverHalf(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(0, "fw1", "whole"))
		put(t, s, torn(1, "fw1", "who"))
		if got := put(t, s, torn(2, "fw1", "who")); got.Changed {
			t.Error("the same torn file again is a change")
		}
		if got := configuration(t, s, "fw1"); got != "whole" {
			t.Errorf("its configuration: %s", got)
		}
		r, err := s.Resolve(t.Context(), "fw1", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if newer, err := s.NewerTorn(t.Context(), r); err != nil || newer == nil || newer.ID != 3 {
			t.Errorf("a newer torn one: %+v, %v", newer, err)
		}
		if got := put(t, s, capture(3, "fw1", "whole")); got.Changed {
			t.Error("the whole file again is a change")
		}
		if newer, err := s.NewerTorn(t.Context(), r); err != nil || newer != nil {
			t.Errorf("a newer torn one: %+v, %v", newer, err)
		}
	})
}

// TestEnding: what always ends like that is whole; what is cut is not.
func TestEnding(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			s := openEnding(t, url(t))
			put(t, s, torn(0, "sw1", "vlan 1\n exit\n"))
			second := put(t, s, torn(1, "sw1", "vlan 2\n exit\n"))
			if got := configuration(t, s, "sw1"); !second.Changed || got != "vlan 2\n exit\n" {
				t.Errorf("ends as the one before: %+v, %s", second, got)
			}
			if got := configuration(t, s, "sw1~1"); got != "vlan 1\n exit\n" {
				t.Errorf("the version before: %s", got)
			}
			put(t, s, torn(2, "sw1", "vlan"))
			cut := torn(3, "sw1", "vlan 3\n exit\n")
			cut.Cut = true
			put(t, s, cut)
			put(t, s, torn(4, "sw1", "vlan 3\nvlan 4\n"))
			if got := configuration(t, s, "sw1"); got != "vlan 2\n exit\n" {
				t.Errorf("after torn ones: %s", got)
			}
			if got := put(t, s, torn(5, "sw1", "vlan 2\n exit\n")); got.Changed {
				t.Error("the same again is a change")
			}
		})
	}
}

// ends are captures of TestEndingOrder, by a letter each: with an end of their own, without it but
// ending likewise or otherwise, cut in the middle of a line, saying the same as the first, complete
// but for a newline, cut where the others end, and without a newline where nobody knows better.
var ends = map[byte]func(n int, name string) store.Capture{
	'T': func(n int, name string) store.Capture { return capture(n, name, "vlan 1\nend\n") },
	'a': func(n int, name string) store.Capture { return torn(n, name, "vlan 1\n exit\n") },
	'A': func(n int, name string) store.Capture { return torn(n, name, "vlan 2\n exit\n") },
	'b': func(n int, name string) store.Capture { return torn(n, name, "vlan 1\n exit\nvlan 2\n") },
	'x': func(n int, name string) store.Capture { return torn(n, name, "vlan 1\n ex") },
	's': func(n int, name string) store.Capture { return torn(n, name, "vlan 1\nend \n") },
	'u': func(n int, name string) store.Capture { return capture(n, name, "vlan 4\nend") },
	'U': func(n int, name string) store.Capture { return capture(n, name, "vlan 5\nend") },
	'p': func(n int, name string) store.Capture { return capture(n, name, "bare\nvlan 6\nexit") },
	'P': func(n int, name string) store.Capture { return capture(n, name, "bare\nvlan 7\nexit") },
	'q': func(n int, name string) store.Capture { return capture(n, name, "bare\nvlan 8\nvla") },
	'c': func(n int, name string) store.Capture {
		c := torn(n, name, "vlan 3\n exit\n")
		c.Cut = true
		return c
	},
}

// TestEndingOrder: any order of arrival finds the same captures whole, and the same changes.
// Capitals of the second string are whole.
func TestEndingOrder(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, devices := openEnding(t, url(t)), 0
			for _, c := range []struct{ history, want string }{
				{"aA", "aA"}, {"aAa", "aAA"}, {"abA", "abA"}, {"abbA", "abBA"}, {"axA", "axA"},
				{"caA", "caA"}, {"aca", "acA"}, {"Taa", "Taa"}, {"aTa", "aTa"}, {"aATa", "aATa"},
				{"aAxT", "aAxT"}, {"bTab", "bTab"}, {"aaTT", "aATT"}, {"xxaa", "xxaA"},
				{"xcxb", "xcxb"}, {"Tsa", "TSa"}, {"TsaA", "TSaA"}, {"sTas", "sTaS"},
				{"sTTs", "sTTS"}, {"bTsb", "bTSB"}, {"uU", "UU"}, {"uTU", "UTu"}, {"Tuu", "Tuu"},
				{"pPq", "PPq"}, {"qpq", "QPq"}, {"pqT", "PqT"}, {"Tpq", "TPq"},
			} {
				var want []string
				for order := range permutations(len(c.history)) {
					name := fmt.Sprint("sw", devices)
					devices++
					for _, n := range order {
						put(t, s, endOf(c.history[n], n, devices, name))
					}
					got := told(t, s, name)
					if want == nil {
						want = got
					}
					if !slices.Equal(got, want) || wholes(got) != wholesOf(c.want) {
						t.Errorf("%s in the order %v: %q, in order %q; want %s", c.history, order,
							got, want, c.want)
					}
				}
				devices++
				if got := mergedEnds(t, s, c.history, devices); !slices.Equal(got, want) {
					t.Errorf("%s merged from two devices: %q, in order %q", c.history, got, want)
				}
			}
		})
	}
}

// TestEndingPruned: a prune doesn't judge anew what it leaves: the newest eleven, the newest whole
// one, and torn ones without a whole one after them. What it deletes is no evidence any more, so
// that it may take two captures again until an ending counts.
func TestEndingPruned(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openEnding(t, url(t))
			eleven := strings.Repeat("x", 11)
			for device, c := range []struct{ before, after, want string }{
				{"aA" + eleven, "a", "A" + eleven + "A"}, {"a" + eleven, "A", "a" + eleven + "A"},
				{"aAT" + eleven, "as", "T" + eleven + "aS"},
				{"abb" + eleven, "aA", "B" + eleven + "aA"},
			} {
				name := fmt.Sprint("sw", device)
				for n := range len(c.before) {
					put(t, s, endOf(c.before[n], n, device, name))
				}
				if _, err := s.Prune(t.Context(), store.Retention{Changed: 1, Unchanged: 1},
					day.AddDate(1, 0, 0), false); err != nil {
					t.Fatal(err)
				}
				for n := range len(c.after) {
					put(t, s, endOf(c.after[n], len(c.before)+n, device, name))
				}
				if got := told(t, s, name); wholes(got) != wholesOf(c.want) {
					t.Errorf("%s, pruned, and %s: %q; want %s", c.before, c.after, got, c.want)
				}
			}
		})
	}
}

// mergedEnds returns what is told of a history of which two devices have sent every other capture,
// and then were merged.
func mergedEnds(t *testing.T, s *store.Store, history string, number int) []string {
	t.Helper()
	names := [2]string{fmt.Sprint("left", number), fmt.Sprint("right", number)}
	for n := range len(history) {
		put(t, s, endOf(history[n], n, number, names[n%2]))
	}
	var of [2]store.Device
	for i, name := range names {
		d, err := s.Device(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		of[i] = d
	}
	if err := s.Merge(t.Context(), of[0], of[1]); err != nil {
		t.Fatal(err)
	}
	return told(t, s, names[1])
}

// endOf is a capture of ends with a UID and a fingerprint of its own.
func endOf(letter byte, n, device int, name string) store.Capture {
	c := ends[letter](n, name)
	c.UID = fmt.Sprintf("01a20702-0000-7000-%04x-%012x", device, n)
	c.Rules = 1
	c.Fingerprint = sha256.Sum256(bytes.TrimSpace(c.Body))
	return c
}

// permutations yields the orders of n numbers, the first of which is 0, 1, 2, ...
func permutations(n int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		var extend func(order []int) bool
		extend = func(order []int) bool {
			if len(order) == n {
				return yield(order)
			}
			for next := range n {
				if !slices.Contains(order, next) && !extend(append(order, next)) {
					return false
				}
			}
			return true
		}
		extend(make([]int, 0, n))
	}
}

// told returns what is said of a device's captures, the oldest first, and of the device.
func told(t *testing.T, s *store.Store, name string) (list []string) {
	t.Helper()
	d, err := s.Device(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.Log(t.Context(), &d, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log {
		list = append([]string{fmt.Sprintf("whole %t, changed %t", r.Complete, r.Changed)}, list...)
	}
	return append(list, fmt.Sprintf("%t, %d changes", d.Complete, d.Changes))
}

func wholes(told []string) (list string) {
	for _, said := range told[:len(told)-1] {
		list += said[len("whole "):][:1]
	}
	return list
}

func wholesOf(letters string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return 't'
		}
		return 'f'
	}, letters)
}

// TestKinds: each kind is compared with its own, and the running configuration goes before the one
// that the device starts with, and before other files.
func TestKinds(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for night := range 3 {
			put(t, s, ofKind(capture(3*night, "sw1", "startup"), "startup"))
			put(t, s, capture(3*night+1, "sw1", "running"))
			put(t, s, ofKind(capture(3*night+2, "sw1", "vlan.dat"), "other"))
		}
		d, err := s.Device(t.Context(), "sw1")
		if err != nil || d.Changes != 3 {
			t.Errorf("%d changes, %v; want one a kind", d.Changes, err)
		}
		if got := configuration(t, s, "sw1"); got != "running" {
			t.Errorf("its configuration: %s", got)
		}
		const week = 7 * 24 * 60
		put(t, s, ofKind(capture(week+1, "sw1", "encrypted"), "encrypted"))
		if got := configuration(t, s, "sw1"); got != "running" {
			t.Errorf("within a week: %s", got)
		}
		put(t, s, ofKind(capture(week+60, "sw1", "encrypted"), "encrypted"))
		if got := configuration(t, s, "sw1"); got != "encrypted" {
			t.Errorf("nothing running for a week: %s", got)
		}
	})
}

// TestAside: empty files and logs belong to the device of their source, and change nothing of it.
func TestAside(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		probe := func(n int) store.Capture {
			c := ofKind(torn(n, "fw1", ""), store.KindEmpty)
			c.NamedBy, c.Platform = store.NamedByFilename, ""
			return c
		}
		log := func(n int, name string) store.Capture {
			c := ofKind(capture(n, name, fmt.Sprint("line ", n)), store.KindLog)
			c.NamedBy, c.Platform = store.NamedByFilename, ""
			return c
		}
		for night := range 4 {
			put(t, s, probe(60*24*night))
			put(t, s, capture(60*24*night+1, "fw1", fmt.Sprint(night/2)))
			for minute := range 5 {
				put(t, s, log(60*24*night+2+minute, "app"))
			}
		}
		list, err := s.Devices(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		d := list[0]
		if d.Name != "fw1" || d.Changes != 2 || d.Captures != 28 || d.Platform != "fortinet" ||
			!d.Complete ||
			!d.LastSeen.Equal(day.Add((60*24*3+1)*time.Minute)) || d.LongestGap != 24*time.Hour {
			t.Errorf("%+v", d)
		}
		if _, names, err := s.NewestFrom(t.Context(), "192.0.2.1", "app.conf", day); err != nil ||
			len(names) != 1 {
			t.Errorf("own: %v, %v", names, err)
		}
		if got := configuration(t, s, "fw1"); got != "1" {
			t.Errorf("its configuration: %s", got)
		}
	})
}

// TestProbeBehindNAT: an empty file belongs to the device of its name, also where its source sends
// for several.
func TestProbeBehindNAT(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(0, "fw1", "one"))
		put(t, s, capture(1, "fw2", "two"))
		c := ofKind(torn(2, "fw1", ""), store.KindEmpty)
		c.NamedBy, c.Platform = store.NamedByFilename, ""
		if got := put(t, s, c); got.Device != "fw1" || got.Changed {
			t.Errorf("%+v", got)
		}
		if list, err := s.Devices(t.Context()); err != nil || len(list) != 2 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestMainView: the view device_configs has the same rule as Resolve.
func TestMainView(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			s := open(t, at)
			random := rand.New(rand.NewPCG(1, 2))
			kinds := []string{"full", "full-config", "encrypted", "vdom:a", "vdom:b", "startup",
				"other", store.KindLog}
			for n := range 300 {
				c := ofKind(capture(n*60*random.IntN(4), fmt.Sprint("fw", random.IntN(30)),
					fmt.Sprint("text ", n)),
					kinds[random.IntN(len(kinds))])
				c.UID = fmt.Sprintf("01a20702-0000-7000-8000-%012x", n)
				c.Complete = random.IntN(3) > 0
				put(t, s, c)
			}
			viewed := map[string]int64{}
			driver, dsn := "pgx", at
			if path, ok := strings.CutPrefix(at, "sqlite:"); ok {
				driver, dsn = "sqlite", "file:"+path
			}
			db, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			rows, err := db.QueryContext(t.Context(), "SELECT hostname, id FROM device_configs")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var name string
				var id int64
				if err := rows.Scan(&name, &id); err != nil {
					t.Fatal(err)
				}
				viewed[name] = id
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if resolved := resolvedAll(t, s); !maps.Equal(viewed, resolved) || len(viewed) < 20 {
				t.Errorf("the view has %v\nResolve has %v", viewed, resolved)
			}
		})
	}
}

// resolvedAll returns the capture that each device stands for.
func resolvedAll(t *testing.T, s *store.Store) map[string]int64 {
	t.Helper()
	devices, err := s.Devices(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, d := range devices {
		r, err := s.Resolve(t.Context(), d.Ref(), time.Time{})
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		found[d.Name] = r.ID
	}
	return found
}
