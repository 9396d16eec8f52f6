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
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || r != utf8.RuneError && odd(r) {
			for _, c := range []byte(s[:n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// line returns s as one printable line of at most so many bytes.
func line(s string, most int) string { return cut(printable(strings.TrimSpace(s), ""), most) }

// lines returns s as printable lines. \r\n is a line end like \n.
func lines(s string) string {
	return strings.TrimRight(printable(strings.ReplaceAll(s, "\r\n", "\n"), "\n\t"), "\n")
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

// cutLines returns at most so many bytes of s, in whole lines where it can be, and says how many
// lines are missing.
func cutLines(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const room = len(ellipsis) + len(" (1234567890 more lines)") + 1
	if most < room {
		return cut(s, most)
	}
	kept := s[:edge(s, most-room)]
	if end := strings.LastIndexByte(kept, '\n'); end >= 0 && s[len(kept)] != '\n' {
		kept = kept[:end]
	}
	missing := strings.Count(s[len(kept):], "\n")
	if len(kept) > 0 && s[len(kept)] != '\n' { // a line that is longer than all the room
		return kept + ellipsis + more(missing, "\n")
	}
	return kept + more(max(missing, 1), "\n"+ellipsis)
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
