// Package history answers what can be asked of the captures, as values: differences, versions,
// searches, filters. The commands print its answers.
package history

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"znkr.io/diff"
	"znkr.io/diff/textdiff"

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
	Open bool   // the file ends with the line, and without a line end
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
	hunks := hunksOf(&from.compared, &to.compared, contextLines)
	switch {
	case len(hunks) == 0 && o.Noise:
		return Diff{Finding: Form}, nil
	case len(hunks) == 0:
		return Diff{Finding: Noise}, nil
	}
	d := Diff{Finding: Lines, Hunks: make([]Hunk, len(hunks))}
	for i, h := range hunks {
		d.Hunks[i] = hunkOf(h, from, to)
	}
	setPaths(d.Hunks, old.Body, new.Body)
	return d, nil
}

// contextLines is how many unchanged lines a hunk shows before and after a change, as diff -u does.
const contextLines = 3

func hunkOf(h textdiff.Hunk[[]byte], from, to text) Hunk {
	out := Hunk{Old: from.span(h.LineNoX, h.EndLineNoX-h.LineNoX),
		New: to.span(h.LineNoY, h.EndLineNoY-h.LineNoY)}
	for _, e := range h.Edits {
		x, y := e.LineNoX, e.LineNoY
		switch e.Op {
		case diff.Delete:
			out.Lines = append(out.Lines, Line{Op: '-', Old: from.numbers[x],
				Text: from.shown[x], Open: from.numbers[x] == from.open})
		case diff.Insert:
			out.Lines = append(out.Lines, Line{Op: '+', New: to.numbers[y],
				Text: to.shown[y], Open: to.numbers[y] == to.open})
		default:
			out.Lines = append(out.Lines, Line{Op: ' ', Old: from.numbers[x],
				New: to.numbers[y], Text: to.shown[y],
				Open: from.numbers[x] == from.open && to.numbers[y] == to.open})
		}
	}
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
	compared lined
	numbers  []int    // the lines' numbers in the file
	shown    []string // what is shown for them
	open     int      // the number of the last line where no line end follows it, or else 0
}

func textOf(config []byte, o Options) (text, error) {
	t := significant
	if o.Noise {
		t = verbatim
	}
	out := t(config)
	if decoded := device.Decode(config); !bytes.HasSuffix(decoded, []byte("\n")) {
		out.open = bytes.Count(decoded, []byte("\n")) + 1
	}
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
	t.compared.clear(len(config))
	for l := range device.Outline(config) {
		if !l.Noise {
			t.compared.text = append(l.AppendSignificant(t.compared.text), '\n')
			t.add(l.Number, string(l.Text))
		}
	}
	return t
}

// verbatim keeps every byte, the ends of lines too: patch and git apply take its differences.
func verbatim(config []byte) text {
	var t text
	t.compared.clear(len(config))
	for line := range bytes.Lines(device.Decode(config)) {
		t.compared.text = append(t.compared.text, line...)
		t.add(len(t.numbers)+1, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return t
}

func (t *text) add(number int, shown string) {
	t.compared.endLine()
	t.numbers = append(t.numbers, number)
	t.shown = append(t.shown, shown)
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

// WriteUnified writes a difference as diff -u does, with the block path of each hunk. The caller
// escapes what it shows of it.
func WriteUnified(w io.Writer, from, to string, d Diff) {
	fmt.Fprintf(w, "--- %s\n+++ %s\n", from, to)
	for _, h := range d.Hunks {
		fmt.Fprintln(w, h.Head())
		for _, l := range h.Lines {
			fmt.Fprintf(w, "%c%s\n", l.Op, l.Text)
			if l.Open {
				fmt.Fprintln(w, NoLineEnd)
			}
		}
	}
}

// NoLineEnd follows a last line that no line end follows.
const NoLineEnd = `\ No newline at end of file`

// Head is the line above a hunk.
func (h Hunk) Head() string {
	head := fmt.Sprintf("@@ -%s +%s @@", h.Old, h.New)
	if path := strings.Join(h.Path, " > "); path != "" {
		head += " " + path
	}
	return head
}

// Words say how two configurations of so many bytes differ, where no lines can; else "".
func (f Finding) Words(old, new int) string {
	sizes := fmt.Sprintf("%d and %d bytes", old, new)
	switch f {
	case Encrypted:
		return "Encrypted captures can't be compared: " + sizes
	case Binary:
		return "Binary captures differ: " + sizes
	case Form:
		return "The same text in another form: " + sizes
	}
	return ""
}
