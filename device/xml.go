package device

import (
	"bytes"
	"unicode/utf8"
)

// XML is read line by line, as other forms are. A scanner keeps its place in tags, comments and
// CDATA sections between lines. It calls the platform for every attribute, every piece of text and
// the end of every element. It checks only that elements end in the reverse order of their
// beginnings.

// xmlScan is the place of the scanner in a document.
type xmlScan struct {
	state xmlState
	quote byte // that ends the value of an attribute
	depth int  // open elements, of which open has the first maxDepth
	open  []xmlElement
	// shared is how many elements were open through the whole of the line: those are its path.
	shared int
	tag    int    // where the start tag begins, in the text
	name   []byte // of the attribute
	leaf   bool   // the innermost element has no other inside
	began  bool   // a root element was met
	torn   bool   // an element was closed that nothing opened, or the like
	value  []byte // text of the innermost element so far, bounded
}

type xmlElement struct {
	name   []byte
	header []byte // as the path shows it: the name, and the attribute "name" where there is one
}

type xmlState uint8

const (
	xmlText      xmlState = iota
	xmlTag                // in a start tag, after the name of the element
	xmlAttribute          // in a quoted value
	xmlEnd                // in an end tag
	xmlComment
	xmlCDATA
	xmlOther // a processing instruction or a declaration
)

// xmlEvent is the reason of a call of the platform.
type xmlEvent uint8

const (
	xmlOnOpen xmlEvent = iota // an element begins; its attributes are not read yet
	// w.xml.name has its name; the part is its value, as it is written
	xmlOnAttribute
	xmlOnText  // the part is text, or what of it stands on this line
	xmlOnClose // w.xml.text() is the text of the element, if that is all it has
)

// readXML goes through the line. Parts are slices of w.line, to be marked.
func (w *walk) readXML(on func(w *walk, event xmlEvent, part []byte)) {
	x := &w.xml
	x.shared = x.depth
	b := w.line
	for len(b) > 0 {
		switch x.state {
		case xmlText:
			n := bytes.IndexByte(b, '<')
			if n < 0 {
				n = len(b)
			}
			if n > 0 {
				w.xmlPiece(b[:n], true, on)
			}
			if b = b[n:]; len(b) > 0 {
				b = w.openMarkup(b, on)
			}
		case xmlTag:
			b = w.readXMLTag(b, on)
		case xmlAttribute:
			n := bytes.IndexByte(b, x.quote)
			if n < 0 {
				return // a value over lines is no identity
			}
			w.endAttribute(b[:n], on)
			x.state, b = xmlTag, b[n+1:]
		case xmlEnd:
			b = x.skip(b, ">", xmlText)
		case xmlComment:
			b = x.skip(b, "-->", xmlText)
		case xmlOther:
			b = x.skip(b, ">", xmlText)
		case xmlCDATA:
			n := bytes.Index(b, []byte("]]>"))
			if n < 0 {
				w.xmlPiece(b, false, on)
				return
			}
			w.xmlPiece(b[:n], false, on)
			x.state, b = xmlText, b[n+3:]
		}
	}
}

// finishXML sets the path of the line at the end of a platform's read: the elements that are open
// throughout the line.
func (w *walk) finishXML() {
	x := &w.xml
	n := min(x.shared, len(x.open))
	if n < len(w.path) {
		w.path = w.path[:n]
	}
	for len(w.path) < n {
		w.path = append(w.path, block{header: x.open[len(w.path)].header})
	}
	w.depth = n
}

func (x *xmlScan) skip(b []byte, end string, then xmlState) []byte {
	n := bytes.Index(b, []byte(end))
	if n < 0 {
		return nil
	}
	x.state = then
	return b[n+len(end):]
}

// openMarkup reads the beginning of markup, after which the state tells its kind.
func (w *walk) openMarkup(b []byte, on func(*walk, xmlEvent, []byte)) []byte {
	x := &w.xml
	switch {
	case bytes.HasPrefix(b, []byte("<!--")):
		x.state = xmlComment
		return b[4:]
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		x.state = xmlCDATA
		return b[9:]
	case len(b) > 1 && (b[1] == '?' || b[1] == '!'):
		x.state = xmlOther
		return b[2:]
	case len(b) > 1 && b[1] == '/':
		n := xmlName(b[2:])
		w.closeElement(b[2:2+n], on)
		x.state = xmlEnd
		return b[2+n:]
	}
	n := xmlName(b[1:])
	if n == 0 {
		x.torn = true // no markup
		return b[1:]
	}
	x.tag = offset(w.text, b) + 1
	x.state, x.leaf, x.value = xmlTag, true, x.value[:0]
	if x.depth == 0 && x.began {
		x.torn = true // a second root
	}
	x.began = true
	name := b[1 : 1+n]
	if x.depth == len(x.open) && x.depth < maxDepth {
		x.open = append(x.open, xmlElement{name, name})
	}
	x.depth++
	on(w, xmlOnOpen, name)
	return b[1+n:]
}

// readXMLTag reads on after the name of the element, up to the end of the tag or the value of an
// attribute.
func (w *walk) readXMLTag(b []byte, on func(*walk, xmlEvent, []byte)) []byte {
	x := &w.xml
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '>':
			x.state = xmlText
			return b[i+1:]
		case '/':
			if i+1 < len(b) && b[i+1] == '>' {
				x.state = xmlText
				if x.depth <= len(x.open) && x.depth > 0 {
					w.closeElement(x.open[x.depth-1].name, on)
				} else {
					w.closeElement(nil, on)
				}
				return b[i+2:]
			}
		case '"', '\'':
			x.state, x.quote = xmlAttribute, c
			return b[i+1:]
		case ' ', '\t', '=':
		default:
			n := max(xmlName(b[i:]), 1)
			x.name = b[i : i+n]
			i += n - 1
		}
	}
	return nil
}

func (w *walk) endAttribute(v []byte, on func(*walk, xmlEvent, []byte)) {
	x := &w.xml
	if string(x.name) == "name" && x.depth > 0 && x.depth == len(x.open) {
		e := &x.open[x.depth-1]
		end := offset(w.text, v) + len(v) + 1
		header := w.text[x.tag:min(end, len(w.text))]
		if len(header) == len(e.name)+len(` name="`)+len(v)+1 { // the usual: nothing between
			e.header = header
		} else {
			e.header = append(append(append(append([]byte(nil), e.name...), ` name="`...), v...),
				'"')
		}
	}
	on(w, xmlOnAttribute, v)
	x.name = nil
}

// closeElement ends the innermost element.
func (w *walk) closeElement(name []byte, on func(*walk, xmlEvent, []byte)) {
	x := &w.xml
	if x.depth == 0 {
		x.torn = true
		return
	}
	if x.depth <= len(x.open) {
		if name != nil && !bytes.Equal(name, x.open[x.depth-1].name) {
			x.torn = true
		}
		on(w, xmlOnClose, nil)
		x.open = x.open[:x.depth-1]
	}
	x.depth--
	x.leaf = false
	x.shared = min(x.shared, x.depth)
}

// xmlPiece is text between markup, or in a CDATA section.
func (w *walk) xmlPiece(b []byte, escaped bool, on func(*walk, xmlEvent, []byte)) {
	x := &w.xml
	if x.depth == 0 {
		return
	}
	if x.leaf {
		if len(x.value)+len(b) > 4*maxValue {
			x.leaf = false // too long to be a value of interest
		} else if escaped {
			x.value = appendUnescaped(x.value, b)
		} else {
			x.value = append(x.value, b...)
		}
	}
	if x.depth <= len(x.open) {
		on(w, xmlOnText, b)
	}
}

// text is the text of the element that ends, with references resolved.
func (x *xmlScan) text() []byte {
	if !x.leaf {
		return nil
	}
	return bytes.TrimSpace(x.value)
}

// at reports whether these are the names of the elements that are open, from a depth on.
func (x *xmlScan) at(from int, names ...string) bool {
	if x.depth != from+len(names) || x.depth > len(x.open) {
		return false
	}
	for i, name := range names {
		if string(x.open[from+i].name) != name {
			return false
		}
	}
	return true
}

// element returns the name of the n-th element that is open, from the innermost on, or nothing.
func (x *xmlScan) element(n int) []byte {
	if i := x.depth - 1 - n; i >= 0 && i < len(x.open) {
		return x.open[i].name
	}
	return nil
}

// wholeXML reports whether the document has one root element, and all that began has ended.
func wholeXML(w *walk) bool {
	return w.xml.began && w.xml.depth == 0 && w.xml.state == xmlText && !w.xml.torn
}

// xmlName returns the length of the name at the beginning of b.
func xmlName(b []byte) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\r', '>', '/', '=', '"', '\'', '<':
			return i
		}
	}
	return len(b)
}

// appendUnescaped appends text and resolves the references that XML predefines. Others stay
// unchanged.
func appendUnescaped(out, b []byte) []byte {
	for len(b) > 0 {
		n := bytes.IndexByte(b, '&')
		if n < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:n]...), b[n:]
		end := bytes.IndexByte(b[:min(len(b), 12)], ';')
		r, ok := rune(0), false
		if end > 1 {
			r, ok = reference(string(b[1:end]))
		}
		if !ok {
			out, b = append(out, '&'), b[1:]
			continue
		}
		out, b = utf8.AppendRune(out, r), b[end+1:]
	}
	return out
}

func reference(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if name[0] != '#' || len(name) < 2 {
		return 0, false
	}
	base, n := rune(10), rune(0)
	name = name[1:]
	if name[0] == 'x' {
		base, name = 16, name[1:]
	}
	for _, c := range []byte(name) {
		d := rune(99)
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = rune(c|0x20-'a') + 10
		}
		if d >= base || n > utf8.MaxRune {
			return 0, false
		}
		n = n*base + d
	}
	return n, name != "" && n <= utf8.MaxRune
}
