package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// TestOrders: numbers are sorted as numbers, and first comes what needs somebody.
func TestOrders(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	devices := []store.Device{
		{Name: "a", Platform: "fortinet", Model: "FGT60F", OSVersion: "7.2.10",
			Source: "192.0.2.10", LastSeen: now.Add(-day), LastChange: now.Add(-9 * day),
			Captures: 10, Changes: 1, Complete: true},
		{Name: "b", Platform: "cisco_ios", Model: "C9300", OSVersion: "7.2.8",
			Source: "192.0.2.9", LastSeen: now.Add(-3 * day), LastChange: now.Add(-3 * day),
			Captures: 9, Changes: 3, Complete: true, Expected: day},
		{Name: "c", Platform: "vyos", Model: "", OSVersion: "", Source: "2001:db8::1",
			LastSeen: now.Add(-2 * day), LastChange: now.Add(-2 * day), Captures: 100,
			Changes: 2, Complete: false},
		{Name: "d", Platform: "arista_eos", Model: "DCS", OSVersion: "15.2", Source: "192.0.2.11",
			LastSeen: now.Add(-90 * day), LastChange: now.Add(-99 * day), Captures: 11,
			Changes: 9, Complete: true, Retired: true},
	}
	wants := map[string]string{"name": "abcd", "platform": "dbac", "model": "cbda",
		"version": "cbad", "last_seen": "dbca", "last_change": "dabc", "changes": "acbd",
		"captures": "badc", "state": "bcad", "source": "badc"}
	for _, order := range history.Orders {
		for sign, want := range map[string]string{"": wants[order], "-": reversed(wants[order])} {
			history.Sort(devices, sign+order, now)
			got := ""
			for _, d := range devices {
				got += d.Name
			}
			if got != want {
				t.Errorf("%s%s: %s, want %s", sign, order, got, want)
			}
		}
	}
	if err := history.CheckOrder("age"); err == nil || !strings.Contains(err.Error(), "state") {
		t.Errorf("an unknown order: %v", err)
	}
}

func reversed(s string) string {
	out := ""
	for _, c := range s {
		out = string(c) + out
	}
	return out
}
