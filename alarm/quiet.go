package alarm

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Quiet is when messages are held back. The zero Quiet is never.
type Quiet struct {
	text  string
	rules []quietRule
	zone  *time.Location
}

// A quietRule is a span of each of some days of the week.
type quietRule struct {
	days [7]bool // on which it begins, by time.Weekday
	// Since midnight by the clock. An end that isn't after start is the next day's.
	start, end time.Duration
}

const (
	maxQuiet      = 200 // bytes
	maxQuietRules = 16
)

// ParseQuiet reads quiet hours: days, hours or both, several of them between semicolons, and at the
// end the zone, UTC if there is none. Days are those on which the hours begin:
//
//	22:00-07:00 Europe/Berlin
//	mon-fri 22:00-07:00; sat,sun Europe/Berlin
//	sun 00:00-06:00
func ParseQuiet(text string) (Quiet, error) {
	q := Quiet{text: strings.Join(strings.Fields(text), " "), zone: time.UTC}
	if q.text == "" {
		return Quiet{}, nil
	}
	if len(q.text) > maxQuiet {
		return Quiet{}, fmt.Errorf("quiet hours have over %d bytes", maxQuiet)
	}
	spans := q.text
	last := spans[strings.LastIndexAny(spans, " ;")+1:]
	if strings.Contains(last, "/") || strings.EqualFold(last, "utc") {
		var err error
		if q.zone, err = zone(strings.ReplaceAll(last, "utc", "UTC")); err != nil {
			return Quiet{}, fmt.Errorf("%q is no time zone: write UTC, Europe/Berlin", last)
		}
		spans = strings.TrimSuffix(spans, last)
	}
	for _, rule := range strings.Split(spans, ";") {
		r, err := parseQuietRule(strings.Fields(rule))
		if err != nil {
			return Quiet{}, err
		}
		q.rules = append(q.rules, r)
	}
	if len(q.rules) > maxQuietRules {
		return Quiet{}, fmt.Errorf("over %d quiet hours", maxQuietRules)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for hour := range 8 * 24 { // the longest end within a week, if any does
		at := from.Add(time.Duration(hour) * time.Hour)
		if until, held := q.Holds(at); held && until.Sub(at) >= 7*day {
			return Quiet{}, errors.New("quiet hours that never end: pause the channel instead")
		}
	}
	return q, nil
}

func parseQuietRule(words []string) (r quietRule, err error) {
	bad := fmt.Errorf(
		"%q are no quiet hours: write 22:00-07:00 Europe/Berlin, or mon-fri 22:00-07:00; sat,sun",
		strings.Join(words, " "))
	if len(words) == 0 || len(words) > 2 {
		return r, bad
	}
	hours := words[len(words)-1]
	from, to, ok := strings.Cut(hours, "-")
	r.end = day
	if ok && strings.Contains(from, ":") {
		var okFrom, okTo bool
		r.start, okFrom = parseClock(from)
		r.end, okTo = parseClock(to)
		if !okFrom || !okTo || r.start == r.end || r.start == day {
			return r, bad
		}
		words = words[:len(words)-1]
	}
	switch len(words) {
	case 0:
		r.days = [7]bool{true, true, true, true, true, true, true}
	case 1:
		if !r.parseDays(words[0]) {
			return r, bad
		}
	default:
		return r, bad
	}
	return r, nil
}

// parseClock reads 00:00 to 24:00.
func parseClock(s string) (time.Duration, bool) {
	if s == "24:00" {
		return day, true
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// parseDays reads sat,sun or mon-fri.
func (r *quietRule) parseDays(s string) bool {
	for _, part := range strings.Split(strings.ToLower(s), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, last := weekday(from), weekday(to)
		if first < 0 || last < 0 {
			return false
		}
		for d := first; ; d = (d + 1) % 7 {
			r.days[d] = true
			if d == last {
				break
			}
		}
	}
	return true
}

func weekday(s string) time.Weekday {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := strings.ToLower(d.String()); s == name || s == name[:3] {
			return d
		}
	}
	return -1
}

// String returns the quiet hours as they were written.
func (q Quiet) String() string { return q.text }

// Holds reports whether a message is held back at a time, and until when: the end of all quiet
// hours that follow each other.
func (q Quiet) Holds(t time.Time) (until time.Time, held bool) {
	until = t
	for range 7 * maxQuietRules { // after a week they would never end
		end, ok := q.within(until)
		if !ok {
			break
		}
		until, held = end, true
	}
	if !held {
		return time.Time{}, false
	}
	return until, true
}

// within returns the latest end of the quiet hours that a time is in. The clock of the zone counts,
// so a night in which it is changed is an hour shorter or longer.
func (q Quiet) within(t time.Time) (end time.Time, ok bool) {
	if len(q.rules) == 0 {
		return t, false
	}
	y, m, d := t.In(q.zone).Date()
	for _, r := range q.rules {
		for back := range 2 { // it began today or yesterday
			at := func(offset int, clock time.Duration) time.Time {
				return time.Date(y, m, d-back+offset, 0, int(clock/time.Minute), 0, 0, q.zone)
			}
			next := 0
			if r.end <= r.start {
				next = 1
			}
			starts, ends := at(0, r.start), at(next, r.end)
			// noon is in every day, whatever the clock does at midnight
			if r.days[at(0, day/2).Weekday()] && !t.Before(starts) && t.Before(ends) &&
				(!ok || ends.After(end)) {
				end, ok = ends, true
			}
		}
	}
	return end, ok
}
