package device

import (
	"bytes"
)

// Here are more of the systems that look like IOS (likes.go), with what the header of each says.
// Few of them say where a file ends, so a file is cut off only inside a banner. Sources: the
// makers' command references, and configurations of many releases.

// commented returns what a comment at the beginning of a line says.
func (w *walk) commented() ([]byte, bool) {
	if w.until != nil || w.indent > 0 || w.words[0] != '!' && w.words[0] != '#' {
		return nil, false
	}
	return bytes.TrimLeft(w.words, "!# "), true
}

// keyed returns the value of "KEY : VALUE", "KEY: VALUE" or "KEY = VALUE".
func keyed(b []byte, key string) ([]byte, bool) {
	b, ok := bytes.CutPrefix(b, []byte(key))
	b = bytes.TrimLeft(b, " \t")
	if !ok || len(b) == 0 || b[0] != ':' && b[0] != '=' {
		return nil, false
	}
	return bytes.TrimSpace(b[1:]), true
}

func unquoting(w *walk) bool { return w.until == nil }

// readZTE reads what ZTE writes. Later releases close a block with "$", and name the time and the
// command of the last saves in comments.
func readZTE(w *walk) {
	if w.until == nil && w.indent == 0 {
		switch {
		case string(w.words) == "$":
			w.indented()
			w.drop() // separates
			return
		case w.has("timestamp_write: "), w.has("!configuration saved at "):
			w.drop()
			return
		case w.has("!last configuration change at "):
			set(&w.id.ChangedBy, author(w.words))
			w.drop()
			return
		case w.has("system-name "):
			w.setName(unquoted(rest(w.words, 1)))
		}
	}
	readCiscoLike(w)
}

// cdataOLT is on the optical line terminals of C-Data.
var cdataOLT = platform{
	name: "cdata_olt",
	signs: []sign{
		{"interface gpon 0/", 4, nil}, {"interface epon 0/", 4, nil},
		{"ont-srvprofile ", 6, nil}, {"ont-lineprofile ", 6, nil},
		{"dba-profile profile-id ", 5, nil}, {" ont add ", 3, nil}, {" ont description ", 2, nil},
		{"hostname ", 1, nil}, {"interface mgmt", 1, nothing}, {"user add ", 2, nil},
	},
	read: readCiscoLike, lined: true, whole: unquoting,
}

// maipuOS is on the devices of Maipu.
var maipuOS = platform{
	name: "maipu", family: iosSigns,
	signs: []sign{
		{"!software version ", 8, nil}, {"!software image file ", 6, nil},
		{"!compiled on ", 4, nil}, {"! Flash config last updated at ", 4, nil},
		{"! Configuration version ", 4, nil}, {"! MyPower ", 10, nil},
	},
	read: readMaipu, lined: true, whole: unquoting,
}

func readMaipu(w *walk) {
	if b, ok := w.commented(); ok {
		switch v, versioned := bytes.CutPrefix(b, []byte("software version ")); {
		case versioned:
			set(&w.id.OSVersion, field(v, 0))
		case bytes.HasPrefix(b, []byte("Flash config last updated at ")),
			bytes.HasPrefix(b, []byte("Current configuration : ")),
			bytes.HasPrefix(b, []byte("Configuration version ")): // counts what was saved
			w.drop()
			return
		}
	}
	readCiscoLike(w)
}

// brocadeNOS is Network OS, on Brocade's VDX.
var brocadeNOS = platform{
	name: "brocade_nos", family: iosSigns,
	signs: []sign{
		{"switch-attributes ", 10, digits}, {" chassis-name VDX", 6, nil},
		{" fabric isl enable", 6, nothing}, {" fabric trunk enable", 4, nothing},
		{"chassis virtual-ip ", 5, nil}, {"support autoupload enable", 4, nil},
		{"logging raslog console ", 2, nil}, {"logging auditlog class ", 2, nil},
		{"zoning enabled-configuration ", 6, nil}, {"zoning defined-configuration ", 5, nil},
		{"fabric route mcast rbridgeId ", 5, nil}, {"rbridge-id ", 5, digits},
	},
	read: readNOS, lined: true, whole: unquoting,
}

// extremeSLX is SLX-OS, which came of Network OS.
var extremeSLX = platform{
	name: "extreme_slx", family: iosSigns,
	signs: []sign{
		{"root access console", 4, nothing}, {"root enable", 3, nothing},
		{"host-table aging-mode ", 5, nil}, {"switch-attributes", 4, nothing},
		{" chassis-name SLX", 8, nil}, {" chassis-name BR-SLX", 8, nil},
		{" chassis-name EXTR-SLX", 8, nil}, {"switch-attributes chassis-name ", 8, nil},
		{"switch-attributes host-name ", 8, nil}, {"http server use-vrf ", 4, nil},
		{"telnet server use-vrf ", 4, nil}, {"ssh server use-vrf ", 4, nil},
		{"logging raslog console ", 2, nil}, {"logging auditlog class ", 2, nil},
	},
	read: readNOS, lined: true, whole: unquoting,
}

// readNOS reads what Network OS and SLX-OS write, which name the device in a block of its chassis.
func readNOS(w *walk) {
	if w.until == nil {
		w.indented()
		attributes := w.depth == 1 && bytes.HasPrefix(w.parent(), []byte("switch-attributes"))
		switch v, ok := w.after("switch-attributes host-name "); {
		case ok && w.indent == 0:
			w.setName(unquoted(v))
		case attributes && w.has("host-name ") && w.indent > 0:
			w.setName(unquoted(rest(w.words, 1)))
		case attributes && w.has("chassis-name ") && w.indent > 0:
			if name := unquoted(rest(w.words, 1)); chassisModel().Match(name) {
				set(&w.id.Model, name)
			}
		}
	}
	readCiscoLike(w)
}

// chassisModel matches the name of a chassis that was not changed: it is the model, such as
// VDX6740T-1G or BR-SLX-9850-4.
var chassisModel = expression(
	`^(BR-|EXTR-)?(VDX|SLX)[- ]?\d{4}[A-Z]*(-\d[0-9A-Z]*)*$`)

// tplinkJetStream is on TP-Link's managed switches.
var tplinkJetStream = platform{
	name: "tplink_jetstream", family: iosSigns,
	signs: []sign{
		{"!T", 8, tplinkModel}, {"!SG", 8, tplinkModel}, {"!SX", 8, tplinkModel},
		{"interface gigabitEthernet 1/0/", 6, nil}, {"user name ", 4, holding(" privilege ")},
		{"interface two-gigabitEthernet 1/0/", 6, nil}, {"system-time ntp ", 5, nil},
		{"interface ten-gigabitEthernet 1/0/", 6, nil}, {"controller cloud-based", 5, nil},
		{"no controller cloud-based", 6, nil},
		{"serial_port baud-rate ", 4, nil}, {"contact-info \"", 4, nil},
	},
	read: readJetStream, lined: true, whole: unquoting,
}

// tplinkModel: the first line is a model, such as "!TL-SG3428" or "!T2600G-28TS".
func tplinkModel(rest []byte) bool {
	return len(rest) > 3 && len(rest) < 40 && bytes.IndexByte(rest, ' ') < 0 &&
		bytes.ContainsAny(rest, "0123456789")
}

func readJetStream(w *walk) {
	switch {
	case w.until != nil:
	case w.last == nil && w.words[0] == '!' && tplinkModel(w.words[1:]):
		set(&w.id.Model, w.words[1:])
		return
	case string(w.words) == "#":
		w.indented()
		w.drop() // separates
		return
	}
	readCiscoLike(w)
}

// ocNOS is IP Infusion's OcNOS, on switches of several makers.
var ocNOS = platform{
	name: "ipinfusion_ocnos", family: iosSigns,
	signs: []sign{
		{"! Software version: ", 10, holding("OcNOS")}, {"hardware-profile ", 6, nil},
		{"feature telnet vrf management", 3, nil}, {"no feature telnet vrf management", 3, nil},
		{"feature ssh vrf management", 3, nil}, {"service unsupported-transceiver", 4, nothing},
		{"snmp-server enable snmp vrf management", 4, nothing}, {"forwarding profile ", 3, nil},
		{"bridge 1 protocol ", 3, nil}, {"ip vrf management", 1, nothing},
	},
	read: readOcNOS, lined: true, whole: unquoting,
}

func readOcNOS(w *walk) {
	if b, ok := w.commented(); ok {
		if v, ok := keyed(b, "Software version"); ok {
			set(&w.id.OSVersion, field(v, 0))
		} else if bytes.HasPrefix(b, []byte("Last configuration change at ")) {
			set(&w.id.ChangedBy, author(b))
		}
	}
	readCiscoLike(w)
}
