package history

import (
	"bytes"
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// A sieve is texts of which each line that matches holds one. It is there for speed: Go looks for a
// text a hundred times as fast as for an expression. An empty one lets all lines through.
type sieve []literal

// A literal is a text that is looked for: with fold in any case, and then it is in small letters.
type literal struct {
	text string
	fold bool
}

// maxLiterals bounds a sieve: each of its texts is looked for by itself.
const maxLiterals = 8

// newSieve returns the sieve of an expression. With redact the lines are without their secrets, so
// that a text may be of what stands in their place.
func newSieve(re *syntax.Regexp, redact bool) (best sieve) {
	switch re.Op {
	case syntax.OpLiteral:
		return longest(re.Rune, re.Flags&syntax.FoldCase != 0, redact)
	case syntax.OpCapture, syntax.OpPlus:
		return newSieve(re.Sub[0], redact)
	case syntax.OpRepeat:
		if re.Min > 0 {
			return newSieve(re.Sub[0], redact)
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if s := newSieve(sub, redact); s.shortest() > best.shortest() {
				best = s
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			s := newSieve(sub, redact)
			if best = append(best, s...); s == nil || len(best) > maxLiterals {
				return nil
			}
		}
	}
	return best
}

// longest returns the longest part of a text that can be looked for. The parser writes what is
// folded with its smallest runes, those of ASCII where there are any.
func longest(runes []rune, fold, redact bool) (best sieve) {
	text := strings.FieldsFunc(string(runes), func(r rune) bool {
		return r == utf8.RuneError || // any byte that is no UTF-8
			fold && r >= utf8.RuneSelf || redact && (r == '<' || r == '>')
	})
	for _, part := range text {
		small := strings.ToLower(part)
		if redact && strings.Contains("secret", small) { // of <secret>
			continue
		}
		if fold {
			part = small
		}
		if len(part) > best.shortest() {
			best = sieve{{part, fold}}
		}
	}
	return best
}

// shortest returns the length of the shortest text, 0 where there is none.
func (s sieve) shortest() (n int) {
	for i, l := range s {
		if i == 0 || len(l.text) < n {
			n = len(l.text)
		}
	}
	return n
}

// lines returns the numbers of the lines of a text that the sieve lets through, in order. With all
// it is every line.
func (s sieve) lines(text []byte) (numbers []int, all bool) {
	if len(s) == 0 {
		return nil, true
	}
	var small []byte
	for _, l := range s {
		where := text
		if l.fold {
			if l.thirds(text) {
				return nil, true
			}
			if small == nil {
				small = make([]byte, len(text))
				lower(small, text)
			}
			where = small
		}
		number, at := 1, 0
		for {
			n := bytes.Index(where[at:], []byte(l.text))
			if n < 0 {
				break
			}
			number += bytes.Count(where[at:at+n], []byte("\n"))
			numbers = append(numbers, number)
			at += n
			if n = bytes.IndexByte(where[at:], '\n'); n < 0 {
				break
			}
			number, at = number+1, at+n+1
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), false
}

// thirds reports whether a text has the third form of k or s, and these are looked for.
func (l literal) thirds(text []byte) bool {
	return strings.ContainsAny(l.text, "ks") &&
		(bytes.Contains(text, []byte("\u212a")) || bytes.Contains(text, []byte("\u017f")))
}

// passes reports whether the sieve lets a line of a text through.
func (s sieve) passes(text []byte) bool {
	for _, l := range s {
		if !l.fold && bytes.Contains(text, []byte(l.text)) ||
			l.fold && (l.thirds(text) || l.foldedIn(text)) {
			return true
		}
	}
	return len(s) == 0
}

// foldedIn reports whether a text holds the literal in any case, or its first 256 bytes. It takes
// as much at once as the processor keeps at hand.
func (l literal) foldedIn(text []byte) bool {
	var small [4096]byte
	sought := []byte(l.text[:min(len(l.text), 256)])
	for {
		part := small[:min(len(text), len(small))]
		lower(part, text)
		if bytes.Contains(part, sought) {
			return true
		}
		if len(part) == len(text) {
			return false
		}
		text = text[len(part)-len(sought)+1:]
	}
}

// lower writes as much of a text as fits, with the letters of ASCII in small. It takes eight bytes
// at once: a letter is a byte that is at least A and not more than Z, and no part of a longer
// character.
func lower(out, text []byte) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(out); i += 8 {
		v := binary.LittleEndian.Uint64(text[i:])
		low := v &^ high
		letters := (low + ones*(0x80-'A')) &^ (low + ones*(0x80-'Z'-1)) &^ v & high
		binary.LittleEndian.PutUint64(out[i:], v|letters>>2)
	}
	for ; i < len(out); i++ {
		if out[i] = text[i]; 'A' <= text[i] && text[i] <= 'Z' {
			out[i] += 'a' - 'A'
		}
	}
}
