package store_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// send stores captures of devices that send at random, torn ones, logs and late ones among them.
func send(t *testing.T, s *store.Store, random *rand.Rand, names, from, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprint("fw", random.IntN(names))
		c := capture(from+random.IntN(3000), name, fmt.Sprint(random.IntN(3)))
		c.UID = fmt.Sprintf("01a20702-0000-7000-8000-%012d", from*1000+i)
		c.Site = []string{"", "acme"}[random.IntN(2)]
		c.Complete = random.IntN(5) > 0
		c.Kind = []string{"full", "full", "vdom-a", store.KindLog}[random.IntN(4)]
		put(t, s, c)
	}
}

// TestRhythms: what is kept of each device's rhythm is what its captures say, in whatever order
// they came, after a merge and after a retention too; and just the devices that are overdue by that
// are found.
func TestRhythms(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		random := rand.New(rand.NewPCG(1, 2))
		for round := range 5 {
			switch round {
			case 3:
				merge(t, s, "acme/fw1", "acme/fw2")
			case 4:
				if _, err := s.Prune(t.Context(), store.Retention{Changed: 1, Unchanged: 1},
					day.Add(7000*time.Minute), false); err != nil {
					t.Fatal(err)
				}
			default:
				send(t, s, random, 20, round*2000, 300)
			}
			checkRhythms(t, s, fmt.Sprint("round ", round))
		}
	})
}

// TestRhythmsOfAnOlderProgram: where a program that keeps no rhythms has stored a capture, they are
// computed, and the next capture mends them.
func TestRhythmsOfAnOlderProgram(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			s := open(t, at)
			send(t, s, rand.New(rand.NewPCG(7, 8)), 5, 0, 100)
			driver, source := "pgx", at
			if path, ok := strings.CutPrefix(at, "sqlite:"); ok {
				driver, source = "sqlite", "file:"+path
			}
			db, err := sql.Open(driver, source)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, text := range []string{"UPDATE devices SET captures = captures + 1, " +
				"recent = 0, longest_us = 1, quiet_at = '9999-12-31 00:00:00+00:00'",
				"UPDATE devices SET longest_left = 9"} {
				if _, err := db.Exec(text); err != nil {
					t.Fatal(err)
				}
			}
			checkRhythms(t, s, "after the older program")
			send(t, s, rand.New(rand.NewPCG(9, 10)), 5, 4000, 50)
			checkRhythms(t, s, "after captures since")
		})
	}
}

func checkRhythms(t *testing.T, s *store.Store, when string) {
	t.Helper()
	all, err := s.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		var times []time.Time
		if err := s.Captures(t.Context(), d, nil, func(r store.Record) bool {
			if r.Kind != store.KindLog && r.Kind != store.KindEmpty {
				times = append(times, r.ReceivedAt)
			}
			return len(times) < 11
		}); err != nil {
			t.Fatal(err)
		}
		longest := time.Duration(0)
		for i := 1; i < len(times); i++ {
			longest = max(longest, times[i-1].Sub(times[i]))
		}
		if d.LongestGap != longest || d.Recent != int64(len(times)) {
			t.Errorf("%s: %s: %d captures with gaps up to %v, want %d up to %v", when, d.Ref(),
				d.Recent, d.LongestGap, len(times), longest)
		}
	}
	for hours := 0; hours < 200; hours += 11 {
		now := day.Add(time.Duration(hours) * time.Hour)
		want, got := map[string]time.Time{}, map[string]time.Time{}
		for _, d := range all {
			if since := d.OverdueSince(now); !since.IsZero() {
				want[d.Ref()] = since
			}
		}
		err := s.EachOverdue(t.Context(), now, func(d store.Device) bool {
			got[d.Ref()] = d.OverdueSince(now)
			return true
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s, after %d hours: err %v, overdue since\n%v, want\n%v", when, hours, err,
				got, want)
		}
	}
}

func merge(t *testing.T, s *store.Store, old, into string) {
	t.Helper()
	a, err := s.Device(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Device(t.Context(), into)
	if err == nil {
		err = s.Merge(t.Context(), a, b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFew: what few devices have sent is the same when no others' captures are read.
func TestFew(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		send(t, s, rand.New(rand.NewPCG(3, 4)), 70, 0, 500)
		all, err := s.Devices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var few []store.Device
		of := map[string]bool{}
		for i, d := range all {
			if i%3 == 0 {
				few = append(few, d)
				of[d.Ref()] = true
			}
		}
		ref := func(r store.Record) string {
			return store.Device{Site: r.Site, Name: r.Device}.Ref()
		}
		var list []store.Record
		if err := s.Between(t.Context(), time.Time{}, time.Time{}, nil, false,
			func(r store.Record) bool { list = append(list, r); return true }); err != nil ||
			len(list) != 500 {
			t.Fatalf("%d captures, err %v", len(list), err)
		}
		since, until := list[400].ReceivedAt, list[100].ReceivedAt
		for _, before := range []*store.Record{nil, &list[50], &list[250]} {
			var want, got []store.Record
			keep := func(to *[]store.Record) func(store.Record) bool {
				return func(r store.Record) bool {
					if of[ref(r)] {
						*to = append(*to, r)
					}
					return true
				}
			}
			err := s.Between(t.Context(), since, until, before, false, keep(&want))
			if err == nil {
				err = s.BetweenOf(t.Context(), few, since, until, before, keep(&got))
			}
			if err != nil || len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("of few devices: err %v\n%v, want\n%v", err, got, want)
			}
			var changed []store.Record
			err = s.Between(t.Context(), since, until, before, true, keep(&changed))
			want = slices.DeleteFunc(want, func(r store.Record) bool { return !r.Changed })
			if err != nil || !slices.Equal(changed, want) {
				t.Errorf("what has changed: err %v\n%v, want\n%v", err, changed, want)
			}
		}
		current, err := s.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []store.Record
		for _, d := range few {
			records, err := s.CurrentOf(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, records...)
		}
		current = slices.DeleteFunc(current, func(r store.Record) bool { return !of[ref(r)] })
		if len(got) == 0 || !slices.Equal(got, current) {
			t.Errorf("current are\n%v, want\n%v", got, current)
		}
	})
}

// TestPruneAtRandom: what a retention deletes is what its rule says of each capture, whatever the
// order of arrival, and a dry run says the same.
func TestPruneAtRandom(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		send(t, s, rand.New(rand.NewPCG(5, 6)), 8, 0, 400)
		log, err := s.Log(t.Context(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		now := day.Add(3000 * time.Minute)
		keep := store.Retention{Changed: 20 * time.Hour, Unchanged: 10 * time.Hour}
		var want store.Pruned
		var stay []int64
		for i, r := range log {
			newer, rhythm := 0, 0 // of the device
			replaced, wholeAfter, after := false, false, false
			for _, n := range log[:i] { // the newest first
				if n.Site != r.Site || n.Device != r.Device {
					continue
				}
				if n.ReceivedAt.After(r.ReceivedAt) {
					newer++
					if n.Kind != store.KindLog {
						rhythm++
					}
				}
				if n.Kind == r.Kind {
					after = true
					wholeAfter = wholeAfter || n.Complete
					replaced = replaced || n.Complete && (n.Changed || !r.Complete) &&
						now.Sub(n.ReceivedAt) > keep.Changed
				}
			}
			repeats := !r.Changed && now.Sub(r.ReceivedAt) > keep.Unchanged &&
				(wholeAfter || after && !r.Complete)
			switch {
			case newer < 11 || r.Kind != store.KindLog && rhythm < 11 || !replaced && !repeats:
				stay = append(stay, r.ID)
			case replaced:
				want.Versions++
			default:
				want.Sightings++
			}
		}
		for _, dry := range []bool{true, false} {
			got, err := s.Prune(t.Context(), keep, now, dry)
			got.Contents, got.Bytes = 0, 0 // which others may have too
			if err != nil || got != want || want.Versions < 50 || want.Sightings < 10 {
				t.Errorf("dry %v: %+v, want %+v, err %v", dry, got, want, err)
			}
		}
		var left []int64
		if log, err = s.Log(t.Context(), nil, 0); err != nil {
			t.Fatal(err)
		}
		for _, r := range log {
			left = append(left, r.ID)
		}
		if !slices.Equal(left, stay) {
			t.Errorf("left are %v, want %v", left, stay)
		}
	})
}
