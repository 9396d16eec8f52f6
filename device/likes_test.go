package device_test

import (
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestLikes: what looks like Cisco's IOS is that only if it says something of Cisco's own, and what
// merely begins as some platform's lines do is of no platform.
func TestLikes(t *testing.T) {
	for name, c := range map[string]struct{ config, platform, name string }{
		"FRR": {"frr version 9.1\nfrr defaults datacenter\nhostname leaf3\nlog syslog\n" +
			"service password-encryption\nservice integrated-vtysh-config\n!\ninterface swp1\n" +
			" ip address 192.0.2.1/31\n!\nrouter bgp 65003\n neighbor swp1 interface\n!\n",
			"cisco_like", "leaf3"},
		"Quagga": {"!\n! Zebra configuration saved from vty\n!   2026/11/24 05:15:00\n!\n" +
			"hostname q1\npassword zebra\nenable password zebra\n!\ninterface eth0\n!\nline vty\n",
			"cisco_like", "q1"},
		"VDX": {"switch-attributes 7\n chassis-name VDX6740\n host-name rack7\n!\n" +
			"service password-encryption\nline vty\n exec-timeout 10\n!\n" +
			"interface TenGigabitEthernet 7/0/1\n fabric isl enable\n!\n", "brocade_nos", "rack7"},
		"a switch of many makers": {"!\nservice password-encryption\nhostname acc12\n!\n" +
			"username root privilege 15 password 7 0a0b\n!\ninterface GigabitEthernet 0/1\n" +
			" switchport mode access\n!\ninterface vlan 1\n ip address 192.0.2.2 255.255.255.0\n" +
			"!\n" +
			"line vty 0 4\n!\n", "cisco_like", "acc12"},
		"a few lines of IOS": {"version 15.1\nhostname r7\ninterface FastEthernet0/0\n" +
			" ip address 192.0.2.1 255.255.255.0\nline vty 0 4\n", "cisco_ios", "r7"},
		"uci": {"config interface 'lan'\n\toption device 'br-lan'\n\nconfig globals 'globals'\n" +
			"\toption ula_prefix 'fd00:1::/48'\n", "openwrt", ""},
		"a switch with FRR's lines": {"service password-encryption\nhostname x1\nline vty 0 4\n",
			"cisco_like", "x1"},
		"a report": {"#version 3\nTitle: rack 4\nsummary of the month\n", "", ""},
		"one weak sign and a hint": {"hostname edge4\nfeature lacp\ninterface eth 6/0\n" +
			" ip address 192.0.2.1 255.255.255.0\n", "", ""},
		"one weak sign": {"feature list of the next release\nmore of it\n", "", ""},
		"a word that goes on": {"config globals 'globals'\nconfig vdomains\nconfig systems x\n",
			"", ""},
		"a setting of FortiOS": {"config vdom\nedit root\nconfig system settings\nend\nnext\nend\n",
			"fortinet", ""},
	} {
		id := device.Identify([]byte(c.config))
		if id.Platform != c.platform || id.Name != c.name {
			t.Errorf("%s: platform %q, name %q, want %q and %q", name, id.Platform, id.Name,
				c.platform, c.name)
		}
		if c.platform != "cisco_ios" && !id.Complete {
			t.Errorf("%s is not complete", name)
		}
	}
}

// TestLikesRedacted: the secrets that such systems share are hidden, whatever they are called.
func TestLikesRedacted(t *testing.T) {
	const config = "frr version 9.1\nhostname leaf3\n!\nusername admin password 7 0a1b2c3d\n" +
		"router bgp 65003\n neighbor 192.0.2.9 password Heron-55\n!\n"
	for l := range device.Lines([]byte(config)) {
		if s := string(l.Redacted()); strings.Contains(s, "0a1b2c3d") ||
			strings.Contains(s, "Heron") {
			t.Errorf("%s shows a secret", s)
		}
	}
}
