package device

import "bytes"

// RouterOS exports menus, such as "/ip address", with commands below them; the terse form has the
// menu in every line. Long lines continue after a backslash. The host name is "set name=" of
// /system identity, which is absent if it is the default. The first line states the time of the
// export.
//
// An operator's comments are settings (comment="..."). Lines that begin with "#" are the device's
// own. Below the header they state what an interface or a client does at the moment.
//
// Sources: MikroTik's documentation, and exports of releases 6 and 7.

var routerOS = platform{
	name: "mikrotik_routeros",
	signs: []sign{
		{"# ", 10, byRouterOS}, {"# software id = ", 6, nil}, {"# serial number = ", 1, nil},
		{"# model = ", 1, nil}, {"/interface ", 4, nil}, {"/ip address", 4, nil},
		{"/ip ", 3, nil}, {"/system identity", 5, nil}, {"/system ", 2, nil}, {"/routing ", 2, nil},
		{"/tool ", 2, nil}, {"/user", 1, nil},
		{"set [ find default", 5, nil}, {"add address=", 2, nil}, {"add action=", 2, nil},
		{"/snmp", 2, nil}, {"/ipv6 ", 2, nil}, {"/queue ", 2, nil},
	},
	read: readRouterOS, lined: true, open: routerGoing,
}

// routerState is what an export remembers from line to line.
type routerState struct {
	open  routerOpen
	menu  routerMenu
	carry routerCarry
}

// routerMenu is the menu that a line stands in.
type routerMenu uint8

const (
	routerSystem  routerMenu = iota + 1 // /system identity
	routerSection                       // any other menu
)

// routerLine is the indentation of a block that is a command over several lines, not a menu.
const routerLine = 1

// routerOpen is what the line before leaves open.
type routerOpen uint8

const (
	routerEnded   routerOpen = iota
	routerGoesOn             // the command goes on
	routerSecret             // and its next word is a secret, or the rest of one
	routerQuoted             // a string goes on
	routerQSecret            // and is a secret
)

// byRouterOS: the first line is "# 2026-11-23 05:15:00 by RouterOS 7.16". Some tools remove the
// time.
func byRouterOS(rest []byte) bool {
	return len(rest) < 100 && (bytes.Contains(rest, []byte(" by RouterOS ")) ||
		bytes.HasPrefix(rest, []byte("by RouterOS ")))
}

func routerGoing(w *walk) bool { return w.router.open != routerEnded }

func readRouterOS(w *walk) {
	if len(w.words) == 0 {
		return
	}
	if w.router.open == routerEnded && w.words[0] == '#' {
		w.readRouterComment()
		return
	}
	if w.router.open == routerEnded {
		w.beginRouterCommand()
	}
	more := w.words[len(w.words)-1] == '\\'
	first := w.router.open == routerEnded
	w.scanRouterWords(more)
	switch {
	case more && first && (w.words[0] != '/' || routerCommand(w.words)):
		w.push(w.words, routerLine) // what goes on stands in it
	case !more && first && w.words[0] == '/' && !routerCommand(w.words):
		w.path, w.depth = w.path[:0], 0
		w.push(w.words, 0)
	}
}

// readRouterComment reads the header. Comments below it are no configuration: the device states
// the condition of interfaces and clients there, and an import ignores them.
func (w *walk) readRouterComment() {
	b := w.words
	switch {
	case w.commentsOnly():
		if n := bytes.Index(b[:min(len(b), 200)], []byte(" by RouterOS ")); n > 0 {
			set(&w.id.OSVersion, field(b[n:], 3))
			w.mark(b[1:n], noise)
		} else if v, ok := w.after("# model = "); ok {
			set(&w.id.Model, unquoted(v))
		} else if v, ok := w.after("# serial number = "); ok {
			set(&w.id.Serial, v)
		}
	default:
		w.drop()
	}
}

// beginRouterCommand reads the beginning of a menu or a command.
func (w *walk) beginRouterCommand() {
	for w.depth > 1 || w.depth == 1 && (w.words[0] == '/' || w.path[0].indent == routerLine) {
		w.pop()
	}
	if w.words[0] == '/' {
		w.router.menu = routerSection
		if v, ok := w.after("/system identity"); ok && (len(v) == 0 || v[0] != '/') {
			w.router.menu = routerSystem
			if v, ok := bytes.CutPrefix(v, []byte("set ")); ok {
				w.routerName(v)
				w.router.menu = routerSection
			}
		}
		return
	}
	if v, ok := w.after("set "); ok && w.router.menu == routerSystem {
		w.routerName(v)
	}
}

// routerName takes the name from "name=NAME", which may continue in the next line.
func (w *walk) routerName(v []byte) {
	if len(v) > 0 && v[len(v)-1] == '\\' && w.next < len(w.text) {
		joined := append([]byte(nil), v[:min(len(v)-1, 4*maxValue)]...)
		ahead := w.text[w.next:min(len(w.text), w.next+4*maxValue)]
		for len(ahead) > 0 {
			line := ahead
			if n := bytes.IndexByte(ahead, '\n'); n >= 0 {
				line, ahead = ahead[:n], ahead[n+1:]
			} else {
				ahead = nil
			}
			line = bytes.TrimSpace(line)
			cut, more := bytes.CutSuffix(line, []byte(`\`))
			if joined = append(joined, cut...); !more {
				break
			}
		}
		v = joined
	}
	for len(v) > 0 {
		if name, ok := bytes.CutPrefix(v, []byte("name=")); ok {
			set(&w.id.Name, []byte(unquote(name)))
			return
		}
		v = routerRest(v)
	}
}

// routerRest returns what follows the first setting KEY=VALUE.
func routerRest(b []byte) []byte {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case b[i] == ' ' && !quoted:
			return bytes.TrimLeft(b[i:], " ")
		}
	}
	return nil
}

// routerCommand reports whether a line that begins with a menu has a command, too.
func routerCommand(b []byte) bool {
	for n := 0; n < 8 && len(b) > 0; n++ {
		switch string(field(b, 0)) {
		case "add", "set", "remove", "disable", "enable", "print", "export", "move", "unset":
			return n > 0
		}
		b = rest(b, 1)
	}
	return len(b) > 0
}

// scanRouterWords reads the settings KEY=VALUE of the line. It marks secrets and sets the state
// for the next line.
func (w *walk) scanRouterWords(more bool) {
	b := w.words
	if more {
		b = b[:len(b)-1]
	}
	quoted := w.router.open == routerQuoted || w.router.open == routerQSecret
	hidden := w.router.open == routerSecret || w.router.open == routerQSecret
	from, word := 0, 0 // of the secret, of the word
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '=' && !hidden && i-word <= 64: // no key is longer
			if w.isRouterSecret(string(b[word:i])) {
				hidden, from = true, i+1
			}
		case c == ' ':
			if hidden {
				w.mark(b[from:i], secret)
			}
			hidden, word = false, i+1
		}
	}
	if hidden && from < len(b) {
		w.mark(b[from:], secret)
	}
	switch {
	case !more:
		w.router.open = routerEnded
	case quoted && hidden:
		w.router.open = routerQSecret
	case quoted:
		w.router.open = routerQuoted
	case hidden:
		w.router.open = routerSecret
	default:
		w.router.open = routerGoesOn
	}
}

// isRouterSecret reports whether a setting holds a secret, in the menu of the line.
func (w *walk) isRouterSecret(key string) bool {
	menu := func(name string) bool { return w.within(name) || w.has(name) }
	switch key {
	case "name":
		return menu("/snmp community")
	case "value":
		return menu("/container envs") || menu("/system ntp key") ||
			menu("/ip hotspot user") || menu("/tool fetch")
	case "identity": // with its private key
		return menu("/zerotier")
	case "key": // the name of a variable
		return !menu("/container envs")
	}
	return routerSecrets[key]
}

// routerCarry is what the value of a script's secret leaves open at the end of a line that goes on.
type routerCarry struct {
	open   bool
	quoted bool // in a string
	depth  int  // brackets around it
}

// hideRouterScript marks the values that a script gives to variables whose names announce a secret:
// :local botToken "...", where a string of the script stands in a string of the export.
func (w *walk) hideRouterScript() {
	carry := w.router.carry
	w.router.carry = routerCarry{}
	if carry.open {
		w.hideRouterValue(w.words, carry)
	}
	for _, command := range []string{":local ", ":global ", ":set "} {
		for b := w.words; ; {
			_, after, ok := bytes.Cut(b, []byte(command))
			if !ok {
				break
			}
			b = after
			if routerVariable(bytes.Trim(field(after, 0), `\"`)) {
				b = w.hideRouterValue(rest(after, 1), routerCarry{})
			}
		}
	}
}

// carryRouterSecret looks, when all secrets of the line are marked, whether one goes on in the next
// line.
func (w *walk) carryRouterSecret() {
	b, ok := bytes.CutSuffix(w.words, []byte(`\`))
	if !ok || w.router.carry.open {
		return
	}
	end := offset(w.line, w.words) + len(b)
	for _, m := range w.marks {
		w.router.carry.open = w.router.carry.open || m.kind&secret != 0 && m.to >= end
	}
	b = bytes.TrimRight(b, `\" `) // password=\"
	if n := len(b); n > 0 && (b[n-1] == '=' || b[n-1] == ':') {
		b = bytes.TrimRight(b[:n-1], `\" `)
		for n = len(b); n > 0 && nameByte(b[n-1]); {
			n--
		}
		w.router.carry.open = w.router.carry.open || secretName(b[n:]) || weakName(b[n:])
	}
}

// routerVariable reports whether a variable of this name holds a secret.
func routerVariable(name []byte) bool {
	var buffer [64]byte
	lower := lowered(&buffer, name)
	for _, end := range []string{"token", "key", "pass", "password", "secret", "pin"} {
		if bytes.HasSuffix(lower, []byte(end)) {
			return true
		}
	}
	return secretName(name) || weakName(name)
}

// hideRouterValue marks the value that b begins with, a word, or the strings of an expression in
// brackets. It returns what follows the value.
func (w *walk) hideRouterValue(b []byte, in routerCarry) []byte {
	if bytes.HasPrefix(b, []byte(`\\`)) && !in.quoted && in.depth == 0 { // in a string of a string
		b = bytes.TrimLeft(b, `\"`)
	}
	switch {
	case len(b) == 0, string(b) == `\`:
		w.router.carry.open = len(b) > 0
		return nil
	case !in.quoted && in.depth == 0 && bytes.IndexByte([]byte(`[({"\`), b[0]) < 0:
		n := bytes.IndexAny(b, "\\\" ;\t")
		if n < 0 {
			n = len(b)
		}
		if b[0] != '$' {
			w.mark(b[:n], secret)
		}
		return b[n:]
	}
	from := -1 // where a string begins
	if in.quoted {
		from = 0
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '\\' && i+1 < len(b):
			if i++; b[i] == '\\' { // a quote inside of the string, two bytes more
				if i+2 < len(b) && b[i+2] == '"' {
					i += 2
				}
				continue
			}
			c = b[i]
		case from >= 0 && c != '"':
			continue
		}
		switch {
		case c == '"' && from < 0:
			from = i + 1
		case c == '"':
			w.mark(bytes.TrimRight(b[from:i], `\`), secret)
			if from = -1; in.depth == 0 {
				return b[i+1:]
			}
		case from >= 0:
		case c == '(', c == '[', c == '{':
			in.depth++
		case c == ')', c == ']', c == '}':
			if in.depth--; in.depth <= 0 {
				return b[i+1:]
			}
		}
	}
	if from >= 0 {
		w.mark(bytes.TrimRight(b[from:], `\`), secret)
	}
	w.router.carry = routerCarry{b[len(b)-1] == '\\', from >= 0, in.depth}
	return nil
}

var routerSecrets = map[string]bool{
	"password": true, "secret": true, "passphrase": true, "wpa-pre-shared-key": true,
	"wpa2-pre-shared-key": true, "pre-shared-key": true,
	"private-key": true, "preshared-key": true, "authentication-password": true,
	"encryption-password": true, "ipsec-secret": true,
	"shared-secret": true, "auth-key": true, "authentication-key": true,
	"security.passphrase": true, "wpa3-pre-shared-key": true,
	"tcp-md5-key": true, "cak": true, "static-key-0": true, "static-key-1": true,
	"static-key-2": true, "static-key-3": true, "supplicant-password": true,
	"trap-community": true, "management-protection-key": true,
	"secrets": true, "paypal-signature": true,
}
