package device

import "bytes"

// Arista's EOS writes lines, indented by three blanks inside a block, under a header that names the
// device, its model and its release. Banners and scripts of event handlers end with a line "EOF",
// whatever they hold before it.
//
// Sources: Arista's EOS manual, and configurations of many releases.

var aristaEOS = platform{
	name: "arista_eos",
	signs: []sign{
		{"! device: ", 10, holding(", EOS-")}, {"! Command: show ", 2, nil},
		{"transceiver qsfp default-mode", 7, nil}, {"no aaa root", 5, nothing},
		{"aaa root ", 5, nil}, {"service routing protocols model ", 7, nil},
		{"daemon TerminAttr", 7, nothing}, {"management api ", 5, nil},
		{"management ssh", 3, nothing}, {"management security", 4, nothing},
		{"vrf instance ", 4, nil}, {"interface Vxlan1", 4, nothing},
		{"interface Management1", 3, nil}, {"interface Management0", 3, nothing},
		{"interface Ethernet", 1, nil}, {"mlag configuration", 5, nothing},
		{"ip virtual-router mac-address ", 5, nil}, {"peer-filter ", 4, nil},
		{"queue-monitor ", 3, nil}, {"event-handler ", 4, nil},
		{"! boot system flash:", 3, nil}, {"ip routing", 1, nothing}, {"no ip routing", 1, nothing},
		{"hostname ", 1, nil}, {"   description ", 1, nil},
	},
	read: readEOS, whole: endsWith("end"), cut: quoting,
}

func readEOS(w *walk) {
	if w.untilLine() {
		return
	}
	if !w.readHeaded() {
		w.readEOSHeader()
		return
	}
	switch v, ok := w.after("hostname "); {
	case ok && w.top():
		w.id.Name = string(unquoted(v)) // the header had it too, unless it is cut off
	case w.has("banner ") && w.top() && len(rest(w.words, 2)) == 0,
		string(w.words) == "action bash":
		w.until = []byte("EOF")
	}
	if v, ok := w.after("key "); ok && w.redact && w.in("mac security", string(w.parent())) {
		w.mark(rest(v, 1), secret) // after its name
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

// readEOSHeader reads "! device: NAME (MODEL, EOS-VERSION)" and the lines around it.
func (w *walk) readEOSHeader() {
	switch {
	case !w.heads():
	case w.has("! Command: "), w.dated():
		w.drop()
	case w.has("! Startup-config last modified at "):
		set(&w.id.ChangedBy, author(w.words))
		w.drop()
	default:
		v, ok := w.after("! device: ")
		name, v, found := bytes.Cut(v, []byte(" ("))
		model, version, release := bytes.Cut(v, []byte(", EOS-"))
		if !ok || !found || !release {
			return
		}
		if string(name) != "localhost" { // what EOS calls a device without a name
			w.setName(name)
		}
		set(&w.id.Model, model)
		set(&w.id.OSVersion, bytes.TrimRight(field(version, 0), ")"))
	}
}
