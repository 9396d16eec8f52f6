package device

import (
	"bytes"
	"slices"
	"strings"
)

// pfSense and OPNsense save one XML document. The host name is system/hostname directly below the
// root; wizards and clients have elements of that name, too. Its <version> is the version of the
// document's form, not of the system. The block <revision> states time and author of the last
// change of the whole document.
//
// Sources: files of several releases.

var pfSense = platform{
	name: "pfsense",
	signs: []sign{{"<pfsense>", 10, nil}, {"<pfsense ", 10, nil},
		{"<?xml ", 10, rootElement("<pfsense")}},
	read: readSense, whole: wholeXML,
}

var opnSense = platform{
	name: "opnsense",
	signs: []sign{{"<opnsense>", 10, nil}, {"<opnsense ", 10, nil},
		{"<?xml ", 10, rootElement("<opnsense")}},
	read: readSense, whole: wholeXML,
}

// rootElement is the condition of a sign that the root element is on the line of the declaration.
func rootElement(tag string) func([]byte) bool {
	return func(rest []byte) bool { return bytes.Contains(rest[:min(len(rest), 300)], []byte(tag)) }
}

func readSense(w *walk) {
	from := w.senseExtra() || w.beginsExtra()
	w.readXML(onSense)
	w.finishXML()
	if from && (w.senseExtra() || w.endsExtra()) {
		w.drop()
	}
}

// senseExtras are parts of a backup that hold data of the running system: graphs, leases, and the
// sessions of a portal.
var senseExtras = []string{"rrddata", "dhcpddata", "dhcpd6data", "dhcpdv6data", "captiveportaldata",
	"voucherdata"}

// senseExtra reports whether one of senseExtras is open.
func (w *walk) senseExtra() bool {
	x := &w.xml
	return x.depth > 1 && slices.Contains(senseExtras, string(x.open[1].name))
}

func (w *walk) beginsExtra() bool {
	v, ok := w.after("<")
	name, _, ended := bytes.Cut(v, []byte(">"))
	return ok && ended && w.xml.depth == 1 &&
		slices.Contains(senseExtras, strings.TrimSuffix(string(name), "/"))
}

func (w *walk) endsExtra() bool {
	n := bytes.LastIndex(w.words, []byte("<"))
	if n < 0 || w.xml.depth != 1 {
		return false
	}
	name, _, _ := bytes.Cut(w.words[n+1:], []byte(">"))
	return slices.Contains(senseExtras, strings.Trim(string(name), "/"))
}

func onSense(w *walk, event xmlEvent, part []byte) {
	x := &w.xml
	switch event {
	case xmlOnOpen:
		if string(x.element(0)) == "created" {
			w.senseAuto = false
			if w.automatic(part) {
				w.senseAuto = true
			}
		}
	case xmlOnText:
		w.readSenseText(part)
	case xmlOnClose:
		switch string(x.element(0)) {
		case "hostname":
			if x.depth == 3 && string(x.open[1].name) == "system" {
				w.setName(x.text())
			}
		case "username":
			if x.depth == 3 && string(x.open[1].name) == "revision" {
				set(&w.id.ChangedBy, x.text())
			}
		}
	}
}

func (w *walk) readSenseText(part []byte) {
	x := &w.xml
	if part = bytes.TrimSpace(part); len(part) == 0 {
		return
	}
	switch {
	case x.depth >= 2 && string(x.open[1].name) == "revision", w.senseExtra(),
		x.depth == 2 && string(x.open[1].name) == "lastchange",
		x.depth > 2 && string(x.open[x.depth-1].name) == "last_rule_upd_time",
		w.senseAuto && string(x.element(1)) == "created" && string(x.element(0)) == "time":
		w.mark(part, noise)
	case w.redact && (senseSecrets[string(x.element(0))] || senseNotice[string(x.element(1))] &&
		string(x.element(0)) == "api" || x.secretElement(part)):
		w.mark(part, secret)
	}
}

// automatic reports whether a <created> block names the system itself as its author. It looks
// ahead in the block, which is short.
func (w *walk) automatic(name []byte) bool {
	at := offset(w.text, name)
	ahead := w.text[at:min(len(w.text), at+300)]
	if end := bytes.Index(ahead, []byte("</created>")); end >= 0 {
		ahead = ahead[:end]
	}
	return bytes.Contains(ahead, []byte("<username><![CDATA[Auto]]></username>")) ||
		bytes.Contains(ahead, []byte("<username>Auto</username>"))
}

// senseNotice are the services whose <api> is the token to write to them.
var senseNotice = map[string]bool{"telegram": true, "slack": true}

var senseSecrets = map[string]bool{
	"password": true, "bcrypt-hash": true, "sha512-hash": true, "md5-hash": true, "nt-hash": true,
	"prv": true, "pre-shared-key": true, "rocommunity": true,
	"rwcommunity": true, "ldap_bindpw": true, "radius_secret": true, "shared_key": true,
	"tls": true, "privkey": true, "privatekey": true, "presharedkey": true,
	"psk": true, "secret": true, "passphrase": true, "authorizedkeys": true, "ipsecpsk": true,
	"privatekeypsk": true, "apikeys": true, "key": true,
	"passwordagain": true, "crypto_password": true, "crypto_password2": true, "auth_pass": true,
	"auth_key": true, "keydata": true, "oinkmastercode": true, "etpro_code": true,
	"oinkcode": true, "etprocode": true, "xmldata": true, "proxypass": true, "proxy_passwd": true,
}
