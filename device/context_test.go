package device_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestContext: the blocks that a line stands in.
func TestContext(t *testing.T) {
	for _, c := range []struct {
		file, line string
		path       []string
	}{
		{"fortinet.conf", `    set hostname "fw-lab-1"`, []string{"config system global"}},
		{"fortinet.conf", "config system accprofile", nil},
		{"fortinet.conf", `    edit "prof"`, []string{"config system accprofile"}},
		{"fortinet.conf", "        set secfabgrp read",
			[]string{"config system accprofile", `edit "prof"`}},
		{"fortinet.conf", "                set last-login 2026-11-22 09:15:00",
			[]string{"config system admin", `edit "admin"`, "config login-time", `edit "admin"`}},
		{"fortinet.conf", "        set old-password ENC AK1oldHashOfTheSamePassword=",
			[]string{"config system admin", `edit "admin"`}},
		{"fortinet.conf", `set hostname \"decoy-in-buffer\"`,
			[]string{`config system replacemsg http "block"`}},
		{"fortinet.conf", "TUlJLWNlcnRpZmljYXRl",
			[]string{"config vpn certificate local", `edit "sealed"`}},
		{"fortinet.conf", `        set name "out"`, []string{"config firewall policy", "edit 1"}},
		{"fortios-multivdom.conf", `    set hostname "dc-fw-1"`,
			[]string{"config global", "config system global"}},
		{"fortios-multivdom.conf", "    set opmode nat",
			[]string{"config vdom", "edit customer", "config system settings"}},
		{"cisco_ios.conf", "hostname sw-access-1", nil},
		{"cisco_ios.conf", " hostname decoy-in-a-block",
			[]string{"interface GigabitEthernet1/0/1"}},
		{"cisco_ios.conf", "  686F7374 6E616D65 20646563 6F79",
			[]string{"crypto pki certificate chain SELF", "certificate self-signed 01"}},
		{"cisco_ios.conf", "license udi pid WS-C2960X-24TS-L sn FOC0000X000", nil},
		{"cisco_ios.xe.conf", " address-family ipv4", []string{"vrf definition Mgmt-vrf"}},
		{"cisco_nxos.conf", "  no shutdown", []string{"interface Ethernet1/1"}},
		{"cisco_xr.conf", "  password encrypted 0822455D0A16",
			[]string{"router bgp 64496", "neighbor 198.51.100.1"}},
		{"cisco_asa.conf", " ikev2 remote-authentication pre-shared-key sesame",
			[]string{"tunnel-group 192.0.2.9 ipsec-attributes"}},
		{"cisco_s300.conf", " name hostname", []string{"interface vlan 1"}},
	} {
		config := read(t, c.file)
		at := strings.Index("\n"+config, "\n"+c.line+"\n")
		if at < 0 {
			t.Errorf("%s has no line %q", c.file, c.line)
			continue
		}
		if got := device.Context([]byte(config),
			1+strings.Count(config[:at], "\n")); !slices.Equal(got, c.path) {
			t.Errorf("%s: %q stands in %q, want %q", c.file, c.line, got, c.path)
		}
	}
	if got := device.Context([]byte("a\n"), 7); got != nil {
		t.Error(got)
	}
}

// TestLine: what of a line is significant, and what of it may be shown to readers. Lines that
// give no line before are at the top.
func TestLine(t *testing.T) {
	forti, ios := "#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=x\n",
		"version 15.2\nservice timestamps log uptime\n"
	nxos, asa, wlc := "version 9.3(8)\nfeature lacp\n", "ASA Version 9.8(4)\n", "config sysname w\n"
	catos, xr := "set system name  c\n#version 6.4(21)\n", "!! IOS XR Configuration 7.1.1\n"
	admin := forti + "config system admin\nedit x\n"
	const hidden, any = "<secret>", "\x00"
	for _, c := range []struct{ before, line, significant, redacted string }{
		{"", "#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=bob",
			"#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=" + any + ":vdom=0:user=" +
				any, ""},
		{forti, "#conf_file_ver=123", "#conf_file_ver=" + any, ""},
		{forti, "#private-encryption-key=abc=", "#private-encryption-key=" + any,
			"#private-encryption-key=" + hidden},
		{admin, "    set password ENC abcdef==", "    set password ENC " + any,
			"    set password ENC " + hidden},
		{admin, "    set password ENC SH2abcdef==", "", "    set password ENC " + hidden},
		{admin, "    set md5-key 12 ENC abcdef==", "    set md5-key 12 ENC " + any,
			"    set md5-key 12 ENC " + hidden},
		{admin, `    set password "in clear"`, "", "    set password " + hidden},
		{admin, "    set passwd3 clear", "", "    set passwd3 " + hidden},
		{admin, "    set psksecret sesame", "", "    set psksecret " + hidden},
		{admin, "    set secondary-secret sesame", "", "    set secondary-secret " + hidden},
		{admin, "    set passphrase sesame", "", "    set passphrase " + hidden},
		{admin, "    set key sesame", "", "    set key " + hidden},
		{admin, "    set auth-pwd sesame", "", "    set auth-pwd " + hidden},
		{admin, "    set inter-controller-key sesame", "", "    set inter-controller-key " +
			hidden},
		{admin, "    set history0 sesame", "", "    set history0 " + hidden},
		{admin, "    set private-key sesame", "", "    set private-key " + hidden},
		{admin, "    set type password", "", ""},
		{admin, "    set passwd-policy strict", "", ""},
		{admin, "    set password-renewal enable", "", ""},
		{admin, "    set password-expire 2026-01-01", "", ""},
		{admin, `    set comments "set password sesame"`, "", ""},
		{admin, "    set last-login 2026-11-22", "    set last-login " + any, ""},
		{forti + "config x\n", "    set last-login 2026-11-22", "", ""},
		{forti + "config system snmp community\nedit 1\n", `    set name "public"`, "",
			"    set name " + hidden},
		{forti + "config system interface\nedit 1\n", `    set name "public"`, "", ""},
		{forti + "config vpn certificate local\nedit x\nset private-key \"-----BEGIN RSA PRIVATE " +
			"KEY-----\nProc-Type: 4,ENCRYPTED\n", "DEK-Info: AES-256-CBC,0011", hidden, hidden},
		{forti + "config vpn certificate remote\nedit x\nset private-key \"-----BEGIN RSA " +
			"PRIVATE KEY-----\n", "TUlJ", "", hidden},
		{forti + "config vpn certificate local\nedit x\nset private-key \"-----BEGIN RSA PRIVATE " +
			"KEY-----\nTUlJ\n-----END RSA PRIVATE KEY-----\"\n", "TUlJ", "", ""},

		{ios, "enable secret 5 $1$a$b", "", "enable secret 5 " + hidden},
		{ios, "enable password sesame", "", "enable password " + hidden},
		{ios, "username a privilege 15 secret 9 $9$a$b", "", "username a privilege 15 secret 9 " +
			hidden},
		{ios, "username a password 7 0822", "", "username a password 7 " + hidden},
		{ios, "snmp-server community sesame RO 10", "", "snmp-server community " + hidden +
			" RO 10"},
		{ios, "snmp-server host 192.0.2.1 version 2c sesame", "",
			"snmp-server host 192.0.2.1 version 2c " + hidden},
		{ios, "snmp-server host 192.0.2.1 vrf Mgmt traps version 3 auth sesame", "",
			"snmp-server host 192.0.2.1 vrf Mgmt traps version 3 auth " + hidden},
		{ios, "ntp authentication-key 1 md5 0822 7", "", "ntp authentication-key 1 md5 " + hidden +
			" 7"},
		{ios, "tacacs-server host 192.0.2.1 key 7 0822", "", "tacacs-server host 192.0.2.1 key 7 " +
			hidden},
		{ios, "crypto isakmp key sesame address 192.0.2.1", "", "crypto isakmp key " + hidden +
			" address 192.0.2.1"},
		{ios + "crypto ikev2 keyring k\n peer p\n", "  pre-shared-key local sesame", "",
			"  pre-shared-key local " + hidden},
		{ios + "interface Vlan1\n", " ip ospf message-digest-key 1 md5 7 0822", "",
			" ip ospf message-digest-key 1 md5 7 " + hidden},
		{ios, "key chain K", "", ""},
		{ios + "key chain K\n", " key 1", "", ""},
		{ios + "key chain K\n key 1\n", "  key-string 7 0822", "", "  key-string 7 " + hidden},
		{ios + "interface Vlan1\n", " description the password is sesame", "", ""},
		{ios, "ntp clock-period 17180", any, ""},
		{ios + "interface Tunnel1\n", " tunnel mpls traffic-eng bandwidth 5", "", ""},
		{nxos, "snmp-server user a g auth md5 0x01 priv aes-128 0x02 localizedkey", "",
			"snmp-server user a g auth md5 " + hidden + " priv aes-128 " + hidden +
				" localizedkey"},
		{asa, "enable password abc encrypted", "", "enable password " + hidden + " encrypted"},
		{asa, "Cryptochecksum:0123", "Cryptochecksum:" + any, ""},
		{asa + "tunnel-group x ipsec-attributes\n", " ikev1 pre-shared-key sesame", "",
			" ikev1 pre-shared-key " + hidden},
		{wlc, "config snmp community create sesame", "", "config snmp community create " + hidden},
		{wlc, "config mgmtuser add encrypt admin 1 aa bb 16 cc read-write", "",
			"config mgmtuser add encrypt " + hidden},
		{wlc, "config mgmtuser add admin sesame read-write", "", "config mgmtuser add admin " +
			hidden + " read-write"},
		{catos, "set snmp community read-only sesame", "", "set snmp community read-only " +
			hidden},
		{catos, "set enablepass $2$a$b", "", "set enablepass " + hidden},
		{xr + "router bgp 1\n neighbor 192.0.2.1\n", "  password encrypted 0822", "",
			"  password encrypted " + hidden},
	} {
		var got device.Line
		var significant, redacted string
		for l := range device.Lines([]byte(c.before + c.line + "\nx\n")) {
			if l.Number == 1+strings.Count(c.before, "\n") {
				got, significant, redacted = l, string(l.Significant()), string(l.Redacted())
			}
		}
		if got.Noise {
			significant = any
		}
		want := c.significant
		if want == hidden { // a line of a sealed key: neither significant nor to be shown
			want = any
		}
		if want == "" {
			want = c.line
		}
		if significant != want {
			t.Errorf("of %q is significant %q, want %q", c.line, significant, want)
		}
		if want = c.redacted; want == "" {
			want = c.line
		}
		if redacted != want {
			t.Errorf("%q is redacted to %q, want %q", c.line, redacted, want)
		}
	}
}

// TestURLs: a password in a URL is a secret on every platform, wherever it stands.
func TestURLs(t *testing.T) {
	for _, head := range []string{"version 15.2\nservice timestamps log datetime\n",
		"#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0\n",
		"## Last commit: x\nversion 22.4R3;\n"} {
		for line, want := range map[string]string{
			" path ftp://backup:pw1@192.0.2.1/x": " path ftp://backup:<secret>@192.0.2.1/x",
			"x http://192.0.2.1:8080/a@b":        "x http://192.0.2.1:8080/a@b",
			"a \"scp://u:p@h\" b ftp://v:q@h2":   "a \"scp://u:<secret>@h\" b ftp://v:<secret>@h2",
		} {
			for l := range device.Lines([]byte(head + line + "\n")) {
				if string(l.Text) == line && string(l.Redacted()) != want {
					t.Errorf("%q is shown as %q, want %q", line, l.Redacted(), want)
				}
			}
		}
	}
}
