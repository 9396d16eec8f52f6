package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
)

// when is a time as people give it to --at and --since, in this machine's zone where it names none:
//
//	2026-11-20T18:00:00Z   2026-11-20 18:00   2026-11-20   18:00   friday 18:00   yesterday   24h (ago)   7d (ago)
//
// A date without a time is the end of that day for --at; see endOfDay.
type when struct {
	time.Time
	date bool // no time of day was given
}

var timeLayouts = []struct {
	layout string
	date   bool
}{
	{time.RFC3339Nano, false}, {"2006-01-02 15:04:05Z07:00", false}, {"2006-01-02 15:04:05", false}, {"2006-01-02T15:04:05", false},
	{"2006-01-02 15:04", false}, {"2006-01-02T15:04", false}, {"2006-01-02", true},
}

func parseWhen(text string, now time.Time) (when, error) {
	s := strings.TrimSpace(text)
	for _, l := range timeLayouts {
		if t, err := time.ParseInLocation(l.layout, s, now.Location()); err == nil {
			return when{t, l.date}, nil
		}
	}
	var age config.Age
	if err := age.UnmarshalText([]byte(strings.TrimSpace(strings.TrimSuffix(s, "ago")))); err == nil && age > 0 {
		return when{now.Add(-time.Duration(age)), false}, nil
	}
	words := strings.Fields(strings.ToLower(s))
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	date := midnight
	named := len(words) > 0 && namedDay(words[0], midnight, &date)
	if named {
		words = words[1:]
	}
	switch {
	case len(words) == 0 && named:
		return when{date, true}, nil
	case len(words) == 1:
		for _, layout := range []string{"15:04", "15:04:05"} {
			if clock, err := time.Parse(layout, words[0]); err == nil {
				t := time.Date(date.Year(), date.Month(), date.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, now.Location())
				if !named && t.After(now) {
					t = t.AddDate(0, 0, -1)
				}
				if named && t.After(now) {
					t = t.AddDate(0, 0, -7)
				}
				return when{t, false}, nil
			}
		}
	}
	return when{}, fmt.Errorf(`%q is no time: write "2026-11-20 18:00", 2026-11-20, 18:00, "friday 18:00", yesterday or 24h`, text)
}

// namedDay sets date to the latest day of that name, today among them.
func namedDay(word string, midnight time.Time, date *time.Time) bool {
	switch word {
	case "today":
		return true
	case "yesterday":
		*date = midnight.AddDate(0, 0, -1)
		return true
	}
	for d := range 7 {
		day := midnight.AddDate(0, 0, -d)
		if name := strings.ToLower(day.Weekday().String()); len(word) >= 3 && strings.HasPrefix(name, word) {
			*date = day
			return true
		}
	}
	return false
}

// endOfDay is the time itself, or the last moment of a day of which no time was given: "as of Friday" means after all of it.
func (w when) endOfDay() time.Time {
	if w.date {
		return w.AddDate(0, 0, 1).Add(-time.Microsecond)
	}
	return w.Time
}

// flagWhen is a time as a flag.
type flagWhen struct {
	text string
	when
}

func (f *flagWhen) String() string { return f.text }

func (f *flagWhen) Type() string { return "time" }

func (f *flagWhen) Set(s string) (err error) {
	f.when, err = parseWhen(s, time.Now())
	f.text = s
	return err
}

// at is the time that --at means, the zero time where it wasn't given.
func (f *flagWhen) at() time.Time {
	if f.text == "" {
		return time.Time{}
	}
	return f.endOfDay()
}
