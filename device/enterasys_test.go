package device_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestEnterasys: Enterasys and CatOS both write lines "set ..." between "begin" and "end". Each is
// told by what the other lacks.
func TestEnterasys(t *testing.T) {
	const head = "begin\n!\n# ***** NON-DEFAULT CONFIGURATION *****\n!\n"
	for name, c := range map[string]struct{ config, platform, host string }{
		"a fixed switch": {"This command shows non-default configurations only.\n" +
			"Use 'show config all' to show both default and non-default configurations.\n\n" +
			"begin\n!\n#***** NON-DEFAULT CONFIGURATION *****\n!\n!\n" +
			"#system\nset system name \"b3-hall\"\nset logout 0\n!\n#vlan\nset vlan create 20\n" +
			"set port vlan fe.1.1 20 modify-egress\n!\nend\n", "enterasys_eos", "b3-hall"},
		"spanning tree and a prompt": {head + "set system name \"n1\"\nset prompt \"n1\"\n" +
			"set spantree version mstp\nset port alias ge.1.1 \"core\"\nend\n", "enterasys_eos",
			"n1"},
		"login and VLANs": {head + "set system name n2\nset vlan create 7\nset host vlan 7\nend\n",
			"enterasys_eos", "n2"},
		"CatOS": {head + "#version 6.4(21)\n!\nset password $2$x\nset enablepass $2$x\n" +
			"set prompt Console>\nset system name  cat1\nset vtp domain lab\n" +
			"set vlan 1 name default type ethernet\n#module 1 : 2-port 1000BaseX\n" +
			"set module name    1\nset port name 2/1 ge.1.1\nset spantree portfast 2/1 enable\n" +
			"end\n", "cisco_catos", "cat1"},
		"CatOS of few lines": {head + "#version 6.4(21)\nset system name  cat2\nset logout 20\n" +
			"end\n", "cisco_catos", "cat2"},
		"nothing that tells": {head + "set system name  x\nset logout 20\nend\n", "cisco_catos",
			"x"},
	} {
		id := device.Identify([]byte(c.config))
		if id.Platform != c.platform || id.Name != c.host || !id.Complete {
			t.Errorf("%s: platform %q, name %q, complete %v; want %q and %q", name, id.Platform,
				id.Name, id.Complete, c.platform, c.host)
		}
		if torn := device.Identify([]byte(strings.TrimSuffix(c.config, "end\n"))); torn.Complete {
			t.Errorf("%s is complete without its end", name)
		}
	}
}

// TestEnterasysSecrets: secrets are hidden, in the clear and encrypted.
func TestEnterasysSecrets(t *testing.T) {
	before := read(t, "enterasys_eos.conf")
	before = before[:strings.LastIndex(before, "end\n")]
	for _, line := range []string{
		"set system login u read-write enable password Plover-1",
		"set snmp community Plover-1 securityname Plover-2",
		"set snmp user u authentication md5 Plover-1 privacy Plover-2",
		"set snmp user u remote 8000 authentication sha :Plover-1: encryption aes privacy " +
			":Plover-2:",
		"set radius server 1 192.0.2.1 1812 Plover-1 realm any",
		"set radius accounting server 192.0.2.1 1813 Plover-1",
		"set tacacs server 1 192.0.2.1 49 :Plover-1:",
		"set macauthentication password Plover-1",
		"set sntp authentication-key 1 md5 Plover-1",
	} {
		var shown string
		for l := range device.Lines([]byte(before + line + "\nend\n")) {
			if strings.HasPrefix(line, string(l.Text[:min(len(l.Text), 20)])) {
				shown = string(l.Redacted())
			}
		}
		if strings.Contains(shown, "Plover-1") || strings.Contains(shown, "privacy Plover") ||
			!strings.Contains(shown, "<secret>") {
			t.Errorf("%q is shown as %q", line, shown)
		}
	}
	for l := range device.Lines([]byte(before)) {
		if s := string(l.Redacted()); strings.Contains(s, "0a1b2c") {
			t.Errorf("shown: %s", s)
		}
	}
}
