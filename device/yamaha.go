package device

import "bytes"

// Yamaha's routers write commands below a header of comments. The commands of a PPP interface or a
// tunnel are indented below the line that selects it. There is no host name.
//
// Sources: Yamaha's command references, and configurations of several releases.

var yamahaRT = platform{
	name: "yamaha",
	signs: []sign{
		{"# RTX", 10, nil}, {"# NVR", 10, nil}, {"# FWX", 10, nil}, {"# Reporting Date: ", 6, nil},
		{"# MAC Address : ", 4, nil}, {"# main: ", 3, nil}, {"ip lan1 address ", 5, nil},
		{"ip lan2 address ", 4, nil}, {"pp select ", 5, nil}, {"tunnel select ", 4, nil},
		{"console character ", 4, nil}, {"ip route default gateway ", 3, nil},
		{"pp disable all", 4, nil},
		{"login password ", 2, nil}, {"administrator password ", 3, nil},
	},
	read: readYamaha, lined: true,
}

func readYamaha(w *walk) {
	if w.words[0] == '#' {
		w.readYamahaHeader()
		return
	}
	w.lines.body = true
	w.indented()
	if w.redact {
		n := 0
		for _, c := range []struct {
			command string
			words   int
		}{
			{"login password ", 2}, {"administrator password ", 2}, {"login user ", 3},
			{"pp auth myname ", 4}, {"pp auth username ", 4}, {"ipsec ike pre-shared-key ", 4},
			{"snmp community read-only ", 3}, {"snmp community read-write ", 3},
			{"ipsec ike eap myname ", 6}, {"snmp trap host ", 4}, {"l2tp tunnel auth ", 4},
			{"snmpv3 usm user ", 5},
		} {
			if w.has(c.command) {
				n = c.words
			}
		}
		if _, v, ok := bytes.Cut(w.words, []byte(" smtp-auth ")); ok {
			w.mark(field(v, 1), secret)
		}
		if w.has("snmpv3 usm user ") {
			w.hideKeyed(rest(w.words, n))
		} else if n > 0 {
			w.mark(rest(w.words, n), secret)
		} else {
			w.hide(lineSecrets, nil)
		}
	}
	w.opens()
}

// readYamahaHeader reads "# RTX1220 Rev.15.04.05 (Mon Nov 23 05:15:00 2026)" and the lines below
// it.
func (w *walk) readYamahaHeader() {
	v, _ := w.after("#")
	switch {
	case w.lines.body:
	case w.has("# Reporting Date: "):
		w.drop()
	case w.last == nil && len(field(v, 1)) > 4 && string(field(v, 1)[:4]) == "Rev.":
		set(&w.id.Model, field(v, 0))
		set(&w.id.OSVersion, field(v, 1)[4:])
	}
}
