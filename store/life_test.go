package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

func device(t testing.TB, s *store.Store, ref string) store.Device {
	t.Helper()
	d, err := s.Device(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func history(t testing.TB, s *store.Store, ref string) (lines []string) {
	t.Helper()
	d := device(t, s, ref)
	log, err := s.Log(t.Context(), &d, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log {
		body, err := s.Content(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %s changed=%t", r.Device, body, r.Changed))
	}
	return lines
}

func TestRename(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(1, "fw1", "a"))
		put(t, s, capture(2, "core", "x"))
		if err := s.Rename(t.Context(), device(t, s, "fw1"), "edge"); err != nil {
			t.Fatal(err)
		}
		if stored := put(t, s, capture(3, "fw1", "b")); stored.Device != "edge" || !stored.Changed {
			t.Errorf("what came under the old name was stored as %+v", stored)
		}
		if stored := put(t, s, capture(4, "edge", "b")); stored.Device != "edge" || stored.Changed {
			t.Errorf("what came under the new name was stored as %+v", stored)
		}
		if d := device(t, s, "fw1"); d.Name != "edge" || d.Captures != 3 {
			t.Errorf("the old name is %+v", d)
		}
		if got, err := s.Aliases(t.Context(), device(t, s, "edge")); err != nil ||
			fmt.Sprint(got) != "[/fw1]" {
			t.Errorf("aliases %v, err %v", got, err)
		}
		err := s.Rename(t.Context(), device(t, s, "edge"), "core")
		if store.ClassOf(err) != store.Exists ||
			!strings.Contains(err.Error(), "device merge /edge /core") {
			t.Errorf("a name that another device has: %v", err)
		}
		if err := s.Rename(t.Context(), device(t, s, "edge"), "fw1"); err != nil { // and back
			t.Fatal(err)
		}
		if d := device(t, s, "edge"); d.Name != "fw1" {
			t.Errorf("renamed back it is %+v", d)
		}
		if err := s.Rename(t.Context(), device(t, s, "core"),
			"edge"); store.ClassOf(err) != store.Exists {
			t.Errorf("a name that is another's alias: %v", err)
		}
	})
}

// TestMerge: two devices that are merged look like one device that has sent all their captures,
// whatever the order.
func TestMerge(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, 11))
			site, twin := fmt.Sprint("merged", seed), fmt.Sprint("twin", seed)
			for i := range 250 { // more than one piece
				n := int(seed)*1000 + i
				c := capture(n, []string{"old", "new"}[r.IntN(2)], string(rune('a'+r.IntN(3))))
				c.Site, c.Complete, c.Kind = site, r.IntN(5) > 0,
					[]string{"full", "vdom:root"}[r.IntN(2)]
				put(t, s, c)
				c.Site, c.Name, c.UID = twin, "new",
					strings.Replace(c.UID, "01a20702", "01a20703", 1)
				put(t, s, c)
			}
			old, into := device(t, s, site+"/old"), device(t, s, site+"/new")
			if err := s.Merge(t.Context(), old, into); err != nil {
				t.Fatal(err)
			}
			got, want := history(t, s, site+"/new"), history(t, s, twin+"/new")
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d: merged\n%s\nwant\n%s", seed, strings.Join(got, "\n"),
					strings.Join(want, "\n"))
			}
			a, b := device(t, s, site+"/old"), device(t, s, twin+"/new")
			a.ID, a.Site, b.ID, b.Site = 0, "", 0, ""
			if a != b {
				t.Errorf("merged it is\n%+v, want\n%+v", a, b)
			}
			c := capture(int(seed)*1000+500, "old", "z")
			c.Site = site
			if stored := put(t, s, c); stored.Device != "new" {
				t.Errorf("the old name's next capture was filed under %s", stored.Device)
			}
			if err := s.Merge(t.Context(), into, into); store.ClassOf(err) != store.Usage {
				t.Errorf("with itself: %v", err)
			}
		}
	})
}

func TestRetireAndExpect(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for n := range 4 {
			put(t, s, capture(n*60, "fw1", "a"))
		}
		now := day.Add(10 * time.Hour)
		one := func() store.Device {
			list, err := s.Devices(t.Context())
			if err != nil || len(list) != 1 {
				t.Fatalf("devices %v, err %v", list, err)
			}
			return list[0]
		}
		if d := one(); d.LongestGap != time.Hour || d.Allowed() != 2*time.Hour ||
			!d.OverdueSince(now).Equal(day.Add(5*time.Hour)) {
			t.Errorf("by its rhythm: gap %v, allowed %v, overdue since %v", d.LongestGap,
				d.Allowed(), d.OverdueSince(now))
		}
		if err := s.Expect(t.Context(), one(), 6*time.Hour); err != nil {
			t.Fatal(err)
		}
		if d := one(); d.Allowed() != 6*time.Hour ||
			!d.OverdueSince(now).Equal(day.Add(9*time.Hour)) ||
			!d.OverdueSince(day.Add(9*time.Hour)).IsZero() {
			t.Errorf("expected: allowed %v, overdue since %v", d.Allowed(), d.OverdueSince(now))
		}
		if err := s.Retire(t.Context(), one()); err != nil {
			t.Fatal(err)
		}
		if d := one(); !d.Retired || !d.OverdueSince(now).IsZero() || d.Captures != 4 {
			t.Errorf("retired: %+v", d)
		}
		put(t, s, capture(500, "fw1", "a"))
		if d := one(); d.Retired || d.Expected != 6*time.Hour {
			t.Errorf("back: %+v", d)
		}
	})
}

func TestForget(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		var shared store.Record
		for n := range 250 {
			put(t, s, capture(n, "fw1", fmt.Sprint("secret ", n)))
		}
		put(t, s, capture(300, "fw2", "secret 3"))
		r, err := s.Resolve(t.Context(), "fw1", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(t.Context(), store.Publication{Name: "x", PublishedAt: time.Now(),
			ExpiresAt: time.Now().Add(time.Hour)}, r); err != nil {
			t.Fatal(err)
		}
		if err := s.Rename(t.Context(), device(t, s, "fw1"), "gone"); err != nil {
			t.Fatal(err)
		}
		n, err := s.Forget(t.Context(), device(t, s, "fw1"))
		if err != nil || n != 250 {
			t.Fatalf("%d captures, err %v", n, err)
		}
		for _, ref := range []string{"fw1", "gone", fmt.Sprint("@", r.ID)} {
			_, err := s.Resolve(t.Context(), ref, time.Time{})
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s is still there: %v", ref, err)
			}
		}
		if _, err := s.Content(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("its content is still there: %v", err)
		}
		if list, err := s.Published(t.Context(), time.Now()); err != nil || len(list) != 0 {
			t.Errorf("still published: %v, err %v", list, err)
		}
		if shared, err = s.Resolve(t.Context(), "fw2", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if body, err := s.Content(t.Context(), shared); err != nil || string(body) != "secret 3" {
			t.Errorf("another device's content: %q, err %v", body, err)
		}
		if stored := put(t, s, capture(400, "fw1", "new")); stored.Device != "fw1" {
			t.Errorf("the name is not free again: %+v", stored)
		}
	})
}

// TestRules: captures of other rules are compared by the rules of this program.
func TestRules(t *testing.T) {
	// case is noise
	fold := func(b []byte) [sha256.Size]byte { return sha256.Sum256(bytes.ToLower(b)) }
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			s := open(t, at)
			put(t, s, capture(1, "fw1", "a"))
			put(t, s, capture(5, "fw1", "C"))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(at, store.Options{Own: true, Fingerprint: fold})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ruled := func(n int, body string) store.Stored {
				c := capture(n, "fw1", body)
				c.Rules, c.Fingerprint = 1, fold(c.Body)
				return put(t, s, c)
			}
			if r := ruled(2, "A"); r.Changed {
				t.Error("noise, by the new rules, passes for a change")
			}
			if r := ruled(4, "c"); !r.Changed {
				t.Error("a change is missed")
			}
			want := "[fw1 C changed=false fw1 c changed=true fw1 A changed=false fw1 a " +
				"changed=true]"
			if got := history(t, s, "fw1"); fmt.Sprint(got) != want {
				t.Errorf("history %s", got)
			}
			if d := device(t, s, "fw1"); d.Changes != 2 ||
				!d.LastChange.Equal(day.Add(4*time.Minute)) {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		bodies := "aaabbbbcbb" // one a minute
		for n, b := range bodies {
			put(t, s, capture(n, "fw1", string(b)))
		}
		torn := capture(20, "fw1", "half")
		torn.Complete = false
		put(t, s, torn)
		other := capture(21, "fw1", "v")
		other.Kind = "vdom:root"
		put(t, s, other)
		var got []string
		d := device(t, s, "fw1")
		if err := s.Versions(t.Context(), d, func(v store.Version) bool {
			previous := int64(0)
			if v.Previous != nil {
				previous = v.Previous.ID
			}
			got = append(got, fmt.Sprintf("@%d %s x%d until %d after @%d", v.ID, v.Kind, v.Seen,
				int(v.Until.Sub(day).Minutes()), previous))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{"@12 vdom:root x1 until 21 after @0", "@11 full x1 until 20 after @0",
			"@9 full x2 until 9 after @8", "@8 full x1 until 7 after @7",
			"@4 full x4 until 6 after @3", "@1 full x3 until 2 after @0"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("versions\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		at, err := s.Resolve(t.Context(), "fw1", day.Add(5*time.Minute+30*time.Second))
		if err != nil || at.ID != 6 {
			t.Errorf("as of minute 5.5 it is @%d, err %v", at.ID, err)
		}
		if at, err = s.Resolve(t.Context(), "fw1~1", day.Add(7*time.Minute)); err != nil ||
			at.ID != 7 {
			t.Errorf("the version before minute 7 is @%d, err %v", at.ID, err)
		}
		if _, err = s.Resolve(t.Context(), "fw1", day.Add(-time.Minute)); !errors.Is(err,
			store.ErrNotFound) {
			t.Errorf("before its first capture: %v", err)
		}
		if _, err = s.Resolve(t.Context(), "@3", day); store.ClassOf(err) != store.Usage {
			t.Errorf("a capture as of a time: %v", err)
		}
		current, err := s.Current(t.Context())
		if err != nil || len(current) != 2 || current[0].ID != 10 || current[1].ID != 12 {
			t.Errorf("current %+v, err %v", current, err)
		}
	})
}

func TestNewSource(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for n, source := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.9", "192.0.2.1",
			"192.0.2.9"} {
			c := capture(n, "fw1", "a")
			c.Source = source
			put(t, s, c)
		}
		log, err := s.Log(t.Context(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range log {
			got += map[bool]string{true: "new ", false: "- "}[r.NewSource]
		}
		if got != "- - new - - " {
			t.Errorf("newest first: %s", got)
		}
	})
}

func TestPrune(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		// A capture a day, 200 days: a version of ten days each.
		for n := range 200 {
			c := capture(n, "fw1", fmt.Sprint("version ", n/10))
			c.ReceivedAt = day.AddDate(0, 0, n)
			put(t, s, c)
		}
		quiet := capture(900, "old", "quiet since the beginning")
		torn := capture(901, "old", "torn")
		torn.Complete = false
		put(t, s, quiet)
		put(t, s, torn)
		now := day.AddDate(0, 0, 200)
		// an unchanged capture of an early version
		published, err := s.Resolve(t.Context(), "@15", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(t.Context(), store.Publication{Name: "x", PublishedAt: now,
			ExpiresAt: now.Add(time.Hour)}, published); err != nil {
			t.Fatal(err)
		}
		keep := store.Retention{Changed: 100 * 24 * time.Hour, Unchanged: 30 * 24 * time.Hour}
		would, err := s.Prune(t.Context(), keep, now, true)
		if err != nil {
			t.Fatal(err)
		}
		if log, err := s.Log(t.Context(), nil, 0); err != nil || len(log) != 202 {
			t.Fatalf("a dry run left %d captures, err %v", len(log), err)
		}
		did, err := s.Prune(t.Context(), keep, now, false)
		if err != nil {
			t.Fatal(err)
		}
		// Versions 0 to 8 were replaced before day 100; of version 1, ten captures are published.
		// Of versions 9 to 16 the nine repeats are older than 30 days.
		want := store.Pruned{Versions: 80, Sightings: 72, Contents: 8,
			Bytes: int64(8 * len("version 0"))}
		if would != want || did != want {
			t.Errorf("would delete %+v, deleted %+v, want %+v", would, did, want)
		}
		if log, err := s.Log(t.Context(), nil, 0); err != nil || len(log) != 202-152 {
			t.Errorf("%d captures are left, err %v", len(log), err)
		}
		for _, ref := range []string{"old", "fw1"} {
			r, err := s.Resolve(t.Context(), ref, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Content(t.Context(), r); err != nil {
				t.Errorf("%s: the newest capture's content: %v", ref, err)
			}
		}
		if current, err := s.Current(t.Context()); err != nil || len(current) != 2 ||
			current[1].SHA256 == "" || !current[1].Complete {
			t.Errorf("current: %+v, err %v", current, err)
		}
		if again, err := s.Prune(t.Context(), keep, now, false); err != nil ||
			again != (store.Pruned{}) {
			t.Errorf("a second time: %+v, err %v", again, err)
		}
		if _, err := s.Prune(t.Context(), store.Retention{Changed: 1, Unchanged: 1},
			now.AddDate(50, 0, 0), false); err != nil {
			t.Fatal(err)
		}
		// the newest eleven, and the two of the quiet device
		if left, err := s.Log(t.Context(), nil, 0); err != nil || len(left) != 13 {
			t.Errorf("after fifty years there are %d, err %v", len(left), err)
		}
	})
}

func TestFailures(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(1, "fw1", "a"))
		f := store.Failure{Source: "192.0.2.1", Reason: "timed out", Filename: "fw1.conf",
			First: day, Last: day.Add(time.Minute), Times: 2, Bytes: 512, Detail: "x"}
		stranger := store.Failure{Source: "198.51.100.7", Reason: "not allowed", First: day,
			Last: day, Times: 1, Code: 2}
		for range 2 {
			if err := s.NoteFailures(t.Context(), []store.Failure{f, stranger}); err != nil {
				t.Fatal(err)
			}
		}
		list, err := s.Failures(t.Context(), nil, day.Add(-time.Hour))
		if err != nil || len(list) != 2 || list[1].Times != 4 || list[1].Bytes != 1024 ||
			list[0].Code != 2 {
			t.Errorf("%+v, err %v", list, err)
		}
		d := device(t, s, "fw1")
		if list, err = s.Failures(t.Context(), &d, day.Add(-time.Hour)); err != nil ||
			len(list) != 1 || list[0].Reason != "timed out" {
			t.Errorf("of the device: %+v, err %v", list, err)
		}
		if list, err = s.Failures(t.Context(), nil, day.Add(time.Hour)); err != nil ||
			len(list) != 0 {
			t.Errorf("later: %+v, err %v", list, err)
		}
		if _, err := s.Prune(t.Context(), store.Retention{}, day.AddDate(0, 0, 31),
			false); err != nil {
			t.Fatal(err)
		}
		if list, err = s.Failures(t.Context(), nil, day.AddDate(-1, 0, 0)); err != nil ||
			len(list) != 0 {
			t.Errorf("after 31 days: %+v, err %v", list, err)
		}
	})
}

func TestWatch(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(1, "fw1", "before"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		watching, seen, ended := make(chan struct{}), make(chan store.Record, 10),
			make(chan error, 1)
		go func() {
			ended <- s.Watch(ctx, 0, func(r *store.Record) error {
				if r == nil {
					close(watching)
				} else {
					seen <- *r
				}
				return nil
			})
		}()
		<-watching
		for n := 2; n < 5; n++ {
			stored := put(t, s, capture(n, "fw1", fmt.Sprint(n)))
			if r := <-seen; r.ID != stored.ID || r.Device != "fw1" || !r.Changed {
				t.Errorf("saw %+v, stored %+v", r, stored)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestLifeWhileSending: a device that is renamed and merged while it sends stays one, and every
// upload is stored.
func TestLifeWhileSending(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		for n, name := range []string{"fw1", "old"} {
			put(t, s, capture(n, name, "first"))
		}
		var senders sync.WaitGroup
		var done atomic.Bool
		var sent atomic.Int64
		sent.Store(2)
		for worker := range 4 {
			senders.Go(func() {
				for !done.Load() {
					n := int(sent.Add(1))
					c := capture(n, []string{"fw1", "old"}[worker%2], fmt.Sprint(n/2%7))
					c.New = worker < 2
					_, err := s.Put(t.Context(), c)
					for range 5 { // a device repeats what met a lock for too long
						if err == nil {
							break
						}
						_, err = s.Put(t.Context(), c)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range 10 {
			if err := s.Rename(t.Context(), device(t, s, "fw1"),
				[]string{"edge", "fw1"}[i%2]); err != nil {
				t.Error(err)
			}
		}
		if err := s.Merge(t.Context(), device(t, s, "old"), device(t, s, "fw1")); err != nil {
			t.Error(err)
		}
		done.Store(true)
		senders.Wait()
		list, err := s.Devices(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%d devices, err %v: %+v", len(list), err, list)
		}
		log, err := s.Log(t.Context(), &list[0], 0)
		changes := int64(0)
		for i, r := range log { // newest first
			if r.Changed {
				changes++
			}
			if differs := i == len(log)-1 || r.SHA256 != log[i+1].SHA256; r.Changed != differs {
				t.Errorf("%s is a change: %v", r.UID, r.Changed)
			}
		}
		if err != nil || int64(len(log)) != sent.Load() || list[0].Captures != sent.Load() ||
			list[0].Changes != changes {
			t.Errorf("sent %d, stored %d, counted %d captures and %d changes of %d, err %v",
				sent.Load(), len(log), list[0].Captures, list[0].Changes, changes, err)
		}
	})
}

// TestTwoNamesTogether: captures of one device that come under two of its names at once are
// compared with each other.
func TestTwoNamesTogether(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		put(t, s, capture(0, "old", "first"))
		if err := s.Rename(t.Context(), device(t, s, "old"), "new"); err != nil {
			t.Fatal(err)
		}
		const most = 200 // several transactions
		var senders sync.WaitGroup
		for n := 1; n < most; n++ {
			senders.Go(func() {
				c := capture(n, []string{"old", "new"}[n%2], fmt.Sprint(n/3))
				c.New = true
				if _, err := s.Put(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		senders.Wait()
		d := device(t, s, "new")
		log, err := s.Log(t.Context(), &d, 0)
		if err != nil || len(log) != most || d.Captures != most {
			t.Fatalf("%d captures, %d counted, err %v", len(log), d.Captures, err)
		}
		changes := int64(0)
		for i, r := range log {
			differs := i == len(log)-1 || r.SHA256 != log[i+1].SHA256
			if differs {
				changes++
			}
			if r.Changed != differs {
				t.Errorf("%s is a change: %v", r.UID, r.Changed)
			}
		}
		if d.Changes != changes {
			t.Errorf("%d changes are counted of %d", d.Changes, changes)
		}
	})
}

// TestMeanwhile: what a program remembers of a device is void once another program has changed the
// device.
func TestMeanwhile(t *testing.T) {
	for name, meanwhile := range map[string]struct {
		do      func(t *testing.T, other *store.Store) error
		ref     string // where the next capture, the same bytes again, is found
		changed bool
		count   int64
	}{
		"nothing": {func(*testing.T, *store.Store) error { return nil }, "/fw1", false, 4},
		"a capture": {func(t *testing.T, other *store.Store) error {
			c := capture(3, "fw1", "other")
			c.New = true
			_, err := other.Put(t.Context(), c)
			return err
		}, "/fw1", true, 5},
		"a later capture": {func(t *testing.T, other *store.Store) error {
			c := capture(9, "fw1", "other")
			c.New = true
			_, err := other.Put(t.Context(), c)
			return err
		}, "/fw1", false, 5},
		"renamed": {func(t *testing.T, other *store.Store) error {
			return other.Rename(t.Context(), device(t, other, "fw1"), "edge")
		}, "/edge", false, 4},
		"merged": {func(t *testing.T, other *store.Store) error {
			return other.Merge(t.Context(), device(t, other, "fw1"), device(t, other, "fw2"))
		}, "/fw2", false, 5},
		"forgotten": {func(t *testing.T, other *store.Store) error {
			_, err := other.Forget(t.Context(), device(t, other, "fw1"))
			return err
		}, "/fw1", true, 1},
		"retired": {func(t *testing.T, other *store.Store) error {
			return other.Retire(t.Context(), device(t, other, "fw1"))
		}, "/fw1", false, 4},
	} {
		for engine, url := range engines {
			t.Run(name+", "+engine, func(t *testing.T) {
				t.Parallel()
				u := url(t)
				s := open(t, u)
				put(t, s, capture(-1, "fw2", "second"))
				for n := range 3 {
					c := capture(n, "fw1", "body")
					c.New = true
					put(t, s, c)
				}
				if err := meanwhile.do(t, beside(t, u)); err != nil {
					t.Fatal(err)
				}
				c := capture(4, "fw1", "body")
				c.New = true
				got := put(t, s, c)
				d := device(t, s, meanwhile.ref)
				if ref := got.Site + "/" + got.Device; ref != meanwhile.ref ||
					got.Changed != meanwhile.changed || d.Captures != meanwhile.count || d.Retired {
					t.Errorf("it went to %s, changed %v; the device has %d captures, retired %v",
						ref, got.Changed, d.Captures, d.Retired)
				}
			})
		}
	}
}

// TestNamedMeanwhile: a late capture shows that a device's name is from a configuration. The next
// file under that name is filed by that rule.
func TestNamedMeanwhile(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		file := func(n int) store.Capture {
			c := capture(n, "sw1", "no configuration")
			c.NamedBy, c.New = store.NamedByFilename, true
			return c
		}
		put(t, s, file(5))
		put(t, s, file(6))
		put(t, s, capture(1, "sw1", "hostname sw1"))
		unread := file(7)
		unread.Platform = ""
		if got := put(t, s, unread); got.Device != "sw1@192.0.2.1" {
			t.Errorf("it went to %s", got.Device)
		}
		if d := device(t, s, "sw1"); d.NamedBy != store.NamedByConfig || d.Captures != 3 {
			t.Errorf("%+v", d)
		}
	})
}

// TestMergedThereAndBack: a merge that was interrupted, and then done the other way round, leaves a
// device under its own alias.
func TestMergedThereAndBack(t *testing.T) {
	u := pgtest.Database(t)
	s := open(t, u)
	put(t, s, capture(1, "fw1", "a"))
	conn, err := pgx.Connect(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(),
		"INSERT INTO aliases (site, name, device_id) SELECT site, name, id FROM devices")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		c := capture(n+2, "fw1", "b")
		c.New = true
		put(t, s, c)
	}
	if d := device(t, s, "fw1"); d.Captures != 4 || d.Changes != 2 {
		t.Errorf("%+v", d)
	}
}

// TestForgottenContent: a content that this program has stored and another has deleted is stored
// again.
func TestForgottenContent(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := url(t)
			s := open(t, u)
			c := capture(0, "fw1", "body")
			put(t, s, c)
			other := beside(t, u)
			if _, err := other.Forget(t.Context(), device(t, other, "fw1")); err != nil {
				t.Fatal(err)
			}
			for n, name := range []string{"fw1", "fw2"} {
				c = capture(n+1, name, "body")
				c.New = true
				put(t, s, c)
				r, err := s.Resolve(t.Context(), c.UID, time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				if body, err := s.Content(t.Context(), r); err != nil ||
					!bytes.Equal(body, c.Body) {
					t.Errorf("%q, err %v", body, err)
				}
			}
		})
	}
}
