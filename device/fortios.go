package device

import (
	"bytes"
	"slices"
	"strings"
)

// FortiOS writes a tree of blocks: config PATH ... end around settings or entries, edit NAME ...
// next around an entry. The host name is in the block "config system global", at the top level or,
// if VDOMs are enabled, directly inside "config global". Other blocks have a hostname, too (config
// webfilter search-engine, config system fortiguard), and so may a quoted string, which can
// continue over lines.
//
// FortiOS encrypts secrets that it must be able to read (ENC, private keys) with another salt for
// each display, so they are noise. One-way hashes of passwords (AK1, SH2, PB2) don't change by
// themselves.
//
// Sources: Fortinet's CLI references, and files of many releases.

var fortiSigns = []sign{
	{"config system global", 6, nil}, {"config vdom", 5, nil}, {"config global", 5, nil},
	{"config system interface", 4, nil}, {"config firewall policy", 4, nil},
	{"config system ", 2, nil},
	{"#conf_file_ver=", 4, nil}, {"#global_vdom=", 4, nil}, {"#buildno=", 2, nil},
}

// fortiOS is FortiGate, and other products of Fortinet with its form and no platform of their own.
var fortiOS = platform{
	name:   "fortinet",
	family: fortiSigns, signs: []sign{{"#config-version=", 10, nil}, {"#FGBK|", 10, nil}},
	read: readFortiOS, open: fortiOpen,
	whole: wholeFortiOS,
}

var fortiManager = platform{
	name: "fortimanager", signs: []sign{{"#config-version=", 30, describing("FMG")}},
	read: readFortiOS, open: fortiOpen,
	whole: wholeFortiOS,
}

var fortiAnalyzer = platform{
	name: "fortianalyzer", signs: []sign{{"#config-version=", 30, describing("FAZ")}},
	read: readFortiOS, open: fortiOpen,
	whole: wholeFortiOS,
}

// fortiState is what a FortiOS file remembers from line to line.
type fortiState struct {
	text  fortiText
	place fortiPlace
	torn  bool // an end without a block was met
	quote int  // where the next quote stands in the text, if it was looked for
	// community says that a script in a string is in a table of communities.
	community bool
}

// fortiText says whether the line begins inside a quoted string.
type fortiText uint8

const (
	fortiPlain     fortiText = iota
	fortiQuoted              // inside a string
	fortiKey                 // inside a private key's
	fortiSealedKey           // inside that of a private key that is displayed encrypted
)

// fortiPlace is where a line stands, of the blocks that hold something of interest.
type fortiPlace uint8

const (
	fortiGlobal fortiPlace = iota + 1 // where the host name is
	// config firewall internet-service-name, which FortiGuard fills
	fortiServices
	fortiLocalKeys // keys of the device itself
)

func fortiOpen(w *walk) bool { return w.forti.text != fortiPlain }

func readFortiOS(w *walk) {
	if w.forti.text != fortiPlain {
		w.readFortiString()
		return
	}
	b := w.words
	from, opens := 0, fortiQuoted
	switch b[0] {
	case 's':
		if w.has("set ") && (!w.brief || w.forti.place == fortiGlobal) {
			from, opens = w.readFortiSet()
		}
	case 'n':
		if string(b) == "next" {
			if w.forti.place == fortiServices {
				w.drop()
			}
			if w.depth == 0 || w.isConfig(w.depth-1) || !w.pop() {
				w.forti.torn = true
			}
			return
		}
	case 'e':
		switch {
		case string(b) == "end":
			w.endFortiBlock()
			return
		case w.has("edit ") || string(b) == "edit":
			if w.forti.place == fortiServices {
				w.drop()
			}
			w.push(b, w.indent)
		}
	case 'c':
		if w.has("config ") {
			w.push(b, w.indent)
			w.forti.place = w.innerFortiPlace()
		}
	case '#':
		if w.last == nil || w.last[0] == '#' {
			w.readFortiHeader()
		}
		return
	}
	w.scanQuotes(from, opens)
}

// endFortiBlock: "end" closes a config block, and with it an edit block that has no "next" of its
// own.
func (w *walk) endFortiBlock() {
	if w.depth > 1 && !w.isConfig(w.depth-1) {
		w.pop()
	}
	if w.depth == 0 || !w.isConfig(w.depth-1) || !w.pop() {
		w.forti.torn = true
	}
	w.forti.place = w.innerFortiPlace()
}

func (w *walk) isConfig(n int) bool {
	if n >= len(w.path) { // deeper than real files go: taken for torn in the end
		w.forti.torn = true
		return true
	}
	return w.path[n].header[0] == 'c'
}

// innerFortiPlace looks at the blocks when a config block was opened or closed.
func (w *walk) innerFortiPlace() fortiPlace {
	if w.depth == 0 || w.depth > len(w.path) {
		return 0
	}
	if w.in("config system global") || w.in("config global", "config system global") {
		return fortiGlobal
	}
	inner := w.depth - 1
	if inner > 0 && !w.isConfig(inner) { // a block inside an entry was closed
		inner--
	}
	switch string(w.path[inner].header) {
	case "config firewall internet-service-name":
		return fortiServices
	case "config firewall ssh local-key", "config firewall ssh local-ca",
		"config vpn certificate local":
		return fortiLocalKeys
	}
	return 0
}

// readFortiHeader reads "#key=value" at the top of the file.
func (w *walk) readFortiHeader() {
	key, v, ok := bytes.Cut(w.words[1:], []byte("="))
	if !ok || len(w.words) > 4*maxValue {
		return
	}
	switch string(key) {
	case "config-version":
		if w.id.OSVersion == "" {
			w.id.Model, w.id.OSVersion, w.id.Build = fortiVersion(string(v))
		}
		for _, field := range []string{":opmode=", ":user="} {
			_, rest, ok := bytes.Cut(v, []byte(field))
			if !ok {
				continue
			}
			rest, _, _ = bytes.Cut(rest, []byte(":"))
			w.mark(rest, noise)
			if field == ":user=" {
				set(&w.id.ExportedBy, rest)
			}
		}
	case "conf_file_ver":
		w.mark(v, noise)
	case "private-encryption-key":
		w.mark(v, noise|secret)
	case "buildno":
		set(&w.id.Build, v)
	case "global_vdom": // 0:vd_name=NAME in the backup of one VDOM
		if name, ok := bytes.CutPrefix(v, []byte("0:vd_name=")); ok {
			// later releases write it twice
			if short, long, two := bytes.Cut(name, []byte("/")); two && bytes.Equal(short, long) {
				name = short
			}
			w.id.Kind = "vdom:" + string(name)
		}
	}
}

// readFortiSet reads a line "set KEY VALUE". It returns where the value begins, and the state of a
// string that begins on this line and doesn't end there.
func (w *walk) readFortiSet() (from int, opens fortiText) {
	b := w.words[4:]
	n := 0
	for n < len(b) && b[n] != ' ' {
		n++
	}
	if n == 0 || n+1 >= len(b) || b[0] == '"' {
		return 0, fortiQuoted
	}
	key, v := b[:n], b[n+1:]
	from = 4 + n + 1
	if v[0] >= '0' && v[0] <= '9' { // set md5-key 1 ENC ...
		if i := bytes.IndexByte(v[:min(len(v), 4)], ' '); i > 0 &&
			bytes.HasPrefix(v[i+1:], []byte("ENC ")) {
			v = v[i+1:]
		}
	}
	if v[0] == 'E' && bytes.HasPrefix(v, []byte("ENC ")) {
		if hashed := v[4:]; len(hashed) > 3 && fortiHash[string(hashed[:3])] {
			w.mark(hashed, secret)
		} else {
			w.mark(hashed, noise|secret)
		}
		return from, fortiQuoted
	}
	if w.redact {
		w.forti.community = false
		w.fortiSecret(key, v)
		if v[0] == '"' {
			w.readFortiScript()
		}
	}
	switch key[0] {
	case 'h':
		if w.forti.place == fortiGlobal && string(key) == "hostname" {
			w.id.Name = unquote(v)
		}
	case 'p':
		if string(key) == "private-key" {
			return from, w.openFortiKey(v)
		}
		if w.forti.place == fortiGlobal && (string(w.words) == "set post-login-banner disable" ||
			string(w.words) == "set pre-login-banner disable") && w.id.Kind == KindFull {
			w.id.Kind = KindDefaults // only full-config writes defaults
		}
	case 'i':
		if w.forti.place == fortiServices && string(key) == "internet-service-id" {
			w.drop()
		}
	case 'l':
		if (string(key) == "last-login" || string(key) == "last-failed-login") &&
			w.within("config system admin") {
			w.mark(v, noise)
		}
	case 'c':
		if w.forti.place == fortiLocalKeys && string(key) == "comments" &&
			bytes.HasPrefix(v, []byte(`"Error (`)) {
			w.mark(v, noise) // of a certificate that ACME could not renew, with the time of the try
		}
	}
	return from, fortiQuoted
}

// fortiHash are one-way hashes of passwords, which don't change by themselves.
var fortiHash = map[string]bool{"AK1": true, "SH2": true, "PB2": true}

// fortiSecret marks the value of a setting whose name announces a secret and that isn't displayed
// encrypted, as in scripts and on old releases. Hiding a value that is no secret is the lesser
// harm.
func (w *walk) fortiSecret(key, v []byte) {
	around := []byte(nil) // the table that the entry is of
	if len(w.path) > 1 {
		around = w.path[len(w.path)-2].header
	}
	form := string(key) == "value" && bytes.HasSuffix(around, []byte("form-data")) &&
		fortiSecretName(bytes.Trim(bytes.TrimPrefix(w.parent(), []byte("edit ")), `"`))
	community := string(key) == "name" && (w.forti.community || fortiCommunity(around) &&
		slices.ContainsFunc(w.path, func(b block) bool {
			return bytes.Contains(b.header, []byte("snmp"))
		}))
	header := (string(key) == "value" || string(key) == "content") &&
		bytes.HasSuffix(around, []byte("headers"))
	if !community && !header && !form && !fortiSecretName(key) {
		return
	}
	switch string(v) {
	case "enable", "disable", `""`, "''":
		return
	}
	w.mark(v, secret)
}

// fortiCommunity reports whether a block is a table of communities, if it is one of SNMP.
func fortiCommunity(header []byte) bool { return bytes.HasSuffix(header, []byte("community")) }

// readFortiScript remembers whether the settings that follow in a script are communities of SNMP.
func (w *walk) readFortiScript() {
	if n := bytes.LastIndex(w.words, []byte("config ")); n >= 0 {
		w.forti.community = fortiCommunity(w.words) &&
			bytes.Contains(w.words[n:], []byte("snmp"))
	}
}

// hideFortiCommands marks the passwords of the commands of a script: "execute backup config ftp
// FILE HOST USER PASSWORD" and its like. A word more is the password of the file.
func (w *walk) hideFortiCommands() {
	b := w.words
	from, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			if i++; i < len(b) && b[i] == '"' {
				quoted = !quoted
			}
		case c == '"', c == ';' && !quoted:
			w.hideFortiCommand(b[from:i])
			from, quoted = i+1, false
		}
	}
	w.hideFortiCommand(b[from:])
}

// fortiTransfers are words of "execute", with the number of words between each and a password.
var fortiTransfers = map[string]int{"ftp": 3, "sftp": 3, "scp": 3, "tftp": 2, "usb": 1, "flash": 1,
	"login": 1}

// fortiTests are those of "diagnose test authserver".
var fortiTests = map[string]int{"ldap": 2, "tacacs+": 2, "local": 2, "radius": 3,
	"radius-direct": 2}

func (w *walk) hideFortiCommand(b []byte) {
	b = bytes.TrimLeft(b, " \t")
	between := fortiTransfers
	switch command := string(field(b, 0)); {
	case len(command) < 3:
		return
	case strings.HasPrefix("execute", command):
	case strings.HasPrefix("diagnose", command) && string(field(b, 2)) == "authserver":
		between = fortiTests
	default:
		return
	}
	more := 0
	for i := 0; i < maxBetween && len(b) > 0; i++ {
		word := string(field(b, 0))
		n, ok := between[word]
		b = rest(b, 1)
		switch word {
		case "logs", "disk", "memory": // have no FILE
			more--
		case "export": // has a NAME
			more++
		}
		if !ok {
			continue
		}
		for n += more; len(b) > 0; b = rest(b, 1) {
			if word := string(field(b, 0)); word == "p12" || word == "cer" {
				continue
			}
			if n--; n < 0 {
				break
			}
		}
		w.hideRest(b)
		return
	}
}

// fortiSecretName reports whether a setting of this name holds a secret.
func fortiSecretName(key []byte) bool {
	switch string(key) {
	case "key", "authkey", "enckey", "pin", "key-string", "private-key", "history0", "history1",
		"http-headers", "headers", "keytab", "uploadpass", "token",
		"auth-string", "activation-code", "seed", "pmk":
		return true
	}
	for _, other := range []string{"-policy", "-time", "-attr", "-expire", "-protocol", "-encoding",
		"public-key", "-profile", "-clients", "-schedules"} {
		if bytes.HasSuffix(key, []byte(other)) {
			return false
		}
	}
	for _, part := range []string{"passwd", "password", "passphrase", "secret", "psk", "pwd"} {
		if bytes.Contains(key, []byte(part)) {
			return true
		}
	}
	for _, end := range []string{"-key", "-token", "-seed", "-pin", "-pin-code", "-hmac"} {
		if bytes.HasSuffix(key, []byte(end)) {
			return true
		}
	}
	return false
}

// openFortiKey returns the state of a private key that begins on this line: displayed encrypted or
// not.
func (w *walk) openFortiKey(v []byte) fortiText {
	begin, _, ok := bytes.Cut(v, []byte(" PRIVATE KEY-----"))
	switch {
	case !ok || !bytes.Contains(begin, []byte("-----BEGIN")):
		return fortiQuoted
	case bytes.HasSuffix(begin, []byte("ENCRYPTED")) || w.forti.place == fortiLocalKeys:
		return fortiSealedKey
	}
	return fortiKey
}

// readFortiString reads a line inside a quoted string.
func (w *walk) readFortiString() {
	w.inside = true
	if w.forti.text != fortiQuoted {
		switch {
		case w.has("-----END"):
			w.forti.text = fortiQuoted
		case w.has("Proc-Type:") && bytes.Contains(w.words, []byte("ENCRYPTED")):
			w.forti.text = fortiSealedKey
		case w.forti.text == fortiSealedKey &&
			(bytes.IndexByte(w.words, ' ') < 0 || w.has("DEK-Info:")):
			w.mark(w.line, secret)
			w.drop()
		default:
			w.mark(w.line, secret)
		}
	} else if key, v, ok := w.fortiScripted(); ok && w.redact {
		w.fortiSecret(key, v)
	} else if w.redact {
		w.readFortiScript()
	}
	w.scanQuotes(0, w.forti.text)
}

// fortiScripted returns the setting of a line of a script.
func (w *walk) fortiScripted() (key, v []byte, ok bool) {
	b, ok := w.after("set ")
	if !ok || len(rest(b, 1)) == 0 {
		return nil, nil, false
	}
	return field(b, 0), rest(b, 1), true
}

// scanQuotes follows strings through the line, from the place where its value begins. A string
// that continues in the next line has the given state. FortiOS escapes every quote inside a
// string, so a string opens with a quote after a blank and closes with a quote before a blank. A
// stray quote that an editor left (""HTTPS" "HTTP") therefore doesn't swallow the rest of the
// file.
func (w *walk) scanQuotes(from int, opens fortiText) {
	b := w.words
	i := from
	if i < len(b) && b[i] != '"' {
		start := w.start + w.indent
		// The next one is looked for once, however many lines it is away.
		if w.forti.quote <= start+from {
			if n := bytes.IndexByte(w.text[start+from:], '"'); n >= 0 {
				w.forti.quote = start + from + n
			} else {
				w.forti.quote = len(w.text)
			}
		}
		n := w.forti.quote - start
		if n >= len(b) {
			return
		}
		if b[n-1] != '\\' { // a quote that may be escaped is looked at from the start
			i = n
		}
	}
	quoted := w.forti.text != fortiPlain
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c > '\\': // small letters, mostly
		case c == '"' && quoted:
			quoted = i+1 < len(b) && !blank(b[i+1])
		case c == '"':
			quoted = i == 0 || blank(b[i-1])
		case c == '\\' && i+1 < len(b):
			i++
		}
	}
	switch {
	case !quoted:
		w.forti.text = fortiPlain
	case w.forti.text == fortiPlain:
		w.forti.text = opens
	}
}

// wholeFortiOS reports whether every block is closed and the file ends with "end".
func wholeFortiOS(w *walk) bool {
	return !w.forti.torn && w.forti.text == fortiPlain && w.depth == 0 && string(w.last) == "end"
}

// identifyFGBK reads the header of an encrypted backup: #FGBK|<n>|<model>|<major>|<minor>|<build>|.
func identifyFGBK(config []byte) Identity {
	id := Identity{Kind: KindEncrypted, Complete: true}
	head := config[:min(len(config), 200)]
	f := strings.Split(string(head), "|")
	if len(f) < 7 {
		return id
	}
	id.Model, id.Build = f[2], f[5]
	id.OSVersion = f[3] + "." + f[4]
	return id
}

// fortiVersion splits the value of #config-version=, of which these forms are met:
//
//	FGT60F-7.0.1-FW-build0157-210714:opmode=0:vdom=0:user=admin
//	FMG-VM64-7.4-FW-build2588-241212
//	FortiGate-VM64 v6.2.3,build1066,191218 (GA):opmode=1:vdom=0:user=demo
func fortiVersion(v string) (model, version, build string) {
	v, _, _ = strings.Cut(v, ":")
	fields := strings.FieldsFunc(v, func(r rune) bool { return r == '-' || r == ',' || r == ' ' })
	at := 0 // of the field after the last one read, in v
	for _, f := range fields {
		start := at + strings.Index(v[at:], f)
		at = start + len(f)
		number := strings.TrimPrefix(f, "v")
		switch {
		case version == "" && start > 0 && dotted(number):
			model, version = v[:start-1], number
		case version != "" && build == "" && strings.HasPrefix(f, "build"):
			build = strings.TrimPrefix(f, "build")
		}
	}
	return model, version, build
}

// dotted reports whether s is a number with dots, such as 7.0.1.
func dotted(s string) bool {
	return strings.Contains(s, ".") && strings.Trim(s, "0123456789.") == "" && s[0] != '.' &&
		s[len(s)-1] != '.'
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// unquote returns the first value of a line: up to the closing quote or the next blank, with \"
// and \\ resolved. It is blank if the value continues in the next line, which no name does.
func unquote(b []byte) string {
	var out []byte
	var quote byte
	for i := 0; i < len(b) && len(out) <= maxValue; i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b):
			i++
			out = append(out, b[i])
		case quote != 0 && c == quote:
			return string(out)
		case quote == 0 && (c == '"' || c == '\'' && i == 0):
			quote = c
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r'):
			return string(out)
		default:
			out = append(out, c)
		}
	}
	if quote != 0 {
		return ""
	}
	return string(out)
}
