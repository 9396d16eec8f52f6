package alarm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// told is a message made ready for every receiver: its texts are printable and bounded, and only
// their marking up is left.
type told struct {
	Message
	title string // with "[tftpsql]"
	// Message.Devices are the first listedInFull of count, and about is a line about each.
	count int
	about []string
}

const (
	// The bounds of a message's texts, in bytes. A name of a device has up to 255.
	maxTitle = 240
	maxWord  = 255
	maxLine  = 600
	maxText  = 16 << 10
	maxLink  = 2000
	// maxBlocks is how many blocks a line names, and maxBlocksInFull a webhook.
	maxBlocks       = 3
	maxBlocksInFull = 20
	// MaxDiff is how much of a difference stands in a message. A mail has what is longer as an
	// attachment, of up to MaxAttached bytes.
	MaxDiff     = 64 << 10
	MaxAttached = 4 << 20
)

// tell makes a message ready.
func tell(m Message) told {
	m.Site = line(m.Site, maxWord)
	m.Text = lines(m.Text, maxText)
	m.Diff = lines(m.Diff, MaxAttached)
	m.Link = link(m.Link)
	count := len(m.Devices)
	if count > 0 {
		count += max(m.More, 0)
	}
	m.Devices = slices.Clone(m.Devices[:min(len(m.Devices), listedInFull)])
	for i, d := range m.Devices {
		d.Ref, d.Platform = line(d.Ref, maxWord), line(d.Platform, maxWord)
		d.By = line(d.By, maxWord)
		d.Source, d.Detail = line(d.Source, maxWord), line(d.Detail, maxLine)
		d.Link = link(d.Link)
		d.Blocks = slices.Clone(d.Blocks)
		for j := range d.Blocks {
			d.Blocks[j] = line(d.Blocks[j], maxWord)
		}
		m.Devices[i] = d
	}
	t := told{Message: m, title: line(m.Title, maxTitle), count: count}
	for _, d := range m.Devices {
		t.about = append(t.about, cut(t.line(d), maxLine))
	}
	if t.title == "" {
		t.title = cut(t.headline(), maxTitle)
	}
	t.title = "[tftpsql] " + t.title
	return t
}

// link returns an address that a reader may be led to, and nothing for others, such as javascript:.
func link(s string) string {
	if len(s) > maxLink || printable(s, "") != s || strings.ContainsAny(s, " \"<>|\\`") ||
		!strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return ""
	}
	return s
}

// headline is the message in a line.
func (t told) headline() string {
	switch n := t.count; {
	case n == 1:
		d := t.Devices[0]
		s := d.Ref + ": " + t.what(d, 1)
		if d.By != "" && t.Kind != Fetched {
			s += ", by " + d.By
		}
		return s
	case n > 1 && t.Site != "":
		return fmt.Sprintf("%s: %d %s", t.Site, n, kinds[t.Kind].many)
	case n > 1:
		return fmt.Sprintf("%d %s", n, kinds[t.Kind].many)
	}
	first, _, _ := strings.Cut(t.Text, "\n")
	if first == "" {
		first = string(t.Kind)
	}
	return first
}

// line is what a list says of a device.
func (t told) line(d Device) string {
	s := d.Ref
	if d.Platform != "" {
		s += " (" + d.Platform + ")"
	}
	s += ": " + t.what(d, maxBlocks)
	if d.By != "" && t.Kind != Fetched {
		s += ", by " + d.By
	}
	if d.Source != "" && t.Kind != NewSource && t.Kind != Fetched {
		s += ", from " + d.Source
	}
	if !d.Since.IsZero() {
		s += ", since " + t.clock(d.Since)
	}
	if d.Detail != "" && t.Kind != Fetched {
		s += ": " + d.Detail
	}
	return s
}

// what says what is the matter with a device, naming so many blocks at most.
func (t told) what(d Device, blocks int) string {
	switch t.Kind {
	case Changed:
		s := fmt.Sprintf("+%d -%d", d.Added, d.Removed)
		if n := len(d.Blocks); n > 0 {
			s += " in " + strings.Join(d.Blocks[:min(n, blocks)], ", ")
			if n > blocks {
				s += fmt.Sprintf(" and %d more", n-blocks)
			}
		}
		return s
	case First:
		return "first configuration"
	case Overdue:
		s := "silent"
		if d.Silent > 0 {
			s += " for " + span(d.Silent)
		}
		if d.Missed > 0 {
			s += fmt.Sprintf(", %d missed", d.Missed)
		}
		return s
	case Back:
		if d.Silent > 0 {
			return "back after " + span(d.Silent)
		}
		return "back"
	case Torn:
		return "incomplete configuration"
	case NewSource:
		return "sent from a new address, " + d.Source
	case Failing:
		return "transfers fail"
	case Fetched:
		s := "fetched " + d.Detail
		if d.Source != "" {
			s += " to " + d.Source
		}
		return s
	}
	return string(t.Kind)
}

func (t told) clock(at time.Time) string {
	return at.In(t.When.Location()).Format("2006-01-02 15:04Z07:00")
}

// span is a time span as people say it, to two units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return strings.TrimSuffix(fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour), "0h")
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute), "0m")
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.Round(time.Second).String()
}

// list returns the lines about the devices, marked up, so many lines and bytes of them at most,
// with how many more there are.
func (t told) list(count, most int, mark func(string) string) string {
	const room = len("and 1234567890 more")
	var b strings.Builder
	shown := 0
	for _, about := range t.about[:min(len(t.about), count)] {
		about = mark(about)
		if b.Len()+len(about)+1 > most-room {
			break
		}
		b.WriteString(about + "\n")
		shown++
	}
	if shown < t.count {
		fmt.Fprintf(&b, "and %d more", t.count-shown)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// share is what the text may take of a room, so that list and difference find their place.
func (t told) share(room int) int {
	if len(t.about) == 0 && t.Diff == "" {
		return room
	}
	return room / 4
}

// body returns text, list and difference as plain text of at most so many bytes.
func (t told) body(most int) string {
	s := cutLines(t.Text, t.share(most))
	if len(t.about) > 0 {
		room := most - len(s) - 2
		if t.Diff != "" {
			room /= 2
		}
		s += "\n\n" + t.list(listed, room, plain)
	}
	if room := most - len(s) - 2; t.Diff != "" && room > minDiff {
		s += "\n\n" + cutLines(t.Diff, room)
	}
	if s = strings.TrimLeft(s, "\n"); s == "" {
		return cut(t.title, most)
	}
	return s
}

// minDiff is the room, in bytes, below which a difference isn't begun.
const minDiff = 80

func plain(s string) string { return s }
