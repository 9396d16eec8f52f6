package device

import "bytes"

// Junos, VyOS, PAN-OS and tmsh write blocks of braces: a "{" at the end of a line opens one, a "}"
// at the beginning of a line closes one. Inside of a line braces are balanced and of no interest.
// Strings and comments hold any brace.

// braceForm holds the differences between the platforms of this form.
type braceForm struct {
	strings bool // a quoted string may run over lines
	hash    bool // "#" begins a comment, at the beginning of a line and after a blank
	slash   bool // a line that begins with "//" is a comment, and "/*" begins one
}

// braceState is what a file of this form remembers from line to line.
type braceState struct {
	text braceText
	torn bool // a brace was closed that nothing opened
	// blocks says that there are some: the file doesn't consist of commands.
	blocks bool
}

// braceText says what the line begins inside of.
type braceText uint8

const (
	bracePlain   braceText = iota
	braceQuoted            // in a string that runs over lines
	braceComment           // in a comment that does
	braceRaw               // in code of another language, of which the platform finds the end
)

// braceKind is the kind of a line, as far as blocks are concerned.
type braceKind uint8

const (
	braceNothing braceKind = iota // a comment, or text inside a string
	braceStatement
	braceOpen
	braceClose
)

// braces tracks the blocks of a line: it closes blocks, and returns the words of the line without
// comments and without an opening brace. The caller opens the block with push, since the head of a
// block is outside of it.
func (w *walk) braces(form braceForm) (braceKind, []byte) {
	quoted := w.brace.text == braceQuoted
	w.inside = w.brace.text != bracePlain
	words, bare := w.significant(form)
	if len(words) == 0 {
		w.comment = len(w.words) > 0
		return braceNothing, nil
	}
	opens := bare && words[len(words)-1] == '{'
	if words[0] == '}' && !quoted {
		for len(words) > 0 && words[0] == '}' {
			if !w.pop() {
				w.brace.torn = true
			}
			words = bytes.TrimLeft(words[1:], " \t;")
		}
		if len(words) == 0 || !opens {
			return braceClose, nil
		}
	}
	switch {
	case opens:
		w.brace.blocks = true
		if head := bytes.TrimRight(words[:len(words)-1], " \t"); len(head) > 0 {
			return braceOpen, head
		}
		return braceOpen, words
	case quoted:
		return braceNothing, nil
	}
	return braceStatement, words
}

// significant returns the line from its first to its last byte outside of comments, and whether
// the last one is outside of a string. A string opens with a quote after a blank or a bracket and
// closes with a quote before a blank, a bracket or a semicolon. A stray quote in a word therefore
// doesn't swallow the rest of the file.
func (w *walk) significant(form braceForm) (words []byte, bare bool) {
	b := w.words
	if form.slash && w.brace.text == bracePlain && bytes.HasPrefix(b, []byte("//")) {
		return nil, false
	}
	first, last, i := -1, 0, 0
scan:
	for i < len(b) {
		c := b[i]
		switch {
		case w.brace.text == braceComment:
			end := bytes.Index(b[i:], []byte("*/"))
			if end < 0 {
				break scan
			}
			i += end + 2
			w.brace.text = bracePlain
			continue
		case w.brace.text == braceQuoted:
			if c == '\\' {
				i++
			} else if c == '"' && (i+1 >= len(b) ||
				bytes.IndexByte([]byte(" \t;])},"), b[i+1]) >= 0) {
				w.brace.text = bracePlain
			}
			bare = false
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '"' && (i == 0 || bytes.IndexByte([]byte(" \t[({,="), b[i-1]) >= 0):
			w.brace.text, bare = braceQuoted, false
		case form.slash && c == '/' && i+1 < len(b) && b[i+1] == '*' && (i == 0 || blank(b[i-1])):
			w.brace.text = braceComment
			i += 2
			continue
		case form.hash && c == '#' && (i == 0 || blank(b[i-1])):
			break scan
		default:
			bare = true
		}
		if first < 0 {
			first = i
		}
		i++
		last = min(i, len(b))
	}
	if w.brace.text == braceQuoted && !form.strings {
		w.brace.text = bracePlain // a string that nothing closes
	}
	if first < 0 {
		return nil, false
	}
	return b[first:last], bare
}

// unclosed is the open of the platforms of this form.
func unclosed(w *walk) bool { return w.brace.text != bracePlain }

// balanced is the whole of the platforms of this form: every block, string and comment is closed,
// and where there are blocks, the last line is no beginning of another.
func balanced(w *walk) bool {
	if w.depth > 0 || w.brace.torn || w.brace.text != bracePlain || len(w.last) == 0 {
		return false
	}
	switch w.last[len(w.last)-1] {
	case '}', ';':
		return true
	}
	return !w.brace.blocks || w.last[0] == '#' || bytes.HasPrefix(w.last, []byte("//")) ||
		bytes.HasSuffix(w.last, []byte("*/"))
}

// stray reports whether a terminal prints the line around a configuration of this form, such as
// [edit] or {master:0}.
func (w *walk) stray() bool {
	if w.brace.text != bracePlain || !w.top() || w.indent > 0 {
		return false
	}
	b := w.words
	if string(b) == "[edit]" {
		return true
	}
	if len(b) < 3 || len(b) > 40 || b[0] != '{' || b[len(b)-1] != '}' {
		return false
	}
	for _, role := range []string{"master", "backup", "primary", "secondary", "linecard",
		"line-card", "hold"} {
		if bytes.HasPrefix(b[1:], []byte(role)) {
			return true
		}
	}
	return false
}

// scalar returns the value that follows a key: the quoted or bare word, without the semicolon at
// its end.
func scalar(b []byte) []byte {
	v, _ := token(b)
	if len(v) > 0 && v[0] != '"' && v[0] != '\'' {
		v = bytes.TrimRight(v, ";")
	}
	return unquoted(v)
}

// token splits off the first word. A quoted word may contain blanks and keeps its quotes.
func token(b []byte) (word, rest []byte) {
	b = bytes.TrimLeft(b, " \t")
	n := 0
	if len(b) > 0 && (b[0] == '"' || b[0] == '\'') {
		for n = 1; n < len(b); n++ {
			if b[n] == b[0] {
				n++
				break
			}
			if b[n] == '\\' && n+1 < len(b) {
				n++
			}
		}
	} else if n = bytes.IndexAny(b, " \t"); n < 0 {
		n = len(b)
	}
	return b[:n], b[n:]
}

// secretTokens marks the word, quoted or not, after a word that announces a secret. A word between
// them may state the encoding.
func (w *walk) secretTokens(announce map[string]bool) {
	if !w.redact {
		return
	}
	announced := false
	for b := w.words; len(b) > 0; {
		var word []byte
		word, b = token(b)
		if len(word) == 0 {
			break
		}
		switch {
		case announce[string(word)], announced &&
			(secretForm[string(word)] || ways[string(word)] || len(word) <= 2 && digits(word)):
			announced = true
		case string(word) == "{" || string(word) == "[" || word[0] == ';':
			announced = false
		case announced && (noSecret(word) ||
			bytes.HasPrefix(bytes.TrimLeft(word, `"'`), []byte("AAAA"))): // a public key
			announced = false
		case announced, len(word) > 3 && word[0] == '"' && word[1] == '$' && word[2] != '{':
			if word[0] != '"' && word[0] != '\'' {
				word = bytes.TrimRight(word, ";")
			}
			w.mark(word, secret)
			announced = false
		default:
			w.mark(urlPassword(word), secret)
		}
	}
}

// urlPassword returns the password in a URL such as ftp://USER:PASSWORD@HOST, or nothing.
func urlPassword(b []byte) []byte {
	_, b, ok := bytes.Cut(b[:min(len(b), 4*maxValue)], []byte("://"))
	if !ok {
		return nil
	}
	if n := bytes.IndexAny(b, "/ \t\""); n >= 0 {
		b = b[:n]
	}
	user, _, ok := cutLast(b, '@')
	if !ok {
		return nil
	}
	_, password, _ := bytes.Cut(user, []byte(":"))
	return password
}

// cutLast cuts around the last c.
func cutLast(b []byte, c byte) (before, after []byte, found bool) {
	n := bytes.LastIndexByte(b, c)
	if n < 0 {
		return b, nil, false
	}
	return b[:n], b[n+1:], true
}

// secretForm are words that say how the secret after them is written.
var secretForm = map[string]bool{
	"ascii-text": true, "hexadecimal": true, "ascii": true, "hex": true, "encrypted": true,
	"plaintext": true, "clear": true, "=": true,
}
