package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/tftpsql/tftpsql/store"
)

// openEnding opens a store that knows how texts end: by their last line, and not at all where a
// line is cut.
func openEnding(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(url, store.Options{Own: true, Create: true,
		Ending: func(body []byte) string {
			if !bytes.HasSuffix(body, []byte("\n")) {
				return ""
			}
			lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
			return string(lines[len(lines)-1])
		}})
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
