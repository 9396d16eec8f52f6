package device

import "bytes"

// Huawei's VRP writes lines that are indented by one blank inside a block, sections between lines
// "#", and "return" at the end. Its header states when the configuration was changed and saved. A
// terminal may print a line with the time above it.
//
// Sources: Huawei's command references, and configurations of many releases.

var huaweiVRP = platform{
	name: "huawei_vrp",
	signs: []sign{
		{"!Software Version V", 20, nil}, {"[V", 6, vrpRelease},
		{"!Last configuration was ", 6, nil}, {"sysname ", 2, nil}, {" sysname ", 2, nil},
		{"vlan batch ", 4, nil}, {"interface Vlanif", 4, nil}, {"interface MEth0/0/", 5, nil},
		{"interface XGigabitEthernet", 4, nil},
		{"interface Eth-Trunk", 4, nil}, {"user-interface vty ", 2, nil},
		{"user-interface con", 2, nil}, {"drop-profile default", 3, nothing},
		{"diffserv domain default", 3, nothing}, {" local-user ", 2, nil},
		{"stelnet server enable", 3, nothing}, {"aaa", 1, nothing},
		{"undo ", 1, nil}, {"return", 1, nothing}, {"observe-port ", 2, nil},
		{" undo portswitch", 3, nothing}, {"interface 10GE", 4, nil}, {"interface GE", 3, nil},
		{"set cpu-usage threshold", 3, nil}, {" authentication-scheme default", 2, nothing},
		{"snmp-agent", 1, nothing},
	},
	read: readVRP, whole: endsWith("return"), cut: quoting,
}

// vrpRelease: routers write "[V200R009C00SPC500]" where others write "!Software Version".
func vrpRelease(v []byte) bool {
	return len(v) > 4 && len(v) < 40 && v[0] >= '0' && v[0] <= '9' && v[len(v)-1] == ']' &&
		bytes.IndexByte(v, 'R') > 0
}

func readVRP(w *walk) {
	if w.last == nil && w.until == nil && isTime(w.words) {
		w.drop()
		return
	}
	if !w.readSections() {
		return
	}
	if w.words[0] == '!' || w.words[0] == '[' {
		if !w.lines.body {
			w.readVRPHeader()
		}
		return
	}
	w.lines.body = true
	if w.top() {
		if v, ok := w.after("sysname "); ok {
			w.setName(unquoted(v))
		} else if w.has("header ") && string(field(w.words, 2)) == "information" {
			w.openText(rest(w.words, 3))
		}
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

func (w *walk) readVRPHeader() {
	switch {
	case w.has("!Software Version "):
		set(&w.id.OSVersion, field(w.words, 2))
	case w.words[0] == '[' && len(w.words) > 2 && vrpRelease(w.words[2:]):
		set(&w.id.OSVersion, w.words[1:len(w.words)-1])
	case w.has("!Last configuration was updated at "):
		set(&w.id.ChangedBy, field(author(w.words), 0))
		w.drop()
	case w.has("!Last configuration was saved at "):
		w.drop()
	}
}

// isTime reports whether a line is a time such as "2026-11-23 05:15:00.123 +00:00".
func isTime(b []byte) bool {
	return len(b) >= 19 && len(b) < 40 && b[4] == '-' && b[7] == '-' && b[10] == ' ' &&
		b[13] == ':' && b[16] == ':' && digits(b[:4])
}
