package alarm

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis stands where something was cut.
const ellipsis = "…"

// printable returns s in which control characters, characters that only direct the display, such
// as U+202E, and bytes that are no UTF-8 are \xNN. Those in keep stay. Unlike device.Text it leaves
// backslashes alone, since names were made printable before.
func printable(s, keep string) string {
	odd := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r) && !strings.ContainsRune(keep, r)
	}
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || r != utf8.RuneError && odd(r) {
			for _, c := range []byte(s[:n]) {
				b.WriteString(`\x`)
				b.WriteByte(hex[c>>4])
				b.WriteByte(hex[c&15])
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// line returns s as one printable line of at most so many bytes.
func line(s string, most int) string {
	// more than is kept need not be looked at; a byte beyond tells cut that there was more
	return cut(printable(strings.TrimSpace(s[:min(len(s), most+utf8.UTFMax)]), ""), most)
}

// lines returns s as printable lines of at most so many bytes. \r\n is a line end like \n.
func lines(s string, most int) string {
	s = cutLines(strings.ReplaceAll(s, "\r\n", "\n"), most)
	return cutLines(strings.TrimRight(printable(s, "\n\t"), "\n"), most)
}

// cut returns at most so many bytes of s, in whole characters. Bytes are the strictest count: what
// a receiver counts in characters or UTF-16 is never more.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if most < len(ellipsis) {
		return ""
	}
	return s[:edge(s, most-len(ellipsis))] + ellipsis
}

// edge returns the last edge of a character in s at or before a place.
func edge(s string, at int) int {
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
}

// cutLines returns at most so many bytes of s, in whole lines but where one is very long, and says
// how many lines are missing.
func cutLines(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const room = len(ellipsis) + len(" (1234567890 more lines)") + 1
	if most < room {
		return cut(s, most)
	}
	kept := s[:edge(s, most-room)]
	if end := strings.LastIndexByte(kept, '\n'); end > len(kept)/2 {
		return kept[:end] + more(strings.Count(strings.TrimSuffix(s[end:], "\n"), "\n"),
			"\n"+ellipsis)
	}
	// a line that is longer than half of the room
	return kept + ellipsis + more(strings.Count(s[len(kept):], "\n"), "\n")
}

func more(missing int, before string) string {
	switch missing {
	case 0:
		return ""
	case 1:
		return before + " (1 more line)"
	}
	return fmt.Sprintf("%s (%d more lines)", before, missing)
}
