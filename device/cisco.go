package device

import "bytes"

// Cisco's families write lines that are indented by one blank inside a block. The host name is the
// top-level line "hostname NAME" (NX-OS also has "switchname"). A banner is text between two
// delimiters and may contain anything. Lines that begin with "!" are comments. Some of them state
// the time and author of a change; in other places, such as a description, the same words are an
// operator's.

// iosSigns are the signs of everything that looks like IOS. Many makers besides Cisco have them.
var iosSigns = []sign{
	{"service timestamps ", 3, nil}, {"service password-encryption", 3, nil},
	{"Building configuration...", 1, nil}, {"Current configuration : ", 2, nil},
	{"Current configuration: ", 1, nil}, {"Using ", 2, usingBytes}, {"hostname ", 1, nil},
	{"aaa new-model", 3, nil}, {"aaa authentication login default ", 2, nil},
	{"enable secret ", 2, nil}, {"enable password ", 1, nil}, {"line con 0", 4, nil},
	{"line vty 0", 3, nil}, {"line console 0", 3, nothing}, {"interface GigabitEthernet", 2, nil},
	{"interface FastEthernet", 2, nil}, {"interface Vlan", 1, nil}, {"interface vlan", 1, nil},
	{"interface VLAN", 1, nil}, {"interface TenGigabitEthernet", 2, nil},
	{"interface Serial", 2, nil}, {"no ip http server", 2, nil},
	{"router ospf ", 1, nil}, {"router bgp ", 1, nil}, {"username ", 1, nil},
	{"snmp-server community ", 1, nil}, {"spanning-tree mode ", 1, nil},
	{" switchport mode ", 2, nil}, {" ip address ", 1, addressMask}, {"ip route ", 1, addressMask},
	{"ip access-list extended ", 1, nil}, {"vlan database", 1, nothing},
}

// ciscoIOS has signs of its own besides the shared ones. Each of them distinguishes it from
// cisco_like.
var ciscoIOS = platform{
	name: "cisco_ios", family: iosSigns,
	signs: []sign{
		{"version ", 3, trainNumber}, {"!RANCID-CONTENT-TYPE: cisco", 3, nothing},
		{"boot-start-marker", 5, nil}, {"no service pad", 4, nil},
		{"service timestamps debug ", 4, describing("datetime", "uptime")},
		{"service timestamps log ", 4, describing("datetime", "uptime")},
		{"! Last configuration change at ", 3, nil}, {"! NVRAM config last updated", 5, nil},
		{"license udi pid ", 6, nil}, {"ip classless", 3, nil}, {"ip cef", 3, nil},
		{"no aaa new-model", 4, nil}, {"spanning-tree extend system-id", 4, nil},
		{"ip subnet-zero", 3, nil}, {"control-plane", 3, nothing}, {"archive", 2, nothing},
		{"multilink bundle-name authenticated", 3, nil}, {"interface Serial", 2, nil},
		{"router eigrp ", 3, nil}, {"no ip domain lookup", 3, nothing},
		{"no ip domain-lookup", 3, nothing}, {"zone security ", 4, nil},
		{"class-map type inspect ", 2, nil}, {"redundancy", 1, nothing},
	},
	read: readIOS, whole: endsWith("end"), cut: quoting,
}

var ciscoNXOS = platform{
	name: "cisco_nxos",
	signs: []sign{
		{"!Command: show ", 5, nil}, {"!Running configuration last done at", 8, nil},
		{"!Time: ", 4, nil}, {"version ", 6, nexusNumber},
		{"feature ", 4, nil}, {"no feature ", 4, nil}, {"vdc ", 5, nil}, {"switchname ", 7, nil},
		{"vrf context ", 5, nil},
		{"cfs eth distribute", 4, nil}, {"role feature-group", 4, nil}, {"rmon event ", 3, nil},
		{"boot nxos ", 7, nil}, {"boot kickstart ", 6, nil},
		{"interface Ethernet1/", 2, nil}, {"interface mgmt0", 3, nil}, {"hostname ", 1, nil},
		{"no password strength-check", 4, nil},
		{"copp profile ", 4, nil}, {"policy-map type network-qos ", 3, nil},
		{"line console", 1, nil}, {"install feature-set ", 5, nil},
	},
	read: readNXOS, lined: true,
}

var ciscoASA = platform{
	name: "cisco_asa",
	signs: []sign{{"ASA Version ", 20, nil}, {"NGFW Version ", 20, nil}, {": Saved", 4, nil},
		{": Serial Number: ", 4, nil}, {": Hardware: ", 4, nil}, {"Cryptochecksum:", 3, nil},
		{" nameif ", 3, nil}, {" security-level ", 3, nil}, {"names", 1, nothing},
		{": Written by ", 3, nil}, {"asdm image ", 4, nil}},
	read: readASA, whole: wholeASA, cut: quoting,
}

var ciscoPIX = platform{name: "cisco_pix", signs: []sign{{"PIX Version ", 30, nil},
	{"nameif ethernet", 4, nil}, {"fixup protocol ", 4, nil}}, read: readASA, whole: wholeASA,
	cut: quoting}

var ciscoFWSM = platform{name: "cisco_fwsm", signs: []sign{{"FWSM Version ", 30, nil}},
	read: readASA, whole: wholeASA, cut: quoting}

var ciscoXR = platform{
	name: "cisco_xr",
	signs: []sign{
		{"!! IOS XR Configuration", 20, nil}, {"!! Last configuration change at ", 8, nil},
		{"interface MgmtEth0/", 8, nil}, {"route-policy ", 3, nil},
		{"interface preconfigure ", 5, nil}, {"hostname ", 1, nil}, {"end-policy", 3, nil},
		{"interface Bundle-Ether", 4, nil}, {"hw-module ", 2, nil},
		{"interface TenGigE0/", 5, nil}, {"interface HundredGigE0/", 5, nil},
		{"interface GigabitEthernet0/0/0/", 5, nil}, {"prefix-set ", 4, nil},
		{"ssh server v2", 3, nil},
	},
	read: readXR, whole: endsWith("end"), cut: quoting,
}

var ciscoCatOS = platform{
	name: "cisco_catos",
	signs: []sign{
		{"set system name ", 4, nil}, {"set enablepass ", 6, nil}, {"#version ", 5, nil},
		{"# ***** ", 5, nil}, {"set vtp ", 4, nil},
		{"set prompt ", 3, nil}, {"set logout ", 3, nil}, {"set spantree ", 4, nil},
		{"set trunk ", 3, nil}, {"set module ", 3, nil}, {"begin", 2, nothing},
	},
	read: readCatOS, whole: endsWith("end"), cut: quoting,
}

var ciscoVxWorks = platform{
	name:  "cisco_vxworks",
	signs: []sign{{"#===Beginning of ", 10, nil}, {"sysName=", 4, nil}, {"dot11", 3, nil}},
	read:  readVxWorks, whole: func(w *walk) bool {
		return bytes.HasPrefix(w.last, []byte("#===End of "))
	},
}

// ciscoSMB are the Small Business switches (SG200 to SG550, CBS).
var ciscoSMB = platform{name: "cisco_s300", signs: []sign{{"config-file-header", 20, nothing}},
	read: readSMB, lined: true}

func nothing(rest []byte) bool { return len(rest) == 0 }

// trainNumber: IOS writes "version 12.2" or "version 17.9".
func trainNumber(rest []byte) bool {
	i := bytes.IndexByte(rest, '.')
	return i > 0 && i <= 2 && len(rest) <= 5 && digits(rest[:i]) && digits(rest[i+1:])
}

// nexusNumber: NX-OS writes "version 7.3(13)N1(1)" or "version 9.3(8) Bios:version 05.47".
func nexusNumber(rest []byte) bool {
	return bytes.IndexByte(rest, '(') > 0 && bytes.IndexByte(rest, '(') < 6 && digits(rest[:1])
}

// addressMask: IOS writes "192.0.2.1 255.255.255.0" where others write "192.0.2.1/24".
func addressMask(rest []byte) bool {
	return dotted(string(field(rest, 0))) && dotted(string(field(rest, 1)))
}

func usingBytes(rest []byte) bool {
	return bytes.HasSuffix(rest, []byte(" bytes")) || bytes.Contains(rest, []byte(" out of "))
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// outermost reports whether the line is a top-level statement: it is in no block, and it isn't
// indented, as a line of a block that a comment interrupted would be.
func (w *walk) outermost() bool { return w.depth == 0 && w.indent == 0 }

// endsWith returns the whole function of platforms whose last line is always the same.
func endsWith(last string) func(*walk) bool {
	return func(w *walk) bool { return string(w.last) == last && w.until == nil }
}

// quoting reports whether a text over several lines, such as a banner, has no end yet.
func quoting(w *walk) bool { return w.until != nil }

// readLines reads what these families share: banners, comments, blocks by indentation, and the
// noise of their terminals. It reports whether the line is a statement.
func (w *walk) readLines() bool {
	if w.until != nil {
		w.quoting = true
		if bytes.Contains(w.line, w.until) {
			w.until = nil
		}
		return false
	}
	if w.last == nil && w.announced() || w.sized() {
		w.drop()
		return false
	}
	w.indented()
	if w.words[0] == '!' {
		if len(w.words) == 1 {
			w.drop() // separates, and how often depends on the release
		}
		return false
	}
	return true
}

// announced reports whether a terminal prints the line before a configuration.
func (w *walk) announced() bool {
	for _, said := range []string{"Building configuration", "Building Configuration",
		"Current configuration : ", "Current configuration:",
		"Uncompressed configuration from ", "Load for five secs: ", "Time source is "} {
		if w.has(said) {
			return true
		}
	}
	return w.has("Using ") && usingBytes(w.words)
}

// sized reports whether the line states the size of the configuration. It is no command anywhere,
// and other output may precede it.
func (w *walk) sized() bool {
	if w.words[0] != 'C' || w.indent > 0 {
		return false
	}
	v, ok := w.after("Current configuration : ")
	size, ok2 := bytes.CutSuffix(v, []byte(" bytes"))
	return ok && ok2 && digits(size)
}

// openBanner opens a text that continues up to its delimiter, if the delimiter isn't on this line.
// The delimiter is the first character after the command, or ^C, which stands for a control
// character and may be written either way.
func (w *walk) openBanner(text []byte) {
	if len(text) == 0 {
		return
	}
	delimiter := text[:1]
	if bytes.HasPrefix(text, []byte("^C")) &&
		(bytes.Contains(text[2:], []byte("^C")) || text[len(text)-1] != '^') {
		delimiter = text[:2]
	}
	if !bytes.Contains(text[len(delimiter):], delimiter) {
		w.until = delimiter
	}
}

// banner opens the text of "banner TYPE TEXT", of the other commands of IOS with text between ^C,
// and of a macro, which ends with @.
func (w *walk) banner() {
	if text, ok := w.after("banner "); ok {
		w.openBanner(rest(text, 1))
		return
	}
	if w.has("macro name ") {
		w.until = []byte("@")
		return
	}
	if i := controlC(w.words); i > 0 && !prose[string(field(w.words, 0))] {
		w.openBanner(w.words[i:])
	}
}

// controlC returns the index of a word of b that begins with ^C, or a negative number.
func controlC(b []byte) int {
	if i := bytes.IndexByte(b, 3); i > 0 && b[i-1] == ' ' {
		return i
	}
	for from := 0; ; from++ {
		n := bytes.IndexByte(b[from:], '^')
		if n < 0 {
			return n
		}
		if from += n; from > 0 && b[from-1] == ' ' && from+1 < len(b) && b[from+1] == 'C' {
			return from
		}
	}
}

// field returns the n-th word of b, from 0 on, or nothing.
func field(b []byte, n int) []byte {
	b = rest(b, n)
	if i := bytes.IndexAny(b, " \t"); i >= 0 {
		b = b[:i]
	}
	return b
}

// rest returns what follows the first n words of b.
func rest(b []byte, n int) []byte {
	for range n {
		i := bytes.IndexAny(b, " \t")
		if i < 0 {
			return nil
		}
		b = bytes.TrimLeft(b[i:], " \t")
	}
	return b
}

// author returns NAME of "... at TIME by NAME".
func author(b []byte) []byte {
	if i := bytes.LastIndex(b, []byte(" by ")); i >= 0 {
		return b[i+4:]
	}
	return nil
}

func readIOS(w *walk) {
	statement := w.readLines()
	if w.dropped || w.quoting {
		if string(w.until) == "@" { // the commands of a macro
			w.secrets()
		}
		return
	}
	if !statement {
		switch {
		case w.indent > 0: // what the device writes stands at the start of the line
		case w.has("! Last configuration change at "):
			set(&w.id.ChangedBy, author(w.words))
			w.drop()
		case w.dated():
			w.drop()
		}
		return
	}
	if w.outermost() {
		switch w.words[0] {
		case 'h':
			if v, ok := w.after("hostname "); ok {
				w.setWord(v)
			}
		case 'v':
			if v, ok := w.after("version "); ok && trainNumber(v) {
				set(&w.id.OSVersion, v)
			}
		case 'l':
			if v, ok := w.after("license udi pid "); ok {
				set(&w.id.Model, field(v, 0))
				if string(field(v, 1)) == "sn" {
					set(&w.id.Serial, field(v, 2))
				}
			}
		case 'n':
			if w.has("ntp clock-period ") {
				w.drop()
			}
		}
	} else if v, ok := w.after("tunnel mpls traffic-eng bandwidth "); ok && w.autoBandwidth() {
		w.mark(v, noise)
	}
	w.banner()
	w.secrets()
	w.opens()
}

// dated reports whether a comment says when the configuration was changed, saved or shown.
func (w *walk) dated() bool {
	v := bytes.TrimLeft(w.words, "! ")
	if len(v) >= 19 && digits(v[:4]) && v[4] == '/' && v[7] == '/' && v[13] == ':' {
		return true // Quagga has the time in a line of its own
	}
	for _, said := range []string{"Last configuration change at ", "NVRAM config last updated at",
		"No configuration change since last restart", "Running configuration last done at",
		"Startup config saved at", "Time:", "Zebra configuration saved from ",
		"Last configuration save", "Configuration saved at ", "Last modified at ",
		"LAST EDIT ", "Current time "} {
		if bytes.HasPrefix(v, []byte(said)) {
			return true
		}
	}
	return false
}

// autoBandwidth reports whether the tunnel sets its bandwidth itself. It looks ahead in the
// tunnel's block, which is short.
func (w *walk) autoBandwidth() bool {
	ahead := w.text[w.next:min(len(w.text), w.next+2048)]
	for len(ahead) > 0 && ahead[0] == ' ' {
		if bytes.HasPrefix(ahead, []byte(" tunnel mpls traffic-eng auto-bw")) {
			return true
		}
		i := bytes.IndexByte(ahead, '\n')
		if i < 0 {
			break
		}
		ahead = ahead[i+1:]
	}
	return false
}

func readNXOS(w *walk) {
	statement := w.readLines()
	if w.dropped || w.quoting {
		return
	}
	if !statement {
		if w.indent == 0 && (w.dated() || w.has("!Command:")) {
			w.drop()
		}
		return
	}
	if w.outermost() {
		if v, ok := w.after("hostname "); ok {
			w.setWord(v)
		} else if v, ok := w.after("switchname "); ok {
			w.setWord(v)
		} else if v, ok := w.after("version "); ok {
			set(&w.id.OSVersion, field(v, 0))
		}
	}
	w.banner()
	w.secrets()
	w.opens()
}

func readXR(w *walk) {
	if w.last == nil && w.until == nil && weekday(w.words) {
		w.drop() // the time of the export
		return
	}
	statement := w.readLines()
	if w.dropped || w.quoting {
		return
	}
	if !statement {
		if v, ok := w.after("!! IOS XR Configuration"); ok {
			v, _ = bytes.CutPrefix(v, []byte("version = "))
			set(&w.id.OSVersion, field(v, 0))
		} else if w.indent == 0 && w.has("!! Last configuration change at ") {
			set(&w.id.ChangedBy, author(w.words))
			w.drop()
		} else if w.indent == 0 && w.dated() {
			w.drop()
		}
		return
	}
	if v, ok := w.after("hostname "); ok && w.outermost() {
		w.setWord(v)
	}
	w.banner()
	w.secrets()
	w.opens()
}

// weekday reports whether a line begins as "Tue Sep 13 10:13:30".
func weekday(b []byte) bool {
	return len(b) > 19 && bytes.Contains([]byte("MonTueWedThuFriSatSun"), b[:3]) && b[3] == ' ' &&
		b[7] == ' ' && b[13] == ':' && b[16] == ':'
}

func readASA(w *walk) {
	if w.words[0] == ':' {
		w.readASAComment()
		return
	}
	if !w.readLines() {
		return
	}
	if w.outermost() {
		if v, ok := w.after("hostname "); ok {
			w.setWord(v)
			if w.id.Kind == "context:" {
				w.id.Kind += string(field(v, 0))
			}
		} else if w.has("Cryptochecksum:") {
			w.mark(w.words[len("Cryptochecksum:"):], noise)
		} else if w.has("[OK]") {
			w.drop()
		}
		for _, product := range []string{"ASA Version ", "PIX Version ", "FWSM Version ",
			"NGFW Version "} {
			if v, ok := w.after(product); ok && w.id.OSVersion == "" {
				set(&w.id.OSVersion, field(v, 0))
				if bytes.HasSuffix(v, []byte("<context>")) ||
					bytes.HasSuffix(v, []byte("<system>")) {
					w.id.Kind = "context:"
				}
				if bytes.HasSuffix(v, []byte("<system>")) {
					w.id.Kind = "context:system"
				}
			}
		}
	}
	w.secrets()
	w.opens()
}

// readASAComment reads a line ": ..." of the header or the end.
func (w *walk) readASAComment() {
	switch v, _ := w.after(":"); {
	case bytes.HasPrefix(v, []byte("Serial Number: ")):
		set(&w.id.Serial, field(v, 2))
	case bytes.HasPrefix(v, []byte("Hardware:")):
		model, _, _ := bytes.Cut(bytes.TrimLeft(v[len("Hardware:"):], " "), []byte(","))
		set(&w.id.Model, model)
	case bytes.HasPrefix(v, []byte("Written by ")):
		set(&w.id.ExportedBy, field(v, 2))
		w.drop()
	case string(v) == "Saved":
		w.lines.closed = false // another configuration begins
		w.drop()
	case len(v) == 0:
		w.drop()
	case string(v) == "end":
		w.lines.closed = true
	}
}

// wholeASA reports whether the end was met. ASDM's lines, such as "asdm image", may follow it.
func wholeASA(w *walk) bool { return w.lines.closed }

// readCatOS reads lines "set ...". CatOS has no blocks.
func readCatOS(w *walk) {
	if w.until != nil {
		if bytes.Contains(w.line, w.until) {
			w.until = nil
		}
		return
	}
	switch {
	case w.has("#time:"), len(bytes.Trim(w.words, ".")) == 0, string(w.words) == "!":
		w.drop()
	case w.has("#version "):
		set(&w.id.OSVersion, field(w.words, 1))
	case w.has("set system name "):
		w.setName(unquoted(rest(w.words, 3)))
	case w.has("set banner "):
		w.openBanner(rest(w.words, 3))
	case w.has("set password "), w.has("set enablepass "):
		w.mark(rest(w.words, 2), secret)
	case w.has("set snmp community "):
		w.mark(rest(w.words, 4), secret)
	case w.has("set snmp trap "):
		if community := field(w.words, 4); w.redact && address(field(w.words, 3)) {
			w.mark(community, secret)
		}
	default:
		w.secrets()
	}
}

// readVxWorks reads lines KEY=VALUE of an Aironet access point.
func readVxWorks(w *walk) {
	if v, ok := w.after("sysName="); ok {
		w.setName(v)
	} else if v, ok := w.after("#===Beginning of "); ok {
		if _, v, ok := bytes.Cut(v, []byte("(Cisco ")); ok {
			set(&w.id.Model, field(v, 0))
			version, _, _ := bytes.Cut(rest(v, 1), []byte(")"))
			set(&w.id.OSVersion, version)
		}
	} else if key, v, ok := bytes.Cut(w.words, []byte("=")); ok && w.redact && vxSecret(key) {
		w.mark(v, secret)
	}
}

// vxSecret reports whether a setting of an access point holds a secret.
func vxSecret(key []byte) bool {
	for _, part := range []string{"ommunity", "assword", "ecret", "KeyValue"} {
		if bytes.Contains(key, []byte(part)) {
			return true
		}
	}
	return false
}

// smbHeader is what the next line of the header says.
type smbHeader uint8

const (
	smbName smbHeader = iota + 1
	smbVersion
)

// readSMB reads a file whose header is: config-file-header, the host name, the version.
func readSMB(w *walk) {
	switch {
	case string(w.words) == "config-file-header" && w.number <= maxPrompt+1:
		w.smb = smbName
		return
	case w.smb == smbName:
		w.setName(w.words)
		w.smb = smbVersion
		return
	case w.smb == smbVersion:
		set(&w.id.OSVersion, bytes.TrimPrefix(field(w.words, 0), []byte("v")))
		w.smb = 0
		return
	}
	if !w.readLines() {
		return
	}
	if v, ok := w.after("hostname "); ok && w.outermost() && len(v) > 0 {
		w.id.Name = string(unquoted(v))
	}
	w.secrets()
	w.opens()
}

// unquoted returns a value without the quotes around it.
func unquoted(b []byte) []byte {
	if len(b) >= 2 && (b[0] == '"' || b[0] == '\'') && b[len(b)-1] == b[0] {
		return b[1 : len(b)-1]
	}
	return b
}

// setWord takes a host name of one word, or a quoted one. Several words without quotes are no
// name.
func (w *walk) setWord(v []byte) {
	if name := unquoted(v); len(name) < len(v) || !bytes.ContainsAny(v, " \t") {
		w.setName(name)
	}
}
