package device

import "bytes"

// D-Link's DES and DGS switches write commands, one per line, in sections below comments. The
// header names the model and the release.
//
// Sources: D-Link's command references, and configurations of several releases.

var dLink = platform{
	name: "dlink_ds",
	signs: []sign{
		{"config snmp system_name ", 6, nil}, {"config vlan default ", 5, dlinkPorts},
		{"create account ", 4, unquotedWords}, {"config ports ", 4, holding(" speed auto")},
		{"config traffic control ", 5, nil},
		{"config command_prompt ", 6, nil}, {"# BASIC", 4, nothing}, {"# STORM", 4, nothing},
		{"# ACCOUNT LIST", 5, nothing}, {"config stp version ", 4, nil},
		{"create vlan ", 2, holding(" tag ")},
		{"# Firmware: Build ", 6, nil}, {"#     Firmware: Build ", 6, nil},
		{"config ipif System ", 5, nil}, {"enable loopdetect", 3, nothing},
	},
	read: readDLink, lined: true,
}

// dlinkPorts tells "delete 1-24" from "delete port 1-24" of ExtremeWare, which has the same
// commands otherwise.
func dlinkPorts(v []byte) bool {
	switch string(field(v, 0)) {
	case "delete":
		v = field(v, 1)
		return len(v) > 0 && '0' <= v[0] && v[0] <= '9'
	case "add":
		return !bytes.HasPrefix(field(v, 1), []byte("port"))
	}
	return true
}

// unquotedWords: D-Link's account has a name without quotes.
func unquotedWords(v []byte) bool { return bytes.IndexByte(v, '"') < 0 }

func readDLink(w *walk) {
	if w.words[0] == '#' {
		v, _ := w.after("#")
		if release, ok := bytes.CutPrefix(v, []byte("Firmware: Build ")); ok && w.commentsOnly() {
			set(&w.id.OSVersion, field(release, 0))
		} else if bytes.HasSuffix(v, []byte(" Switch")) && w.commentsOnly() {
			set(&w.id.Model, field(v, 0))
		}
		return
	}
	if v, ok := w.after("config snmp system_name "); ok {
		w.setName(unquoted(v))
	}
	// Below "create account" the password stands twice, in lines of its own.
	account := w.dlinkAccount
	w.dlinkAccount = w.has("create account ") || account && bytes.IndexByte(w.words, ' ') < 0
	if !w.redact {
		return
	}
	if account && w.dlinkAccount && !w.has("create ") {
		w.mark(w.words, secret)
	} else if w.has("create snmp community ") {
		w.mark(field(w.words, 3), secret)
	} else if w.has("create snmp host ") && string(field(w.words, 4)) == "v3" {
		w.mark(rest(w.words, 6), secret)
	} else if w.has("create snmp host ") || w.has("config account ") {
		w.mark(rest(w.words, 5), secret)
	} else if w.has("config admin local_enable ") {
		w.mark(rest(w.words, 5), secret)
	}
	w.hide(lineSecrets, nil)
}
