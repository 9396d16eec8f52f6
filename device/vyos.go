package device

import "bytes"

// VyOS and EdgeOS have Vyatta's form: blocks of braces in the saved file, commands "set ..." in an
// export. The host name is the setting host-name directly in "system". The saved file ends with
// comments that say which release wrote it.
//
// Sources: the documentation of VyOS and EdgeOS, and files of many releases.

// vyattaSigns are what both have.
var vyattaSigns = []sign{
	{"    ethernet eth", 4, opensBlock}, {"     ethernet eth", 6, opensBlock},
	{"    loopback lo ", 3, nil}, {"set interfaces ethernet eth", 6, nil},
	{"set interfaces loopback lo", 2, nil},
	{"set system config-management ", 4, nil}, {"set firewall name ", 4, nil},
	{"set firewall group ", 3, nil}, {"set firewall all-ping ", 3, nil},
	{"set firewall broadcast-ping ", 3, nil}, {"set system syslog global ", 3, nil},
	{"set service ssh", 2, nil}, {"set service ", 1, nil},
	{"set protocols static ", 2, nil}, {"set system ntp server ", 1, nil},
	{"set vpn ipsec ", 1, nil}, {"set system login user ", 1, nil},
	{"set system host-name ", 2, nil}, {"    all-ping ", 4, nil},
	{"    config-management {", 4, nil}, {"firewall {", 1, nil}, {"interfaces {", 1, nil},
	{"service {", 3, nil}, {"system {", 1, nil}, {"vpn {", 1, nil}, {"nat {", 2, nil},
	{"protocols {", 1, nil}, {"    host-name ", 2, noStatement},
	{"/* === vyatta-config-version: ", 6, nil},
	{"/* Warning: Do not remove the following line. */", 3, nil}, {"zone-policy {", 2, nil},
}

var vyOS = platform{
	name:   "vyos",
	family: vyattaSigns, signs: []sign{
		{"// vyos-config-version: ", 10, nil}, {"// Release version: ", 6, nil},
		{"/* Release version: VyOS", 10, nil},
		{"// Warning: Do not remove the following line.", 4, nil},
		{"set firewall global-options ", 4, nil}, {"set firewall ipv4 ", 3, nil},
		{"set system conntrack ", 3, nil}, {"set system console ", 4, nil},
		{"set interfaces wireguard ", 3, nil}, {"set high-availability ", 4, nil},
		{"set system option ", 3, nil}, {"set policy route-map ", 1, nil},
		{"    console {", 3, nil}, {"set nat source rule ", 3, nil}, {"set vrf ", 1, nil},
		{"set pki ", 3, nil}, {"    global-options {", 3, nil},
	},
	read: readVyOS, open: unclosed, whole: balanced,
}

var edgeOS = platform{
	name:   "ubiquiti_edgerouter",
	family: vyattaSigns, signs: []sign{
		{"/* Release version: v", 10, startsNumber}, {"set service gui ", 6, nil},
		{"set service unms", 6, nil}, {"set service ubnt-discover", 6, nil},
		{"set system offload ", 6, nil}, {"set system analytics-handler ", 6, nil},
		{"set system crash-handler ", 6, nil}, {"set system traffic-analysis ", 6, nil},
		{"set interfaces switch switch0", 6, nil}, {"set port-forward ", 5, nil},
		{"set service nat rule ", 5, nil}, {"set firewall modify ", 2, nil},
		{"    gui {", 6, nil}, {"    unms", 5, nil}, {"    ubnt-discover {", 5, nil},
		{"    offload {", 5, nil}, {"    analytics-handler {", 6, nil},
		{"    crash-handler {", 6, nil}, {"    traffic-analysis {", 5, nil},
		{"    switch switch0 {", 6, nil}, {"port-forward {", 5, nil},
	},
	read: readVyOS, open: unclosed, whole: balanced,
}

var vyattaBraces = braceForm{strings: true, slash: true}

// noStatement: the setting has no semicolon at its end, as Junos has.
func noStatement(rest []byte) bool { return len(rest) > 0 && rest[len(rest)-1] != ';' }

func startsNumber(rest []byte) bool { return len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' }

func readVyOS(w *walk) {
	if w.stray() {
		w.drop()
		return
	}
	if w.brace.text == bracePlain && w.top() {
		w.readVyattaTrailer()
	}
	kind, words := w.braces(vyattaBraces)
	if kind == braceStatement && (words[0] == 'h' || words[0] == 's') {
		if v, ok := bytes.CutPrefix(words, []byte("host-name ")); ok && w.in("system") {
			w.setName(scalar(v))
		} else if v, ok := bytes.CutPrefix(words, []byte("set system host-name ")); ok && w.top() {
			w.setName(scalar(v))
		}
	}
	if !w.within("policy") && !w.has("set policy ") { // BGP's communities are no secret
		w.secretTokens(vyattaSecrets)
	}
	if v, ok := w.after("md5 "); ok && (w.within("area-password") || w.within("domain-password")) {
		w.mark(v, secret)
	}
	if kind == braceOpen {
		w.push(words, w.indent)
	}
}

// readVyattaTrailer reads "// Release version: 1.4.1" or "/* Release version: v2.0.9.5402463 */".
func (w *walk) readVyattaTrailer() {
	b, slash := bytes.CutPrefix(w.words, []byte("// Release version: "))
	if !slash {
		var ok bool
		if b, ok = bytes.CutPrefix(w.words, []byte("/* Release version: ")); !ok {
			return
		}
		b = bytes.TrimSuffix(b, []byte("*/"))
	}
	b = bytes.TrimPrefix(bytes.TrimSpace(b), []byte("VyOS "))
	if v := bytes.TrimPrefix(b, []byte("v")); startsNumber(v) {
		b = v
	}
	set(&w.id.OSVersion, field(b, 0))
}

var vyattaSecrets = map[string]bool{
	"password": true, "encrypted-password": true, "plaintext-password": true,
	"pre-shared-secret": true, "preshared-key": true, "private-key": true,
	"key": true, "secret": true, "community": true, "passphrase": true, "shared-secret": true,
	"md5-key": true, "wpa-psk": true,
	"plaintext-key": true, "encrypted-key": true, "auth-key": true, "token": true,
	"cisco-authentication": true, "otp-key": true, "bind-password": true,
}
