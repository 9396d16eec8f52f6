package device_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/device"
)

// generated returns a FortiGate's configuration of about size bytes, made of what real ones are
// made of: interfaces, addresses, groups, services, policies, users with secrets, certificates with
// their keys, and texts over many lines. Its lines have 27 bytes on average, as real ones.
func generated(size int) []byte {
	var b bytes.Buffer
	b.WriteString(
		"#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=backup\n" +
			"#conf_file_ver=5821660000000000\n#buildno=2795\n#global_vdom=1\n")
	b.WriteString("config system global\n    set admintimeout 30\n    set alias " +
		"\"FortiGate-100F\"\n    set hostname \"fw-bench\"\n    set timezone " +
		"\"Europe/Berlin\"\nend\n")
	base64 := strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
		2)[:64]
	for part := 0; b.Len() < size; part++ {
		b.WriteString("config system interface\n")
		for i := range 4 {
			fmt.Fprintf(&b, "    edit \"port%d-%d\"\n        set vdom \"root\"\n        set ip "+
				"192.0.2.%d 255.255.255.0\n        set allowaccess ping https ssh\n"+
				"        set type physical\n        set snmp-index %d\n    next\n", part, i, i, i)
		}
		b.WriteString("end\nconfig firewall address\n")
		for i := range 60 {
			fmt.Fprintf(&b, "    edit \"host-%d-%d\"\n        set uuid "+
				"0b4ff2d2-%04x-51ee-%04x-0242ac120002\n        set subnet 198.51.100.%d "+
				"255.255.255.255\n    next\n", part, i, part, i, i)
		}
		b.WriteString("end\nconfig firewall policy\n")
		for i := range 60 {
			fmt.Fprintf(&b, "    edit %d\n        set name \"rule %d\"\n        set srcintf "+
				"\"port1\"\n        set dstintf \"port2\"\n        set action accept\n"+
				"        set srcaddr \"host-%d-%d\"\n        set dstaddr \"all\"\n        set "+
				"schedule \"always\"\n        set service \"HTTPS\" \"HTTP\"\n"+
				"        set logtraffic all\n        set nat enable\n    next\n", part*60+i, i,
				part, i)
		}
		b.WriteString("end\nconfig user local\n")
		for i := range 4 {
			fmt.Fprintf(&b, "    edit \"user%d\"\n        set type password\n        set passwd "+
				"ENC %s%s\n    next\n", i, base64, base64)
		}
		b.WriteString("end\nconfig vpn certificate local\n    edit \"cert\"\n        set " +
			"password ENC " + base64 +
			"\n        set private-key \"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" +
			strings.Repeat(base64+"\n", 20) +
			"-----END ENCRYPTED PRIVATE KEY-----\"\n        set certificate \"-----BEGIN " +
			"CERTIFICATE-----\n" +
			strings.Repeat(base64+"\n", 20) +
			"-----END CERTIFICATE-----\"\n    next\nend\nconfig system replacemsg http " +
			"\"block\"\n    set buffer \"<html>\n" +
			strings.Repeat("  <p class=\\\"message\\\">It's blocked.</p>\n", 10) +
			"</html>\"\n    set header http\nend\n")
	}
	return b.Bytes()
}

// BenchmarkExamine measures what a configuration's reading costs, in multiples of what its SHA-256
// costs at the same time on the same machine.
func BenchmarkExamine(b *testing.B) {
	config := generated(1 << 20)
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"IdentifyAndFingerprint", func() { device.Identify(config); device.Fingerprint(config) }},
		{"Identify", func() { device.Identify(config) }},
		{"Fingerprint", func() { device.Fingerprint(config) }},
		{"Examine", func() { device.Examine(config) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(config)))
			b.ReportAllocs()
			var sha, ours time.Duration
			for b.Loop() {
				start := time.Now()
				sha256.Sum256(config)
				middle := time.Now()
				c.do()
				sha, ours = sha+middle.Sub(start), ours+time.Since(middle)
			}
			b.ReportMetric(float64(ours)/float64(sha), "x-sha256")
		})
	}
}

// BenchmarkWorstCase: what is hostile costs in proportion to its size, as ns a byte: the same at 1
// MiB and at 16 MiB.
func BenchmarkWorstCase(b *testing.B) {
	const header = "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0\n"
	for _, name := range []string{"one line", "config blocks", "open quotes", "deeper and deeper",
		"tags", "braces"} {
		for _, mib := range []int{1, 16} {
			config := []byte(header + hostile[name](mib<<20))
			b.Run(fmt.Sprintf("%s/%dMiB", strings.ReplaceAll(name, " ", "-"), mib),
				func(b *testing.B) {
					b.SetBytes(int64(len(config)))
					b.ReportAllocs()
					for b.Loop() {
						device.Examine(config)
					}
					examined := float64(b.N) * float64(len(config))
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/examined,
						"ns/byte")
				})
		}
	}
}
