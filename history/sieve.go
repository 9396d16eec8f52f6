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
			// k and s have a third form
			if strings.ContainsAny(l.text, "ks") && (bytes.Contains(text, []byte("\u212a")) ||
				bytes.Contains(text, []byte("\u017f"))) {
				return nil, true
			}
			if small == nil {
				small = lowered(text)
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

// lowered returns a text with the letters of ASCII in small. It takes eight bytes at once: a letter
// is a byte that is at least A and not more than Z, and no part of a longer character.
func lowered(text []byte) []byte {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	out := make([]byte, len(text))
	i := 0
	for ; i+8 <= len(text); i += 8 {
		v := binary.LittleEndian.Uint64(text[i:])
		low := v &^ high
		letters := (low + ones*(0x80-'A')) &^ (low + ones*(0x80-'Z'-1)) &^ v & high
		binary.LittleEndian.PutUint64(out[i:], v|letters>>2)
	}
	for ; i < len(text); i++ {
		if out[i] = text[i]; 'A' <= text[i] && text[i] <= 'Z' {
			out[i] += 'a' - 'A'
		}
	}
	return out
}
