package device_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestLinePath: where a line stands, once for each way of writing blocks.
func TestLinePath(t *testing.T) {
	for _, c := range []struct{ file, line, want string }{
		{"arista_eos.conf", "rd 65001:1", "router bgp 65001 > vrf BLUE"},
		{"arista_eos.conf", "ip address 192.0.2.1/31", "interface Ethernet1"},
		{"aruba_aoscx.conf", "vlan access 20", ""},
		{"aruba_aoscx.conf", "ip static 198.51.100.20/24", "interface mgmt"},
		{"aruba_aoscx-json.conf", `"group_name": "local"`, "AAA_Server_Group > local"},
		{"aruba_aoscx-json.conf", `"192.0.2.53"`, "System > dns_servers"},
		{"aruba_os.conf", `host "192.0.2.14"`, `aaa authentication-server radius "radius1"`},
		{"aruba_os.conf", `snmp-server community "watch-me"`, ""},
		{"aruba_instant.conf", "essid office", "wlan ssid-profile office"},
		{"hp_procurve.conf", "untagged 5", "vlan 20"},
		{"hp_comware.conf", "peer 192.0.2.61 as-number 65006", "bgp 65003 > ip vpn-instance blue"},
		{"hp_comware.conf", "lldp global enable", ""},
		{"huawei_vrp.conf", "local-user admin service-type ssh", "aaa"},
		{"dell_efos.conf", "assign-queue 5", "configure > policy-map InCluster in > class c5"},
		{"dell_efos.conf", "vlan 10,103", "vlan database"},
		{"dell_os6.conf", `name "hostname decoy"`, "configure > vlan 20"},
		{"dell_os9.conf", "no ip address", "interface TenGigabitEthernet 1/49"},
		{"dell_os10.conf", "switchport access vlan 20", "interface ethernet1/1/1"},
		{"netgear_prosafe.conf", "switchport hybrid pvid 111", "interface g17"},
		{"netgear_prosafe-fastpath.conf", "vlan participation include 10",
			"configure > interface 1/0/1"},
		{"ruckus_fastiron.conf", "untagged ethe 1/1/1 to 1/1/2", "vlan 20 name office by port"},
		{"extreme_netiron.conf", "metric-style wide", "router isis > address-family ipv4 unicast"},
		{"a10.conf", "port 80 tcp", "slb server s1 192.0.2.81"},
		{"nokia_sros.conf", "address 192.0.2.1/32", `configure > router Base > interface "system"`},
		{"nokia_sros-md.conf", `password "$2y$10$abcdefghijkl"`,
			`configure > system > security > user-params > local-user > user "admin"`},
	} {
		found := c.want == ""
		for l := range device.Lines([]byte(read(t, c.file))) {
			if strings.TrimSpace(string(l.Text)) != c.line {
				continue
			}
			found = true
			if got := strings.Join(l.Path(), " > "); got != c.want {
				t.Errorf("%s: %q stands in %q, want %q", c.file, c.line, got, c.want)
			}
		}
		if !found {
			t.Errorf("%s has no line %q", c.file, c.line)
		}
	}
}

// TestLineSecrets: no secret of the test data is to be seen where secrets are not to be shown.
func TestLineSecrets(t *testing.T) {
	for file, secrets := range map[string][]string{
		"arista_eos.conf":       {"$6$abcdefgh", "NeIghB0rSecret"},
		"aruba_aoscx.conf":      {"AQBapexample"},
		"aruba_aoscx-json.conf": {"AQBapexample"},
		"aruba_os.conf": {"2a4b8857", "e6d7f42e", "947dd7dc", "083ff2f6", "86f04c6c",
			"9f35f233", "watch-me"},
		"aruba_os.change2.conf": {"a plain one"},
		"aruba_instant.conf":    {"0a1b2c3d", "0123456789abcdef", "fedcba98"},
		"hp_procurve.conf":      {"watch-me", "very secret", "0123456789abcdef", "trap-it"},
		"hp_comware.conf":       {"$c$3$abc", "watch-me", "secret-one", "secret-two", "$c$3$qrs"},
		"huawei_vrp.conf":       {"$1a$", "%^%#"},
		"dell_efos.conf":        {"0123456789abcdef", "watch-me"},
		"dell_os6.conf":         {"0123456789abcdef", "c2VjcmV0", "watch-me"},
		"dell_os9.conf":         {"0a1b2c3d"},
		"dell_os10.conf":        {"$6$linux", "$6$admin", "watch-me"},
		"netgear_prosafe.conf":  {"0123456789abcdef", "watch-me"},
		"ruckus_fastiron.conf":  {"$1$abc", "$1$def", "$c2VjcmV0"},
		"a10.conf":              {"0123456789abcdef", "abcdef0123456789"},
		"nokia_sros.conf":       {"watch-me", "$2y$10$"},
		"nokia_sros-md.conf":    {"$2y$10$"},
	} {
		var shown bytes.Buffer
		for l := range device.Lines([]byte(read(t, file))) {
			fmt.Fprintf(&shown, "%s\n", l.Redacted())
		}
		for _, s := range secrets {
			if !strings.Contains(read(t, file), s) {
				t.Errorf("%s holds no %q", file, s)
			}
			if strings.Contains(shown.String(), s) {
				t.Errorf("%s shows %q", file, s)
			}
		}
		// nothing else is hidden with them
		for _, plain := range []string{"hostname", "name", "sysname"} {
			if strings.Count(shown.String(), plain) != strings.Count(read(t, file), plain) {
				t.Errorf("%s hides a word %q", file, plain)
			}
		}
	}
}

// TestLineVariants: what a terminal or a transfer adds to a configuration changes neither what it
// says nor how it compares.
func TestLineVariants(t *testing.T) {
	prompts := map[string][2]string{
		"arista_eos.conf":  {"leaf-07#show running-config\n", "leaf-07#\n"},
		"aruba_aoscx.conf": {"core-cx# show running-config\n", "core-cx# exit\n"},
		"aruba_os.conf": {"(wlc-1) [mynode] #show running-config\n",
			"(wlc-1) [mynode] #\n"},
		"aruba_instant.conf": {"branch-vc# show running-config\n", "branch-vc#\n"},
		"hp_procurve.conf":   {"Access# show running-config\n", "Access#\n"},
		"hp_comware.conf": {"<Rack 12 top>display current-configuration\n",
			"<Rack 12 top>\n"},
		"huawei_vrp.conf": {"<dist-ce>display current-configuration\n",
			"<dist-ce>quit\n"},
		"dell_efos.conf": {"(cluster sw1) #show running-config\n",
			"(cluster sw1) #\n"},
		"dell_os6.conf":                 {"dist-n3k#show running-config\n", "dist-n3k#\n"},
		"dell_os9.conf":                 {"tor-9#show running-config\n", "tor-9#\n"},
		"dell_os10.conf":                {"tor-10# show running-configuration\n", "tor-10#\n"},
		"netgear_prosafe.conf":          {"(desk-sw) #show running-config\n", "(desk-sw) #\n"},
		"netgear_prosafe-fastpath.conf": {"(av-sw) #show running-config\n", "(av-sw) #\n"},
		"ruckus_fastiron.conf":          {"SSH@closet-3#show running-config\n", "SSH@closet-3#\n"},
		"extreme_netiron.conf": {"SSH@edge-mlx#show running-config\n",
			"SSH@edge-mlx#exit\n"},
		"a10.conf":        {"lb-1-Active#show running-config\n", "lb-1-Active#\n"},
		"nokia_sros.conf": {"*A:pe-1# admin display-config\n", "*A:pe-1# logout\n"},
		"nokia_sros-md.conf": {"[/]\nA:admin@pe-2# admin show configuration\n",
			"[/]\nA:admin@pe-2# \n"},
		"aruba_aoscx-json.conf": {"core-cx# show running-config json\n", "core-cx#\n"},
	}
	for file, prompt := range prompts {
		plain := read(t, file)
		id, sum := device.Examine([]byte(plain))
		for how, config := range map[string]string{
			"CRLF":           strings.ReplaceAll(plain, "\n", "\r\n"),
			"a mark":         "\xef\xbb\xbf" + plain,
			"blanks around":  "\n\n" + plain + "\n\n",
			"no last end":    strings.TrimRight(plain, "\n"),
			"prompts":        prompt[0] + plain + prompt[1],
			"CR and prompts": strings.ReplaceAll(prompt[0]+plain+prompt[1], "\n", "\r\n"),
		} {
			if got, gotSum := device.Examine([]byte(config)); got != id || gotSum != sum {
				t.Errorf("%s with %s: %+v, same %v; want %+v", file, how, got, gotSum == sum, id)
			}
		}
	}
}

// TestLineTorn: files that have an end are not complete without it.
func TestLineTorn(t *testing.T) {
	for _, file := range []string{"arista_eos.conf", "aruba_aoscx-json.conf", "aruba_os.conf",
		"hp_comware.conf", "huawei_vrp.conf", "dell_efos.conf", "dell_os6.conf",
		"dell_os9.conf", "ruckus_fastiron.conf", "extreme_netiron.conf", "a10.conf",
		"nokia_sros.conf", "nokia_sros-md.conf"} {
		plain := read(t, file)
		if id := device.Identify([]byte(plain[:len(plain)*4/5])); id.Complete {
			t.Errorf("%s is complete without its end: %+v", file, id)
		}
	}
}

// TestLineHeaderless: captures without their header, and without a line that is sure, are still
// recognised.
func TestLineHeaderless(t *testing.T) {
	for file, kept := range map[string]string{
		"arista_eos.conf": "no aaa root", "aruba_aoscx.conf": "hostname core-cx",
		"aruba_os.conf": "hostname", "aruba_instant.conf": "name branch-vc",
		"hp_procurve.conf": "hostname", "hp_comware.conf": " sysname", "huawei_vrp.conf": "sysname",
		"dell_efos.conf": "hostname", "dell_os9.conf": "boot system",
		"dell_os10.conf": "ip vrf", "ruckus_fastiron.conf": "vlan 1 ",
		"extreme_netiron.conf": "no spanning-tree", "a10.conf": "multi-config",
		"nokia_sros.conf": "exit all",
	} {
		want := device.Identify([]byte(read(t, file)))
		_, config, _ := strings.Cut(read(t, file), "\n"+kept)
		got := device.Identify([]byte(kept + config))
		if file == "dell_efos.conf" {
			want.Platform = "broadcom_icos" // the header alone names the vendor
		}
		if got.Platform != want.Platform || got.Name != want.Name {
			t.Errorf("%s without its header is %s %q, want %s %q", file, got.Platform, got.Name,
				want.Platform, want.Name)
		}
	}
}

// TestLineForms: forms that releases and products have beside those of the test data.
func TestLineForms(t *testing.T) {
	for config, want := range map[string]device.Identity{
		// FASTPATH, as others sell it, and in a form that smart switches write to TFTP
		"(Some Routing) #show running-config\n\n!Current Configuration:\n!\n!System Description " +
			"\" Data Center 54T, 48x1Gb, 2.1.50.3, Linux\"\n!System Software Version " +
			"\"2.1.50.3\"\n!\nnetwork protocol none\nvlan database\nvlan " +
			"100,203\nexit\n\nconfigure\nline console\nserial baudrate " +
			"115200\nexit\n\nsnmp-server sysname \"spare\"\ninterface 0/1\nvlan participation " +
			"include 100,203\nexit\n\n\n\nexit\n": {Platform: "broadcom_icos", Name: "spare",
			OSVersion: "2.1.50.3", Complete: true},
		"struct0x4e470x010x00GS108Tv2            5.4.2.36            0x00000000\n! The line " +
			"above is a header.\n!Current Configuration:\n!\n!System Description " +
			"\"GS108Tv2\"\n!System Software Version \"5.4.2.36\"\nvlan " +
			"database\nexit\nconfigure\nlineconfig\nexit\nexit\n": {Platform: "netgear_prosafe",
			Model: "GS108Tv2", OSVersion: "5.4.2.36", Complete: true},
		"!Current Configuration:\n!System Description \"PowerConnect 6248, 3.3.6.4, VxWorks " +
			"6.5\"\n!System Software Version 3.3.6.4\n!\nconfigure\nvlan database\nvlan " +
			"2\nexit\nhostname \"pc 6248\"\nstack\nmember 1 2\nexit\ninterface ethernet " +
			"1/g1\ndescription 'x'\nexit\nexit\n": {Platform: "dell_os6",
			Name: "pc 6248", Model: "PowerConnect 6248", OSVersion: "3.3.6.4", Complete: true},
		"! Version 9.9(0.0)\n!\nservice timestamps log datetime\n!\nhostname FTOS\n!\n" +
			"end\n": {Platform: "dell_os9", Name: "FTOS", OSVersion: "9.9(0.0)", Complete: true},
		// a stack has no model
		"Startup configuration: 2\n\n; hpStack_WC Configuration Editor; Created on release " +
			"#WC.16.07.0003\n; Ver #14:01\n\nstacking\n   member 1 type \"JL322A\" mac-address " +
			"020000-000001\n   exit\nhostname \"Stack\"\n": {Platform: "hp_procurve", Name: "Stack",
			OSVersion: "WC.16.07.0003", Complete: true},
		"[V200R009C00SPC500]\n#\n sysname ar-1\n#\naaa \n authentication-scheme " +
			"default\n#\nreturn\n": {Platform: "huawei_vrp",
			Name: "ar-1", OSVersion: "V200R009C00SPC500", Complete: true},
		"!Software Version V600R023C00SPC500\n!Last configuration was updated at 2026-07-14 " +
			"04:57:04+00:00 by ops\n!grpc VRPV800R006C00\n#\nsysname SW2\n#\n" +
			"return\n": {Platform: "huawei_vrp",
			Name: "SW2", OSVersion: "V600R023C00SPC500", ChangedBy: "ops", Complete: true},
		// EOS without header, with a header and no name, and saved
		"hostname sw1\n!\nvrf instance MGMT\n!\ninterface Ethernet1\n   description " +
			"x\n!\ninterface Management1\n   vrf MGMT\n!\nend\n": {Platform: "arista_eos",
			Name: "sw1", Complete: true},
		"! device: localhost (vEOS-lab, EOS-4.27.0F)\n!\ninterface Ethernet1\n!\n" +
			"end\n": {Platform: "arista_eos", Model: "vEOS-lab",
			OSVersion: "4.27.0F", Complete: true},
		"! Startup-config last modified at Mon Nov 23 05:15:00 2026 by ops\n! device: sw2 " +
			"(cEOSLab, EOS-4.33.0F-12345678.4330F (engineering build))\n!\nhostname sw2\n!\n" +
			"end\n": {Platform: "arista_eos", Name: "sw2",
			Model: "cEOSLab", OSVersion: "4.33.0F-12345678.4330F",
			ChangedBy: "ops", Complete: true},
		"!Version AOS-CX PL.10.16.1010\n!export-password: default\nhostname sw\nbanner motd ^Hi " +
			"there^\nbanner exec ^\nhostname decoy\n^\n" +
			"ssh server vrf default\n": {Platform: "aruba_aoscx",
			Name: "sw", OSVersion: "PL.10.16.1010", Complete: true},
		`{"AAA_Server_Group":{"local":{"group_name":"local"}},"System":{"hostname":"x"}}`: {
			Platform: "aruba_aoscx", Complete: true,
		},
		"!Building configuration...\n!Current configuration : 4089 bytes\n!\nver " +
			"07.4.00fT311\n!\nstack unit 1\n  module 1 " +
			"fcx-24-port-management-module\n!\nhostname FCX-1\nbanner motd ^C\nhostname " +
			"decoy\n^C\n!\nend\n": {Platform: "ruckus_fastiron", Name: "FCX-1",
			OSVersion: "07.4.00fT311", Complete: true},
		"!64-bit Advanced Core OS (ACOS) version 2.7.2-P7-SP3, build 122 " +
			"(Feb-02-2016,12:00)\nbanner login multi-line \"EOF\"\nhostname decoy\nEOF\nhostname " +
			"AX-1\n!\nend\n": {Platform: "a10",
			Name: "AX-1", OSVersion: "2.7.2-P7-SP3", Build: "122", Complete: true},
		"# TiMOS-B-25.3.R1 both/x86_64 Nokia 7750 SR Copyright (c)\n/configure system contact " +
			"\"x\"\n/configure system name \"r 8\"\n": {Platform: "nokia_sros",
			Name: "r 8", Model: "7750 SR", OSVersion: "25.3.R1", Complete: true},
		"version 6.5.4.0-6.5.4\nvirtual-controller-country US\nname Instant-02:00:01\nmgmt-user " +
			"admin 0123456789abcdef0123456789abcdef\n": {Platform: "aruba_instant",
			Name: "Instant-02:00:01", OSVersion: "6.5.4.0-6.5.4", Complete: true},
		"(host) #show run\nBuilding Configuration...\nversion 6.4\nlocation \"Building1.floor1\" " +
			"\nhostname \"Aruba 3600\"\n!\nnetservice svc-x tcp 1\nend\n": {Platform: "aruba_os",
			Name: "Aruba 3600", OSVersion: "6.4", Complete: true},
		// configurations of no platform
		"hostname x\ninterface 1\nexit\nsnmp-server community public\n":                        {},
		"system {\n    host-name fw1\n    login {\n        user vyos {\n        }\n    }\n}\n": {},
		"SYSTEM CONFIG FILE ::= BEGIN\n! System Description: GS-1900 of others\n! System Name: " +
			"x\n!\nsystem name \"x\"\n": {},
	} {
		if want.Kind = device.KindFull; want.Platform == "" {
			want.Kind, want.Complete = device.KindOther, true
		}
		if got := device.Identify([]byte(config)); got != want {
			t.Errorf("%q:\n got %+v\nwant %+v", config, got, want)
		}
	}
}

// FuzzLines: whatever a configuration holds, it can be read, shown and compared.
func FuzzLines(f *testing.F) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add([]byte(read(f, filepath.Base(file))))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		device.Examine(config)
		number := 0
		for l := range device.Lines(config) {
			if number++; l.Number != number {
				t.Errorf("line %d is called %d", number, l.Number)
			}
			_, _, _ = l.Significant(), l.Redacted(), l.Path()
		}
	})
}
