package alarm

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s    string
		most int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "…"}, {"abcdef", 5, "ab…"}, {"äöü", 5, "ä…"},
		{"abcd", 2, ""}, {"", 0, ""}, {"𝕏𝕏", 7, "𝕏…"}, {"𝕏𝕏", 6, "…"},
	} {
		if got := cut(c.s, c.most); got != c.want {
			t.Errorf("%q to %d is %q", c.s, c.most, got)
		}
	}
	ten := strings.Repeat("a line of 19 bytes.\n", 10)
	for _, c := range []struct {
		s    string
		most int
		want string
	}{
		{ten, 200, ten}, {ten, 100, "a line of 19 bytes.\na line of 19 bytes.\n" +
			"a line of 19 bytes.\n… (7 more lines)"},
		{strings.Repeat("x", 90) + "\nlast", 50, strings.Repeat("x", 22) + "…\n (1 more line)"},
	} {
		if got := cutLines(c.s, c.most); got != c.want {
			t.Errorf("to %d: %q", c.most, got)
		}
	}
	for _, s := range []string{strings.Repeat("ä\n", 99), strings.Repeat("\n", 99),
		strings.Repeat("𝕏", 50), strings.Repeat("aä\n𝕏bcd\n", 30)} {
		for most := range len(s) {
			if got := cutLines(s, most); len(got) > most || !utf8.ValidString(got) {
				t.Errorf("%q to %d is %q", s, most, got)
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"acme/fw1": "acme/fw1", `a\x00`: `a\x00`, "a\x00b": `a\x00b`, "\u202eb": `\xe2\x80\xaeb`,
		"\xff\xfe": `\xff\xfe`, "\ufffd": "\ufffd", "a\nb\tc\r": `a\x0ab\x09c\x0d`,
		"日本": "日本",
	} {
		if got := printable(s, ""); got != want || printable(got, "") != want {
			t.Errorf("%q is %q", s, got)
		}
	}
	if got := lines("a\r\n\tb\r\x1b\n\n", 99); got != "a\n\tb\\x0d\\x1b" {
		t.Errorf("%q", got)
	}
}
