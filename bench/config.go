//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// tail returns what all configurations of a size share: a FortiGate's addresses and policies.
func tail(size int) []byte {
	var b bytes.Buffer
	for part := 0; b.Len() < size; part++ {
		b.WriteString("config firewall address\n")
		for i := range 20 {
			fmt.Fprintf(&b, "    edit \"host-%d-%d\"\n        set uuid "+
				"0b4ff2d2-%04x-51ee-%04x-0242ac120002\n        set subnet 198.51.100.%d "+
				"255.255.255.255\n    next\n", part, i, part, i, i)
		}
		b.WriteString("end\nconfig firewall policy\n")
		for i := range 20 {
			fmt.Fprintf(&b, "    edit %d\n        set name \"rule %d\"\n        set srcintf "+
				"\"port1\"\n        set dstintf \"port2\"\n        set action accept\n"+
				"        set srcaddr \"host-%d-%d\"\n        set dstaddr \"all\"\n        set "+
				"service \"HTTPS\" \"HTTP\"\n    next\n", part*20+i+1, i, part, i)
		}
		b.WriteString("end\n")
	}
	const last = "config system dns\n    set primary 192.0.2.53\nend\n"
	lines := b.Bytes()[:max(0, size-len(last)-64)]
	lines = lines[:bytes.LastIndex(lines, []byte("\nend\n"))+len("\nend\n")]
	filler := "config system global\nend\n#" + strings.Repeat("-", size-len(lines)-len(last)-27) +
		"\n"
	return append(append(lines, filler...), last...)
}

// head returns how the n-th device's configuration begins, in a revision.
func head(n, revision int) []byte {
	return fmt.Appendf(nil,
		"#config-version=FG100F-7.4.8-FW-build2795-250523:opmode=0:vdom=0:user=backup\n"+
			"#buildno=2795\n#global_vdom=1\n"+
			"config system global\n    set admintimeout 30\n    set alias \"revision-%06d\"\n"+
			"    set "+
			"hostname \"fw-%06d\"\nend\n", revision, n)
}

// headSize is how long head is.
var headSize = len(head(0, 0))

// whole returns a configuration of exactly size bytes.
func whole(size, n, revision int) []byte {
	return append(head(n, revision), tail(size-headSize)...)
}
