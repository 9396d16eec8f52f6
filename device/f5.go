package device

import "bytes"

// tmsh writes objects as blocks of braces that begin with their module. The host name is the
// setting hostname of "sys global-settings". If that is missing, it is the hostname of the "cm
// device" that is marked self-device. The other devices of a group have such blocks, too, and
// certificates and software images have versions.
//
// iRules and other scripts are code, in which braces need not balance. They end with a "}" at the
// beginning of a line before the next object or the end.
//
// Sources: F5's tmsh reference, and files of several releases.

var f5TMSH = platform{
	name: "f5_tmsh",
	signs: []sign{
		{"#TMSH-VERSION: ", 10, nil}, {"ltm pool ", 4, nil}, {"ltm virtual ", 4, nil},
		{"ltm virtual-address ", 4, nil}, {"ltm node ", 4, nil},
		{"ltm rule ", 4, nil}, {"ltm profile ", 4, nil}, {"ltm monitor ", 4, nil},
		{"ltm data-group ", 4, nil}, {"ltm snat", 4, nil},
		{"sys global-settings {", 6, nil}, {"cm device ", 4, nil}, {"cm trust-domain ", 4, nil},
		{"cm traffic-group ", 4, nil}, {"net self ", 4, nil},
		{"net self-allow {", 4, nil}, {"net vlan ", 3, nil}, {"net route-domain ", 4, nil},
		{"sys provision ", 4, nil}, {"sys db ", 3, nil},
		{"auth user ", 3, nil}, {"auth partition ", 4, nil}, {"sys management-ip ", 4, nil},
		{"sys snmp {", 3, nil}, {"apm ", 2, nil},
		{"asm policy ", 3, nil}, {"gtm wideip ", 4, nil}, {"gtm server ", 4, nil},
		{"gtm datacenter ", 4, nil}, {"security firewall ", 3, nil},
	},
	read: readTMSH, open: unclosed, whole: balanced,
}

var tmshBraces = braceForm{strings: true}

// tmshPlace is the object that a line stands in, of those that hold something of interest.
type tmshPlace uint8

const (
	tmshSelf  tmshPlace = iota + 1 // the cm device that the file is of
	tmshOther                      // another one
	// a sys db variable that holds when the configuration was changed
	tmshConfigTime
)

// tmshModules begin every object.
var tmshModules = map[string]bool{
	"analytics": true, "api-protection": true, "apm": true, "asm": true, "auth": true, "cli": true,
	"cm": true, "gtm": true, "ilx": true,
	"ltm": true, "net": true, "pem": true, "saas": true, "security": true, "sys": true,
	"util": true, "vcmp": true, "wam": true, "wom": true,
}

func readTMSH(w *walk) {
	if len(w.words) > 0 && w.words[0] == '}' && w.indent == 0 &&
		(w.brace.text == bracePlain || w.objectNext()) {
		for w.depth > 0 {
			w.pop()
		}
		w.brace.text, w.tmsh = bracePlain, 0
		return
	}
	if w.brace.text == braceRaw {
		return
	}
	if w.brace.text == bracePlain && w.top() && bytes.Contains(w.words[:min(len(w.words), 200)],
		[]byte("(tmos)#")) {
		w.drop() // a prompt with the state of the cluster in it
		return
	}
	if v, ok := w.after("#TMSH-VERSION:"); ok && w.top() {
		set(&w.id.OSVersion, field(v, 0))
		return
	}
	kind, words := w.braces(tmshBraces)
	switch kind {
	case braceStatement:
		w.readTMSHSetting(words)
	case braceOpen:
		if w.top() {
			w.openTMSHObject(words)
		}
		w.push(words, w.indent)
	}
}

// objectNext reports whether the next line that isn't blank begins an object, or there is none.
func (w *walk) objectNext() bool {
	if w.next >= w.end {
		return true
	}
	ahead := bytes.TrimLeft(w.text[w.next:min(w.next+64, w.end)], "\r\n")
	if len(ahead) > 0 && blank(ahead[0]) {
		return false
	}
	if n := bytes.IndexAny(ahead, " \t\r\n"); n >= 0 {
		ahead = ahead[:n]
	}
	return len(ahead) == 0 || tmshModules[string(ahead)] || string(ahead) == "#TMSH-VERSION:"
}

// openTMSHObject opens the block of an object, by the object's kind.
func (w *walk) openTMSHObject(head []byte) {
	w.tmsh = 0
	switch string(field(head, 0)) {
	case "ltm", "gtm":
		if string(field(head, 1)) == "rule" {
			w.brace.text = braceRaw
		}
	case "pem":
		if string(field(head, 1)) == "irule" {
			w.brace.text = braceRaw
		}
	case "cli":
		if string(field(head, 1)) == "script" {
			w.brace.text = braceRaw
		}
	case "cm":
		if string(field(head, 1)) == "device" {
			w.tmsh = tmshOther
			if w.indent == 0 && w.isSelf() {
				w.tmsh = tmshSelf
			}
		}
	case "sys":
		switch string(rest(head, 1)) {
		case "db configsync.localconfigtime", "db gtm.configtime", "db ltm.configtime":
			w.tmsh = tmshConfigTime
		}
		if bytes.HasPrefix(head, []byte("sys application template ")) ||
			bytes.HasPrefix(head, []byte("sys icall script ")) {
			w.brace.text = braceRaw
		}
	}
}

// isSelf reports whether the cm device that begins on the line is the device of the file. It looks
// ahead only in the block, so no line is looked at twice.
func (w *walk) isSelf() bool {
	for ahead := w.text[w.next:]; len(ahead) > 0 && blank(ahead[0]) && ahead[0] != '\n'; {
		line := ahead
		if n := bytes.IndexByte(ahead, '\n'); n >= 0 {
			line, ahead = ahead[:n], ahead[n+1:]
		} else {
			ahead = nil
		}
		if string(bytes.TrimSpace(line)) == "self-device true" {
			return true
		}
	}
	return false
}

// readTMSHSetting reads "key value" inside of an object.
func (w *walk) readTMSHSetting(b []byte) {
	if w.top() {
		return
	}
	key, v := token(b)
	v = bytes.TrimLeft(v, " \t")
	if len(v) == 0 {
		return
	}
	if bytes.HasSuffix(key, []byte("encrypted")) {
		w.mark(v, noise|secret) // with the master key, anew each time
		return
	}
	switch {
	case w.tmsh == tmshSelf && w.depth == 1:
		w.readTMSHDevice(string(key), v)
	case w.tmsh == tmshOther && w.depth == 1 && string(key) == "failover-state":
		w.mark(v, noise)
	case w.tmsh == tmshConfigTime && string(key) == "value":
		w.mark(v, noise)
	case string(key) == "hostname" && w.in("sys global-settings"):
		if string(v) != "none" {
			w.id.Name = string(scalar(v))
		}
	case string(key) == "state" && (w.within("ltm pool ") || w.within("ltm node ")):
		switch string(v) {
		case "up", "down", "checking", "irule-down":
			// what a monitor found; an operator sets user-down
			w.mark(v, noise)
		}
	case !digits(v):
	case string(key) == "errors", string(key) == "bandwidth-bps", string(key) == "bandwidth-cps",
		string(key) == "bandwidth-pps":
		w.mark(v, noise) // counters
	}
	if w.redact && string(v) != "none" && (bytes.HasSuffix(key, []byte("password")) ||
		bytes.HasSuffix(key, []byte("passphrase")) || tmshSecrets[string(key)]) {
		w.mark(v, secret)
	}
}

// readTMSHDevice reads what the device says about itself.
func (w *walk) readTMSHDevice(key string, v []byte) {
	switch key {
	case "hostname":
		w.setName(scalar(v))
	case "marketing-name":
		set(&w.id.Model, unquoted(v))
	case "version":
		set(&w.id.OSVersion, scalar(v))
	case "build":
		set(&w.id.Build, scalar(v))
	case "chassis-id":
		if bytes.HasPrefix(v, []byte("f5-")) || bytes.HasPrefix(v, []byte("chs")) ||
			bytes.HasPrefix(v, []byte("bld")) {
			set(&w.id.Serial, scalar(v)) // of a virtual machine it is its UUID
		}
	case "failover-state":
		w.mark(v, noise)
	}
}

var tmshSecrets = map[string]bool{
	"secret": true, "community-name": true, "community": true, "encrypted-password": true,
	"auth-key": true, "shared-secret": true,
	"preshared-key-encrypted": true, "preshared-key": true,
}
