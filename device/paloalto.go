package device

import "bytes"

// PAN-OS saves its configuration as XML; its command line shows it as blocks of braces or as
// commands "set ...". The host name is deviceconfig/system/hostname of the device itself. Templates
// of Panorama hold the same path deeper, for other devices.
//
// Sources: Palo Alto's CLI and API references, and files of several releases.

var panOS = platform{
	name: "paloalto_panos",
	signs: []sign{
		{"<config version=\"", 10, nil}, {"<config urldb=\"", 10, nil}, {"<?xml ", 10, panDocument},
		{"<response status=", 10, panDocument},
		{"config {", 3, nil}, {"  mgt-config {", 5, nil}, {"mgt-config {", 5, nil},
		{"deviceconfig {", 6, nil}, {"  devices {", 3, nil}, {"  shared {", 2, nil},
		{"    localhost.localdomain {", 4, nil}, {"set deviceconfig ", 6, nil},
		{"set config devices ", 6, nil}, {"set config shared ", 4, nil},
		{"set mgt-config ", 5, nil}, {"set network interface ethernet ", 4, nil},
		{"set network profiles ", 4, nil}, {"set network ike ", 4, nil},
		{"set network virtual-router ", 4, nil}, {"set rulebase ", 4, nil},
		{"set device-group ", 4, nil}, {"set template ", 3, nil}, {"set shared ", 2, nil},
		{"set vsys ", 3, nil}, {"set zone ", 1, nil},
		{"set address ", 1, nil}, {"set import network ", 4, nil}, {"<mgt-config>", 6, nil},
		{"  <mgt-config>", 6, nil}, {"  <mgt-config ", 6, nil},
	},
	read: readPanOS, open: unclosed, whole: wholePanOS,
}

var panBraces = braceForm{strings: true}

// panDocument: the root element stands on the same line.
func panDocument(rest []byte) bool {
	rest = rest[:min(len(rest), 300)]
	return bytes.Contains(rest, []byte("<config ")) &&
		(bytes.Contains(rest, []byte("urldb=")) || bytes.Contains(rest, []byte("<mgt-config")) ||
			bytes.Contains(rest, []byte("detail-version=")))
}

// panForm is which form the file has.
type panForm uint8

const (
	panXML panForm = iota + 1
	panCLI
)

func readPanOS(w *walk) {
	if w.pan == 0 && len(w.words) > 0 {
		if w.words[0] == '<' {
			w.pan = panXML
		} else if w.words[0] != '#' && !w.stray() {
			w.pan = panCLI
		}
	}
	if w.pan == panXML {
		w.readXML(onPanXML)
		w.finishXML()
		return
	}
	if w.stray() {
		w.drop()
		return
	}
	kind, words := w.braces(panBraces)
	switch {
	case kind == braceStatement && words[0] == 'h':
		if v, ok := bytes.CutPrefix(words, []byte("hostname ")); ok && w.panSystem() {
			w.setName(scalar(v))
		}
	case kind == braceStatement && bytes.HasPrefix(words, []byte("set ")) && w.top():
		v := bytes.TrimPrefix(words[len("set "):], []byte("config devices localhost.localdomain "))
		if v, ok := bytes.CutPrefix(v, []byte("deviceconfig system hostname ")); ok {
			w.id.Name = string(scalar(v))
		}
	}
	// BGP's communities are no secret
	if _, bgp, _ := bytes.Cut(w.words, []byte(" protocol bgp ")); !bytes.HasPrefix(bgp,
		[]byte("policy ")) {
		w.secretTokens(panSecrets)
	}
	if w.redact {
		w.hidePanHeader(words)
	}
	if kind == braceOpen {
		w.push(words, w.indent)
	}
}

// hidePanHeader marks the value of an HTTP header, which often is a credential.
func (w *walk) hidePanHeader(b []byte) {
	if _, v, ok := bytes.Cut(b, []byte(" headers ")); ok {
		_, v, _ = bytes.Cut(v, []byte(" value "))
		w.mark(v, secret)
	} else if v, ok := bytes.CutPrefix(b, []byte("value ")); ok && w.within("headers") {
		w.mark(bytes.TrimRight(v, ";"), secret)
	}
}

// panSystem reports whether the line is in the device's own system settings, from any level at
// which the command line shows them.
func (w *walk) panSystem() bool {
	return w.in("deviceconfig", "system") || w.in("config", "devices", "localhost.localdomain",
		"deviceconfig", "system") ||
		w.in("devices", "localhost.localdomain", "deviceconfig", "system")
}

func onPanXML(w *walk, event xmlEvent, part []byte) {
	x := &w.xml
	root := 0
	if x.depth > 2 && string(x.open[0].name) == "response" { // what the API answers
		root = 2
	}
	switch event {
	case xmlOnAttribute:
		switch name := string(x.name); {
		case x.at(root, "config"):
			switch name {
			case "version":
				set(&w.id.OSVersion, appendUnescaped(nil, part))
			case "detail-version":
				set(&w.id.Build, appendUnescaped(nil, part))
			case "urldb":
				w.mark(part, noise)
			}
		case name == "time", name == "dirtyId", name == "admin": // of a candidate configuration
			w.mark(part, noise)
		}
	case xmlOnText:
		part = bytes.TrimSpace(part)
		if w.redact && !noSecret(part) && string(part) != "read-only" &&
			(panSecrets[string(x.element(0))] || x.secretElement(part)) {
			w.mark(part, secret)
		}
	case xmlOnClose:
		if string(x.element(0)) == "hostname" &&
			x.at(root, "config", "devices", "entry", "deviceconfig", "system", "hostname") {
			w.setName(x.text())
		}
	}
}

func wholePanOS(w *walk) bool {
	if w.pan == panXML {
		return wholeXML(w)
	}
	return balanced(w)
}

var panSecrets = map[string]bool{
	"secret-access-key": true, "service-account-cred": true, "authcode": true, "pin": true,
	"phash": true, "password": true, "private-key": true, "key": true, "secret": true,
	"bind-password": true, "passphrase": true,
	"authpwd": true, "privpwd": true, "snmp-community-string": true, "auth-key": true, "md5": true,
	"password-hash": true, "certificate-password": true,
	"authentication-key": true, "secure-proxy-password": true, "community": true,
	"auth-password": true, "priv-password": true, "api-key": true, "token": true,
}
