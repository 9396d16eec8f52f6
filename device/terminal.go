package device

import "bytes"

// Some configurations are recordings of a terminal: the pager has left its marks, the cursor was
// moved to wipe them, and other commands stand around the one that shows the configuration. Here
// such a text becomes what the device has printed.

// pagers begin the lines by which devices wait for a key, in small letters and without blanks
// around.
var pagers = []string{"--more--", "-- more --", "--- more ---", "---- more ----", "<--- more --->",
	"---(more", "more: <space>", "press any key to continue", "press <space> to continue",
	"-- [q quit", "ctrl+c esc q quit space"}

// pager returns how many bytes at the beginning of a line are a pager's, with the blanks before
// them.
func pager(line []byte) int {
	from := 0
	for from < len(line) && line[from] == ' ' {
		from++
	}
	if from == len(line) || bytes.IndexByte([]byte("-<MPC"), line[from]) < 0 {
		return 0
	}
	b := line[from:]
	var lower [32]byte
	n := copy(lower[:], b)
	for i, c := range lower[:n] {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	for _, p := range pagers {
		if bytes.HasPrefix(lower[:n], []byte(p)) {
			if p[0] != '-' || p == "---(more" || bytes.HasPrefix(b[len(p):], []byte(",")) ||
				p == "-- [q quit" { // all of the line, up to where the cursor goes back
				end := bytes.IndexAny(b, "\r\b\x1b")
				if p == "<--- more --->" {
					end = len(p)
				}
				if end < 0 {
					end = len(b)
				}
				return from + end
			}
			return from + len(p)
		}
	}
	return 0
}

// recorded reports whether the head of a text has what only a terminal gets: a line of a pager, a
// backspace, or a sequence that moves the cursor. What is encrypted has them by chance.
func recorded(text []byte) bool {
	head := text[:min(len(text), headBytes)]
	if bytes.IndexByte(head, '\b') >= 0 {
		return !unprintable(head)
	}
	for b := head; ; {
		n := bytes.Index(b, []byte("\x1b["))
		if n < 0 {
			break
		}
		b = b[n+2:]
		if n = bytes.IndexFunc(b, isFinal); n >= 0 && b[n] != 'm' { // colours may be a banner's
			return !unprintable(head)
		}
	}
	for len(head) > 0 {
		line := head
		if n := bytes.IndexByte(head, '\n'); n >= 0 {
			line, head = head[:n], head[n+1:]
		} else {
			head = nil
		}
		if pager(line) > 0 {
			return true
		}
	}
	return false
}

// unprintable reports whether bytes are no terminal's: three of the controls are among them that
// devices don't print. A noisy line may bring one.
func unprintable(b []byte) bool {
	const unprinted = "\x01\x02\x05\x06\x10\x14\x15\x16\x17\x18\x19\x1c\x1d\x1e\x1f"
	found := 0
	for _, c := range []byte(unprinted) {
		if bytes.IndexByte(b, c) >= 0 {
			found++
		}
	}
	return found >= 3
}

// isFinal reports whether a byte ends a control sequence (ECMA-48, section 5.4).
func isFinal(r rune) bool { return '@' <= r && r <= '~' }

// replayed returns what a recording shows: each line as it stood when the next one began.
func replayed(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		end := bytes.TrimRight(line, "\r\n")
		ending := line[len(end):]
		shown := end
		if pager(end) > 0 || bytes.ContainsAny(end, "\b\r\x1b") {
			if shown = replayLine(end); len(shown) == 0 && pager(end) > 0 &&
				!bytes.ContainsAny(end, "\b\r\x1b") {
				continue // a line of the pager's own
			}
		}
		if out = append(append(out, shown...), ending...); len(out) > len(text)+headBytes {
			return text // no device moves the cursor as far as that
		}
	}
	return out
}

// replayLine returns the line that a terminal shows after these bytes.
func replayLine(b []byte) []byte {
	var row []byte
	printed := 0 // where the last character ended: what is behind it is left of what was wiped
	for column := 0; len(b) > 0; {
		if column == 0 {
			if n := pager(b); n > 0 {
				if b = b[n:]; len(bytes.TrimSpace(b)) == 0 {
					return nil
				}
				continue
			}
		}
		switch c := b[0]; {
		case c == '\b':
			column = max(0, column-1)
			b = b[1:]
		case c == '\r':
			column = 0
			b = b[1:]
		case c == 0x1b:
			row, column, b = control(row, column, b[1:])
		default:
			if column < len(row) {
				row[column] = c
			} else {
				for len(row) < column {
					row = append(row, ' ')
				}
				row = append(row, c)
			}
			column++
			printed = column
			b = b[1:]
		}
	}
	if shown := row[:min(printed, len(row))]; len(bytes.TrimSpace(row[len(shown):])) == 0 {
		row = shown
	}
	if len(bytes.TrimSpace(row)) == 0 {
		return nil
	}
	return row
}

// maxColumn bounds the cursor: few terminals are wider.
const maxColumn = 512

// control carries out the sequence behind an ESC, and returns what follows it.
func control(row []byte, column int, b []byte) ([]byte, int, []byte) {
	if len(b) == 0 || b[0] != '[' {
		skip := 1
		if len(b) > 0 && (b[0] == '(' || b[0] == ')') { // a set of characters
			skip = 2
		}
		return row, column, b[min(skip, len(b)):]
	}
	n := bytes.IndexFunc(b[1:], isFinal)
	if n < 0 {
		return row, column, nil
	}
	number := 0
	for _, c := range b[1 : 1+n] {
		if c < '0' || c > '9' {
			number = 0
			break
		}
		number = min(10*number+int(c-'0'), maxColumn)
	}
	switch b[1+n] {
	case 'D':
		column = max(0, column-max(1, number))
	case 'C':
		column = min(maxColumn, column+max(1, number))
	case 'G':
		column = max(0, number-1)
	case 'H', 'f', 'E', 'F': // to another line
		column = 0
	case 'J', 'K':
		switch {
		case number == 0:
			row = row[:min(column, len(row))]
		case number == 2:
			row = row[:0]
		}
	}
	return row, column, b[2+n:]
}

// lineEnds returns a text of which the lines end with CR alone, or with LF and CR, with LF.
func lineEnds(text []byte) []byte {
	head := text[:min(len(text), tailBytes)]
	crs := bytes.Count(head, []byte("\n\r"))
	switch {
	case crs > bytes.Count(head, []byte("\r\n")):
		return bytes.ReplaceAll(text, []byte("\n\r"), []byte("\n"))
	case crs == 0 && bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(text, '\n') < 0:
		return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	}
	return text
}

// maxSession is the number of lines in which the command is looked for that shows the
// configuration. A login and a few other commands may come before it.
const maxSession = 200

// session returns where the output of the command begins that shows the configuration, and where
// it ends: at the next prompt. Without such a command it is all of the text.
func session(text []byte) (begin, end int) {
	at := 0
	for number := range maxSession {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			break
		}
		line := bytes.TrimRight(text[at:at+n], " \t\r")
		at += n + 1
		prompt, ok := shows(line)
		if !ok {
			continue
		}
		if len(prompt) == 0 {
			if number < maxPrompt { // elsewhere it may be a line of a script
				return at, len(text)
			}
			continue
		}
		end = nextPrompt(text, at, prompt)
		if len(bytes.TrimSpace(text[at:end])) > 0 {
			return at, end
		}
	}
	return 0, len(text)
}

// nextPrompt returns where the line begins, from a place on, that begins with the prompt, or the
// end of the text.
func nextPrompt(text []byte, from int, prompt []byte) int {
	for {
		n := bytes.Index(text[from:], prompt)
		if n < 0 {
			return len(text)
		}
		if from += n; text[from-1] == '\n' {
			return from
		}
		from += len(prompt)
	}
}

// shows reports whether a line of a session is a command that shows the configuration, and returns
// the prompt before it.
func shows(line []byte) (prompt []byte, ok bool) {
	if len(line) == 0 || len(line) > 120 {
		return nil, false
	}
	n := bytes.IndexAny(line, "#>$")
	command := line
	switch {
	case n > 0 && promptHead(line[:n]):
		prompt, command = line[:n+1], bytes.TrimLeft(line[n+1:], " ")
	case n > 0 && line[0] == '<' && line[n] == '>' && n < 80:
		prompt, command = line[:n+1], bytes.TrimLeft(line[n+1:], " ")
	case n >= 0:
		return nil, false
	}
	command = bytes.TrimPrefix(command, []byte("(enable) "))
	for _, verb := range []string{"show ", "sh ", "sho ", "do show ", "do sh ", "display ", "dis ",
		"disp ", "more ", "write t", "wr t", "admin ", "/export", "export"} {
		if !bytes.HasPrefix(command, []byte(verb)) {
			continue
		}
		if verb[len(verb)-1] != ' ' {
			return prompt, len(prompt) > 0
		}
		for _, what := range []string{"run", "conf", "cur", "full", "startup"} {
			if bytes.HasPrefix(rest(command, 1), []byte(what)) ||
				bytes.Contains(command, []byte(" "+what)) || verb == "more " ||
				verb == "admin " && bytes.Contains(command, []byte("config")) {
				return prompt, true
			}
		}
	}
	return nil, false
}

// hideOutside marks the secrets of a line that is no part of the configuration. It may be of
// another one, behind it.
func (w *walk) hideOutside() {
	if !w.redact || len(w.words) == 0 {
		return
	}
	if dropped := w.dropped; w.start >= w.end {
		path, depth := w.path, w.depth
		w.path, w.depth = nil, 0
		w.platform.read(w)
		w.path, w.depth, w.dropped = path, depth, dropped
	}
	w.secrets()
	w.hide(lineSecrets, nil)
	w.hideAnywhere()
}

// messageStart says of a byte whether a message of the log may begin with it: a mark, a number or a
// month.
var messageStart = func() (starts [256]bool) {
	for _, c := range []byte("*.%0123456789JFMASOND") {
		starts[c] = true
	}
	return starts
}()

// message reports whether a line is a message of the log that a device wrote to the terminal
// meanwhile: "*Nov 23 05:15:00.123: %SYS-5-CONFIG_I: Configured from console".
func message(line []byte) bool {
	n := bytes.IndexByte(line[:min(len(line), 120)], '%')
	if n < 0 || n > 0 && (!bytes.HasSuffix(line[:n], []byte(": ")) || n < 12) {
		return false
	}
	facility, _, ok := bytes.Cut(line[n+1:], []byte(": "))
	if !ok {
		return false
	}
	mnemonic := bytes.LastIndexByte(facility, '-')
	if mnemonic < 3 || facility[mnemonic-2] != '-' || facility[mnemonic-1] < '0' ||
		facility[mnemonic-1] > '7' {
		return false
	}
	for _, c := range facility {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
