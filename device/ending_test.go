package device_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestEnding: what merely lacks its platform's end has an ending, and what is cut off has none.
func TestEnding(t *testing.T) {
	const ios = "version 15.2\nhostname r1\n!\ninterface FastEthernet0/1\n"
	for name, c := range map[string]struct {
		config   string
		complete bool
		ending   string
	}{
		"ASA, lines of ASDM behind the end": {": Saved\nASA Version 9.1(7)\nhostname a1\n" +
			"Cryptochecksum:0011\n: end\nasdm image disk0:/asdm-771.bin\nasdm history enable\n",
			true, ""},
		"ASA, another begins behind the end": {": Saved\nASA Version 9.1(7)\nhostname a1\n: end\n" +
			": Saved\nASA Version 9.1(7)\nhostname a1\n", false, "hostname a1"},
		"IOS without its end": {ios + " no shutdown\n!\n", false,
			"interface FastEthernet0/1\n no shutdown"},
		"IOS, a secret": {ios + " ip ospf authentication-key 7 0a1b2c3d\n", false,
			"interface FastEthernet0/1\n ip ospf authentication-key 7 <secret>"},
		"IOS, in the middle of a line": {ios + " no shut", false, ""},
		"IOS, in a banner":             {ios + "banner motd ^C\nmind the gap\n", false, ""},
		"IOS, whole":                   {ios + "end\n", true, ""},
		"IOS, padded with NUL":         {ios + "end\n\x00\x00\x00\x00", true, ""},
		"IOS, padded with SUB":         {ios + "end\n\x1a\x1a\r\n", true, ""},
		"FortiOS, a block is open": {"#config-version=FGT60F-7.4.7-FW-build2731\nconfig " +
			"system global\nset alias \"x\"\n", false, ""},
		"Junos, a block is open": {"version 21.4R1;\nsystem {\n    host-name j1;\n", false,
			""},
		"pfSense, an element is open": {"<?xml version=\"1.0\"?>\n<pfsense>\n<system>\n", false,
			""},
		"Comware without its return": {" version 7.1.045, Release 2418P06\n sysname c1\n#\n",
			false, "sysname c1"},
		"FASTPATH before its commands": {"!Current Configuration:\n!System Description \"Some " +
			"Routing 54T\"\n!System Software Version \"2.1\"\nnetwork protocol none\n", false,
			"network protocol none"},
		"tmsh, a block begins": {"#TMSH-VERSION: 15.1.2\n\ncm device /Common/a {\n" +
			"    hostname a\n}\nltm pool /Common/", false, ""},
		"Junos, a block begins": {"version 21.4R1;\nsystem {\n    host-name j1;\n}\nchass", false,
			""},
		"VyOS, a trailer": {"interfaces {\n    loopback lo {\n    }\n}\nsystem {\n" +
			"    host-name v1\n}\n// Release version: 1.4.1", true, device.Bare},
		"RouterOS, a header alone": {"# 2026-11-23 05:15:00 by RouterOS 7.16\n# model = L009\n",
			false, ""},
		"blank":               {" \n\r\n", false, ""},
		"empty":               {"", false, ""},
		"nothing but padding": {"\x00\x00\x00", false, ""},
		"text of no platform": {"one\ntwo", true, ""},
	} {
		if id := device.Identify([]byte(c.config)); id.Complete != c.complete {
			t.Errorf("%s: complete is %t", name, id.Complete)
		}
		if got := device.Ending([]byte(c.config)); strings.TrimSpace(got) != c.ending {
			t.Errorf("%s: ending %q, want %q", name, got, c.ending)
		}
	}
}

// TestUnended: a file of a platform that ends each line with a newline, and has no other end, may
// be cut off where the last newline is missing. Its last line names nothing.
func TestUnended(t *testing.T) {
	const nxos = "version 9.3(8)\nfeature ospf\nvrf context management\n" +
		"  ip route 0.0.0.0/0 192.0.2.1\n"
	const named = nxos + "hostname n1\nline vty\n"
	const netScaler = "#NS13.0 Build 84.11\nset ns config -IPAddress 192.0.2.1\n"
	for name, c := range map[string]struct {
		config, name string
		complete     bool
		ending       string
	}{
		"NX-OS":           {named, "n1", true, ""},
		"NX-OS, CR LF":    {strings.ReplaceAll(named, "\n", "\r\n"), "n1", true, ""},
		"NX-OS, padded":   {named + "\x00\x00\x00", "n1", true, ""},
		"NX-OS, CR alone": {strings.ReplaceAll(named, "\n", "\r"), "n1", true, ""},
		"NX-OS, a prompt": {named + "\nn1# ", "n1", true, ""},
		"NX-OS, a recording": {"n1# show running-config\n" + strings.TrimSpace(named), "n1",
			true, device.Bare},
		"NX-OS, cut":               {named + "vrf context mana", "n1", true, device.Unended},
		"NX-OS, cut, padded":       {named + "  exec-t\x00\x00", "n1", true, device.Unended},
		"NX-OS, cut in its name":   {nxos + "hostname n", "", true, device.Unended},
		"NX-OS, cut in its banner": {nxos + "banner motd #\nmind", "", true, device.Bare},
		"IOS, cut in its name":     {"version 15.2\nboot-start-marker\nhostname r", "", false, ""},
		"Junos, cut in its name": {"set version 21.4R1.12\nset system host-name j", "", true,
			device.Bare},
		"RouterOS, cut in its name": {"# 2026-11-23 05:15:00 by RouterOS 7.16\n/system " +
			"identity\nset name=g", "", true, device.Unended},
		"NetScaler, no newline": {netScaler + "set ns hostName n", "", true, device.Unended},
		"NetScaler":             {netScaler + "set ns hostName n\n", "n", true, ""},
		"AOS-CX, JSON": {"{\n    \"AAA_Server_Group\": {},\n    \"System\": {\n" +
			"        \"hostname\": \"c1\"\n    }\n}", "c1", true, device.Bare},
		"pfSense, a line": {"<?xml version=\"1.0\"?><pfsense><system><hostname>p1</hostname>" +
			"</system></pfsense>", "p1", true, device.Bare},
	} {
		id := device.Identify([]byte(c.config))
		if id.Name != c.name || id.Complete != c.complete {
			t.Errorf("%s: name %q, complete %t", name, id.Name, id.Complete)
		}
		if got := device.Ending([]byte(c.config)); got != c.ending {
			t.Errorf("%s: ending %q, want %q", name, got, c.ending)
		}
	}
}

// TestCutAnywhere: whole files of all platforms, cut in the middle of a line after a whole one has
// come, are no whole ones.
func TestCutAnywhere(t *testing.T) {
	for _, row := range table(t, "testdata/expected.tsv") {
		file := row["path"]
		whole := []byte(read(t, file))
		if id := device.Identify(whole); !id.Complete || !device.Known(whole) {
			continue
		}
		lines := map[string]bool{}
		text := device.Decode(whole)
		for line := range bytes.Lines(text) {
			lines[string(bytes.TrimRight(line, " \t\r\n"))] = true
		}
		for _, before := range [][]byte{text, bytes.TrimRight(text, "\r\n")} {
			for at := len(text) / 3; at < len(text); at += 1 + len(text)/37 {
				cut := text[:at]
				last := strings.TrimRight(string(cut[bytes.LastIndexByte(cut, '\n')+1:]), " \t")
				if lines[last] || last == "" || strings.HasSuffix(last, "$") {
					continue // it may be a line, or a prompt
				}
				if id := device.Identify(cut); !id.Complete || id.Platform != row["platform"] {
					continue
				}
				if e := device.Ending(cut); e != device.Unended && e != device.Bare {
					t.Errorf("%s, cut at %d in %q: ending %q", file, at, last, e)
				} else if !device.CutOff(cut, before) {
					t.Errorf("%s, cut at %d in %q: not cut off", file, at, last)
				}
			}
		}
	}
}

// TestPadding: what fills the last block of a transfer is no configuration.
func TestPadding(t *testing.T) {
	for _, config := range []string{"version 15.2\nhostname r1\n!\nend\n", "one\ntwo\n"} {
		want := device.Fingerprint([]byte(config))
		for _, padding := range []string{"\x00", "\x00\x00\x00", "\x1a", "\x1a\x00\r\n"} {
			if device.Fingerprint([]byte(config+padding)) != want {
				t.Errorf("%q behind %q makes another configuration", padding, config)
			}
		}
		if device.Fingerprint([]byte("a\x00"+config)) == device.Fingerprint([]byte("a"+config)) {
			t.Error("a NUL inside is padding")
		}
	}
}
