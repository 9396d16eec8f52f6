package device

import "bytes"

// HP has two families. ProCurve, now AOS-S of Aruba, writes lines indented by three blanks, with
// "exit" at the end of a block, under a comment that names the model and the release. Comware, also
// of H3C and 3Com, writes lines indented by one blank, sections between lines "#", and "return" at
// the end; lines of the outermost level are often indented too.
//
// Sources: HP's command references, and configurations of many releases.

var hpProCurve = platform{
	name: "hp_procurve",
	signs: []sign{
		{"; ", 20, holding(" Configuration Editor; Created on release #")}, {"; Ver #", 4, nil},
		{`hostname "`, 2, nil}, {`snmp-server community "`, 2, nil},
		{"   untagged ", 4, nil}, {"   tagged ", 3, nil}, {"   no untagged ", 4, nil},
		{"module 1 type ", 5, nil}, {"password manager", 4, nil},
		{`   name "`, 2, nil}, {"ip authorized-managers ", 4, nil}, {"max-vlans ", 4, nil},
		{"   ip address dhcp-bootp", 4, nil}, {"   exit", 1, nothing},
		{"timesync ", 2, nil}, {"oobm", 2, nothing}, {"no web-management", 2, nil},
		{"ip default-gateway ", 1, nil},
	},
	read: readProCurve, lined: true,
}

var hpComware = platform{
	name: "hp_comware",
	signs: []sign{
		{"version ", 8, comwareNumber}, {" version ", 8, comwareNumber}, {"sysname ", 2, nil},
		{" sysname ", 2, nil}, {"interface Vlan-interface", 4, nil},
		{"interface Ten-GigabitEthernet", 4, nil}, {"interface M-GigabitEthernet", 5, nil},
		{"interface Bridge-Aggregation", 5, nil},
		{"line class ", 4, nil}, {"line vty ", 1, nil}, {" irf mac-address ", 4, nil},
		{" undo copyright-info enable", 3, nothing},
		{" authorization-attribute user-role ", 3, nil}, {"radius scheme ", 3, nil},
		{"hwtacacs scheme ", 3, nil}, {"domain system", 2, nothing},
		{"user-group system", 3, nothing}, {" password-recovery enable", 3, nothing},
		{" port link-mode ", 3, nil}, {" lldp global enable", 3, nothing},
		{" scheduler logfile ", 3, nil}, {"return", 1, nothing},
		{" domain default enable ", 3, nil},
	},
	read: readComware, whole: endsWith("return"), cut: quoting,
}

// comwareNumber: Comware writes "version 7.1.045, Release 2418P06". In place of Release it may
// write ESS, Feature or Alpha.
func comwareNumber(v []byte) bool {
	i := bytes.Index(v, []byte(", "))
	return i > 0 && i < 20 && dotted(string(v[:i])) && len(v) > i+2 && 'A' <= v[i+2] &&
		v[i+2] <= 'Z'
}

func readProCurve(w *walk) {
	if w.until != nil {
		w.quoting = true
		if bytes.Contains(w.line, w.until) {
			w.until = nil
		}
		return
	}
	w.indented()
	if w.words[0] == ';' || w.words[0] == '!' && !w.lines.body || !w.lines.body &&
		w.title() {
		w.readProCurveHeader()
		return
	}
	w.lines.body = true
	if w.top() {
		if v, ok := w.after("hostname "); ok {
			w.setName(unquoted(v))
		} else if v, ok := w.after("banner "); ok {
			if text := rest(v, 1); len(text) > 0 && text[0] == '"' {
				w.openBanner(text)
			}
		}
	}
	host, _ := w.after("snmp-server host ")
	if community, _ := cutWord(rest(host, 1)); len(community) > 2 && community[0] == '"' {
		w.mark(community, secret)
	} else if w.has("snmpv3 community ") {
		w.hide(proCurveCommunity, nil)
	} else {
		w.hide(proCurveSecrets, nil)
	}
	if string(w.words) != "exit" {
		w.opens()
	}
}

// readProCurveHeader reads "; MODEL Configuration Editor; Created on release #RELEASE" and the
// lines above it.
func (w *walk) readProCurveHeader() {
	switch w.words[0] {
	case ';':
	case '!': // a backup program wrote it above
		return
	default:
		w.drop()
		return
	}
	v, _ := w.after(";")
	model, release, ok := bytes.Cut(v, []byte(" Configuration Editor; Created on release #"))
	if !ok || w.lines.body {
		return
	}
	if !bytes.HasPrefix(model, []byte("hpStack")) { // a stack, of whatever models
		set(&w.id.Model, model)
	}
	set(&w.id.OSVersion, field(release, 0))
}

// proCurveSecrets announce secrets in ProCurve, where passwords follow the kind of their hash.
var proCurveSecrets = map[string]int{
	"key": 0, "encrypted-key": 0, "community": 0, "encrypted-community": 0, "sha1": 0, "sha256": 0,
	"plaintext": 0, "auth": 0, "priv": 0,
	"key-value": 0, "md5-auth-key-chain": 0, "authentication-key": 0, "key-string": 0, "cak": 0,
}

// proCurveCommunity announce a community of SNMPv3, which often is its index, too.
var proCurveCommunity = map[string]int{"index": 0, "name": 0}

func readComware(w *walk) {
	if !w.readSections() {
		return
	}
	if w.top() {
		switch v, ok := w.after("sysname "); {
		case ok:
			w.setName(unquoted(v))
		case w.has("version "):
			if v, _ := w.after("version "); comwareNumber(v) {
				set(&w.id.OSVersion, v)
			}
		case w.has("header "):
			w.openText(rest(w.words, 2))
		}
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

// readSections reads what Comware and Huawei's VRP share: sections between lines "#", texts over
// several lines, "return" at the end, and prompts in angle or square brackets around the
// configuration. It reports whether the line is a statement.
func (w *walk) readSections() bool {
	switch {
	case w.until != nil:
		w.quoting = true
		if bytes.Contains(w.line, w.until) {
			w.until = nil
		}
		return false
	case (w.words[0] == '<' || w.words[0] == '[') && (w.last == nil || w.lines.closed) &&
		angled(w.words):
		w.drop()
		return false
	}
	w.indented()
	switch {
	case string(w.words) == "#":
		if w.indent == 0 {
			for w.pop() {
			}
		}
		w.drop() // separates
		return false
	case w.indent == 0 && string(w.words) == "return":
		w.lines.closed = true
	}
	return true
}

// angled reports whether a line is a prompt "<NAME>", alone or with a command that displays or
// leaves. In configuration mode the prompt is "[NAME]"; a release of VRP in brackets is no prompt.
func angled(b []byte) bool {
	end := byte('>')
	if b[0] == '[' {
		end = ']'
	}
	n := bytes.IndexByte(b[:min(len(b), 80)], end)
	if n < 2 || b[1] == '/' || b[1] == '?' {
		return false
	}
	command := bytes.TrimLeft(b[n+1:], " ")
	return len(command) == 0 && !vrpRelease(b[min(len(b), 2):]) ||
		bytes.HasPrefix(command, []byte("dis")) || string(command) == "quit"
}
