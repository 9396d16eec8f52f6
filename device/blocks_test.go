package device_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestBlockNames: host names in the forms that files of braces, XML and commands are met in, and
// next to what looks like one.
func TestBlockNames(t *testing.T) {
	junos := "version 21.4R3;\n"
	xml := func(inner string) string {
		return "<?xml version=\"1.0\"?>\n<pfsense>\n" + inner + "\n</pfsense>\n"
	}
	pan := func(inner string) string {
		return `<config version="10.1.0" urldb="x">` +
			"\n<devices><entry name=\"localhost.localdomain\"><deviceconfig><system>" + inner +
			"</system></deviceconfig></entry></devices>\n</config>\n"
	}
	f5 := "#TMSH-VERSION: 15.1.0\n"
	ros := "# 2026-11-20 09:00:00 by RouterOS 7.16.1\n"
	for name, c := range map[string]struct{ config, platform, want string }{
		"Junos, quoted": {junos + "system {\n    host-name \"a b\";\n}\n",
			"juniper_junos", "a b"},
		"Junos, two groups, one name": {junos +
			"groups {\n    node0 {\n        system {\n            host-name a;\n        }\n    " +
			"}\n    node1 {\n        system {\n            host-name a;\n        }\n    }\n}\n",
			"juniper_junos", "a"},
		"Junos, two nodes": {junos +
			"groups {\n    node0 {\n        system {\n            host-name a;\n        }\n    " +
			"}\n    node1 {\n        system {\n            host-name b;\n        }\n    }\n}\n",
			"juniper_junos", ""},
		"Junos, two nodes and its own": {junos +
			"groups {\n    node0 {\n        system {\n            host-name a;\n        }\n    " +
			"}\n    node1 {\n        system {\n            host-name b;\n        }\n    " +
			"}\n}\nsystem {\n    host-name c;\n}\n", "juniper_junos", "c"},
		"Junos, group not applied": {junos +
			"groups {\n    common {\n        system {\n            host-name a;\n        }\n    " +
			"}\n}\n", "juniper_junos", ""},
		"Junos, group applied": {junos +
			"groups {\n    common {\n        system {\n            host-name a;\n        }\n    " +
			"}\n}\napply-groups [ x common ];\n", "juniper_junos", "a"},
		"Junos, inactive": {junos + "system {\n    inactive: host-name a;\n}\n",
			"juniper_junos", ""},
		"Junos, inactive system": {junos + "inactive: system {\n    host-name a;\n}\n",
			"juniper_junos", ""},
		"Junos, protected": {junos + "protect: system {\n    host-name a;\n}\n",
			"juniper_junos", "a"},
		"Junos, commented out": {junos +
			"system {\n    /* host-name a; */\n    # host-name b;\n    domain-name c;\n}\n",
			"juniper_junos", ""},
		"Junos, deeper": {junos +
			"system {\n    services {\n        host-name a;\n    }\n}\n", "juniper_junos", ""},
		"Junos, comment after a brace": {junos +
			"system { ## SECRET-DATA\n    host-name a; ## {\n}\n", "juniper_junos", "a"},
		"Junos, set": {"set version 18.1R3\nset system host-name \"a\"\n",
			"juniper_junos", "a"},
		"Junos, set, deactivated": {"set version 18.1R3\nset system host-name " +
			"a\ndeactivate system host-name\n", "juniper_junos", ""},
		"Junos, set, group deactivated": {"set version 18.1R3\nset groups re0 system host-name " +
			"a\ndeactivate groups re0\nset system host-name b\n", "juniper_junos", "b"},
		"Junos, set, group applied": {"set version 18.1R3\nset groups common system " +
			"host-name a\nset apply-groups common\n", "juniper_junos", "a"},
		"Junos, set, tenant": {"set version 18.1R3\nset tenants t system host-name a\n",
			"juniper_junos", ""},
		"Junos, set, longer words": {"set version 18.1R3\nset system host-name-x a\n",
			"juniper_junos", ""},
		"Junos, set, without version": {"set system root-authentication encrypted-password " +
			"\"x\"\nset system host-name a\n", "juniper_junos", "a"},
		"Junos, between prompts": {"{master:0}\nu@r1> show configuration\n" + junos +
			"system {\n    host-name a;\n}\n\n{master:0}\nu@r1> \n", "juniper_junos", "a"},
		"Junos, without version": {"system {\n    host-name a;\n    root-authentication " +
			"{\n    }\n}\n", "juniper_junos", "a"},
		"VyOS, show": {"interfaces {\n    ethernet eth0 {\n    }\n}\nsystem " +
			"{\n    host-name a\n}\n", "vyos", "a"},
		"VyOS, set": {"set interfaces ethernet eth0 address 'dhcp'\nset " +
			"service dhcp-server static-mapping x host-name 'b'\nset system host-name 'a'\n",
			"vyos", "a"},
		"VyOS, set, in a description": {"set interfaces ethernet eth0 description 'set system " +
			"host-name b'\n", "vyos", ""},
		"VyOS, stray quote": {"interfaces {\n    ethernet eth0 {\n        " +
			"description 5\"-rack\n    }\n}\nsystem {\n    host-name a\n}\n", "vyos", "a"},
		"VyOS, string over lines": {"interfaces {\n    ethernet eth0 {\n    }\n}\nsystem " +
			"{\n    login {\n        banner {\n            pre-login \"x\n}\n}\nsystem {\n    " +
			"host-name b\n}\"\n        }\n    }\n    host-name a\n}\n", "vyos", "a"},
		"VyOS, in configuration mode": {"[edit]\n interfaces {\n     ethernet eth0 {\n     " +
			"}\n }\n system {\n     host-name a\n     console {\n     }\n }\n service {\n     " +
			"ssh {\n     }\n }\n[edit]\n", "vyos", "a"},
		"EdgeOS, set": {"set interfaces ethernet eth0 address dhcp\nset " +
			"service gui http-port 80\nset system host-name a\n", "ubiquiti_edgerouter", "a"},
		"tmsh, only self": {f5 +
			"cm device a {\n    hostname a.example\n}\ncm device b {\n    hostname b.example\n   " +
			" self-device true\n}\n", "f5_tmsh", "b.example"},
		"tmsh, no self": {f5 + "cm device a {\n    hostname a.example\n}\n",
			"f5_tmsh", ""},
		"tmsh, other hostnames": {f5 +
			"sys global-settings {\n    gui-setup disabled\n}\nltm monitor https /Common/m {\n   " +
			" hostname b\n}\n", "f5_tmsh", ""},
		"tmsh, rule with a settings": {f5 +
			"ltm rule r {\nwhen X {\nsys global-settings {\n    hostname b\n}\nfoo\n}\n}\nsys " +
			"global-settings {\n    hostname a\n}\n", "f5_tmsh", "a"},
		"tmsh, rule with open braces": {f5 +
			"ltm rule r {\nwhen X { { { \"\n}\nsys global-settings {\n    hostname a\n}\n",
			"f5_tmsh", "a"},
		"tmsh, string with an end": {f5 +
			"sys httpd {\n    text \"x\n}\nmore\n\"\n}\nsys global-settings {\n    hostname a\n}\n",
			"f5_tmsh", "a"},
		"PAN-OS, API": {`<response status="success"><result>` +
			pan("<hostname>a</hostname>") + "</result></response>\n", "paloalto_panos", "a"},
		"PAN-OS, split by a comment": {pan("<hostname>a<!-- x -->b</hostname>"),
			"paloalto_panos", "ab"},
		"PAN-OS, over lines": {pan("<hostname>\n a\n</hostname>"), "paloalto_panos",
			"a"},
		"PAN-OS, with an element inside": {pan("<hostname>a<b/></hostname>"), "paloalto_panos", ""},
		"PAN-OS, empty":                  {pan("<hostname/><x>b</x>"), "paloalto_panos", ""},
		"PAN-OS, CDATA decoy": {pan(
			"<x><![CDATA[</x></system><hostname>b</hostname>]]></x><hostname>a</hostname>"),
			"paloalto_panos", "a"},
		"PAN-OS, attribute decoy": {pan("<x y='<hostname>b</hostname>' " +
			"z=\">\"/><hostname>a</hostname>"), "paloalto_panos", "a"},
		"PAN-OS, configure mode": {"deviceconfig {\n  system {\n    hostname a;\n  }\n}\n",
			"paloalto_panos", "a"},
		"PAN-OS, template in braces": {"config {\n  devices {\n    localhost.localdomain {\n " +
			"     template {\n        t {\n          config {\n            deviceconfig {\n      " +
			"        system {\n                hostname b;\n              }\n            }\n     " +
			"     }\n        }\n      }\n      deviceconfig {\n        system {\n          " +
			"hostname a;\n        }\n      }\n    }\n  }\n}\n", "paloalto_panos", "a"},
		"pfSense, CDATA": {xml(
			"<system><hostname><![CDATA[a&b]]></hostname></system>"), "pfsense", "a&b"},
		"pfSense, references": {xml(
			"<system><hostname>&#x61;&amp;b&x;</hostname></system>"), "pfsense", "a&b&x;"},
		"pfSense, only deeper": {xml(
			"<wizardtemp><system><hostname>b</hostname></system></wizardtemp>"), "pfsense", ""},
		"pfSense, in one line": {strings.ReplaceAll(xml(
			"<system><hostname>a</hostname></system>"), "\n", ""), "pfsense", "a"},
		"OPNsense": {"<?xml version=\"1.0\"?>\n<!-- c " +
			"-->\n<opnsense>\n<system><hostname>a</hostname></system></opnsense>\n", "opnsense",
			"a"},
		"EXOS, RADIUS decoy": {"# Module devmgr configuration.\nconfigure radius " +
			"netlogin sysName b\nconfigure snmp sysName a\n", "extreme_exos", "a"},
		"ScreenOS, quoted": {"unset vrouter \"trust-vr\" auto-route-export\nset " +
			"zone \"Trust\" block\nset hostname \"a\"\n", "juniper_screenos", "a"},
		"Gaia, without header": {"set installer policy x 3\nset hostname a\nset " +
			"domainname b\n", "checkpoint_gaia", "a"},
		"NetScaler, none": {"#NS13.0 Build 84.11\nadd server b 192.0.2.1\n",
			"netscaler", ""},
		"NetScaler, quoted": {"#NS13.0 Build 84.11\nset ns hostName \"a b\"\n Done\n",
			"netscaler", "a b"},
		"RouterOS, default": {ros + "/ip dns\nset name=b\n/system clock\nset name=b\n",
			"mikrotik_routeros", ""},
		"RouterOS, prompt": {"[admin@b] > /export\n" + ros +
			"/system identity\nset name=\"a \\\"b\\\"\"\n[admin@b] > \n", "mikrotik_routeros",
			`a "b"`},
		"RouterOS, broken in a string": {ros + "/system identity\nset name=\"a \\\n    b\"\n",
			"mikrotik_routeros", "a b"},
		"RouterOS, after the identity": {ros + "/system identity\n/ip x\nset name=b\n",
			"mikrotik_routeros", ""},
		"RouterOS, in a comment": {ros +
			"/system identity\nset comment=\"name=b\" name=a\n", "mikrotik_routeros", "a"},
		"RouterOS, without header": {"/interface bridge\nadd name=b\n/ip address\nadd " +
			"address=192.0.2.1/24\n/system identity\nset name=a\n", "mikrotik_routeros", "a"},
		"SonicWall, other block": {"firmware-version \"SonicOS 7.0.1\"\nlog\n    " +
			"firewall-name b\n    exit\n", "sonicwall", ""},
		"SonicWall, decoded": {"shortProdName=TZ " +
			"470\nbuildNum=7.1.2\nfirewallName=a\nx=firewallName=b\n", "sonicwall", "a"},
		"airOS, second host": {"resolv.host.2.name=b\nradio.1.mode=x\nresolv.host.1.name=a\n",
			"ubiquiti_airos", "a"},
	} {
		id := device.Identify([]byte(c.config))
		if id.Platform != c.platform || id.Name != c.want {
			t.Errorf("%s: %s named %q, want %s named %q", name, id.Platform, id.Name, c.platform,
				c.want)
		}
		if !id.Complete {
			t.Errorf("%s: not complete", name)
		}
		crlf := device.Identify([]byte(strings.ReplaceAll(c.config, "\n", "\r\n")))
		if crlf != id {
			t.Errorf("%s: with CRLF %+v, not %+v", name, crlf, id)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	for _, file := range blockFiles {
		f.Add([]byte(read(f, file)))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		device.Examine(config)
		number := 0
		for l := range device.Lines(config) {
			if number++; l.Number != number {
				t.Fatalf("line %d is called %d", number, l.Number)
			}
			l.Path()
			l.Significant()
			l.Redacted()
		}
	})
}

// TestBlockNoise: what changes by itself is no change where the device writes it, and is one
// everywhere else.
func TestBlockNoise(t *testing.T) {
	junos, f5 := "version 21.4R3;\n", "#TMSH-VERSION: 15.1.0\n"
	nxos := "version 9.3(8) Bios:version\nhostname n1\nfeature lldp\n"
	ros := "# nov/20/2026 09:00:00 by RouterOS 6.49\n/ip x\n"
	for name, c := range map[string]struct {
		config, old, new string
		same             bool
	}{
		"Junos, last changed": {"## Last changed: 2026-11-20 UTC\n" + junos, "11-20",
			"11-21", true},
		"Junos, last commit, one number": {"# Last commit: 2026-11-20 UTC by a\n" + junos, "by a",
			"by b", true},
		"Junos, comment of an operator": {junos + "system {\n    /* ## Last commit: 1 */\n}\n",
			"commit: 1", "commit: 2", false},
		"Junos, in a block": {junos + "system {\n## Last commit: 1\n}\n", "commit: 1",
			"commit: 2", false},
		"Junos, description": {junos +
			"interfaces {\n    ge-0/0/0 {\n        description \"## Last commit: 1\";\n    }\n}\n",
			"commit: 1", "commit: 2", false},
		"Junos, member role": {"{master:0}\n" + junos, "master", "backup", true},
		"Junos, hash": {junos +
			"system {\n    root-authentication {\n        encrypted-password \"$6$a$b\"; ## " +
			"SECRET-DATA\n    }\n}\n", "$6$a$b", "$6$a$c", false},
		"tmsh, hash": {f5 + "auth user a {\n    encrypted-password $6$a$b\n}\n",
			"$6$a$b", "$6$a$c", false},
		"tmsh, added value": {f5 + "sys snmp {\n    x-encrypted a\n}\n",
			"    x-encrypted a\n", "", false},
		"tmsh, state of a pool": {f5 + "ltm pool a {\n    state enabled\n}\n", "enabled",
			"disabled", false},
		"tmsh, checking": {f5 + "ltm node a {\n    state checking\n}\n", "checking",
			"up", true},
		"tmsh, virtual's state": {f5 + "net x a {\n    state up\n}\n", "up", "down",
			false},
		"tmsh, other variables": {f5 + "sys db provision.extramb {\n    value \"1\"\n}\n",
			"\"1\"", "\"2\"", false},
		"tmsh, counter": {f5 + "net x a {\n    bandwidth-bps 5\n}\n", "bps 5",
			"bps 6", true},
		"pfSense, rules updated": {"<pfsense>\n" +
			"<installedpackages><snortglobal><last_rule_upd_time>1</last_rule_upd_time>" +
			"</snortglobal></installedpackages></pfsense>\n", ">1<", ">2<", true},
		"pfSense, graphs": {"<pfsense>\n<rrddata>\n<rrddatafile>\n<xmldata>\n" +
			"AAAA\n</xmldata>\n</rrddatafile>\n</rrddata>\n<a>b</a>\n</pfsense>\n",
			"AAAA\n", "BBBB\nCC\n", true},
		"pfSense, without graphs": {"<pfsense>\n<rrddata>\n<rrddatafile>x</rrddatafile>\n" +
			"</rrddata>\n<a>b</a>\n</pfsense>\n",
			"<rrddata>\n<rrddatafile>x</rrddatafile>\n</rrddata>\n", "", true},
		"pfSense, leases": {"<pfsense>\n<dhcpddata>AAAA</dhcpddata>\n</pfsense>\n", "AAAA",
			"BBBB", true},
		"pfSense, behind the graphs": {"<pfsense>\n<rrddata>x</rrddata>\n<a>b</a>\n</pfsense>\n",
			"<a>b", "<a>c", false},
		"pfSense, graphs elsewhere": {"<pfsense>\n<a><rrddata>x</rrddata></a>\n</pfsense>\n",
			"ta>x", "ta>y", false},
		"NX-OS, after a restart": {nxos + "!Running configuration last done at: Mon Nov 23\n",
			"!Running configuration last done at: Mon Nov 23",
			"!No configuration change since last restart", true},
		"NX-OS, in a description": {nxos + "interface Ethernet1/1\n  description !Time: 1\n",
			"Time: 1", "Time: 2", false},
		"IOS XR, after a restart": {"!! IOS XR Configuration 7.3.2\n!! Last configuration change " +
			"at Mon Nov 23 by a\nhostname x\nend\n",
			"!! Last configuration change at Mon Nov 23 by a\n",
			"!! No configuration change since last restart\n", true},
		"RouterOS, channel": {ros + "# mode: AP, SSID: yard, channel: 5500/ax/Ceee\nadd a=b\n",
			"5500/ax/Ceee", "5180/ax", true},
		"RouterOS, a client that comes": {ros + "# DHCP client can not run on a bridge port!\n" +
			"add a=b\n", "# DHCP client can not run on a bridge port!\n", "", true},
		"RouterOS, in a script": {ros + "add source=\"x\\\n    \\n# channel: 1\"\n", "channel: 1",
			"channel: 2", false},
		"pfSense, deeper revision": {"<pfsense>\n" +
			"<x><revision><time>1</time></revision></x></pfsense>\n", ">1<", ">2<", false},
		"pfSense, domain": {"<pfsense>\n<system><domain>a</domain></system></pfsense>\n",
			">a<", ">b<", false},
		"OPNsense, a rule": {"<opnsense>\n" +
			"<filter><rule><updated><time>1</time></updated></rule></filter></opnsense>\n",
			">1<", ">2<", false},
		"EXOS, generated": {"# X440 Configuration generated Fri Nov 20\n# Module " +
			"devmgr configuration.\nconfigure snmp sysName a\n", "Nov 20", "Nov 21", true},
		"EXOS, product": {"# X440 Configuration generated Fri Nov 20\n# Module " +
			"devmgr configuration.\nconfigure snmp sysName a\n", "X440", "X450", false},
		"EXOS, attribute elsewhere": {"<xos-configuration version=\"1\">\n<x " +
			"date=\"1\"/></xos-configuration>\n", "date=\"1\"", "date=\"2\"", false},
		"ScreenOS, size elsewhere": {"unset vrouter x\nset zone \"a\"\nTotal Config size 1:\n",
			"size 1", "size 2", false},
		"Gaia, later comment": {"set installer policy x\n# Exported by a on b\n", "by a",
			"by c", false},
		"NetScaler, later comment": {"#NS13.0 Build 84.11\nset ns param -x\n# Last " +
			"modified a\n", "modified a", "modified b", false},
		"RouterOS, old date":      {ros, "nov/20", "nov/21", true},
		"RouterOS, release":       {ros, "6.49", "6.50", false},
		"RouterOS, other comment": {ros + "# x\nadd a=b\n", "# x", "# y", true},
		"RouterOS, state in a string": {ros + "add source=\"x\\\n    \\n# not ready\"\n",
			"not ready", "inactive", false},
		"RouterOS, state in a setting": {ros + "add comment=\"# not ready\"\n", "not ready",
			"inactive", false},
		"RouterOS, state": {ros + "# ether1 not ready\nadd a=b\n",
			"# ether1 not ready\n", "", true},
		"SonicWall, time of a schedule": {"firmware-version \"SonicOS 7\"\nschedule a\n    time " +
			"10:00\n", "10:00", "11:00", false},
		"SonicWall, checksum elsewhere": {"firmware-version \"SonicOS 7\"\nx\n    checksum 1\n",
			"checksum 1", "checksum 2", false},
		"PAN-OS, URL database": {"<config version=\"10.1.0\" urldb=\"a\">\n</config>\n",
			"\"a\"", "\"b\"", true},
		"PAN-OS, an element's time": {"<config version=\"10.1.0\" " +
			"urldb=\"a\">\n<time>1</time></config>\n", ">1<", ">2<", false},
		"PAN-OS, name of an entry": {"<config version=\"10.1.0\" urldb=\"a\">\n<entry " +
			"name=\"1\"/></config>\n", "\"1\"", "\"2\"", false},
	} {
		changed := strings.Replace(c.config, c.old, c.new, 1)
		if changed == c.config || device.Identify([]byte(changed)).Platform == "" {
			t.Errorf("%s is no test", name)
		}
		same := device.Fingerprint([]byte(c.config)) == device.Fingerprint([]byte(changed))
		if same != c.same {
			t.Errorf("%s: the same is %v, want %v", name, same, c.same)
		}
	}
}

// TestSonicExport: an export in base64 is read in each of the ways in which it is wrapped, and
// nothing else is.
func TestSonicExport(t *testing.T) {
	pairs := "checksumVersion=3&shortProdName=NSA%202700&buildNum=7.1.2-7019&" +
		"firewallName=a%20b&addressObject_0=192.0.2.1"
	for pad := range 3 {
		plain := pairs + strings.Repeat("x", pad)
		encoded := base64.StdEncoding.EncodeToString([]byte(plain))
		var wrapped strings.Builder
		for s := encoded; s != ""; s = s[min(len(s), 76):] {
			wrapped.WriteString(s[:min(len(s), 76)] + "\r\n")
		}
		want := device.Fingerprint([]byte(strings.ReplaceAll(plain, "&", "\n")))
		for name, config := range map[string]string{
			"plain": encoded, "with its end": encoded + "&&", "lines": wrapped.String(),
			"without padding": strings.TrimRight(encoded, "="),
		} {
			if id := device.Identify([]byte(config)); id.Platform != "sonicwall" ||
				id.Name != "a b" || id.Model != "NSA 2700" {
				t.Errorf("%s, %d: %+v", name, pad, id)
			}
			if device.Fingerprint([]byte(config)) != want {
				t.Errorf("%s, %d: another fingerprint", name, pad)
			}
		}
	}
	for _, config := range []string{base64.StdEncoding.EncodeToString([]byte(strings.Repeat(
		"hostname a\n", 20))), strings.Repeat("QUJD", 100), "buildNum=1&"} {
		if id := device.Identify([]byte(config)); id.Platform != "" &&
			!strings.HasPrefix(config, "buildNum") {
			t.Errorf("%q is %s", config, id.Platform)
		}
	}
}

// TestBlockSessions: what a terminal shows around a configuration is no part of it.
func TestBlockSessions(t *testing.T) {
	for _, c := range []struct{ file, before, after string }{
		{"f5_tmsh.conf", "root@(lb1)(cfg-sync In Sync)(Active)(/Common)(tmos)# list\n",
			"root@(lb1)(cfg-sync Changes Pending)(Standby)(/Common)(tmos)# \n"},
		{"extreme_exos.conf", "* X440-a.7 # show configuration\n", "* X440-a.8 # \n"},
		{"netscaler.conf", "> show ns runningConfig\n", " Done\n>\n"},
		{"juniper_screenos.conf", "ssg5-a-> get config\n", "ssg5-a-> \n"},
		{"juniper_junos.conf", "{master:0}\nu@r1> show configuration | no-more\n",
			"\n{backup:0}\nu@r1> \n"},
		{"vyos.conf", "vyos@vr1:~$ show configuration\n", "vyos@vr1:~$ \n"},
		{"paloalto_panos.braces.conf", "admin@pa-fw2> show config running\n\n",
			"\nadmin@pa-fw2> \n"},
		{"checkpoint_gaia.conf", "cp-gw1> show configuration\n", "cp-gw1> exit\n"},
		{"mikrotik_routeros.conf", "[admin@gw oslo] > /export\n", "[admin@gw oslo] > \n"},
		{"sonicwall.conf", "admin@18B16900> show current-config\n", "admin@18B16900> \n"},
	} {
		config := read(t, c.file)
		id, sum := device.Examine([]byte(config))
		gotID, gotSum := device.Examine([]byte(c.before + config + c.after))
		if gotID != id {
			t.Errorf("%s, in a session:\n got %+v\nwant %+v", c.file, gotID, id)
		}
		if gotSum != sum {
			t.Errorf("%s: the session counts", c.file)
		}
	}
}

// TestRuleEnd: an iRule ends where another object begins, not at the first brace that stands like
// its end.
func TestRuleEnd(t *testing.T) {
	config := "#TMSH-VERSION: 15.1.0\nltm rule r {\nwhen A {\n}\n# another one's \"\nwhen B {\n  " +
		"  log local0. x\n}\n}\nltm pool p {\n    members {\n        m {\n            address " +
		"192.0.2.1\n        }\n    }\n}\n"
	for number, want := range map[int]string{3: "ltm rule r", 7: "ltm rule r",
		13: "ltm pool p|members|m"} {
		if got := strings.Join(device.Context([]byte(config), number), "|"); got != want {
			t.Errorf("line %d stands in %q, want %q", number, got, want)
		}
	}
	if !device.Identify([]byte(config)).Complete {
		t.Error("not complete")
	}
}
