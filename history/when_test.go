package history

import (
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 30, 0, 0, time.UTC) // a Monday
	for text, want := range map[string]string{
		"2026-11-20T18:00:00+02:00": "2026-11-20T16:00:00Z",
		"2026-11-20 18:00":          "2026-11-20T18:00:00Z", "friday 18:00": "2026-11-20T18:00:00Z",
		"Fri 18:00": "2026-11-20T18:00:00Z", "monday 18:00": "2026-11-16T18:00:00Z",
		"monday 9:00": "2026-11-23T09:00:00Z", "yesterday 8:15": "2026-11-22T08:15:00Z",
		"yesterday": "2026-11-22T23:59:59Z", "2026-11-20": "2026-11-20T23:59:59Z",
		"18:00": "2026-11-22T18:00:00Z", "09:00": "2026-11-23T09:00:00Z",
		"24h": "2026-11-22T15:30:00Z", "7d ago": "2026-11-16T15:30:00Z",
		"2w": "2026-11-09T15:30:00Z", "today": "2026-11-23T23:59:59Z",
		"2026-11-20 18:00:00Z": "2026-11-20T18:00:00Z",
	} {
		w, err := ParseTime(text, now)
		if got := w.EndOfDay().UTC().Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%q is %s, want %s, err %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "soon", "25:00", "fri sat", "18", "-3h", "2026-02-30"} {
		if w, err := ParseTime(text, now); err == nil {
			t.Errorf("%q is %v", text, w)
		}
	}
}
