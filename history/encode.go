package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// NewEncoder returns an encoder of JSON that is safe on a terminal: values may hold characters that
// a terminal obeys, and encoding/json leaves most of them as they are.
func NewEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(PlainJSON{w})
	e.SetEscapeHTML(false)
	return e
}

// PlainJSON writes what isn't printable as \uNNNN, which means the same in JSON. Each Write has
// whole characters.
type PlainJSON struct{ W io.Writer }

func (j PlainJSON) Write(b []byte) (int, error) {
	plain := func(r rune) bool { return r == '\n' || unicode.IsPrint(r) }
	if !bytes.ContainsFunc(b, func(r rune) bool { return !plain(r) }) {
		return j.W.Write(b)
	}
	out := make([]byte, 0, len(b)+64)
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case plain(r):
			out = append(out, rest[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	_, err := j.W.Write(out)
	return len(b), err
}
