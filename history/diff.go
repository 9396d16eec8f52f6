// Package history answers what can be asked of the captures, as values: differences, versions,
// searches, filters. The commands print its answers.
package history

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/tftpsql/tftpsql/device"
)

// A Side is one of two configurations that are compared. The zero Side is nothing: all of the other
// one is new.
type Side struct {
	Kind string // as device has it: KindFull, KindEncrypted, ...
	Body []byte
}

// Options say how two configurations are compared.
type Options struct {
	Noise  bool // compare every byte, and so what changes by itself too
	Redact bool // hide secrets in what is shown
}

// A Finding says how two configurations differ.
type Finding int

const (
	Same      Finding = iota // byte for byte
	Noise                    // only what changes by itself differs
	Form                     // the text is the same; its encoding differs
	Encrypted                // an encrypted configuration can't be compared
	Binary                   // a configuration is no text
	Lines                    // the hunks say where
)

// A Diff is what differs between two configurations.
type Diff struct {
	Finding Finding
	Hunks   []Hunk
}

// A Hunk is a piece of a difference: changed lines, and up to three unchanged ones around them.
type Hunk struct {
	Path     []string // the blocks around the first changed line, the outermost first
	Old, New Span
	Lines    []Line
}

// A Span is a range of a file's lines.
type Span struct {
	First int // the number of the first line; with Count 0 that of the line before it
	Count int
}

// String returns the span as a unified diff has it.
func (s Span) String() string {
	if s.Count == 1 {
		return strconv.Itoa(s.First)
	}
	return strconv.Itoa(s.First) + "," + strconv.Itoa(s.Count)
}

// A Line is a line of a hunk.
type Line struct {
	Op   byte   // '-' stands in the old file alone, '+' in the new one alone, ' ' in both
	Old  int    // its number in the old file; 0 with '+'
	New  int    // its number in the new file; 0 with '-'
	Text string // without its end
}

// Compare returns what differs between two configurations. With Redact it returns ErrSecretsUnknown
// where the secrets of a side can't be found.
func Compare(old, new Side, o Options) (Diff, error) {
	switch {
	case bytes.Equal(old.Body, new.Body):
		return Diff{Finding: Same}, nil
	case old.Kind == device.KindEncrypted || new.Kind == device.KindEncrypted:
		return Diff{Finding: Encrypted}, nil
	case !device.Readable(old.Body) || !device.Readable(new.Body):
		return Diff{Finding: Binary}, nil
	}
	from, err := textOf(old.Body, o)
	if err != nil {
		return Diff{}, err
	}
	to, err := textOf(new.Body, o)
	if err != nil {
		return Diff{}, err
	}
	edits := udiff.Lines(from.compared, to.compared)
	switch {
	case len(edits) == 0 && o.Noise:
		return Diff{Finding: Form}, nil
	case len(edits) == 0:
		return Diff{Finding: Noise}, nil
	}
	unified, err := udiff.ToUnifiedDiff("", "", from.compared, edits, udiff.DefaultContextLines)
	if err != nil {
		return Diff{}, err
	}
	d := Diff{Finding: Lines, Hunks: make([]Hunk, len(unified.Hunks))}
	mendHunks(unified.Hunks)
	for i, h := range unified.Hunks {
		d.Hunks[i] = hunkOf(h, from, to)
	}
	setPaths(d.Hunks, old.Body, new.Body)
	return d, nil
}

// mendHunks sets where hunks stand in the new text: the library (v0.4.1) counts wrong after a hunk
// of several edits.
func mendHunks(hunks []*udiff.Hunk) {
	grown := 0
	for _, h := range hunks {
		h.ToLine = h.FromLine + grown
		for _, l := range h.Lines {
			switch l.Kind {
			case udiff.Insert:
				grown++
			case udiff.Delete:
				grown--
			}
		}
	}
}

func hunkOf(h *udiff.Hunk, from, to text) Hunk {
	i, j := h.FromLine-1, h.ToLine-1
	out := Hunk{Lines: make([]Line, len(h.Lines))}
	for n, l := range h.Lines {
		switch l.Kind {
		case udiff.Delete:
			out.Lines[n] = Line{Op: '-', Old: from.numbers[i], Text: from.shown[i]}
			i++
		case udiff.Insert:
			out.Lines[n] = Line{Op: '+', New: to.numbers[j], Text: to.shown[j]}
			j++
		default:
			out.Lines[n] = Line{Op: ' ', Old: from.numbers[i], New: to.numbers[j],
				Text: to.shown[j]}
			i, j = i+1, j+1
		}
	}
	out.Old = from.span(h.FromLine-1, i-h.FromLine+1)
	out.New = to.span(h.ToLine-1, j-h.ToLine+1)
	return out
}

// setPaths sets the block path of each hunk. It reads each file once, and only where a hunk's first
// change is in it.
func setPaths(hunks []Hunk, old, new []byte) {
	wantedOld, wantedNew := map[int][]string{}, map[int][]string{}
	for _, h := range hunks {
		if l := h.firstChange(); l.Op == '-' {
			wantedOld[l.Old] = nil
		} else {
			wantedNew[l.New] = nil
		}
	}
	findPaths(old, wantedOld)
	findPaths(new, wantedNew)
	for i, h := range hunks {
		if l := h.firstChange(); l.Op == '-' {
			hunks[i].Path = wantedOld[l.Old]
		} else {
			hunks[i].Path = wantedNew[l.New]
		}
	}
}

// firstChange returns the first line that stands on one side alone.
func (h Hunk) firstChange() Line {
	for _, l := range h.Lines {
		if l.Op != ' ' {
			return l
		}
	}
	return Line{} // no hunk is without a change
}

// findPaths sets the blocks around the lines whose numbers are in wanted.
func findPaths(config []byte, wanted map[int][]string) {
	if len(wanted) == 0 {
		return
	}
	for l := range device.Lines(config) {
		if _, ok := wanted[l.Number]; ok {
			wanted[l.Number] = l.Path()
		}
	}
}

// text is a configuration as it is compared.
type text struct {
	compared string   // a line for each of numbers
	numbers  []int    // those lines' numbers in the file
	shown    []string // what is shown for them
}

func textOf(config []byte, o Options) (text, error) {
	t := significant
	if o.Noise {
		t = verbatim
	}
	out := t(config)
	if !o.Redact || len(config) == 0 {
		return out, nil
	}
	safe, err := Redacted(config)
	if err != nil {
		return text{}, err
	}
	lines := strings.Split(string(safe), "\n")
	for i, n := range out.numbers {
		out.shown[i] = lines[n-1]
	}
	return out, nil
}

// significant leaves out what changes by itself.
func significant(config []byte) text {
	var t text
	var b strings.Builder
	for l := range device.Outline(config) {
		if l.Noise {
			continue
		}
		b.Write(l.Significant())
		b.WriteByte('\n')
		t.numbers = append(t.numbers, l.Number)
		t.shown = append(t.shown, string(l.Text))
	}
	t.compared = b.String()
	return t
}

// verbatim keeps every byte.
func verbatim(config []byte) text {
	t := text{compared: string(device.Decode(config))}
	for line := range strings.Lines(t.compared) {
		t.numbers = append(t.numbers, len(t.numbers)+1)
		t.shown = append(t.shown, strings.TrimSuffix(line, "\n"))
	}
	return t
}

// span returns where count lines from the index first on stand in the file.
func (t text) span(first, count int) Span {
	s := Span{Count: count}
	switch {
	case count > 0:
		s.First = t.numbers[first]
	case first > 0 && first <= len(t.numbers):
		s.First = t.numbers[first-1]
	}
	return s
}
