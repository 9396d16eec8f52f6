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
		"NEC IX": {"! NEC Portable Internetwork Core Operating System Software\n" +
			"! IX Series IX2215 (magellan-sec) Software, Version 10.7.18, RELEASE SOFTWARE\n" +
			"! Current time Nov 26-Thu-2026 05:15:00 JST\n!\nhostname ix3\ntimezone +09 00\n!\n" +
			"ip ufs-cache enable\n!\ndevice GigaEthernet0\n!\ninterface GigaEthernet0.0\n" +
			"  ip address 192.0.2.1/24\n  no shutdown\n!\n", "cisco_like", "ix3"},
		"NEC IX without its header": {"hostname ix3\ntimezone +09 00\n!\n" +
			"interface GigaEthernet0.0\n  ip address 192.0.2.1/24\n!\n" +
			"interface GigaEthernet1.0\n", "", ""},
		"FITELnet": {"!\n! LAST EDIT 05:15:00 2026/11/26 by operator\n!\nhostname fitel3\n!\n" +
			"interface GigaEthernet 1/1\n vlan-id 1\n bridge-group 1\nexit\n!\n", "cisco_like",
			"fitel3"},
		"FITELnet without its header": {"hostname fitel3\n!\ninterface GigaEthernet 1/1\n" +
			" vlan-id 1\nexit\n!\n", "", ""},
		"Moxa": {"hostname eds3\nusername admin password 7 0a0b\ninterface vlan 1\n" +
			" ip address static 192.0.2.1 255.255.255.0\nip management-vlan 1\n" +
			"snmp-server community public ro\n", "cisco_like", "eds3"},
		"one line of Moxa": {"hostname eds3\nip management-vlan 1\nlldp enable\n", "", ""},
		"ExtremeWare": {"#\n# Summit48i Configuration generated Thu Nov 26 05:15:00 2026\n" +
			"# Software Version 7.8.3b5\n# Configure system\nconfig snmp sysname summit3\n" +
			"create account admin \"ops\" encrypted \"x\"\nconfig vlan \"Default\" tag 1\n" +
			"config vlan default delete port 1-8\ncreate vlan \"lab\"\ncreate vlan office\n" +
			"config vlan lab add port 1\nconfig ports 1 auto on\n", "", ""},
		"D-Link without its header": {"config vlan default delete 1-24\n" +
			"create vlan lab tag 10\nconfig ports 1-24 speed auto flow_control disable\n" +
			"config snmp system_name dgs3\n", "dlink_ds", "dgs3"},
		"BDCOM without its header": {"hostname olt3\nservice timestamps log date\n" +
			"interface GigaEthernet0/1\n", "bdcom", "olt3"},
		"TP-Link without its header": {"#\nvlan 20\n#\nhostname \"jet3\"\n#\n" +
			"interface gigabitEthernet 1/0/1\n  speed 1000\n#\nip management-vlan 20\n",
			"tplink_jetstream", "jet3"},
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

// TestLikesNoise: the time that a header states is no change.
func TestLikesNoise(t *testing.T) {
	for _, config := range []string{
		"!\n! LAST EDIT 05:15:00 2026/11/26 by operator\n!\nhostname fitel3\n!\n",
		"! NEC Portable Internetwork Core Operating System Software\n" +
			"! Current time Nov 26-Thu-2026 05:15:00 JST\n!\nhostname ix3\n!\n",
	} {
		later := strings.NewReplacer("05:15", "05:16", "26", "27").Replace(config)
		if device.Fingerprint([]byte(config)) != device.Fingerprint([]byte(later)) {
			t.Errorf("%q: the time is a change", config)
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
