package device

import "bytes"

// Foundry's IronWare lives on as Brocade's and now Ruckus' FastIron and Extreme's NetIron. Both
// write lines indented by one blank, and "end" at the end.
//
// Sources: the vendors' command references, and configurations of many releases.

var ruckusFastIron = platform{
	name:   "ruckus_fastiron",
	family: foundrySigns, signs: []sign{
		{"ver 0", 6, nil}, {"ver 1", 6, nil}, {"stack unit ", 5, nil}, {"  module 1 ", 4, nil},
		{"vlan 1 name DEFAULT-VLAN by port", 6, nil},
		{"interface ethernet 1/1/1", 6, nothing}, {" inline power", 3, nil},
		{"manager registrar", 4, nothing}, {"mstp scope all", 2, nothing},
	},
	read: readFoundry, whole: endsWith("end"), cut: quoting,
}

var extremeNetIron = platform{
	name:   "extreme_netiron",
	family: foundrySigns, signs: []sign{
		{"ver V", 8, nil}, {"module 1 ni-", 8, nil}, {"module 1 br-", 8, nil},
		{"no dual-mode-default-vlan", 4, nothing}, {"cam-partition profile ", 5, nil},
		{"default-max-frame-size ", 4, nil}, {"system-max virtual-interface ", 2, nil},
		{"no route-only", 2, nothing}, {"enable-qos-statistics", 4, nothing},
		{"interface ethernet 1/1", 2, nothing}, {"management-vrf ", 3, nil},
		{"no transceiver-type-check", 4, nothing},
		{"snmp-server max-ifindex-per-module ", 4, nil},
	},
	read: readFoundry, whole: endsWith("end"), cut: quoting,
}

// foundrySigns are common to both.
var foundrySigns = []sign{
	{" port-name ", 3, nil}, {" untagged ethe ", 4, nil}, {" tagged ethe ", 4, nil},
	{" router-interface ve ", 2, nil}, {"enable telnet authentication", 3, nothing},
	{"enable aaa console", 4, nothing}, {"aaa authentication web-server default ", 2, nil},
	{"hostname ", 1, nil}, {"enable super-user-password ", 4, nil},
}

func readFoundry(w *walk) {
	if !w.readHeaded() {
		if w.heads() && (w.has("!Current configuration") || w.has("!Building configuration") ||
			w.has("!Startup configuration") || w.dated()) {
			w.drop() // some releases make comments of these
		}
		return
	}
	if w.top() {
		switch v, ok := w.after("hostname "); {
		case ok:
			w.setName(unquoted(v))
		case w.has("ver ") && field(w.words, 2) == nil:
			set(&w.id.OSVersion, field(w.words, 1))
		case w.has("ntp clock-period "):
			w.drop()
		case w.has("banner "):
			w.openFoundryBanner()
		}
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

// openFoundryBanner looks for the text of "banner motd $ TEXT $", and of "banner $ TEXT $", which
// is the same.
func (w *walk) openFoundryBanner() {
	text := rest(w.words, 1)
	switch string(field(text, 0)) {
	case "motd", "exec", "exec_mode", "incoming":
		text = rest(text, 1)
	}
	if !bytes.HasPrefix(text, []byte("require-enter-key")) {
		w.openText(text)
	}
}
