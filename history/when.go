package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
)

// A Time is a time as a person gives it.
type Time struct {
	time.Time
	date bool // no time of day was given
}

var timeLayouts = []struct {
	layout string
	date   bool
}{
	{time.RFC3339Nano, false}, {"2006-01-02 15:04:05Z07:00", false}, {"2006-01-02 15:04:05", false},
	{"2006-01-02T15:04:05", false}, {"2006-01-02 15:04", false}, {"2006-01-02T15:04", false},
	{"2006-01-02", true},
}

// ParseTime reads a time, in now's zone where it names none:
//
//	2026-11-20T18:00:00Z   2026-11-20 18:00   2026-11-20   18:00
//	friday 18:00   yesterday   24h (ago)   7d (ago)
func ParseTime(text string, now time.Time) (Time, error) {
	s := strings.TrimSpace(text)
	for _, l := range timeLayouts {
		if t, err := time.ParseInLocation(l.layout, s, now.Location()); err == nil {
			return Time{t, l.date}, nil
		}
	}
	var age config.Age
	if err := age.UnmarshalText([]byte(strings.TrimSpace(
		strings.TrimSuffix(s, "ago")))); err == nil && age > 0 {
		return Time{now.Add(-time.Duration(age)), false}, nil
	}
	words := strings.Fields(strings.ToLower(s))
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	day, named := midnight, false
	if len(words) > 0 {
		if day, named = namedDay(words[0], midnight); named {
			words = words[1:]
		}
	}
	switch {
	case len(words) == 0 && named:
		return Time{day, true}, nil
	case len(words) == 1:
		if t, ok := clockTime(words[0], day); ok {
			return Time{latest(t, now, named), false}, nil
		}
	}
	return Time{}, fmt.Errorf(
		`%q is no time: write "2026-11-20 18:00", 2026-11-20, 18:00, "friday 18:00", yesterday `+
			`or 24h`, text)
}

// namedDay returns the latest day of that name, today among them; midnight where the word names no
// day.
func namedDay(word string, midnight time.Time) (day time.Time, ok bool) {
	switch word {
	case "today":
		return midnight, true
	case "yesterday":
		return midnight.AddDate(0, 0, -1), true
	}
	for d := range 7 {
		day := midnight.AddDate(0, 0, -d)
		if name := strings.ToLower(day.Weekday().String()); len(word) >= 3 &&
			strings.HasPrefix(name, word) {
			return day, true
		}
	}
	return midnight, false
}

// clockTime returns a time of a day.
func clockTime(text string, day time.Time) (time.Time, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), t.Second(),
				0, day.Location()), true
		}
	}
	return time.Time{}, false
}

// latest is the latest time of that clock time that has passed: of the named day of a week, or of
// any day.
func latest(t, now time.Time, named bool) time.Time {
	switch {
	case !t.After(now):
		return t
	case named:
		return t.AddDate(0, 0, -7)
	}
	return t.AddDate(0, 0, -1)
}

// EndOfDay is the time itself, or the last moment of a day of which no time was given: "as of
// Friday" means after all of it.
func (t Time) EndOfDay() time.Time {
	if t.date {
		return t.AddDate(0, 0, 1).Add(-time.Microsecond)
	}
	return t.Time
}
