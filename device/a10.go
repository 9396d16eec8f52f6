package device

import "bytes"

// A10's ACOS writes lines that are indented by two blanks. The header states when the
// configuration was changed, saved and synchronized, and the release. A comment about the point of
// commit may follow "end".
//
// Sources: A10's command references, and configurations of releases 2.7 to 5.

var a10ACOS = platform{
	name: "a10",
	signs: []sign{
		{"!64-bit Advanced Core OS (ACOS) version ", 20, nil},
		{"!Advanced Core OS (ACOS) version ", 20, nil}, {"!Configuration last ", 6, nil},
		{"!Current configuration: ", 3, nil}, {"slb server ", 5, nil},
		{"slb service-group ", 5, nil}, {"slb virtual-server ", 5, nil},
		{"slb template ", 4, nil},
		{"multi-config enable", 3, nothing}, {"health monitor ", 3, nil}, {"vrrp-a ", 3, nil},
		{"!Current config commit point ", 8, nil}, {"ip nat pool ", 1, nil},
	},
	read: readACOS, whole: func(w *walk) bool { return w.lines.closed && w.until == nil },
	cut: quoting,
}

func readACOS(w *walk) {
	if !w.readHeaded() {
		w.readACOSHeader()
		return
	}
	if w.top() {
		switch v, ok := w.after("hostname "); {
		case ok:
			w.setName(unquoted(field(v, 0)))
		case w.has("banner "):
			if text := rest(w.words, 2); string(field(text, 0)) == "multi-line" {
				if end := unquoted(field(text, 1)); len(end) > 0 {
					w.until = end
				}
			} else {
				w.openText(text)
			}
		}
		w.lines.closed = string(w.words) == "end"
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

func (w *walk) readACOSHeader() {
	switch {
	case !w.heads():
	case w.has("!Current configuration: "), w.has("!Configuration last updated at "),
		w.has("!Configuration last saved at "),
		w.has("!Configuration last synchronized at "):
		w.drop()
	default:
		if _, v, ok := bytes.Cut(w.words, []byte("(ACOS) version ")); ok {
			version, v, _ := bytes.Cut(v, []byte(","))
			set(&w.id.OSVersion, version)
			if string(field(bytes.TrimLeft(v, " "), 0)) == "build" {
				set(&w.id.Build, field(bytes.TrimLeft(v, " "), 1))
			}
		}
	}
}
