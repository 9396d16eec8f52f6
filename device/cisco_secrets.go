package device

import "bytes"

// Where secrets stand in the families of cisco.go.

// secretWords are followed by a secret, in the families of this form.
var secretWords = map[string]bool{
	"password": true, "secret": true, "key": true, "community": true, "key-string": true,
	"pre-shared-key": true, "passphrase": true,
	"wpa-passphrase": true, "pre-share": true, "PRE-SHARE": true, "psk": true, "ascii": true,
	"auth": true, "priv": true, "passwd": true,
	"authentication-key": true, "server-key": true, "shared-secret": true, "ciphertext": true,
	"cipher": true, "simple": true, "md5": true,
	"sha": true, "hash": true, "irreversible-cipher": true, "enablepass": true,
	"encrypted-password": true, "plaintext": true,
	"area-password": true, "domain-password": true, "ldap-login-password": true,
	"authenticator": true, "community-map": true, "key-octet-string": true,
	"radius-common-pw": true, "hmac-sha-256": true, "sha1": true, "sha256": true, "privacy": true,
	"lsp-password": true, "hello-password": true,
	"ah-md5": true, "hex-key": true, "pmk": true, "idtoken": true, "token": true, "pin": true,
	"user-pin": true, "pw": true, "message-digest-key": true, "privacy-mode": true,
	"get-community": true, "set-community": true, "trap-community": true,
}

// secretForms are words between one of secretWords and its secret: the encryption, the owner, or
// the action.
var secretForms = map[string]bool{
	"encrypted": true, "clear": true, "hex": true, "local": true, "remote": true, "des": true,
	"3des": true, "aes": true, "aes-128": true, "128": true,
	"192": true, "256": true, "sha-1": true, "sha-256": true, "create": true, "delete": true,
	"mode": true, "accessmode": true, "ro": true, "rw": true, "accept": true,
}

// prose are commands whose arguments are an operator's free text.
var prose = map[string]bool{"description": true, "remark": true, "name": true, "hostname": true,
	"title": true, "contact": true, "location": true, "auth-prompt": true}

// secrets marks the value after a word that announces a secret, with allowance for the words in
// between. A line that only mentions secrets may lose a word; that is the lesser harm.
func (w *walk) secrets() {
	if !w.redact || w.talks() {
		return
	}
	b := w.words
	if v, ok := w.after("snmp-server host "); ok && !bytes.Contains(v, []byte(" community ")) {
		w.trapCommunity(rest(v, 1))
		return
	}
	for len(b) > 0 {
		word := field(b, 0)
		if b = rest(b, 1); len(b) == 0 || !secretWords[string(word)] {
			continue
		}
		if string(word) == "ascii" && (w.has("option ") || bytes.Contains(w.words,
			[]byte("client-id"))) {
			continue // a text of DHCP
		}
		if string(word) == "message-digest-key" { // of this number
			b = rest(b, 1)
		}
		// option 5 for ACL 7 SECRET
		if string(word) == "password" && (w.has("mpls ldp ") || w.has("password option ")) {
			if v, ok := bytes.CutPrefix(b, []byte("option ")); ok {
				b = rest(v, 3)
			}
		}
		if string(word) == "key" && (bytes.HasPrefix(b, []byte("chain ")) || digits(b) &&
			w.within("key chain ")) {
			continue // its name, its number
		}
		if string(word) == "key-string" && w.has("key-string ") { // may hold blanks
			for at := b; len(at) > 0 && writtenAs(field(at, 0)); at = rest(at, 1) {
				if more := rest(at, 1); len(more) > 0 {
					b = more
				}
			}
			w.mark(b, secret)
			return
		}
		if more, ok := bytes.CutPrefix(b, []byte("required ")); ok && (digits(field(more, 0)) ||
			w.has("cts sxp ")) {
			b = more // password required 7 SECRET
		}
		v, after := field(b, 0), rest(b, 1)
		for len(after) > 0 && (len(v) <= 2 && digits(v) || secretWords[string(v)] || writtenAs(v)) {
			b = after
			v, after = field(b, 0), rest(b, 1)
		}
		if v[0] == '"' {
			if i := bytes.IndexByte(b[1:], '"'); i >= 0 {
				v = b[:i+2]
				after = bytes.TrimLeft(b[i+2:], " \t")
			}
		}
		if len(after) > 0 && w.restIsSecret() { // IOS takes blanks, up to what comes next
			if n := bytes.Index(after, []byte("secret ")); n >= 0 {
				after = after[n:]
			} else {
				after = nil
			}
			v = bytes.TrimRight(b[:len(b)-len(after)], " \t")
		}
		if !noSecret(v) {
			w.mark(v, secret)
		}
		b = after
	}
}

// restIsSecret reports whether the password is the rest of the line, as IOS reads some commands.
func (w *walk) restIsSecret() bool {
	if w.platform.name != "cisco_ios" {
		return false
	}
	for _, command := range []string{"enable ", "username ", "password ", "key ", "dot1x username ",
		"mgmtuser username ", "security wpa psk set-key "} {
		if w.has(command) {
			return true
		}
	}
	return false
}

// talks reports whether a line has words of secrets but no secret: free text, BGP communities,
// SNMPv3 groups.
func (w *walk) talks() bool {
	switch string(field(w.words, 0)) {
	case "set", "match", "apply":
		return string(field(w.words, 1)) == "community"
	case "snmp-server":
		return string(field(w.words, 1)) == "group"
	case "ip":
		return string(field(w.words, 1)) == "community-list"
	case "tunnel": // a number of GRE
		return string(field(w.words, 1)) == "key"
	case "logging", "ssl": // level auth 4, cipher tlsv1.2 custom ...
		return true
	case "password":
		return string(w.words) == "password encryption aes"
	case "crypto":
		return w.has("crypto pki token ") && !bytes.Contains(w.words, []byte(" user-pin "))
	}
	return prose[string(field(w.words, 0))] || w.timeServer()
}

// timeServer reports whether a line names a server of the time with the number of its key.
func (w *walk) timeServer() bool {
	b := bytes.TrimPrefix(w.words, []byte("set system "))
	if bytes.HasPrefix(b, []byte("ntp ")) || bytes.HasPrefix(b, []byte("sntp ")) {
		b = rest(b, 1)
	} else if !w.within("ntp") {
		return false
	}
	if command := string(field(b, 0)); command != "server" && command != "peer" {
		return false
	}
	_, v, ok := bytes.Cut(b, []byte(" key "))
	number := bytes.TrimRight(field(v, 0), ";")
	return ok && len(number) <= 5 && digits(number)
}

// trapCommunity marks the community in what follows "snmp-server host ADDRESS".
func (w *walk) trapCommunity(b []byte) {
	for len(b) > 0 {
		switch v := field(b, 0); string(v) {
		case "traps", "trap", "informs", "inform", "version", "1", "2", "2c", "3", "v1", "v2c",
			"v3", "auth", "noauth", "priv", "encrypted", "clear", "name", "poll":
			b = rest(b, 1)
		case "vrf", "use-vrf", "filter-vrf", "udp-port", "source-interface", "port":
			b = rest(b, 2)
		default:
			if address(v) || digits(v) && bytes.Contains(b, []byte(" smode ")) { // a port
				b = rest(b, 1)
				continue
			}
			v, _ = cutWord(b)
			w.mark(v, secret)
			return
		}
	}
}
