package device

import "bytes"

// hideSpoken marks the secrets of commands that many families share and that don't announce them
// by a word: communities of trap receivers, authentication of redundant gateways, keys of OSPFv3
// (RFC 4552).
func (w *walk) hideSpoken() {
	if w.quoting || w.inside {
		return
	}
	first := field(w.words, 0)
	if v, ok := w.after("snmp-server host "); ok && !bytes.Contains(v, []byte("community")) {
		w.trapCommunity(rest(v, 1))
		return
	}
	if string(first) == "host" && w.within("snmp-server vrf ") { // of IOS XR
		w.trapCommunity(rest(w.words, 2))
		return
	}
	if v, ok := w.after("snmp-server user "); ok {
		w.hideKeyed(rest(v, 1))
		return
	}
	for _, p := range placed {
		if w.has(p.command) {
			w.hideFew(rest(w.words, p.at), p.few)
			return
		}
	}
	if i := bytes.Index(w.words, []byte("session-key ")); i >= 0 {
		w.hideRest(rest(w.words[i:], 4))
		return
	}
	if i := bytes.Index(w.words, []byte(" ipsec spi ")); i >= 0 {
		w.hideRest(rest(w.words[i+1:], 3))
		return
	}
	if _, v, ok := bytes.Cut(w.words, []byte("authentication ")); ok && w.platform == &vyOS &&
		(bytes.Contains(w.words, []byte(" nhrp ")) || w.within("nhrp")) {
		w.hideRest(v)
		return
	}
	switch string(first) {
	case "standby", "glbp", "vrrp", "magp":
	case "aaa-server": // of PIX: aaa-server NAME (INTERFACE) host ADDRESS KEY timeout 10
		if _, v, ok := bytes.Cut(w.words, []byte(" host ")); ok {
			if v = field(v, 1); string(v) != "timeout" && string(v) != "key" {
				w.mark(v, secret)
			}
		}
		return
	case "ble": // of Instant: config TOKEN URL
		if string(field(w.words, 1)) == "config" {
			w.mark(field(w.words, 2), secret)
		}
		return
	case "license":
		if w.within("scansafe ") || w.within("parameter-map type cws") ||
			w.within("parameter-map type content-scan") {
			w.hideRest(rest(w.words, 1))
		}
		return
	case "ip":
		switch string(field(w.words, 1)) {
		case "nhrp", "vrrp", "vrrp-extended":
		case "ospf", "rip": // of FASTPATH and FRR; others say only how
			switch string(field(w.words, 3)) {
			case "encrypt", "simple", "string":
			default:
				return
			}
		default:
			return
		}
	case "authentication", "text-authentication":
		if !w.within("hsrp ") && !w.within("vrrp ") && !w.within("glbp ") &&
			!w.within("vrrp-group ") {
			return
		}
	default:
		return
	}
	for b := w.words; len(b) > 0; b = rest(b, 1) {
		switch string(field(b, 0)) {
		case "authentication", "text-authentication", "auth-type":
			if v := rest(b, 1); !bytes.Contains(v, []byte("key-chain")) &&
				!bytes.Contains(v, []byte("keychain")) {
				w.hideRest(v)
			}
			return
		}
	}
}

// hideKeyed marks the words after names of algorithms: sha SECRET aes SECRET.
func (w *walk) hideKeyed(b []byte) {
	for len(b) > 0 {
		word := bytes.TrimPrefix(bytes.TrimPrefix(field(b, 0), []byte("auth-")), []byte("priv-"))
		if b = rest(b, 1); string(word) == "group" {
			continue
		}
		if v, _ := cutWord(b); algorithm(word) && !writtenAs(v) && !noSecret(v) &&
			!secretWords[string(v)] && string(v) != "localized" && string(v) != "access" {
			w.mark(v, secret)
		}
	}
}

// placed are commands whose secrets are the words from a place on, or a few of them.
var placed = []struct {
	command string
	at, few int
}{
	{"ldap-server authentication manager ", 4, 3}, {"md5-password ", 1, 9},
	{"users password ", 3, 1}, {"authenticate credential ", 3, 1},
	{"snmp-server community-group ", 2, 1}, {"snmp-server community ipaddr ", 4, 1},
	{"snmp-server community ipmask ", 4, 1},
	{"users snmpv3 encryption ", 5, 1}, {"web-server password ", 4, 1}, {"ntp auth-key ", 4, 9},
	{"proxy server ", 5, 1},
	{"mab request format attribute 2 ", 5, 9},
	{"sa authentication-hex ", 4, 9}, {"sa encryption-hex ", 4, 9}, {"sa string-key ", 4, 9},
	{"sa hex-key ", 5, 9},
	{"snmp-agent usm-user v1 ", 3, 1}, {"snmp-agent usm-user v2c ", 3, 1},
}

// hideRest marks the words of b, except those that state the encoding of a secret.
func (w *walk) hideRest(b []byte) { w.hideFew(b, len(b)) }

// hideFew is hideRest for the first words of b.
func (w *walk) hideFew(b []byte, words int) {
	for ; len(b) > 0 && words > 0; words-- {
		var v []byte
		if v, b = cutWord(b); !writtenAs(v) && !spoken[string(v)] {
			w.mark(v, secret)
		}
	}
}

// spoken are words around the secrets of hideSpoken.
var spoken = wordSet("esp ah null aes-cbc aes-128-cbc aes-192-cbc aes-256-cbc AES 128 192 256 " +
	"authentication key-string string timeout passphrase password all " +
	"simple-text-auth md5-auth ietf-md5 address-family ipv4 ipv6 none authenticator")
