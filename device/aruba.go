package device

import "bytes"

// Aruba has three systems with little in common. AOS-CX writes lines that are indented by four
// blanks, or JSON on request. ArubaOS, of the wireless controllers, writes blocks that end with
// "!". Instant, of access points without a controller, writes lines that are indented by one
// blank. ArubaOS and Instant encrypt their secrets with another salt for each display, as long
// hexadecimal numbers.
//
// Sources: Aruba's command references, and configurations of many releases.

var arubaCX = platform{
	name: "aruba_aoscx",
	signs: []sign{
		{"!Version ArubaOS-CX ", 20, nil}, {"!Version AOS-CX ", 20, nil},
		{"!export-password:", 8, nil}, {"user admin group administrators ", 6, nil},
		{"ssh server vrf ", 4, nil}, {"https-server vrf ", 4, nil}, {"interface mgmt", 2, nothing},
		{"    no routing", 4, nothing}, {"vsx", 3, nothing},
		{"    vlan trunk allowed ", 3, nil}, {"    vlan access ", 3, nil},
		{"cli-session", 3, nothing}, {"aruba-central", 4, nothing}, {"vsf member ", 4, nil},
		{"    vlan trunk native ", 3, nil}, {"interface lag ", 2, nil}, {"hostname ", 1, nil},
		{`    "AAA_Server_Group": {`, 10, nil}, {`{"AAA_Server_Group":`, 10, nil},
		{`  "AAA_Server_Group": {`, 10, nil},
	},
	read: readAOSCX, lined: true,
	whole: func(w *walk) bool {
		return w.until == nil && (!w.json.begun || w.depth == 0 && w.json.closed && !w.json.torn)
	},
}

var arubaOS = platform{
	name: "aruba_os",
	signs: []sign{
		{"netservice svc-", 6, nil}, {"ip access-list session ", 6, nil}, {"mgmt-user ", 4, nil},
		{"user-role ", 3, nil}, {"wlan virtual-ap ", 5, nil},
		{"aaa profile ", 4, nil}, {"vpn-dialer ", 5, nil}, {"ap system-profile ", 5, nil},
		{"rf arm-profile ", 4, nil}, {"change-config-node ", 8, nil},
		{"crypto-local ", 4, nil}, {`wlan ssid-profile "`, 4, nil}, {"masterip ", 5, nil},
		{"masterip-ipsec", 3, nil}, {"conductor-redundancy", 6, nil},
		{"master-redundancy", 6, nil}, {"ap-group ", 4, nil}, {"netdestination ", 3, nil},
		{"syslocation ", 1, nil}, {"location \"", 1, nil},
		{"version ", 2, trainNumber}, {`hostname "`, 2, nil}, {`enable secret "`, 4, nil},
	},
	read: readArubaOS, whole: endsWith("end"), cut: quoting,
}

var arubaInstant = platform{
	name: "aruba_instant",
	signs: []sign{
		{"version ", 6, instantNumber}, {"virtual-controller-country ", 8, nil},
		{"virtual-controller-key ", 8, nil}, {"virtual-controller-ip ", 8, nil},
		{"allowed-ap ", 5, nil}, {"allow-new-aps", 5, nothing}, {"wlan access-rule ", 5, nil},
		{"hash-mgmt-user ", 5, nil}, {"rf-band ", 4, nil},
		{"dynamic-radius-proxy", 4, nothing}, {"terminal-access", 3, nothing},
		{"wired-port-profile ", 3, nil}, {"wlan ssid-profile ", 2, nil},
	},
	read: readInstant, lined: true,
}

// instantNumber: Instant writes "version 8.10.0.0-8.10.0".
func instantNumber(v []byte) bool {
	i := bytes.IndexByte(v, '-')
	return i > 0 && len(v) < 40 && dotted(string(v[:i])) && dotted(string(v[i+1:]))
}

// jsonState is what a file of JSON remembers from line to line.
type jsonState struct {
	begun  bool // the file is JSON, of a platform that has another form, too
	closed bool // the outermost brace is closed
	torn   bool // more follows that
}

func readAOSCX(w *walk) {
	if w.untilLine() {
		return
	}
	if w.json.begun || w.last == nil && w.words[0] == '{' {
		w.json.begun = true
		if v, ok := w.after(`"hostname": `); ok && w.in("System") {
			set(&w.id.Name, []byte(unquote(v)))
		}
		w.readJSON()
		return
	}
	if !w.readHeaded() {
		if v, ok := w.after("!Version "); ok && w.heads() {
			set(&w.id.OSVersion, field(v, 1))
		}
		return
	}
	if v, ok := w.after("hostname "); ok && w.top() {
		w.setName(unquoted(v))
	}
	if text := rest(w.words, 2); w.has("banner ") && w.top() && len(text) == 1 {
		w.until = text
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

// readJSON reads a line of pretty-printed JSON. The outermost braces are no block. Nothing is
// taken from JSON that is all on one line.
func (w *walk) readJSON() {
	b := bytes.TrimRight(w.words, ",")
	if w.json.closed || len(b) == 0 {
		w.json.torn = true
		return
	}
	switch b[len(b)-1] {
	case '{', '[':
		if w.last != nil {
			key, _, _ := bytes.Cut(b, []byte(`":`))
			w.push(bytes.TrimPrefix(key, []byte(`"`)), w.indent)
		}
		return
	case '}', ']':
		if len(b) == 1 {
			w.json.closed = !w.pop()
		} else if w.last == nil && b[0] == '{' {
			w.json.closed = true
		}
		return
	}
	key, v, ok := bytes.Cut(b, []byte(`":`))
	if !ok {
		return
	}
	v = bytes.TrimLeft(v, " ")
	if w.redact && jsonSecret(bytes.TrimPrefix(key, []byte(`"`))) {
		w.mark(v, secret)
	}
}

func jsonSecret(key []byte) bool {
	var buffer [64]byte
	key = lowered(&buffer, key)
	for _, word := range []string{"password", "passkey", "secret", "key", "community",
		"passphrase"} {
		if bytes.HasSuffix(key, []byte(word)) {
			return true
		}
	}
	return false
}

// arubaSecrets are words that announce a secret, with the number of words in between.
var arubaSecrets = map[string]int{
	"secret": 0, "key": 0, "wpa-passphrase": 0, "wpa-hexkey": 0, "PRE-SHARE": 0, "pre-share": 0,
	"pre-shared-key": 0, "shared-secret": 0,
	"ap-console-password": 0, "bkup-passwords": 0, "admin-passwd": 0, "bind-passwd": 0,
	"passphrase": 0, "ipsec": 0, "spi": 1, "psk": 0,
	"mgmt-user": 2, "password": 0, "community": 0, "2c": 0, "auth-prot": 1, "priv-prot": 1,
	"vrrp-passphrase": 0, "virtual-controller-key": 0, "ams-key": 0,
	"ams-identity": 0, "mpsk-local-passphrase": 1, "ap1x-peap-user": 1, "opendns": 1,
}

// instantSecrets are arubaSecrets, but for an administrator's: "mgmt-user NAME SECRET [ROLE]".
var instantSecrets = func() map[string]int {
	m := map[string]int{}
	for word, n := range arubaSecrets {
		m[word] = n
	}
	m["mgmt-user"] = 1
	return m
}()

// arubaChanges reports whether a secret was encrypted for the display: a long hexadecimal number.
// If encryption is off, the secret itself is shown and is significant. So are values of another
// kind: a one-way hash, the number of a cluster, an unencrypted WPA key of 64 digits.
func arubaChanges(word, v []byte) bool {
	switch string(word) {
	case "virtual-controller-key", "community", "2c", "hash", "ams-key", "ams-identity":
		return false
	case "wpa-hexkey":
		return len(v) > 64 && hexadecimal(v)
	}
	return len(v) >= 32 && hexadecimal(v)
}

func hexadecimal(b []byte) bool {
	for _, c := range b {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return len(b)%2 == 0
}

func readArubaOS(w *walk) {
	if !w.readHeaded() {
		return
	}
	if w.top() {
		if v, ok := w.after("hostname "); ok {
			w.setName(unquoted(v))
		} else if v, ok := w.after("version "); ok {
			set(&w.id.OSVersion, field(v, 0))
		} else if v, ok := w.after("banner motd "); ok {
			w.openText(v)
		}
	}
	// of VRRP; others say only how
	if v, ok := w.after("authentication "); ok && arubaChanges(nil, unquoted(v)) {
		w.mark(v, noise|secret)
	} else if ok && w.redact && len(rest(v, 1)) == 0 && !bytes.HasPrefix(v,
		[]byte("pre-share")) && !bytes.HasPrefix(v, []byte("rsa")) && !bytes.HasPrefix(v,
		[]byte("ecdsa")) {
		w.mark(v, secret)
	}
	w.hide(arubaSecrets, arubaChanges)
	w.opens()
}

func readInstant(w *walk) {
	if !w.readHeaded() {
		return
	}
	if w.top() && w.indent == 0 {
		if v, ok := w.after("name "); ok {
			w.setName(unquoted(v))
		} else if v, ok := w.after("version "); ok {
			set(&w.id.OSVersion, field(v, 0))
		}
	}
	if v, ok := w.after("user "); ok && w.redact && w.indent == 0 {
		password, _ := cutWord(rest(v, 1)) // "user NAME PASSWORD portal"
		w.mark(password, secret)
	}
	if v, ok := w.after("hash-mgmt-user "); ok { // a one-way hash
		if w.redact {
			hash, _ := cutWord(rest(v, 3))
			w.mark(hash, secret)
		}
	} else {
		w.hide(instantSecrets, arubaChanges)
	}
	w.opens()
}
