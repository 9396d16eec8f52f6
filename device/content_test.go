package device_test

import (
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

func TestIsConfiguration(t *testing.T) {
	const ios = "version 15.2\nhostname r1\n!\nip cef\nend\n"
	for _, c := range []struct {
		filename, body string
		want           bool
	}{
		{"r1.cfg", ios, true},
		{"r1-confg", "some switch's lines\nof no platform\n", true},
		{"r1.log", ios, true}, // of a terminal
		{"config_db.json", "{\n    \"DEVICE_METADATA\": {\n        \"localhost\": {}\n    }\n}\n",
			true},
		{"acme/fw1", "\x00\x01\x02 sealed by the device", true},
		{"r1.txt", "hostname r1\n", true},
		{"core-sw1.cfg", ios, true},
		{"notes-sw.cfg", ios, true},
		{"core.cfg", ios, true}, // a device's name
		{"core", "hostname core\n", true},
		{"r1.cfg", "", false},
		{"r1.log", "nothing to see\n", false},
		{"r1.cfg", "Nov 24 05:15:00 r1 %SYS-5-CONFIG_I: by x\nNov 24 05:16:00 r1 %LINK-3-UPDOWN: " +
			"y\n",
			false},
		{"r1", "000123: *Nov 24 05:15:00.123: %SYS-5: a\n000124: *Nov 24 05:15:01.1: %SYS-5: b\n",
			false},
		{"fw1", "<134>Nov 24 05:15:00 fw1 a\n<134>Nov 24 05:15:01 fw1 b\n", false},
		{"fw1", "2026-11-24T05:15:00Z a\n2026-11-24T05:15:01Z b\n", false},
		{"r1.txt", "------------------ show version ------------------\nx\n------------------ " +
			"show running-config ------------------\n" + ios +
			"------------------ show interfaces ------------------\ny\n", false},
		{"n1", "`show version`\nx\n`show running-config`\ny\n`show logging`\nz\n", false},
		{"r1-tech-support.txt", ios, false},
		{"crashinfo_20261124-051500", "x", false},
		{"map.png", "\x89PNG\r\n\x1a\n", false},
		{"map", "\xff\xd8\xff\xe0", false},
		{"fetch.py", "import telnetlib\n" + ios, false},
		{"fetch.sh", "echo x\n", false},
		{"r1.example.pl", ios, true}, // of Poland
		{"fetch", "#!/bin/sh\necho\n", false},
		{"esr1.cfg", "#!/usr/bin/clish\n#18\nhostname esr1\nsyslog max-files 3\n", true},
		{"README.md", ios, false},
		{"README", "what this is\n", false},
		{".gitignore", "*.swp\n", false},
		{"TODO", "call the carrier\n", false},
		{"todo.txt", "call the carrier\n", false},
		{"list.txt", "- [ ] call the carrier\n- [x] new fan\n", false},
		{"package.json", "{\"name\": \"x\"}\n", false},
		{"hosts.yml", "all:\n  hosts:\n", false},
		{"trace.pcap", "x", false},
		{"trace", "\xd4\xc3\xb2\xa1\x02\x00", false},
		{"index.html", "<html>", false},
	} {
		if got := device.IsConfiguration(c.filename, []byte(c.body)); got != c.want {
			t.Errorf("%s, %.40q: %t", c.filename, c.body, got)
		}
	}
}
