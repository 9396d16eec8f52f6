package device

import "bytes"

// ExtremeXOS uploads its configuration as a script of commands, by modules, and saves it as XML.
// The host name is "configure snmp sysName" or the element sysName of the device manager; RADIUS
// and TACACS servers have elements named hostname.
//
// Sources: Extreme's command reference, and files of several releases.

var extremeXOS = platform{
	name: "extreme_exos",
	signs: []sign{
		{"# Module ", 6, moduleConfiguration}, {"configure snmp sysName ", 6, nil},
		{"configure vlan ", 2, nil}, {"create vlan ", 2, nil},
		{"configure sysName ", 5, nil}, {"configure vr VR-Default ", 4, nil},
		{"configure fdb agingtime ", 3, nil}, {"configure iparp vr ", 3, nil},
		{"configure slot ", 2, nil}, {"configure ports ", 2, nil}, {"enable sharing ", 2, nil},
		{"configure stpd ", 3, nil}, {"create stpd ", 3, nil},
		{"<xos-configuration ", 20, nil}, {"<?xml ", 20, rootElement("<xos-configuration")},
		{"<xos-module-", 4, nil}, {"enable iparp vr ", 2, nil},
	},
	read: readXOS, lined: true, whole: wholeXOS,
}

func moduleConfiguration(rest []byte) bool {
	return bytes.HasSuffix(rest, []byte(" configuration."))
}

func readXOS(w *walk) {
	if w.last == nil && w.words[0] == '<' {
		w.xosXML = true
	}
	if w.xosXML {
		w.readXML(onXOS)
		w.finishXML()
		return
	}
	if w.has("* ") {
		w.drop() // a prompt, of a switch with changes that are not saved
		return
	}
	if w.words[0] == '#' {
		w.readXOSComment()
		return
	}
	v, ok := w.after("configure snmp sysName ")
	if !ok {
		v, ok = w.after("configure snmp sysname ")
	}
	if ok {
		w.setName(scalar(v))
	}
	w.secretTokens(xosSecrets)
	if w.redact {
		w.hideXOSPlaces()
	}
}

// hideXOSPlaces marks the secrets that no word announces.
func (w *walk) hideXOSPlaces() {
	for _, c := range []struct {
		command string
		skipped int // words between the command and the secret
	}{{"create account ", 2}, {"create netlogin local-user ", 1},
		{"configure snmpv3 add community ", 0}} {
		b, ok := w.after(c.command)
		if !ok {
			continue
		}
		for range c.skipped {
			_, b = token(b)
		}
		for len(b) > 0 {
			var word []byte
			switch word, b = token(b); string(word) {
			case "encrypted", "name":
			case "user", "":
				return
			default:
				w.mark(word, secret)
			}
		}
	}
}

// readXOSComment reads the comments above the modules, which become paths, and the comment with
// the time of the script.
func (w *walk) readXOSComment() {
	if w.has("# Module ") && moduleConfiguration(w.words) {
		w.pop()
		w.push(w.words[2:len(w.words)-len(" configuration.")], 0)
		return
	}
	if n := bytes.Index(w.words[:min(len(w.words), 200)],
		[]byte("onfiguration generated ")); n > 0 && w.top() {
		w.mark(w.words[n+len("onfiguration generated "):], noise)
	}
}

func onXOS(w *walk, event xmlEvent, part []byte) {
	x := &w.xml
	switch event {
	case xmlOnAttribute:
		if !x.at(0, "xos-configuration") {
			return
		}
		switch string(x.name) {
		case "version":
			set(&w.id.OSVersion, appendUnescaped(nil, part))
		case "creator":
			set(&w.id.ExportedBy, appendUnescaped(nil, part))
			w.mark(part, noise)
		case "date", "checksum":
			w.mark(part, noise)
		}
	case xmlOnText:
		if w.redact && len(bytes.TrimSpace(part)) > 0 &&
			(xosElements[string(x.element(0))] || x.secretElement(part)) {
			w.mark(part, secret)
		}
	case xmlOnClose:
		if string(x.element(0)) == "sysName" &&
			x.at(0, "xos-configuration", "xos-module-devmgr", "dm_system", "sysName") {
			w.setName(x.text())
		}
	}
}

func wholeXOS(w *walk) bool { return !w.xosXML || wholeXML(w) }

var xosSecrets = map[string]bool{
	"encrypted": true, "password": true, "secret": true, "shared-secret": true, "community": true,
	"readonly": true, "readwrite": true, "encrypted-auth": true,
	"md5": true, "sha": true, "privacy": true, "des": true, "aes": true, "key": true,
}

var xosElements = map[string]bool{
	"password": true, "passwd": true, "secret": true, "encrypted_secret": true,
	"usmUserAuthKey": true, "usmUserPrivKey": true, "snmpCommunityName": true,
	"snmpCommunityIndex": true, "snmpTargetAddrCommunity": true, "shared_secret": true,
	"community": true,
}
