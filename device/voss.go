package device

import "bytes"

// VOSS, of Extreme's VSP and some of its universal switches, writes commands, not indented, below a
// header of comments; a block ends with "exit", and the file with "end".
// Sources: Extreme's command references, and configurations of several releases.

var extremeVOSS = platform{
	name: "extreme_vsp",
	signs: []sign{
		{"# box type ", 10, nil}, {"# software version ", 6, nil}, {"# cli mode ", 6, nil},
		{"# SYSTEM CONFIGURATION", 4, nothing}, {"config terminal", 2, nothing},
		{"router isis", 1, nothing}, {"spbm ethertype ", 6, nil}, {"vlan i-sid ", 5, nil},
		{"auto-sense ", 2, nil}, {"boot config flags ", 6, nil}, {"no boot config flags ", 6, nil},
	},
	read: readVOSS, whole: endsWith("end"), cut: quoting,
}

var vossBlocks = []string{"interface ", "router isis", "router ospf", "router bgp", "router rip",
	"router vrf ", "application"}

func readVOSS(w *walk) {
	if w.words[0] == '#' {
		v, _ := w.after("#")
		key, value, _ := bytes.Cut(v, []byte(":"))
		switch value = bytes.TrimSpace(value); string(bytes.TrimSpace(key)) {
		case "box type":
			set(&w.id.Model, value)
		case "software version":
			set(&w.id.OSVersion, value)
		default:
			if !w.lines.body && weekday(v) {
				w.drop()
			}
		}
		return
	}
	w.lines.body = true
	if string(w.words) == "exit" {
		w.pop()
		return
	}
	if v, ok := w.after("snmp-server name "); ok && w.top() {
		w.id.Name = string(unquoted(v))
	} else if v, ok := w.after("prompt "); ok && w.top() {
		w.setName(unquoted(v))
	}
	w.hide(lineSecrets, nil)
	for _, head := range vossBlocks {
		if v, ok := w.after(head); ok &&
			(head[len(head)-1] == ' ' || len(v) == 0 || w.words[len(head)] == ' ') {
			w.push(w.words, 0)
			return
		}
	}
}
