package alarm_test

import (
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
)

func TestNext(t *testing.T) {
	for _, c := range []struct {
		attempts   int
		retryAfter time.Duration
		want       time.Duration
		giveUp     bool
	}{
		{0, 0, 0, false}, {1, 0, 30 * time.Second, false}, {2, 0, 2 * time.Minute, false},
		{3, 0, 10 * time.Minute, false}, {4, 0, time.Hour, false}, {5, 0, 4 * time.Hour, false},
		{22, 0, 4 * time.Hour, false}, {23, 0, 0, true}, {1000, time.Hour, 0, true},
		{-1, 0, 0, false},
		{1, time.Second, 30 * time.Second, false}, {1, 5 * time.Minute, 5 * time.Minute, false},
		{5, 5 * time.Hour, 5 * time.Hour, false}, {1, 99 * time.Hour, 24 * time.Hour, false},
		{1, -time.Hour, 30 * time.Second, false},
	} {
		wait, giveUp := alarm.Next(c.attempts, c.retryAfter)
		if wait != c.want || giveUp != c.giveUp {
			t.Errorf("after %d attempts, asked for %s: %s, %v", c.attempts, c.retryAfter, wait,
				giveUp)
		}
	}
	var total time.Duration
	for n := 0; ; n++ {
		wait, giveUp := alarm.Next(n, 0)
		if giveUp {
			if n != alarm.Attempts {
				t.Errorf("given up after %d attempts", n)
			}
			break
		}
		total += wait
	}
	if total < 72*time.Hour || total > 74*time.Hour {
		t.Errorf("given up after %s", total)
	}
}

func TestQuiet(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse("2006-01-02 15:04Z07:00", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ quiet, at, until string }{
		{"", "2026-11-27 03:00Z", ""},
		{"22:00-07:00", "2026-11-27 21:59Z", ""},
		{"22:00-07:00", "2026-11-27 22:00Z", "2026-11-28 07:00Z"},
		{"22:00-07:00", "2026-11-27 06:59Z", "2026-11-27 07:00Z"},
		{"22:00-07:00", "2026-11-27 07:00Z", ""},
		{"22:00-07:00 UTC", "2026-11-27 23:30Z", "2026-11-28 07:00Z"},
		{"22:00-07:00 Europe/Berlin", "2026-11-27 21:00Z", "2026-11-28 06:00Z"},
		{"22:00-07:00 Europe/Berlin", "2026-07-27 20:30Z", "2026-07-28 05:00Z"},
		{"12:00-13:00", "2026-11-27 12:30Z", "2026-11-27 13:00Z"},
		{"00:00-24:00 sat", "2026-11-28 12:30Z", ""}, // refused: days come first
		{"sat,sun", "2026-11-28 12:00Z", "2026-11-30 00:00Z"},
		{"sat-sun", "2026-11-27 23:59Z", ""},
		{"Saturday, ", "2026-11-28 12:00Z", ""}, // refused
		{"fri-mon Europe/Berlin", "2026-11-29 12:00Z", "2026-12-01 00:00+01:00"},
		{"mon-fri 22:00-07:00", "2026-11-28 03:00Z", "2026-11-28 07:00Z"}, // begun on Friday
		{"mon-fri 22:00-07:00", "2026-11-28 23:00Z", ""},
		{"mon-fri 22:00-07:00", "2026-11-30 03:00Z", ""}, // a Monday
		// the nights around a weekend and the weekend are one
		{"22:00-07:00; sat,sun Europe/Berlin", "2026-11-27 22:00+01:00", "2026-11-30 07:00+01:00"},
		{"22:00-07:00;sat,sun;UTC", "2026-11-28 12:00Z", ""}, // refused: the zone is no rule
		{"12:00-13:00; 12:30-14:00", "2026-11-27 12:31Z", "2026-11-27 14:00Z"},
		// the clock is set forward, and back: 9 hours by the clock are 8, and 10
		{"22:00-07:00 Europe/Berlin", "2026-03-28 22:00+01:00", "2026-03-29 07:00+02:00"},
		{"22:00-07:00 Europe/Berlin", "2026-03-29 01:30+01:00", "2026-03-29 07:00+02:00"},
		{"22:00-07:00 Europe/Berlin", "2026-10-24 22:00+02:00", "2026-10-25 07:00+01:00"},
		{"22:00-07:00 Europe/Berlin", "2026-10-25 02:30+02:00", "2026-10-25 07:00+01:00"},
		{"22:00-07:00 Europe/Berlin", "2026-10-25 02:30+01:00", "2026-10-25 07:00+01:00"},
		// days without midnight
		{"sun America/Sao_Paulo", "2018-11-04 12:00-02:00", "2018-11-05 00:00-02:00"},
		{"22:00-07:00 Asia/Kolkata", "2026-11-27 16:30Z", "2026-11-28 01:30Z"},
	} {
		q, err := alarm.ParseQuiet(c.quiet)
		if err != nil {
			if c.until != "" {
				t.Errorf("%q: %v", c.quiet, err)
			}
			continue
		}
		until, held := q.Holds(at(c.at))
		if held != (c.until != "") || held && !until.Equal(at(c.until)) {
			t.Errorf("%q at %s: %s, %v", c.quiet, c.at, until, held)
		}
	}
	for _, text := range []string{"22:00", "22:00-22:00", "22:00-25:00", "24:00-07:00", "22-7",
		"22:00-07:00 Local", "22:00-07:00 Europe/Atlantis", "22:00-07:00 ../etc/passwd",
		"foo 22:00-07:00", "sat,", "sat sun", ";", "mon-sun", "00:00-24:00",
		"mon-fri; sat,sun", "00:00-12:00; 12:00-24:00", "00:00-24:00 sat", "Saturday, ",
		"22:00-07:00;sat,sun;UTC", "22:00-07:00 mon-fri", "1" + string(make([]byte, 300))} {
		if q, err := alarm.ParseQuiet(text); err == nil {
			t.Errorf("%q are quiet hours: %+v", text, q)
		}
	}
	if q, err := alarm.ParseQuiet("  sat,sun   Europe/Berlin "); err != nil ||
		q.String() != "sat,sun Europe/Berlin" {
		t.Error(q, err)
	}
}
