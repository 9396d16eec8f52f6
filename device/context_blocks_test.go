package device_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/device"
)

// TestBlocks: the path of a line in each style of blocks.
func TestBlocks(t *testing.T) {
	for _, c := range []struct{ file, line, want string }{
		{"juniper_junos.conf", "                address 192.0.2.1/30;",
			"interfaces|ge-0/0/0|unit 0|family inet"},
		{"juniper_junos.conf", "            any notice;", "system|syslog|host 192.0.2.9"},
		{"juniper_junos.conf", "        authorization read-only;", "snmp|community <secret>"},
		{"juniper_junos.conf", "        ftp;", "system|inactive: services"},
		{"juniper_junos.conf", "    login {", "system"},
		{"vyos.conf", "                    host-name printer",
			"service|dhcp-server|shared-network-name LAN|subnet 192.0.2.0/24|static-mapping " +
				"printer"},
		{"vyos.conf", "            authorization ro", "service|snmp|community <secret>"},
		{"ubiquiti_edgerouter.conf", "        default-action drop", "firewall|name WAN_IN"},
		{"f5_tmsh.conf", "            session monitor-enabled",
			"ltm pool /Common/web|members|/Common/web1:443"},
		{"f5_tmsh.conf", `    if { [HTTP::host] equals "old" } {`, "ltm rule /Common/redirect"},
		{"f5_tmsh.conf", `    value "1763628000"`, "sys db ltm.configtime"},
		{"f5_tmsh.conf", "    gui-setup disabled", "sys global-settings"},
		{"paloalto_panos.conf", "          <hostname>pa&#45;fw1</hostname>",
			`config|devices|entry name="localhost.localdomain"|deviceconfig|system`},
		{"paloalto_panos.conf", "          <tag/>",
			`config|devices|entry name="localhost.localdomain"|vsys|entry name="vsys1"`},
		{"paloalto_panos.conf", "    </users>", "config|mgt-config"},
		{"paloalto_panos.braces.conf", "          hostname pa-fw2;",
			"config|devices|localhost.localdomain|deviceconfig|system"},
		{"pfsense.conf", "			<hostname>inner</hostname>", "pfsense|system|dhcp"},
		{"opnsense.conf", "      <password>$2b$10$abcdefghijkl</password>",
			`opnsense|system|user name="root"`},
		{"extreme_exos.conf", "configure vlan users tag 20", "Module vlan"},
		{"juniper_screenos.conf", `set service "HTTP"`, "set policy id 1"},
		{"juniper_screenos.conf", "set console page 0", ""},
		{"mikrotik_routeros.conf", "add interface=ether1", "/ip dhcp-client"},
		{"mikrotik_routeros.conf", `    "sniff3 sniff3" service=l2tp`,
			`/ppp secret|add name=alice password=\`},
		{"mikrotik_routeros.terse.conf", "/system identity set name=gw2", ""},
		{"sonicwall.conf", "        password 4,sniff3", "user local|user bob"},
		{"sonicwall.conf", "    host 192.0.2.61", `address-object ipv4 "web"`},
	} {
		found := false
		for l := range device.Lines([]byte(read(t, c.file))) {
			if string(l.Text) == c.line {
				found = true
				if got := strings.Join(l.Path(), "|"); got != c.want {
					t.Errorf("%s: %q stands in %q, want %q", c.file, c.line, got, c.want)
				}
				break
			}
		}
		if !found {
			t.Errorf("%s has no line %q", c.file, c.line)
		}
	}
}

// blockFiles are the files of this test's platforms.
var blockFiles = []string{"juniper_junos.conf", "juniper_junos.set.conf", "vyos.conf",
	"ubiquiti_edgerouter.conf", "f5_tmsh.conf", "paloalto_panos.conf",
	"paloalto_panos.braces.conf", "paloalto_panos.set.conf", "pfsense.conf", "opnsense.conf",
	"extreme_exos.conf", "extreme_exos.xml.conf",
	"juniper_screenos.conf", "checkpoint_gaia.conf", "netscaler.conf", "mikrotik_routeros.conf",
	"mikrotik_routeros.terse.conf", "sonicwall.conf",
	"sonicwall.exp.conf", "ubiquiti_airos.conf"}

// TestBlockSecrets: no secret is left when secrets are hidden, neither in a line nor in its path.
func TestBlockSecrets(t *testing.T) {
	for _, file := range blockFiles {
		for l := range device.Lines([]byte(read(t, file))) {
			shown := string(l.Redacted()) + " " + strings.Join(l.Path(), " ")
			for _, s := range []string{"sniff3", "0123456789", "abcdefgh", "nAbCdEf", "AbCdEf=",
				"Q]b:"} {
				if strings.Contains(shown, s) {
					t.Errorf("%s:%d shows a secret: %s", file, l.Number, shown)
				}
			}
		}
	}
}

// TestBlockVariants: what a file goes through on its way changes nothing of what it says.
func TestBlockVariants(t *testing.T) {
	for _, file := range blockFiles {
		config := read(t, file)
		want := device.Identify([]byte(config))
		for name, variant := range map[string]string{
			"CRLF":        strings.ReplaceAll(config, "\n", "\r\n"),
			"blank lines": "\n\n" + config + "\n\n",
		} {
			if got := device.Identify([]byte(variant)); got != want {
				t.Errorf("%s, %s:\n got %+v\nwant %+v", file, name, got, want)
			}
		}
		if strings.Contains(config, "\n") &&
			device.Fingerprint([]byte(config)) !=
				device.Fingerprint([]byte(strings.ReplaceAll(config, "\n", "\r\n"))) {
			t.Errorf("%s: line ends count", file)
		}
		if strings.Contains(config, "<?xml") || !strings.Contains(config, "\n") {
			continue
		}
		session := "admin@host> show configuration\n" + config + "\nadmin@host> \n"
		if got := device.Identify([]byte(session)); got != want {
			t.Errorf("%s, in a session:\n got %+v\nwant %+v", file, got, want)
		}
	}
}

// TestTornBlocks: a file that was cut short is not complete.
func TestTornBlocks(t *testing.T) {
	for _, file := range []string{"juniper_junos.conf", "ubiquiti_edgerouter.conf", "f5_tmsh.conf",
		"paloalto_panos.conf", "paloalto_panos.braces.conf", "pfsense.conf", "opnsense.conf",
		"extreme_exos.xml.conf"} {
		config := read(t, file)
		cut := strings.LastIndex(config, "\n}") + 1
		if cut == 0 {
			cut = strings.LastIndex(config, "</")
		}
		id := device.Identify([]byte(config[:cut]))
		if id.Complete {
			t.Errorf("%s: complete without its last end", file)
		}
		if want := device.Identify([]byte(config)); id.Name != want.Name && id.Name != "" {
			t.Errorf("%s, cut: named %q, want %q", file, id.Name, want.Name)
		}
	}
}

// TestHostileBlocks: reading takes time in proportion to the size, whatever is read.
func TestHostileBlocks(t *testing.T) {
	const n = 1 << 18
	many := func(head, s string) string { return head + strings.Repeat(s, n/len(s)) }
	for name, config := range map[string]string{
		"braces":        many("version 21.4R3;\n", "a {\n"),
		"open comments": many("version 21.4R3;\n", "/* \n"),
		"comments":      many("version 21.4R3;\n", "/**/ "),
		"quotes":        many("version 21.4R3;\n", ` " \"`),
		"closing":       many("version 21.4R3;\nsystem { ", "}"),
		"groups": many("version 21.4R3;\n",
			"set groups a system host-name b\nset groups c system host-name d\n"),
		"apply-groups": many("version 21.4R3;\nset groups g system host-name h\nset "+
			"apply-groups ", "x "),
		"devices":           many("#TMSH-VERSION: 15.1.0\n", "cm device a {\n"),
		"devices closed":    many("#TMSH-VERSION: 15.1.0\n", "cm device a {\n x\n}\n"),
		"device":            many("#TMSH-VERSION: 15.1.0\ncm device a {\n", " x\n"),
		"device inside":     many("#TMSH-VERSION: 15.1.0\ncm device a {\n", " }\n cm device b {\n"),
		"rule":              many("#TMSH-VERSION: 15.1.0\nltm rule a {\n", "}\n\n"),
		"elements":          many("<pfsense>\n", "<a>"),
		"elements, lines":   many("<pfsense>\n", "<a>\n"),
		"deep and shallow":  many("<pfsense>\n"+strings.Repeat("<a>", 60)+"\n", "<a>\n</a>\n"),
		"open tag":          many("<pfsense>\n<a ", "b='c' "),
		"quoted tag":        many("<pfsense>\n<a b='", "\n"),
		"markup":            many("<pfsense>\n", "<"),
		"ends":              many("<pfsense>\n", "</a>"),
		"CDATA":             many("<pfsense>\n", "<![CDATA[]]>"),
		"comment ends":      many("<pfsense>\n<!--", "--"),
		"references":        many("<pfsense>\n<a>", "&#"),
		"names":             many("<pfsense>\n", `<a x="" name="b">`),
		"created":           many("<pfsense>\n", "<created>"),
		"going on":          many("# a by RouterOS 7.1\n/system identity\n", "set \\\n"),
		"going on with it":  many("# a by RouterOS 7.1\n/system identity\nset a\\\n", "b\\\n"),
		"settings":          many("# a by RouterOS 7.1\n/system identity\nset ", "password=a "),
		"menus":             many("# a by RouterOS 7.1\n", "/a b\n"),
		"base64":            many("", "Zmlyd2FsbE5hbWU9YSYm"),
		"base64 of nothing": many("", "QUJD"),
		"pairs":             many("firewallName=a\n", "password=b\n"),
		"policies":          many("Total Config size 1:\n", "set policy id 1\n"),
		"quoted words":      many("#NS13.0 Build 1.1\n", `-password "`),
	} {
		start := time.Now()
		device.Examine([]byte(config))
		for l := range device.Lines([]byte(config)) {
			_ = l.Redacted()
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("%s: %v for %d bytes", name, d, len(config))
		}
	}
}
