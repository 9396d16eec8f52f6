package device

import "bytes"

// Dell sells three systems. OS6, of the N series and PowerConnect before, is Broadcom's FASTPATH,
// which others sell too (netgear.go). OS9, Force10's FTOS, and OS10 look like Cisco's IOS, with
// comments of their own at the top.
//
// Sources: Dell's command references, and configurations of many releases.

var dellOS9 = platform{
	name: "dell_os9",
	signs: []sign{
		{"! Version 9.", 8, nil}, {"! Version 8.", 8, nil}, {"! Version 7.", 6, nil},
		{"! Startup-config last updated at ", 6, nil},
		{"Current Configuration ...", 4, nothing}, {"boot system stack-unit ", 8, nil},
		{"stack-unit ", 5, nil}, {"interface ManagementEthernet ", 6, nil},
		{"redundancy auto-synchronize ", 5, nil}, {"protocol spanning-tree ", 4, nil},
		{"interface TenGigabitEthernet ", 2, nil},
		{"interface fortyGigE ", 5, nil}, {"protocol lldp", 3, nothing}, {"hostname ", 1, nil},
		{"! Last configuration change at ", 1, nil},
	},
	read: readDellOS, whole: endsWith("end"), cut: quoting,
}

var dellOS10 = platform{
	name: "dell_os10",
	signs: []sign{
		{"! Version 10.", 10, nil}, {"ip vrf default", 2, nothing},
		{"interface ethernet1/1/", 4, nil}, {"interface mgmt1/1/1", 5, nothing},
		{"system-user linuxadmin ", 8, nil}, {"iscsi target port ", 3, nil},
		{"interface breakout ", 5, nil}, {"! Last configuration change at ", 1, nil},
		{"policy-map type application policy-iscsi", 4, nothing},
		{"class-map type application class-iscsi", 4, nothing}, {"hostname ", 1, nil},
	},
	read: readDellOS, lined: true,
}

// readDellOS reads OS9 and OS10.
func readDellOS(w *walk) {
	if !w.readHeaded() {
		w.readDellHeader()
		return
	}
	if v, ok := w.after("hostname "); ok && w.top() {
		w.setName(unquoted(v))
	}
	if text, ok := w.after("banner "); ok && w.top() {
		if text = rest(text, 1); bytes.HasPrefix(text, []byte("^C")) || len(text) > 0 &&
			!alphanumeric(text[0]) {
			w.openBanner(text)
		}
	}
	w.hide(lineSecrets, nil)
	w.opens()
}

func (w *walk) readDellHeader() {
	switch v, ok := w.after("! Version "); {
	case !w.heads():
	case ok:
		set(&w.id.OSVersion, field(v, 0))
	case w.has("! Last configuration change at "):
		set(&w.id.ChangedBy, author(w.words))
		w.drop()
	case w.has("! Startup-config last updated at "):
		w.drop()
	}
}

var dellOS6 = platform{
	name:   "dell_os6",
	family: fastpathSigns, signs: []sign{
		{"!System Description ", 14, describing("Dell", "PowerConnect")},
		{"interface Gi1/0/", 4, nil}, {"interface Te1/0/", 4, nil},
		{"snmp-server engineid local ", 4, nil}, {"member 1 ", 2, nil}, {"stack", 1, nothing},
		{"interface out-of-band", 3, nothing},
	},
	read: readFastpath, whole: wholeFastpath, cut: quoting,
}

// dellEFOS is EFOS, of Broadcom's switches as NetApp sells them.
var dellEFOS = platform{
	name:   "dell_efos",
	family: fastpathSigns, signs: []sign{{"!System Description ", 14, describing("EFOS")}},
	read: readFastpath, whole: wholeFastpath, cut: quoting,
}
