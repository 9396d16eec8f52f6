package device

import "bytes"

// Many makers write configurations that look like those of Cisco's IOS: lines, indented inside a
// block, with "!" between blocks. Those that are known by a sign of their own have a name; the rest
// is cisco_like.
//
// Sources: the makers' command references, and configurations of several releases.

// ciscoLike is what looks like IOS and has no sign of Cisco's own, such as FRRouting and the
// switches of many makers. It stands before ciscoIOS, which has its signs and more. Nothing is
// known of how such a file ends.
var ciscoLike = platform{
	name: "cisco_like", family: iosSigns,
	signs: []sign{
		{"frr version ", 20, nil}, {"frr defaults ", 10, nil},
		{"! Zebra configuration saved", 10, nil},
		{"service integrated-vtysh-config", 10, nothing},
		{"#Hirschmann ", 10, nil}, {"! Hirschmann ", 10, nil},
		{"! NEC Portable Internetwork Core ", 10, nil},
		{"! LAST EDIT ", 6, holding(":")}, // FITELnet
	},
	read: readCiscoLike,
}

var alliedWarePlus = platform{
	name: "allied_telesis_awplus", family: iosSigns,
	signs: []sign{
		{"stack virtual-chassis-id ", 8, nil}, {"interface port1.", 8, nil},
		{"interface port2.", 4, nil}, {"ssh server allow-users ", 4, nil},
		{"clock timezone ", 3, holding(" plus ")},
		{"atmf network-name ", 6, nil}, {"platform l2-table", 3, nil}, {"ecofriendly ", 4, nil},
	},
	read: readCiscoLike, whole: endsWith("end"), cut: quoting,
}

var ruijieOS = platform{
	name: "ruijie_os", family: iosSigns,
	signs: []sign{
		{"version ", 10, holding("RGOS")}, {"cwmp", 4, nothing},
		{"interface AggregatePort ", 6, nil},
		{"interface TFGigabitEthernet ", 6, nil}, {"sysmac ", 6, nil}, {"nfpp", 5, nothing},
		{"webmaster level ", 6, nil}, {"install 0 ", 5, nil},
	},
	read: readRuijie, whole: endsWith("end"), cut: quoting,
}

func readRuijie(w *walk) {
	if v, ok := w.after("version "); ok && w.until == nil && w.outermost() {
		if _, release, ok := bytes.Cut(v, []byte("RGOS ")); ok {
			release, _, _ = bytes.Cut(release, []byte(","))
			set(&w.id.OSVersion, field(release, 0))
		}
	}
	readCiscoLike(w)
}

var bdcom = platform{
	name: "bdcom", family: iosSigns,
	signs: []sign{
		{"!version ", 12, holding(" build ")}, {"interface GigaEthernet", 5, slotted},
		{"interface TGigaEthernet", 5, slotted}, {"interface EPON0/", 6, nil}, {" epon ", 5, nil},
		{"interface GPON0/", 5, nil}, {" gpon ", 4, nil},
		{"service timestamps log date", 4, nothing},
		{"service timestamps debug date", 4, nothing},
		{"aaa authentication enable default none", 2, nothing},
	},
	read: readBDCOM, lined: true, // writes no end
}

// slotted: the number of a port follows at once, such as 0/1. NEC's IX and FITELnet have interfaces
// of the same name, GigaEthernet0.0 and GigaEthernet 1/1.
func slotted(v []byte) bool {
	number, _, ok := bytes.Cut(v, []byte("/"))
	return ok && digits(number)
}

func readBDCOM(w *walk) {
	if v, ok := w.after("!version "); ok && w.until == nil && w.last == nil {
		set(&w.id.OSVersion, field(v, 0))
		if string(field(v, 1)) == "build" {
			set(&w.id.Build, field(v, 2))
		}
	}
	readCiscoLike(w)
}

// dcn are the switches that SNR, QTECH and others sell under their names.
var dcn = platform{
	name: "dcn_os", family: iosSigns,
	signs: []sign{
		{"Interface Ethernet1/", 8, nil}, {"Interface Ethernet0/", 8, nil},
		{"Interface Vlan", 6, nil},
		{"sysLocation ", 4, nil}, {"sysContact ", 4, nil}, {"Interface Port-Channel", 4, nil},
		{"Interface Port-channel", 4, nil},
	},
	read: readCiscoLike, lined: true, // some releases write no end
}

var eltexMES = platform{
	name: "eltex", family: iosSigns,
	signs: []sign{
		{"interface gigabitethernet1/0/", 4, nil}, {"interface tengigabitethernet1/0/", 5, nil},
		{"interface gigabitethernet 1/0/", 4, nil}, {"interface tengigabitethernet 1/0/", 5, nil},
		{"no errdisable detect cause ", 2, nil}, {"! MES", 8, nil},
		{"interface gi1/0/", 3, nil}, {"interface te1/0/", 3, nil}, {"interface oob", 4, nothing},
	},
	read: readCiscoLike, lined: true, // some releases write no end
}

var adtranOS = platform{
	name: "adtran_os", family: iosSigns,
	signs: []sign{
		{"! ADTRAN, Inc. OS version ", 20, nil}, {"! ADTRAN OS version ", 20, nil},
		{"! Boot ROM version ", 4, nil}, {"interface eth 0/", 5, nil},
		{"interface gigabit-eth 0/", 6, nil}, {"interface gigabit-switchport 0/", 6, nil},
		{"interface switchport 0/", 5, nil},
		{"event-history on", 4, nothing}, {"no event-history on", 4, nothing},
	},
	read: readAdtran, whole: endsWith("end"), cut: quoting,
}

func readAdtran(w *walk) {
	if w.until == nil && w.indent == 0 && w.words[0] == '!' {
		v := bytes.TrimLeft(w.words, "! ")
		if model, ok := bytes.CutPrefix(v, []byte("Platform: ")); ok {
			model, _, _ = bytes.Cut(model, []byte(","))
			set(&w.id.Model, model)
		} else if _, release, ok := bytes.Cut(v, []byte("OS version ")); ok {
			set(&w.id.OSVersion, field(release, 0))
		} else if serial, ok := bytes.CutPrefix(v, []byte("Serial number ")); ok {
			set(&w.id.Serial, field(serial, 0))
		}
	}
	readCiscoLike(w)
}

// zteOLT is ZTE's ZXAN, of optical line terminals.
var zteOLT = platform{
	name: "zte_zxros", family: iosSigns,
	signs: []sign{
		{"interface gpon-olt_", 8, nil}, {"interface gpon-onu_", 8, nil},
		{"interface gpon_olt-", 8, nil}, {"interface gpon_onu-", 8, nil}, {"pon-onu-mng ", 8, nil},
		{"interface gei_", 5, nil}, {"interface xgei", 5, nil}, {"add-card rackno ", 6, nil},
		{"interface epon-olt_", 8, nil}, {"!<if-intf>", 6, nothing}, {"!</if-intf>", 6, nothing},
		{"!<system-config>", 6, nothing}, {"!<mim>", 6, nothing}, {"timestamp_write: ", 6, nil},
	},
	read: readZTE, lined: true, // some releases write no end
}

// zyxelOS are Zyxel's switches and firewalls, each of which has a header of its own.
var zyxelOS = platform{
	name: "zyxel_os", family: iosSigns,
	signs: []sign{
		{"; Product Name = ", 10, nil}, {"; Firmware Version = ", 10, nil}, {"! model: ", 5, nil},
		{"! firmware version: ", 8, nil}, {"! saved at ", 5, nil},
		{"hardware-watchdog-timer ", 6, nil},
		{"admin-password ", 4, nil}, {"  forbidden ", 4, nil}, {"  fixed ", 4, nil},
	},
	read: readZyxel, lined: true,
}

func readZyxel(w *walk) {
	if w.until == nil && w.indent == 0 && (w.words[0] == ';' || w.words[0] == '!') {
		v := bytes.TrimLeft(w.words, ";! ")
		for _, h := range []struct {
			key   string
			field *string
		}{
			{"Product Name = ", &w.id.Model}, {"model: ", &w.id.Model},
			{"Firmware Version = ", &w.id.OSVersion}, {"firmware version: ", &w.id.OSVersion},
		} {
			if v, ok := bytes.CutPrefix(v, []byte(h.key)); ok {
				set(h.field, v)
			}
		}
		if bytes.HasPrefix(v, []byte("saved at ")) {
			w.drop()
			return
		}
		if w.words[0] == ';' {
			return
		}
	}
	readCiscoLike(w)
}

var edgecore = platform{
	name: "edgecore", family: iosSigns,
	signs: []sign{
		{"!<stackingDB>", 12, nil}, {"!<stackingMac>", 12, nil},
		{" VLAN 1 name DefaultVlan media ethernet", 6, nil},
	},
	read: readCiscoLike, lined: true, // some releases write no end
}

// readCiscoLike reads what is common to systems that look like IOS: a host name at the top or as
// "host-name" in a block of the chassis, banners, blocks by indentation.
func readCiscoLike(w *walk) {
	statement := w.readLines()
	if w.dropped || w.quoting {
		return
	}
	if !statement {
		if w.indent == 0 && w.dated() {
			w.drop()
		}
		return
	}
	switch v, ok := w.after("hostname "); {
	case ok && w.outermost():
		w.setName(unquoted(v))
	case w.depth == 1 && w.has("host-name ") &&
		bytes.HasPrefix(w.parent(), []byte("switch-attributes ")):
		w.setName(unquoted(rest(w.words, 1)))
	}
	w.banner()
	w.secrets()
	w.opens()
}
