package history

import (
	"bytes"
	"hash/maphash"
	"slices"

	"znkr.io/diff"
	"znkr.io/diff/textdiff"
)

// lined is a text as it is compared, line by line.
type lined struct {
	text []byte // each line with its end, which the last one may lack
	ends []int  // where they end in it
}

// usualLine is how long lines are, in bytes; a little less than they are on average.
const usualLine = 24

// clear makes the text empty, with room for the lines of a configuration of that size.
func (l *lined) clear(size int) {
	l.text = slices.Grow(l.text[:0], size+1)
	l.ends = slices.Grow(l.ends[:0], size/usualLine)
}

// endLine makes a line of what was appended to the text.
func (l *lined) endLine() { l.ends = append(l.ends, len(l.text)) }

// at returns where a line begins, or where the text ends.
func (l *lined) at(line int) int {
	if line == 0 {
		return 0
	}
	return l.ends[line-1]
}

// part returns some lines as text.
func (l *lined) part(from, to int) []byte { return l.text[l.at(from):l.at(to)] }

// sumSeed is of this process, so nobody can make two lines with one hash. That two of a million
// lines have one by chance happens once in 40 million times.
var sumSeed = maphash.MakeSeed()

// sums returns the hashes of the lines.
func (l *lined) sums() []uint64 {
	sums := make([]uint64, len(l.ends))
	for i := range sums {
		sums[i] = maphash.Bytes(sumSeed, l.part(i, i+1))
	}
	return sums
}

// around is how many lines before and after a change are compared as text: between equal lines a
// change may stand in more than one place.
const around = 50

// hunksOf returns what differs between two texts, each piece with so many unchanged lines around
// it. A piece that may stand in more than one place stands where a block begins, as in git.
func hunksOf(old, new *lined, context int) (hunks []textdiff.Hunk[[]byte]) {
	for _, p := range parts(old, new) {
		part := textdiff.Hunks(old.part(p.oldAt, p.oldEnd), new.part(p.newAt, p.newEnd),
			diff.Context(context), textdiff.IndentHeuristic())
		for _, h := range part {
			h.LineNoX, h.EndLineNoX = h.LineNoX+p.oldAt, h.EndLineNoX+p.oldAt
			h.LineNoY, h.EndLineNoY = h.LineNoY+p.newAt, h.EndLineNoY+p.newAt
			for i := range h.Edits { // a line that isn't there has no number
				h.Edits[i].LineNoX += p.oldAt
				h.Edits[i].LineNoY += p.newAt
			}
			hunks = append(hunks, h)
		}
	}
	return hunks
}

// parts returns the parts of two texts that have all that differs, with the lines around it. The
// usual case, a few changed lines in a long text, needs no table of all lines: a long row of equal
// lines on both sides is the same row.
func parts(old, new *lined) (list []change) {
	found, ok := fewChanges(old, new)
	if !ok {
		for _, h := range diff.Hunks(old.sums(), new.sums(), diff.Context(around)) {
			list = append(list, change{h.PosX, h.EndX, h.PosY, h.EndY})
		}
		return list
	}
	for i, c := range found {
		if i > 0 && c.oldAt-found[i-1].oldEnd <= 2*around {
			last := &list[len(list)-1]
			last.oldEnd, last.newEnd = c.oldEnd, c.newEnd
			continue
		}
		lead := min(around, c.oldAt, c.newAt)
		list = append(list, change{c.oldAt - lead, c.oldEnd, c.newAt - lead, c.newEnd})
	}
	for i := range list {
		p := &list[i]
		trail := min(around, len(old.ends)-p.oldEnd, len(new.ends)-p.newEnd)
		p.oldEnd, p.newEnd = p.oldEnd+trail, p.newEnd+trail
	}
	return list
}

// fewChanges returns changes that make one text of the other, not always the fewest, or false where
// it finds no way with a few. It goes on at the nearest place where both texts have the same lines.
func fewChanges(old, new *lined) (list []change, ok bool) {
	const few = 400 // lines: it looks at up to 2,000 pairs of lines for each
	x, y, changed := 0, 0, 0
	for {
		n := commonLines(old, x, new, y)
		x, y = x+n, y+n
		if x == len(old.ends) && y == len(new.ends) {
			return list, true
		}
		toX, toY, ok := nextCommon(old, x, new, y)
		if changed += toX - x + toY - y; !ok || changed > few {
			return nil, false
		}
		list = append(list, change{x, toX, y, toY})
		x, y = toX, toY
	}
}

// nextCommon returns the nearest place after x and y from which both texts go on with equal lines.
func nextCommon(old *lined, x int, new *lined, y int) (toX, toY int, ok bool) {
	const farthest = 60
	for distance := 1; distance <= farthest; distance++ {
		for i := range min(distance, len(old.ends)-x) + 1 {
			toX, toY := x+i, y+distance-i
			if toY <= len(new.ends) && goOnEqually(old, toX, new, toY) {
				return toX, toY, true
			}
		}
	}
	return 0, 0, false
}

// goOnEqually reports whether the next three lines are equal, or all where fewer are left.
func goOnEqually(old *lined, x int, new *lined, y int) bool {
	const lines = 3
	n := min(lines, len(old.ends)-x)
	if n != min(lines, len(new.ends)-y) {
		return false
	}
	return bytes.Equal(old.part(x, x+n), new.part(y, y+n))
}

// commonLines returns with how many equal lines two texts go on.
func commonLines(old *lined, x int, new *lined, y int) int {
	a, b := old.text[old.at(x):], new.text[new.at(y):]
	size := common(a, b)
	n, _ := slices.BinarySearch(old.ends[x:], old.at(x)+size+1)
	if n > 0 && old.text[old.at(x+n)-1] != '\n' && size < len(b) {
		n-- // the line goes on in the new text
	}
	return n
}

// common returns with how many equal bytes two texts begin.
func common(a, b []byte) (n int) {
	const piece = 256 // compared at once
	for n+piece <= min(len(a), len(b)) && bytes.Equal(a[n:n+piece], b[n:n+piece]) {
		n += piece
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// A change is a piece of a difference: the lines oldAt to oldEnd became the lines newAt to newEnd,
// counted from 0, the ends not among them.
type change struct{ oldAt, oldEnd, newAt, newEnd int }

// changes returns what differs between two texts.
func changes(old, new *lined) []change {
	hunks := hunksOf(old, new, 0)
	list := make([]change, len(hunks))
	for i, h := range hunks {
		list[i] = change{h.LineNoX, h.EndLineNoX, h.LineNoY, h.EndLineNoY}
	}
	return list
}
