package device_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestNested: a line stands in the blocks around it, also where a block inside of them is one that
// is not known by name.
func TestNested(t *testing.T) {
	const os6 = "!Current Configuration:\n!System Description \"Dell Networking N2048, 6.5.4.1, " +
		"Linux 4.4\"\n!System Software Version 6.5.4.1\n!\nconfigure\nhostname \"os6\"\n"
	for name, c := range map[string]struct{ config, line, path string }{
		"a template": {os6 + "router bgp 7\ntemplate peer A\nremote-as 8\nexit\n@\nexit\nexit\n",
			"maximum-paths 2", "configure > router bgp 7"},
		"of a template": {os6 + "router bgp 7\ntemplate peer A\n@\nexit\nexit\nexit\n",
			"remote-as 8", "configure > router bgp 7 > template peer A"},
		"an unlisted block": {os6 + "router bgp 7\nrpki cache 1\nrefresh 5\nexit\n@\nexit\nexit\n",
			"maximum-paths 2", "configure > router bgp 7"},
		"behind the block": {os6 + "router bgp 7\nvrf A\nneighbor 192.0.2.1\nexit\nexit\n@\n" +
			"interface Gi1/0/1\nexit\nexit\n", "snmp-server location x", "configure"},
		"without a block inside": {os6 + "router bgp 7\nneighbor 192.0.2.1\nexit\n@\nexit\n",
			"snmp-server location x", "configure"},
		"captive portal": {os6 +
			"captive-portal\nconfiguration 1\nname \"a\"\nexit\n@\nexit\nexit\n",
			"statistics interval 60", "configure > captive-portal"},
		"before another block": {os6 + "wireless\nap profile 1\nradio 1\nexit\nexit\n@\nexit\n" +
			"interface Gi1/0/1\nexit\nexit\n", "discovery method ip-poll", "configure > wireless"},
		"RouterOS, terse": {"# 2026-11-24 05:15:00 by RouterOS 7.16\n" +
			"/interface bridge add name=b\n" +
			"/system script add name=up source=\"\\\n@\"\n/ip dns set servers=192.0.2.1\n",
			"    :log info up", `/system script add name=up source="\`},
		"RouterOS, behind a terse script": {"# 2026-11-24 05:15:00 by RouterOS 7.16\n" +
			"/system script add name=up source=\"\\\n    :log info up\"\n@\n",
			"/ip dns set servers=192.0.2.1", ""},
	} {
		found := false
		for l := range device.Outline([]byte(strings.Replace(c.config, "@", c.line, 1))) {
			if strings.TrimSuffix(string(l.Text), `"`) != c.line {
				continue
			}
			found = true
			if got := strings.Join(l.Path(), " > "); got != c.path {
				t.Errorf("%s: stands in %q, want %q", name, got, c.path)
			}
		}
		if !found {
			t.Errorf("%s: no line %q", name, c.line)
		}
	}
}
