package web

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"znkr.io/diff"

	"github.com/tftpsql/tftpsql/history"
)

// hunkView is a piece of a difference as it is shown.
type hunkView struct {
	Path     string
	Old, New string
	Lines    []diffLine
	Rows     []diffRow // the same, in two columns
}

// diffLine is a line of a difference, cut where changed words begin and end.
type diffLine struct {
	Op       string // "+", "-" or " "
	Old, New int    // numbers; 0 for none
	Words    []word
	Open     bool
	Begins   bool // the first of the lines of a change
}

type word struct {
	Text    string
	Changed bool
}

// diffRow is a row of two columns. A nil side is empty.
type diffRow struct{ Left, Right *diffLine }

// Begins reports whether the row is the first of a change.
func (r diffRow) Begins() bool {
	return r.Left != nil && r.Left.Begins || r.Right != nil && r.Right.Begins
}

// linesShown bounds the lines of a difference and of a blame, which are in memory as a whole: those
// of the largest firewalls.
const linesShown = 100_000

// firstLines returns the first lines of a difference, and whether there are more.
func firstLines(hunks []history.Hunk, n int) (first []history.Hunk, cut bool) {
	for i, h := range hunks {
		if len(h.Lines) > n {
			h.Lines = h.Lines[:n]
			return append(slices.Clone(hunks[:i]), h), true
		}
		n -= len(h.Lines)
	}
	return hunks, false
}

func hunkViews(hunks []history.Hunk) []hunkView {
	out := make([]hunkView, len(hunks))
	for i, h := range hunks {
		v := hunkView{Path: shown(strings.Join(h.Path, " > ")), Old: h.Old.String(),
			New: h.New.String()}
		v.Lines = markWords(h.Lines)
		v.Rows = rowsOf(v.Lines)
		out[i] = v
	}
	return out
}

// markWords marks what differs between the lines that take each other's place: as many lines that
// are new as there are old ones.
func markWords(lines []history.Line) []diffLine {
	out := make([]diffLine, len(lines))
	for i, l := range lines {
		out[i] = diffLine{Op: string(l.Op), Old: l.Old, New: l.New, Open: l.Open,
			Words:  []word{{Text: shown(l.Text)}},
			Begins: l.Op != ' ' && (i == 0 || lines[i-1].Op == ' ')}
	}
	for i := 0; i < len(lines); {
		olds := run(lines[i:], '-')
		news := run(lines[i+olds:], '+')
		if olds > 0 && olds == news {
			for k := range olds {
				a, b := &out[i+k], &out[i+olds+k]
				a.Words, b.Words = wordsOf(a.Words[0].Text, b.Words[0].Text)
			}
		}
		i += max(olds+news, 1)
	}
	return out
}

// run returns how many lines at the beginning have an op.
func run(lines []history.Line, op byte) int {
	n := 0
	for n < len(lines) && lines[n].Op == op {
		n++
	}
	return n
}

// wordsOf cuts two lines where they differ. Lines that have little in common are marked in no
// place: everything would be.
func wordsOf(a, b string) (left, right []word) {
	x, y := cutWords(a), cutWords(b)
	edits := diff.Edits(x, y)
	same := 0
	for _, e := range edits {
		if e.Op == diff.Match {
			same += len(strings.TrimSpace(e.X))
		}
	}
	if 3*same < max(len(a), len(b)) {
		return []word{{Text: a}}, []word{{Text: b}}
	}
	for _, e := range edits {
		switch e.Op {
		case diff.Match:
			left, right = add(left, e.X, false), add(right, e.X, false)
		case diff.Delete:
			left = add(left, e.X, true)
		case diff.Insert:
			right = add(right, e.Y, true)
		}
	}
	return left, right
}

func add(list []word, text string, changed bool) []word {
	if n := len(list); n > 0 && list[n-1].Changed == changed {
		list[n-1].Text += text
		return list
	}
	return append(list, word{text, changed})
}

// cutWords cuts a line into words, runs of blanks, and single signs.
func cutWords(s string) (out []string) {
	kind := func(r rune) int {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-':
			return 1
		case r == ' ' || r == '\t':
			return 2
		}
		return 0
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		k := kind(r)
		for k != 0 && n < len(s) {
			next, size := utf8.DecodeRuneInString(s[n:])
			if kind(next) != k {
				break
			}
			n += size
		}
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

// rowsOf lays a difference out in two columns.
func rowsOf(lines []diffLine) (rows []diffRow) {
	for i := 0; i < len(lines); {
		if lines[i].Op == " " {
			rows = append(rows, diffRow{&lines[i], &lines[i]})
			i++
			continue
		}
		olds := 0
		for i+olds < len(lines) && lines[i+olds].Op == "-" {
			olds++
		}
		news := 0
		for i+olds+news < len(lines) && lines[i+olds+news].Op == "+" {
			news++
		}
		for k := range max(olds, news) {
			var row diffRow
			if k < olds {
				row.Left = &lines[i+k]
			}
			if k < news {
				row.Right = &lines[i+olds+k]
			}
			rows = append(rows, row)
		}
		i += olds + news
	}
	return rows
}
