package device

import "bytes"

// enterasysEOS is on the switches of Enterasys: the N, S, K and 7100 series, and the fixed ones
// from A2 to C5. Its "set" lines, "begin" and "end" are those of CatOS; its ports are ge.1.1, and
// it has no VTP. A line between colons, ":0a1b2c:", is an encrypted secret.
//
// Sources: Enterasys's configuration guides, and files of both families.
var enterasysEOS = platform{
	name: "enterasys_eos",
	signs: []sign{
		{"# Chassis Firmware Revision:", 10, nil}, {"# Firmware Revision:", 6, nil},
		{"#***** ", 5, nil}, {"This command shows non-default configurations only", 8, nil},
		{"set port ", 5, namesDottedPort}, {"set vlan create ", 5, nil},
		{"set vlan egress ", 5, nil}, {"clear vlan egress ", 5, nil},
		{"set system login ", 5, nil}, {"set host vlan ", 5, nil}, {"set snmp access ", 4, nil},
		{"set snmp view ", 3, nil}, {"set policy profile ", 4, nil},
		{"set port lacp port ", 4, nil}, {"set macauthentication ", 4, nil},
		{"set webview ", 4, nil}, {"set lacp ", 3, nil},
		// as CatOS
		{"set system name ", 4, nil}, {"# ***** ", 5, nil}, {"set prompt ", 3, nil},
		{"set logout ", 3, nil}, {"set spantree ", 4, nil}, {"begin", 2, nothing},
	},
	read: readEnterasys, whole: endsWith("end"), cut: quoting,
}

// namesDottedPort reports whether a command is about a port such as ge.1.1 or lag.0.1.
func namesDottedPort(rest []byte) bool {
	for len(rest) > 0 {
		var word []byte
		word, rest = cutWord(rest)
		for _, kind := range []string{"ge.", "fe.", "tg.", "fg.", "lag."} {
			if n := len(kind); len(word) > n && string(word[:n]) == kind {
				return digits(word[n : n+1])
			}
		}
	}
	return false
}

// enterasysSecrets are commands with a secret that no word announces, after so many words.
var enterasysSecrets = []struct {
	command string
	skipped int
}{
	{"set snmp community ", 0}, {"set radius server ", 3}, {"set radius accounting server ", 2},
	{"set tacacs server ", 3},
}

// readEnterasys reads what both systems share as that of CatOS.
func readEnterasys(w *walk) {
	if w.until == nil {
		if _, v, ok := bytes.Cut(w.words, []byte("Firmware Revision:")); ok && w.words[0] == '#' {
			set(&w.id.OSVersion, field(bytes.TrimLeft(v, " "), 0))
		}
		for _, c := range enterasysSecrets {
			v, ok := w.after(c.command)
			if !ok {
				continue
			}
			if v = field(v, c.skipped); string(v) != "realm" {
				w.mark(v, secret)
			}
			return
		}
		w.hideBetweenColons()
	}
	readCatOS(w)
}

// hideBetweenColons marks encrypted secrets.
func (w *walk) hideBetweenColons() {
	for b := w.words; w.redact && len(b) > 0; {
		var word []byte
		word, b = cutWord(b)
		if n := len(word); n > 2 && word[0] == ':' && word[n-1] == ':' {
			w.mark(word, secret)
		}
	}
}
