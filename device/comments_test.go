package device_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestComments: what each form of configuration takes for a comment, and what only looks like one.
// A comment has "<-" at its end.
func TestComments(t *testing.T) {
	for name, config := range map[string]string{
		"IOS": "! Last configuration change at 09:00:00 UTC Fri Nov 20 2026 by ada <-\n" +
			"version 15.2\nhostname sw1\n! above the port <-\ninterface GigabitEthernet1/0/1\n" +
			" description # no comment\n ! in it <-\n switchport mode access\n" +
			"banner motd ^C\n! text of the banner\n# as well\n^C\nline con 0\nend\n",
		"FortiOS": "#config-version=FGT60F-7.2.5-FW-build1517-230606:opmode=0:vdom=0:user=a<-\n" +
			"config system global\n    set hostname \"fw1\"\nend\n" +
			"config system replacemsg admin \"pre\"\n    set buffer \"first\n# text\n! text\"\n" +
			"end\n",
		"Junos": "## Last commit: 2026-11-20 09:00:00 UTC by ada <-\nversion 21.4R3;\n" +
			"system {\n    /* why it is so <- */\n    host-name r1; ## SECRET-DATA\n" +
			"    # host-name r2; <-\n    /* begun <-\n       ended <- */\n" +
			"    login {\n        message \"first\\n# text\";\n    }\n}\n",
		"VyOS": "interfaces {\n    ethernet eth0 {\n        /* up <- */\n        address dhcp\n" +
			"    }\n}\nsystem {\n    host-name r1\n}\n" +
			"// Warning: Do not remove the following line. <-\n" +
			"// vyos-config-version: \"bgp@5\" <-\n// Release version: 1.4.1 <-\n",
		"RouterOS": "# 2026-11-20 09:00:00 by RouterOS 7.16.1 <-\n# model = RB750 <-\n" +
			"/system identity\nset name=r1\n# wlan1 is off <-\n" +
			"/system script\nadd name=a source=\"first\\\n# no comment\\\nlast\"\n",
		"AOS-S": "; J9729A Configuration Editor; Created on release #WB.16.10.0011 <-\n" +
			"hostname \"sw1\"\nmodule 1 type j9729a\nsnmp-server community \"public\"\n",
		"pfSense": "<?xml version=\"1.0\"?>\n<pfsense>\n\t<version>22.9</version>\n" +
			"\t<!-- above <- -->\n\t<system>\n\t\t<!-- begun <-\n\t\t# ended <- -->\n" +
			"\t\t<hostname>fw1</hostname>\n\t\t<notes><![CDATA[first\n# text\n" +
			"<!-- text -->]]></notes>\n\t</system>\n</pfsense>\n",
		"unknown": "# who knows\n! what this is\n",
	} {
		var got, want []string
		for l := range device.Lines([]byte(config)) {
			if l.Comment {
				got = append(got, string(l.Text))
			}
		}
		for text := range strings.Lines(config) {
			if strings.Contains(text, "<-") {
				want = append(want, strings.TrimSuffix(text, "\n"))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s, a %q: comments are\n%q\nnot\n%q", name,
				device.Identify([]byte(config)).Platform, got, want)
		}
	}
}

// TestDepth: the depth of a line is that of its path.
func TestDepth(t *testing.T) {
	for l := range device.Lines([]byte(backup)) {
		if l.Depth() != len(l.Path()) {
			t.Errorf("line %d has depth %d in %q", l.Number, l.Depth(), l.Path())
		}
	}
}
