package device_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// every puts a text before each n-th line.
func every(config string, n int, text string) string {
	var b strings.Builder
	at := 0
	for line := range strings.Lines(config) {
		if at++; at%n == 0 {
			b.WriteString(text)
		}
		b.WriteString(line)
	}
	return b.String()
}

// TestRecordings: a recording of a terminal is the configuration that it shows.
func TestRecordings(t *testing.T) {
	wipe := strings.Repeat("\b", 10) + strings.Repeat(" ", 10) + strings.Repeat("\b", 10)
	for _, file := range []string{"cisco_ios.conf", "cisco_asa.conf", "huawei_vrp.conf",
		"hp_procurve.conf", "juniper_junos.conf", "fortinet.conf", "arista_eos.conf",
		"mikrotik_routeros.conf", "vyos.conf", "cisco_xr.conf", "dell_os6.conf"} {
		plain := strings.ReplaceAll(read(t, file), "\r\n", "\n")
		id, sum := device.Examine([]byte(plain))
		for form, config := range map[string]string{
			"a pager and backspaces":   every(plain, 7, " --More-- "+wipe),
			"a pager and CR":           every(plain, 7, "--More--\r        \r"),
			"a pager and erasing":      every(plain, 7, "<--- More --->\x1b[2K\r"),
			"a pager and the cursor":   every(plain, 7, "  ---- More ----\x1b[42D      \x1b[42D"),
			"lines of a pager":         every(plain, 7, "---(more 12%)---\n"),
			"a screen's beginning":     "\x1b[2J\x1b[1;1H" + plain,
			"erased ends of lines":     strings.ReplaceAll(plain, "\n", "\x1b[K\r\n"),
			"CR alone":                 strings.ReplaceAll(plain, "\n", "\r"),
			"LF and CR":                strings.ReplaceAll(plain, "\n", "\n\r"),
			"UTF-16 without its mark":  string(utf16Of(plain, 0, 8)[2:]),
			"big UTF-16 without it":    string(utf16Of(plain, 8, 0)[2:]),
			"a command without prompt": "show running-config\n" + plain,
			"a login": "Username: a\nPassword: \n\nr1>enable\nPassword: \nr1#terminal length 0\n" +
				"r1#show running-config\n" + plain + "r1#\n",
			"commands around": "r1#show version\nversion 1.2\nhostname decoy\n" +
				"r1#show running-config\n" + plain + "r1#show inventory\nhostname decoy\nr1#exit\n",
			"a mode of configuration": "r1(config)# do show running-config\n" + plain +
				"r1(config)# exit\nr1# \n",
		} {
			gotID, got := device.Examine([]byte(config))
			if gotID != id || got != sum {
				t.Errorf("%s with %s is %+v, same %t; want %+v", file, form, gotID, got == sum, id)
			}
		}
	}
}

// TestRecordedText: what looks like a part of a recording is text where a configuration has it.
func TestRecordedText(t *testing.T) {
	for _, config := range []string{
		"banner motd ^C\x1b[31mred\x1b[0m^C\n", "-- More or less\n", "name x--More--\n",
		"line\n\n  two   \n", "a\r\nb\r\n", "\x00\x01", "#FGBK|4|x\n\x01\x10a\bb\x1e\x1b[2Kc",
	} {
		if got := device.Decode([]byte(config)); string(got) != config {
			t.Errorf("%q becomes %q", config, got)
		}
	}
	wide := []byte(strings.Repeat("\x1b[512Cx\n", 1<<16))
	if got := device.Decode(wide); !bytes.Equal(got, wide) {
		t.Errorf("%d bytes become %d", len(wide), len(got))
	}
}

// TestMessages: messages of the log between the lines of a configuration are none of it, except in
// a banner.
func TestMessages(t *testing.T) {
	const message = "*Nov 23 05:15:00.123: %SYS-5-CONFIG_I: Configured from console by vty0\n"
	plain := "version 15.2\nhostname r1\n!\ninterface Vlan7\n shutdown\n!\nend\n"
	id, sum := device.Examine([]byte(plain))
	for _, m := range []string{message, "000123: " + message[1:],
		"%LINK-3-UPDOWN: Interface up\n"} {
		if gotID, got := device.Examine([]byte(every(plain, 2, m) + m)); gotID != id || got != sum {
			t.Errorf("with %q it is %+v, same %t", m, gotID, got == sum)
		}
	}
	banner := "banner motd ^C\nx\n^C\n"
	if device.Fingerprint([]byte(banner+plain)) ==
		device.Fingerprint([]byte(strings.Replace(banner, "x\n", message, 1)+plain)) {
		t.Error("a text of a banner is a message")
	}
}

// TestSessionSecrets: no secret is to be seen around a configuration.
func TestSessionSecrets(t *testing.T) {
	config := "r1#show archive\nusername a secret " + planted + "\nr1#show running-config\n" +
		read(t, "cisco_ios.conf") + "r1#show startup-config\nsnmp-server community " + planted +
		" ro\nenable password " + planted + "\nr1#\n" +
		"*Nov 23 05:15:00.123: %PARSER-5-CFGLOG: User:a  logged command:enable secret " +
		planted + "\n"
	for l := range device.Lines([]byte(config)) {
		if shown := l.Redacted(); strings.Contains(string(shown), planted) {
			t.Errorf("shows %s", shown)
		}
	}
}
