package device

import "bytes"

// FASTPATH, of Broadcom, is the system of many switches of Netgear, Dell, Ubiquiti and others. It
// writes lines without indentation; a block ends with "exit". Its header states the vendor, in a
// description of the switch, and the uptime. Netgear's smart switches have another form, with a
// complete header and with indentation.
//
// Sources: the vendors' command references, and configurations of many releases.

// fastpathSigns are the signs of every vendor's FASTPATH.
var fastpathSigns = []sign{
	{"!Current Configuration:", 4, nil}, {"!System Software Version ", 4, nil},
	{"!Additional Packages ", 3, nil}, {"!Cut-through mode is configured as ", 3, nil},
	{"!System Up Time ", 3, nil}, {"!Current SNTP Synchronized Time:", 3, nil},
	{"vlan database", 2, nothing}, {"configure", 2, nothing},
	{"lineconfig", 4, nothing}, {"vlan participation ", 4, nil}, {"vlan pvid ", 3, nil},
	{"network parms ", 4, nil}, {"network protocol ", 3, nil},
	{"serviceport protocol ", 4, nil}, {"serviceport ip ", 4, nil}, {"interface 0/", 3, nil},
	{"interface 1/0/", 3, nil}, {"addport ", 3, nil},
}

// describing reports whether a description of the system begins with one of some words.
func describing(words ...string) func([]byte) bool {
	return func(v []byte) bool {
		v = bytes.TrimLeft(v, ` "`)
		for _, word := range words {
			if bytes.HasPrefix(v, []byte(word)) {
				return true
			}
		}
		return false
	}
}

var netgearProSafe = platform{
	name:   "netgear_prosafe",
	family: fastpathSigns, signs: []sign{
		// others have this form too
		{"SYSTEM CONFIG FILE ::= BEGIN", 2, nil}, {"! System Description: ", 8, netgearDescription},
		{"! Model: ", 8, netgearDescription},
		{"struct0x4e47", 20, nil}, {"0x4e470x01", 20, nil}, {"0x4e47 4e47 ", 20, nil},
		{"!System Description ", 14, netgearDescription},
	},
	read: readNetgear, open: smartOpen, whole: wholeFastpath, cut: quoting,
}

// netgearDescription: Netgear's models begin so, and its descriptions often name the line of
// products.
func netgearDescription(v []byte) bool {
	for _, word := range []string{"ProSAFE", "ProSafe", "NETGEAR", "Netgear"} {
		if bytes.Contains(v, []byte(word)) {
			return true
		}
	}
	v = bytes.TrimLeft(v, ` "`)
	for _, series := range []string{"GSM", "GS", "GC", "MS", "FSM", "XSM", "M4", "M5", "M6", "XS",
		"S3"} {
		if rest, ok := bytes.CutPrefix(v, []byte(series)); ok && len(rest) > 0 && rest[0] >= '0' &&
			rest[0] <= '9' {
			return true
		}
	}
	return false
}

var edgeSwitch = platform{
	name:   "ubiquiti_edgeswitch",
	family: fastpathSigns, signs: []sign{{"!System Description ", 14,
		describing("EdgeSwitch", "EdgePoint", "USW")}},
	read: readFastpath, whole: wholeFastpath, cut: quoting,
}

// hirschmann are Hirschmann's switches with L2 and L3 software, before HiOS.
var hirschmann = platform{
	name: "hirschmann", family: fastpathSigns,
	signs: []sign{
		{"!System Description ", 14, describing("Hirschmann", "MACH", "MICE", "Railswitch")},
		{"!System Version ", 8, describing("L2", "L3")},
	},
	read: readFastpath, whole: wholeFastpath, cut: quoting,
}

// broadcomICOS is FASTPATH, now ICOS, of a vendor that isn't known. It comes before the others in
// platforms, since they have its signs and one more.
var broadcomICOS = platform{name: "broadcom_icos", family: fastpathSigns, read: readFastpath,
	whole: wholeFastpath, cut: quoting}

func readFastpath(w *walk) {
	if w.last == nil && w.title() {
		w.drop()
		return
	}
	if w.until != nil {
		w.quoting = true
		if bytes.Contains(w.line, w.until) {
			w.until = nil
		}
		return
	}
	if w.words[0] == '!' {
		w.readFastpathHeader()
		return
	}
	w.lines.body = true
	switch v, ok := w.after("hostname "); {
	case string(w.words) == "exit":
		w.exitFastpath()
		return
	case !w.top() && !w.in("configure"):
	case ok:
		w.id.Name = string(unquoted(v)) // rather than the name that SNMP has
	case w.has("snmp-server sysname "):
		w.setName(unquoted(rest(w.words, 2)))
	case w.has("banner motd "), w.has("set clibanner "):
		w.openText(rest(w.words, 2))
	}
	if w.has("sflow ") {
		w.markCountdown()
	}
	w.hide(lineSecrets, nil)
	w.openFastpath()
}

// readFastpathHeader reads a comment of the header. Uptime and time are no configuration.
func (w *walk) readFastpathHeader() {
	if len(w.words) == 1 {
		w.drop()
		return
	}
	if w.lines.body {
		return
	}
	switch v, _ := w.after("!"); {
	case bytes.HasPrefix(v, []byte("System Up Time")),
		bytes.HasPrefix(v, []byte("Current System Time:")),
		bytes.HasPrefix(v, []byte("Current SNTP Synchronized Time")),
		string(v) == "Current Configuration:":
		w.drop()
	case bytes.HasPrefix(v, []byte("System Description ")):
		description, _, _ := bytes.Cut(bytes.Trim(v[len("System Description "):], ` "`),
			[]byte(","))
		set(&w.id.Model, fastpathModel(description))
	case bytes.HasPrefix(v, []byte("System Version ")): // Hirschmann
		set(&w.id.OSVersion, bytes.TrimSpace(v[len("System Version "):]))
	case bytes.HasPrefix(v, []byte("System Software Version ")):
		set(&w.id.OSVersion, bytes.Trim(v[len("System Software Version "):], ` "`))
	}
}

// fastpathModel finds the model in a description such as "Dell EMC Networking N3024ET-ON",
// "PowerConnect 6248", "EdgeSwitch 24 250W" or "M4300-28G-PoE+ ProSAFE 24-port ...". Not every
// description has one.
func fastpathModel(description []byte) []byte {
	for _, seller := range []string{"Dell EMC Networking ", "Dell Networking ", "Dell EMC ",
		"Dell "} {
		description = bytes.TrimPrefix(description, []byte(seller))
	}
	first := field(description, 0)
	switch string(first) {
	case "PowerConnect", "EdgeSwitch", "EdgePoint":
		return description
	}
	if bytes.HasPrefix(first, []byte("USW-")) {
		return first
	}
	if len(first) < 4 || len(bytes.Trim(first, "0123456789")) == 0 ||
		bytes.IndexAny(first, "0123456789") <= 0 {
		return nil
	}
	return first
}

// markCountdown marks the remaining seconds of a receiver of sFlow.
func (w *walk) markCountdown() {
	for b := w.words; len(b) > 0; {
		var word []byte
		if word, b = cutWord(b); string(word) == "timeout" {
			if seconds, _ := cutWord(b); digits(seconds) {
				w.mark(seconds, noise)
			}
			return
		}
	}
}

// fastpathBlocks open blocks directly inside "configure", or at the top level.
var fastpathBlocks = []string{
	"interface ", "line ", "class-map ", "policy-map ", "router ", "ipv6 router ", "ip dhcp pool ",
	"ipv6 dhcp pool ", "mac access-list extended ",
	"ip access-list ", "ipv6 access-list ", "route-map ", "time-range ", "vpc domain ",
	"radius server auth ", "radius server acct ",
	"tacacs-server host ", "spanning-tree mst configuration", "ip vrf ", "vlan database",
	"lineconfig", "stack",
	"captive-portal", "wireless",
}

// fastpathNests are blocks that contain blocks. fastpathNested are the inner ones that are known
// by name.
var (
	fastpathNests  = []string{"router bgp ", "captive-portal", "wireless"}
	fastpathNested = []string{"address-family ", "template peer ", "vrf "}
)

// exitsInside counts the blocks inside the block that the line opens, of which few are known by
// name. The block's own "exit" is the last one before the next known block begins; at the end of
// the file, "configure" has one more.
func (w *walk) exitsInside() int {
	exits, last := 0, true
	for ahead := w.text[w.next:max(w.end, w.next)]; len(ahead) > 0; {
		line := ahead
		if n := bytes.IndexByte(ahead, '\n'); n >= 0 {
			line, ahead = ahead[:n], ahead[n+1:]
		} else {
			ahead = nil
		}
		line = bytes.TrimSpace(line)
		if string(line) == "exit" {
			exits++
		} else if fastpathHead(line) {
			last = false
			break
		}
	}
	if last && w.depth > 1 {
		exits--
	}
	return max(exits-1, 0)
}

// exitFastpath closes the block that an "exit" ends: a known one, or one inside it that is not
// known by name.
func (w *walk) exitFastpath() {
	listed := false
	for _, head := range fastpathNested {
		listed = listed || w.inFastpath(head)
	}
	if w.fastpath.unlisted > 0 {
		w.fastpath.unlisted--
		if !listed {
			return
		}
	}
	w.pop()
}

// fastpathHead reports whether a line opens one of fastpathBlocks.
func fastpathHead(line []byte) bool {
	for _, head := range fastpathBlocks {
		if len(line) >= len(head) && string(line[:len(head)]) == head &&
			(len(line) > len(head)) == (head[len(head)-1] == ' ') {
			return true
		}
	}
	return false
}

// openFastpath opens a block. A block that can't be inside another one closes the open blocks,
// since some releases omit "exit".
func (w *walk) openFastpath() {
	switch {
	case string(w.words) == "configure":
		for w.pop() {
		}
	case w.has("class "):
		if !w.inFastpath("policy-map ") {
			return
		}
	case w.has("vlan ") && len(bytes.Trim(w.words[5:], "0123456789,-")) == 0 &&
		!w.inFastpath("vlan database"):
		w.leaveFastpath()
	case w.fastpath.unlisted > 0 && w.opensNested():
	case fastpathHead(w.words):
		w.leaveFastpath()
		w.push(w.words, w.indent)
		for _, head := range fastpathNests {
			if w.has(head) {
				w.fastpath.unlisted = w.exitsInside()
			}
		}
		return
	default:
		return
	}
	w.push(w.words, w.indent)
}

func (w *walk) opensNested() bool {
	for _, head := range fastpathNested {
		if w.has(head) {
			return true
		}
	}
	return false
}

// inFastpath reports whether the innermost block begins so.
func (w *walk) inFastpath(head string) bool {
	return w.depth > 0 && w.depth == len(w.path) &&
		bytes.HasPrefix(w.path[w.depth-1].header, []byte(head))
}

// leaveFastpath closes blocks up to "configure".
func (w *walk) leaveFastpath() {
	w.fastpath.unlisted = 0
	for w.depth > 0 && !(w.depth == 1 && string(w.path[0].header) == "configure") {
		w.pop()
	}
}

// wholeFastpath reports whether every block is closed, of which the last is the one around all
// others. EdgeSwitch's own interface writes none.
func wholeFastpath(w *walk) bool {
	closed := string(w.last) == "exit" || w.platform.name == "ubiquiti_edgeswitch"
	return w.depth == 0 && w.until == nil && closed || w.fastpath.smart
}

// fastpathState is what a file of FASTPATH remembers from line to line.
type fastpathState struct {
	unlisted int  // blocks to come inside of the block that are not known by name
	smart    bool // the file is one of Netgear's smart switches, in which blank lines are lines
}

func smartOpen(w *walk) bool { return w.fastpath.smart }

// readNetgear reads either of Netgear's forms.
func readNetgear(w *walk) {
	if w.last == nil && w.has("SYSTEM CONFIG FILE ::= BEGIN") {
		w.fastpath.smart = true
		return
	}
	switch {
	case w.fastpath.smart:
		w.readNetgearSmart()
	case w.last == nil && (w.has("struct0x4e47") || w.has("0x4e470x01")):
		_, v, _ := bytes.Cut(w.words, []byte("0x4e470x010x00"))
		set(&w.id.Model, field(v, 0))
	case w.last == nil && w.has("0x4e47 4e47 "): // and the release
		set(&w.id.Model, field(w.words, 3))
		set(&w.id.OSVersion, field(w.words, 4))
	default:
		readFastpath(w)
	}
}

func (w *walk) readNetgearSmart() {
	if len(w.words) == 0 {
		w.drop()
		return
	}
	if !w.readHeaded() {
		w.readNetgearHeader()
		return
	}
	if v, ok := w.after("system name "); ok && w.top() {
		w.id.Name = string(unquoted(v))
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

func (w *walk) readNetgearHeader() {
	if !w.heads() {
		return
	}
	key, v, _ := bytes.Cut(bytes.TrimLeft(w.words[1:], " "), []byte(": "))
	switch string(key) {
	case "Model":
		set(&w.id.Model, v)
	case "Firmware Version":
		set(&w.id.OSVersion, field(v, 0))
	case "System Name":
		w.setName(v)
	case "Serial Number":
		set(&w.id.Serial, v)
	case "System Up Time":
		w.drop()
	}
}
