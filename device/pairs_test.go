package device_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/tftpsql/tftpsql/device"
)

// TestChanges: what an operator changed is another configuration, however it looks.
func TestChanges(t *testing.T) {
	for _, c := range []struct{ file, what, from, to string }{
		{"fortinet.conf", "a hash SH2", "SH2hash", "SH2other"},
		{"fortinet.conf", "a hash AK1", "AK1old", "AK1other"},
		{"fortinet.conf", "a hash PB2", "PB2another", "PB2other"},
		{"fortinet.conf", "a reversible secret becomes a hash", "set passwd ENC ",
			"set passwd ENC SH2"},
		{"fortinet.conf", "an added secret", "        set type password\n",
			"        set type password\n        set ppk-secret ENC YWRkZWQ=\n"},
		{"fortinet.conf", "a removed secret",
			"        set passwd ENC c2VjcmV0LW9mLW5vYm9keS1hdC1hbGwtaW52ZW50ZWQtZm9yLWEtdGVzdA==\n",
			""},
		{"fortinet.conf", "a secret in clear", "set passwd ENC ", "set passwd "},
		{"fortinet.conf", "the number of a key", "md5-key 1 ENC", "md5-key 2 ENC"},
		{"fortinet.conf", "a key displayed in clear", "TUlJLWNsZWFy", "b3RoZXI="},
		{"fortinet.conf", "a sealed key removed",
			"set private-key \"-----BEGIN OPENSSH PRIVATE " +
				"KEY-----\nb3BlbnNzaC1maXJzdA==\n-----END OPENSSH PRIVATE KEY-----\n\"",
			"set status enable"},
		{"fortinet.conf", "a certificate", "TUlJLWNlcnRpZmljYXRl", "b3RoZXI="},
		{"fortinet.conf", "a comment with the words of noise", "#conf_file_ver=1\"",
			"#conf_file_ver=2\""},
		{"fortinet.conf", "a buffer with the words of a header", "\n#conf_file_ver=1\n",
			"\n#conf_file_ver=2\n"},
		{"fortinet.conf", "a buffer with the words of a secret", "end\n    set password ENC c2Vj",
			"end\n    set password ENC b3Ro"},
		{"fortinet.conf", "a buffer that shows a key", "not a key, only", "no key, only"},
		{"fortinet.conf", "a blank line in a buffer", "KEY-----\n\n<p>", "KEY-----\n<p>"},
		{"fortinet.conf", "a buffer with a login", "<p>set last-login 2026-11-22",
			"<p>set last-login 2026-11-23"},
		{"fortinet.conf", "a comment of a certificate", "\"Error (No order found)",
			"\"error (No order found)"},
		{"fortinet.conf", "a model", "FGT100F", "FGT101F"},
		{"fortinet.conf", "a version", "7.4.8", "7.4.9"},
		{"fortinet.conf", "an entry that was added", "    edit \"second\"\n",
			"    edit \"third\"\n    next\n    edit \"second\"\n"},
		{"fortinet.conf", "an end", "\nend\nconfig system fortiguard",
			"\nconfig system fortiguard"},
		{"cisco_ios.conf", "a banner's time", "by mallory", "by trudy"},
		{"cisco_ios.conf", "a blank line in a banner", "mallory\n\n", "mallory\n"},
		{"cisco_ios.conf", "the last line of a banner", "! NVRAM config last updated ^C",
			"! No configuration change since last restart ^C"},
		{"cisco_ios.conf", "a description with a clock period", "ntp clock-period 17180\n hostname",
			"ntp clock-period 17181\n hostname"},
		{"cisco_ios.conf", "a comment in a block", " hostname decoy-in-a-block\n",
			" hostname decoy-in-a-block\n ! Last configuration change at 10:11\n"},
		{"cisco_ios.conf", "a hash", "$1$abcd$0", "$1$abcd$1"},
		{"cisco_ios.conf", "bandwidth that was set", " tunnel mpls traffic-eng auto-bw\n", ""},
		{"cisco_ios.conf", "a certificate", "30820229", "30820228"},
		{"cisco_ios.conf", "the boot image", "!\nenable", "!\nboot system flash\nenable"},
		{"cisco_nxos.conf", "a description", "description !Time: 10:00",
			"description !Time: 11:00"},
		{"cisco_xr.conf", "a description", "description !! Last configuration change at Mon",
			"description !! Last configuration change at Tue"},
		{"cisco_asa.conf", "the domain", "domain-name example.net", "domain-name example.org"},
	} {
		base := read(t, c.file)
		if strings.Count(base, c.from) != 1 {
			t.Errorf("%s: %s: %q stands %d times in the file", c.file, c.what, c.from,
				strings.Count(base, c.from))
		}
		if device.Fingerprint([]byte(base)) == device.Fingerprint([]byte(strings.Replace(base,
			c.from, c.to, 1))) {
			t.Errorf("%s: %s is missed", c.file, c.what)
		}
	}
}

// TestNames: the host name is the value in the place where the platform keeps it.
func TestNames(t *testing.T) {
	forti, ios := "#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0\n",
		"version 15.2\nboot-start-marker\n"
	nxos, asa := "version 9.3(8)\nfeature lacp\n", "ASA Version 9.8(4)\n"
	for config, want := range map[string]string{
		forti + "config system global\nset hostname 'single'\nend\n":        "single",
		forti + "config system global\nset hostname it's\nend\n":            "it's",
		forti + "config system global\nset hostname \"over\nlines\"\nend\n": "",
		forti + "config system global\nset hostname \"first\"\nset hostname \"last\"\n" +
			"end\n": "last",
		forti + "config system global\nset alias \"unclosed\nset hostname \"x\"\nend\n": "",
		forti + "config system global\nset alias \"unclosed\nset foo \"x\"\nset hostname " +
			"\"real\"\nend\n": "real",
		forti + "config system global\nconfig x\nset y z\nend\nset hostname \"real\"\n" +
			"end\n": "real",
		forti + "config global\nconfig system global\nset hostname \"real\"\nend\nend\nconfig " +
			"vdom\nedit a\nset hostname b\nend\n": "real",
		ios + "banner motd ^Company net^\nhostname real\nend\n":                            "real",
		ios + "banner motd ^C Company ^C\nhostname real\nend\n":                            "real",
		ios + "banner motd ^C^C\nhostname real\nend\n":                                     "real",
		ios + "banner motd \"\nhostname decoy\n\"\nhostname real\nend\n":                   "real",
		ios + "banner motd xhello x\nhostname real\nend\n":                                 "real",
		ios + "banner login \x03one line\x03\nhostname real\nend\n":                        "real",
		ios + "menu m title ^C\nhostname decoy\n^C\nhostname real\nend\n":                  "real",
		ios + "interface Vlan1\n description press ^C to leave\nhostname real\nend\n":      "real",
		ios + "ip access-list extended x\n remark ^C\nhostname real\nend\n":                "real",
		ios + "ip as-path access-list 1 permit ^1$\nhostname real\nend\n":                  "real",
		ios + "!hostname decoy\n! hostname decoy\nno hostname decoy\nhostname real\nend\n": "real",
		ios + "interface Vlan1\n!\n hostname decoy\nend\n":                                 "",
		ios + "hostname is what follows\nhostname real\nend\n":                             "real",
		ios + "hostname \"real\"\nend\n":                                                   "real",
		nxos + "banner motd *\nhostname decoy\n*\nswitchname real\n":                       "real",
		asa + "banner motd ^C\nhostname real\n: end\n":                                     "real",
		asa + "!hostname decoy\n: hostname decoy\nhostname real\n: end\n":                  "real",
		"!! IOS XR Configuration 7.1.1\nbanner motd ^C\nhostname decoy\n^C\nhostname real\n" +
			"end\n": "real",
		"set banner motd %\nset system name  decoy\n%\nset system name  real\n#version " +
			"6.4(21)\nset enablepass $2$a\nset vtp domain a\n": "real",
	} {
		if got := device.Identify([]byte(config)).Name; got != want {
			t.Errorf("%q: host name %q, want %q", config, got, want)
		}
	}
}

// TestBandwidth: a tunnel whose bandwidth doesn't set itself has one that counts.
func TestBandwidth(t *testing.T) {
	base := strings.Replace(read(t, "cisco_ios.conf"), " tunnel mpls traffic-eng auto-bw\n", "", 1)
	if device.Fingerprint([]byte(base)) == device.Fingerprint([]byte(strings.Replace(base,
		"bandwidth 1000", "bandwidth 1001", 1))) {
		t.Error("a bandwidth is missed")
	}
}

// TestForms: the form in which a configuration arrives is no part of it.
func TestForms(t *testing.T) {
	for _, row := range table(t, "testdata/expected.tsv") {
		plain := read(t, row["path"])
		if strings.ContainsRune(plain, 0) || row["kind"] == "encrypted" ||
			string(device.Decode([]byte(plain))) != plain {
			continue // no terminal shows it
		}
		lf := strings.ReplaceAll(plain, "\r\n", "\n")
		id, sum := device.Examine([]byte(plain))
		for form, config := range map[string][]byte{
			"CRLF":                   []byte(strings.ReplaceAll(lf, "\n", "\r\n")),
			"LF":                     []byte(lf),
			"CR CR LF":               []byte(strings.ReplaceAll(lf, "\n", "\r\r\n")),
			"a BOM":                  []byte("\xef\xbb\xbf" + plain),
			"UTF-16, little end":     utf16Of(plain, 0, 8),
			"UTF-16, big end":        utf16Of(plain, 8, 0),
			"gzip":                   gzipped([]byte(plain)),
			"zip":                    zipped([]byte(plain)),
			"zip in gzip":            gzipped(zipped([]byte(plain))),
			"UTF-16 in gzip":         gzipped(utf16Of(plain, 0, 8)),
			"no line end at the end": []byte(strings.TrimRight(plain, "\r\n")),
			"blank lines around":     []byte("\n\n" + plain + "\n \n"),
			"a prompt before":        []byte("r1#show running-config\n" + plain),
			"a prompt after":         []byte(plain + "\nr1#"),
			"prompts around":         []byte("admin@r1> show\n" + plain + "\nadmin@r1> exit\n"),
			"a prompt of FortiOS": []byte("r1 (global) # show full-configuration\n" + plain +
				"\nr1 (global) # \n"),
			"the way into the VDOMs": []byte("r1 # config global\nr1 (global) # show\n" + plain +
				"\nr1 (global) # end\n"),
			"a prompt of XR": []byte("RP/0/RSP0/CPU0:r1#show run\n" + plain +
				"\nRP/0/RSP0/CPU0:r1#"),
			"a prompt of CatOS": []byte("Console> (enable) show config\n" + plain +
				"\nConsole> (enable) "),
			"a prompt of AireOS": []byte("(Cisco Controller) >show run-config commands\n" +
				plain + "\n(Cisco Controller) >"),
			"a prompt of a sub-mode": []byte("r1(config)#show running-config\n" + plain +
				"\nr1(config)#"),
			"a prompt of ASA context": []byte("fw/ctx/act# show running-config\n" + plain +
				"\nfw/ctx/act# "),
		} {
			gotID, got := device.Examine(config)
			if got != sum || gotID != id {
				t.Errorf("%s: with %s it is another: %+v, want %+v", row["path"], form, gotID, id)
			}
		}
	}
}

func utf16Of(s string, low, high int) []byte {
	var b []byte
	for _, c := range append([]uint16{0xfeff}, utf16.Encode([]rune(s))...) {
		b = append(b, byte(c>>low), byte(c>>high))
	}
	return b
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	if f, err := w.Create("vrpcfg.cfg"); err == nil {
		_, _ = f.Write(b)
	}
	_ = w.Close()
	return out.Bytes()
}

// TestDated: the times that a device writes into comments at the top are no part of it.
func TestDated(t *testing.T) {
	for file, line := range map[string]string{
		"cisco_nxos.conf":      "!NVRAM config last updated at: Mon Nov 23 05:15:00 2026",
		"arista_eos.conf":      "! Last configuration change at Mon Nov 23 05:15:00 2026 by ops",
		"ruckus_fastiron.conf": "! Last configuration change at 05:15:00 GMT Mon Nov 23 2026",
	} {
		plain := read(t, file)
		if device.Fingerprint([]byte(line+"\n"+plain)) != device.Fingerprint([]byte(plain)) {
			t.Errorf("%s with %q is another", file, line)
		}
	}
}
