package device

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"
	"strings"
)

// A platform is a form of configuration: the signs by which it is recognised, and how it is read
// line by line.
type platform struct {
	name  string // Netmiko's, where it has one
	signs []sign // how its lines begin
	// family are signs that the platform shares with others of its kind.
	family []sign
	// read reads one line (w.line, w.words). It keeps track of blocks, takes the identity from the
	// line, and marks noise and secrets. It is called for every line except blank ones and
	// prompts.
	read func(w *walk)
	// open reports whether a blank line is to be read, because it is part of something that began
	// before it. It is nil if none is.
	open func(w *walk) bool
	// whole reports, after the last line, whether the file ends as the platform ends files. It is
	// nil if the platform has no sign of an end.
	whole func(w *walk) bool
	// lined says that the platform ends each line of a file with a newline, the last one too, and
	// has no other sign of the end: a file without it may be cut off. Programs strip it, so this is
	// no proof.
	lined bool
	// cut reports whether an incomplete file is certainly cut off, and doesn't merely lack its
	// usual end. It is nil if every incomplete file of the platform is cut off.
	cut func(w *walk) bool
}

// maxDepth bounds the blocks that are kept of a path. Real configurations have a dozen levels at
// most. Deeper levels of a hostile one are counted and not kept.
const maxDepth = 64

// maxHeader bounds what is shown of the line that opened a block, in bytes.
const maxHeader = 1024

// block is an open block: the line that opened it.
type block struct {
	header []byte
	indent int
	number int // of that line
}

// markKind says why a part of a line is marked.
type markKind uint8

const (
	noise  markKind = 1 << iota // changes by itself
	secret                      // hidden from readers
)

type mark struct {
	from, to int
	kind     markKind
}

// walk iterates over the lines of a configuration. It holds everything that a platform's read may
// look at and set.
type walk struct {
	platform *platform
	text     []byte
	opaque   bool // no text: nothing but its bytes to compare
	start    int  // where the line begins
	next     int  // where the next line begins
	begin    int  // where a session's output of the configuration begins
	end      int  // where the last line that is no prompt and not blank ends

	number int
	line   []byte // without its line end
	words  []byte // the line without blanks around it
	indent int    // the blanks before it

	path  []block
	depth int // open blocks, of which path has the first maxDepth
	id    Identity

	dropped bool // the line is noise
	quoting bool // the line is a banner's text or the like, in which nothing is noise
	inside  bool // the line begins inside of a string or a comment
	comment bool // the line is one
	marks   []mark
	last    []byte // words of the last line that is not blank and not noise
	stated  bool   // such a line was met that is no comment

	until []byte // text up to this is a banner or the like, not configuration

	// What the families remember from line to line. A file is of one of them, and each has its own.
	lines        lineState
	fabric       fabricState
	fastpath     fastpathState
	smb          smbHeader
	aire         aireState
	json         jsonState
	sros         srosState
	forti        fortiState
	brace        braceState
	junos        junosState
	tmsh         tmshPlace
	router       routerState
	xml          xmlScan
	pan          panForm
	dlinkAccount bool // the line before created an account of D-Link's
	xosXML       bool // a file of EXOS is an XML document
	senseAuto    bool // the <created> around the line was written by pfSense or OPNsense itself

	brief  bool     // noise and secrets needn't be marked
	redact bool     // secrets are to be marked
	sealed bool     // a private key goes on, where they are
	shown  [][]byte // of the path, what differs from its headers: they hold no secrets
	hash   *hasher  // nil where only the identity is wanted
}

func newWalk(config []byte) *walk {
	w := &walk{text: unpadded(Decode(config))}
	begin, end := session(w.text)
	w.platform = recognise(w.text[begin:end])
	w.id.Kind = KindFull
	switch {
	case bytes.HasPrefix(w.text, []byte("#FGBK|")):
		w.platform, w.id, w.opaque = &fortiOS, identifyFGBK(w.text), true
	case w.platform == nil:
		w.platform, w.id.Kind = &plain, KindOther
		w.opaque = bytes.IndexByte(w.text, 0) >= 0
	}
	w.begin, w.end = begin, begin+lastLine(w.text[begin:end])
	return w
}

// unpadded returns a text without the NUL and SUB (0x1A) that some devices and file transfers fill
// the last block with, and without line ends after those.
func unpadded(text []byte) []byte {
	trimmed := bytes.TrimRight(text, "\x00\x1a\r\n")
	if n := bytes.IndexAny(text[len(trimmed):], "\x00\x1a"); n >= 0 {
		return text[:len(trimmed)+n]
	}
	return text
}

// plain is the platform of configurations that no other platform recognises.
var plain = platform{read: func(*walk) {}}

func (w *walk) run() {
	for !w.opaque && w.step() {
		if w.hash != nil {
			w.hash.line(w)
		}
	}
}

// step reads the next line.
func (w *walk) step() bool {
	start := w.next
	if start >= len(w.text) {
		return false
	}
	line := w.text[start:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
		w.next = start + n + 1
	} else {
		w.next = len(w.text)
	}
	w.number++
	from, to := 0, len(line)
	if to > 0 && line[to-1] <= ' ' {
		line = bytes.TrimRight(line, "\r")
		to = len(bytes.TrimRight(line, " \t"))
	}
	for from+4 <= to && string(line[from:from+4]) == "    " { // most indentation is made of these
		from += 4
	}
	for from < to && line[from] <= ' ' && (line[from] == ' ' || line[from] == '\t' ||
		line[from] == '\r') {
		from++
	}
	w.start, w.line, w.words, w.indent = start, line, line[from:to], from
	w.dropped, w.quoting, w.inside, w.marks = false, false, false, w.marks[:0]
	w.comment = false
	switch {
	case start >= w.end || start < w.begin: // blank lines, prompts, other commands
		w.dropped = w.platform != &plain || from == to
		w.hideOutside()
		return true
	case w.number <= maxPrompt && w.last == nil && echoed(w.words) && w.platform != &plain:
		w.dropped = true
		return true
	case from == to && w.until == nil && (w.platform.open == nil || !w.platform.open(w)):
		w.dropped = w.platform != &plain
		return true
	case from < to && messageStart[line[from]] && w.until == nil && w.platform != &plain &&
		message(w.words) && (w.platform.open == nil || !w.platform.open(w)):
		w.dropped = true
		w.hideOutside()
		return true
	}
	sign := w.commentSign()
	if w.next < len(w.text) || w.text[w.next-1] == '\n' {
		w.platform.read(w)
	} else {
		w.readUnended()
	}
	w.comment = w.comment || sign && !w.quoting && !w.inside
	if w.redact {
		w.hideAnywhere()
	}
	if !w.dropped && to > from {
		w.last, w.stated = w.words, w.stated || !w.comment
	}
	return true
}

// readUnended reads a last line without its newline. It may be cut off, so it names nothing; only
// where lines are no statements it may be all of the file.
func (w *walk) readUnended() {
	id := w.id
	statement := (w.platform.open == nil || w.has("set ")) && w.platform != &sonicWall
	w.platform.read(w)
	if statement && !w.xml.began && !w.json.begun {
		w.id = id
	}
}

// bare reports whether the last line lacks its newline, and is no prompt.
func (w *walk) bare() bool {
	return bytes.IndexByte(w.text[w.end:], '\n') < 0 && !bytes.HasSuffix(w.text, []byte("\r"))
}

// lined reports, after the last line, whether the platform would have ended it with a newline. A
// recording of a terminal may stop anywhere.
func (w *walk) lined() bool {
	return w.platform.lined && w.begin == 0 && !w.xml.began && !w.json.begun
}

// commentSign reports, before the line is read, whether it begins as comments do: those of lines
// with one of three signs, those of XML with their own. Comments of braces know of themselves. A
// line inside of a string begins none.
func (w *walk) commentSign() bool {
	switch {
	case len(w.words) == 0 || w.platform == &plain:
		return false
	case w.xml.state == xmlComment:
		return true
	case w.xml.began:
		return w.xml.state == xmlText && w.has("<!--")
	case w.words[0] != '!' && w.words[0] != '#' && w.words[0] != ';':
		return false
	}
	return w.platform.open == nil || !w.platform.open(w)
}

func (w *walk) identity() Identity {
	id := w.id
	id.Platform = w.platform.name
	switch {
	case w.opaque && id.Kind == KindEncrypted:
	case w.platform == &plain:
		return Identity{Kind: KindOther, Complete: len(bytes.TrimSpace(w.text)) > 0}
	default:
		id.Complete = w.stated && (w.platform.whole == nil || w.platform.whole(w))
	}
	for _, v := range []*string{&id.Name, &id.Model, &id.OSVersion, &id.Build, &id.Serial, &id.Kind,
		&id.ChangedBy, &id.ExportedBy} {
		*v = value(*v)
	}
	// a part of the device without a usable name is still no full configuration
	if id.Kind == "" || strings.HasSuffix(id.Kind, ":") {
		id.Kind = KindOther
	}
	return id
}

// after returns what follows a prefix of the line, without blanks around it.
func (w *walk) after(prefix string) ([]byte, bool) {
	if len(w.words) < len(prefix) || string(w.words[:len(prefix)]) != prefix {
		return nil, false
	}
	return bytes.TrimLeft(w.words[len(prefix):], " \t"), true
}

// has reports whether the line begins with a prefix.
func (w *walk) has(prefix string) bool {
	return len(w.words) >= len(prefix) && string(w.words[:len(prefix)]) == prefix
}

// top reports whether the line is in no block.
func (w *walk) top() bool { return w.depth == 0 }

// in reports whether the line is in exactly these blocks.
func (w *walk) in(headers ...string) bool {
	if w.depth != len(headers) || w.depth != len(w.path) {
		return false
	}
	for i, h := range headers {
		if string(w.path[i].header) != h {
			return false
		}
	}
	return true
}

// within reports whether one of the blocks around the line begins with a prefix.
func (w *walk) within(prefix string) bool {
	return slices.ContainsFunc(w.path, func(b block) bool {
		return bytes.HasPrefix(b.header, []byte(prefix))
	})
}

// parent returns the line that opened the innermost block, or nothing.
func (w *walk) parent() []byte {
	if len(w.path) == 0 {
		return nil
	}
	return w.path[len(w.path)-1].header
}

// push opens a block. The line that opens it is outside of it, so push is the last step of reading
// that line.
func (w *walk) push(header []byte, indent int) {
	if w.depth == len(w.path) && w.depth < maxDepth {
		w.path = append(w.path, block{header, indent, w.number})
	}
	w.depth++
}

// pop closes the innermost block and reports whether there was one.
func (w *walk) pop() bool {
	if w.depth == 0 {
		return false
	}
	w.depth--
	if len(w.path) > w.depth {
		w.path = w.path[:w.depth]
	}
	return true
}

// indented keeps track of blocks that only indentation makes: a line is in the lines above it that
// are indented less.
func (w *walk) indented() {
	for len(w.path) > 0 && w.path[len(w.path)-1].indent >= w.indent {
		w.pop()
	}
	w.depth = len(w.path) // beyond maxDepth the deepest block stands for all below it
}

// opens makes the line the head of a block of the lines that are indented more.
func (w *walk) opens() {
	if len(w.path) < maxDepth {
		w.push(w.words, w.indent)
	}
}

// drop marks the whole line as noise.
func (w *walk) drop() { w.dropped = !w.quoting }

// offset returns where a part of b begins in b. The part must have been sliced out of b without a
// bound on its capacity, as the functions of package bytes slice: both then end where the memory
// ends, so their capacities differ by the offset. It saves every function that finds a word from
// returning its place as well.
func offset(b, part []byte) int { return cap(b) - cap(part) }

// mark marks a part of the line, which must be a slice of w.line ([offset]).
func (w *walk) mark(part []byte, kind markKind) {
	if len(part) == 0 {
		return
	}
	from := offset(w.line, part)
	w.marks = append(w.marks, mark{from, from + len(part), kind})
}

// setName keeps the first host name of a configuration.
func (w *walk) setName(name []byte) { set(&w.id.Name, name) }

// set keeps the first value that a configuration has for a field.
func set(field *string, v []byte) {
	if *field == "" && len(v) > 0 && len(v) <= 4*maxValue {
		*field = string(v)
	}
}

// masked appends the line to b, with what is marked as a kind replaced.
func (w *walk) masked(b []byte, kind markKind, marker string) []byte {
	if len(w.marks) == 0 {
		return append(b, w.line...)
	}
	return w.maskedPart(b, w.line, kind, marker)
}

// maskedPart is masked for a part of the line. Where marks overlap, everything that they cover is
// replaced.
func (w *walk) maskedPart(b, part []byte, kind markKind, marker string) []byte {
	at := offset(w.line, part)
	end := at + len(part)
	for _, m := range w.marks {
		switch {
		case m.kind&kind == 0 || m.to <= at || m.from >= end:
		case m.from < at:
			at = min(m.to, end)
		default:
			b = append(append(b, w.line[at:m.from]...), marker...)
			at = min(m.to, end)
		}
	}
	return append(b, w.line[at:end]...)
}

// hideURLs marks the passwords in URLs, "ftp://user:password@host", anywhere in a line.
func (w *walk) hideURLs() {
	for rest := w.line; ; {
		_, after, ok := bytes.Cut(rest, []byte("://"))
		if !ok {
			break
		}
		rest = after
		end := bytes.IndexAny(after, "/ \t\"'<>")
		if end < 0 {
			end = len(after)
		}
		// UNMS: wss://HOST:PORT+KEY+OPTION
		if before := w.line[:len(w.line)-len(after)]; bytes.HasSuffix(before, []byte("wss://")) {
			_, key, _ := bytes.Cut(after[:end], []byte("+"))
			key, _, _ = bytes.Cut(key, []byte("+"))
			w.mark(key, secret)
		}
		at, colon := bytes.LastIndexByte(after[:end], '@'), bytes.IndexByte(after[:end], ':')
		if colon >= 0 && at > colon+1 {
			w.mark(after[colon+1:at], secret)
		}
	}
}

// around returns the blocks around the line, without those that the line itself opens.
func (w *walk) around() []block {
	path := w.path
	for len(path) > 0 && path[len(path)-1].number == w.number {
		path = path[:len(path)-1]
	}
	return path
}

// pathStrings returns the heads of the blocks around the line.
func (w *walk) pathStrings() []string {
	path := w.around()
	if len(path) == 0 {
		return nil
	}
	out := make([]string, len(path))
	for i, b := range path {
		if i < len(w.shown) && w.shown[i] != nil {
			b.header = w.shown[i]
		}
		out[i] = strings.Join(strings.Fields(string(b.header[:min(len(b.header), maxHeader)])), " ")
	}
	return out
}

// hasher hashes the significant form of a configuration. Consecutive lines without noise are
// hashed in one piece. Other pieces are gathered in a buffer first, since hashing small pieces is
// slow.
type hasher struct {
	sum      hash.Hash
	from, to int // lines of the text that are not hashed yet
	buf      []byte
}

const hasherBuffer = 16 << 10

func (h *hasher) line(w *walk) {
	switch {
	case w.dropped:
	case len(w.marks) == 0 && w.start+len(w.line)+1 == w.next && w.text[w.next-1] == '\n':
		if w.start != h.to {
			h.take(w.text)
			h.from = w.start
		}
		if h.to = w.next; h.to-h.from >= hasherBuffer {
			h.take(w.text)
		}
	default:
		h.take(w.text)
		h.from, h.to = w.next, w.next
		at := 0
		for _, m := range w.marks {
			if m.kind&noise != 0 && m.from >= at {
				h.write(w.line[at:m.from])
				h.write(marker)
				at = m.to
			}
		}
		h.write(w.line[at:])
		h.write(newline)
	}
}

// marker stands for noise in the significant form: no line holds a NUL.
var (
	marker  = []byte{0}
	newline = []byte{'\n'}
)

// take hashes the lines of the text that wait for it.
func (h *hasher) take(text []byte) {
	h.write(text[h.from:h.to])
	h.from = h.to
}

func (h *hasher) write(b []byte) {
	if len(h.buf)+len(b) > hasherBuffer {
		h.flush()
	}
	if len(b) >= hasherBuffer/4 {
		h.flush()
		_, _ = h.sum.Write(b) // never fails
		return
	}
	if h.buf == nil {
		h.buf = make([]byte, 0, hasherBuffer)
	}
	h.buf = append(h.buf, b...)
}

func (h *hasher) flush() {
	_, _ = h.sum.Write(h.buf)
	h.buf = h.buf[:0]
}

func (h *hasher) finish(text []byte) (sum [sha256.Size]byte) {
	h.take(text)
	h.flush()
	h.sum.Sum(sum[:0])
	return sum
}
