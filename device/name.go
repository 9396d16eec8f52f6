package device

import (
	"net/netip"
	"path"
	"regexp"
	"strings"
)

// extensions are dropped from a file name to get its stem; what is not listed may be part of a host
// name (fw1.example.net).
var extensions = map[string]bool{
	".conf": true, ".cfg": true, ".config": true, ".txt": true, ".text": true, ".log": true,
	".bak": true, ".backup": true,
	".old": true, ".gz": true, ".zip": true, ".tar": true, ".tgz": true, ".xml": true,
	".json": true, ".bin": true,
	".dat": true, ".exp": true, ".ucs": true, ".scf": true, ".rsc": true, ".set": true,
	".boot": true,
}

// stamp is a date, a time or a time zone at the end of a stem, with the counter that may follow it.
// A number alone is not taken for a counter: sw-1 and sw-2 are two devices.
var stamp = regexp.MustCompile(`(?i)[-_. @]+(` +
	`(19|20)\d{6}([-_. t]?\d{4}(\d{2})?)?z?` + // 20261123, 20261123-0515, 20261123T051500Z
	// 2026-11-23, 2026-11-23_05:15:00
	`|(19|20)\d{2}[-_.](0?[1-9]|1[0-2])[-_.](0?[1-9]|[12]\d|3[01])([-_. t]\d{1,2}[-_.:]?\d{2}([-_.:]?\d{2})?)?z?` +
	// Nov-23-05-15-00.123-UTC
	`|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[-_. ]+\d{1,2}([-_. ](19|20)\d{2})?([-_. ]\d{1,2}[-_.:]\d{2}([-_.:]\d{2}(\.\d+)?)?)?([-_. ][a-z]{3,4})?` +
	`|\d{1,2}:\d{2}(:\d{2})?` + // 05:15:00
	`)([-_.]\d{1,5}|\(\d{1,5}\))?$`)

// confg is what Cisco appends to the host name.
var confg = regexp.MustCompile(`(?i)[-_.](confg|config|cfg|running-config|startup-config)$`)

// generic are stems that name no device.
var generic = map[string]bool{
	"backup": true, "config": true, "confg": true, "configuration": true, "conf": true, "cfg": true,
	"running-config": true,
	"startup-config": true, "running": true, "startup": true, "running_config": true,
	"startup_config": true,
	"network":        true, "network-confg": true, "router": true, "switch": true, "firewall": true,
	"fgt":        true,
	"fgt_system": true, "sys_config": true, "full-config": true, "default": true, "export": true,
	"file": true, "tmp": true,
	"temp": true, "test": true, "juniper": true, "vrpcfg": true, "config.boot": true,
	"device": true, "system": true,
}

// FromFilename takes a file name as it was asked for apart: the directory is the site, the stem
// names the device. The backslash is a slash; leading slashes, "." and ".." name nothing. The stem
// is the last element without its extensions and without trailing dates, times, counters after
// them, and Cisco's "-confg"; it is blank where it is generic ("backup"). Both are printable, as
// [Text] makes them, and blank over 255 bytes.
func FromFilename(name string) (site, stem string) {
	var elements []string
	for e := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if e = strings.TrimSpace(e); e != "" && e != "." && e != ".." {
			elements = append(elements, e)
		}
	}
	if len(elements) == 0 {
		return "", ""
	}
	last := len(elements) - 1
	// What begins with - or @ would be taken for a flag or a number where a person types it.
	return strings.TrimLeft(value(strings.Join(elements[:last], "/")), "-@~"),
		value(trimStem(elements[last]))
}

func trimStem(s string) string {
	for len(s) <= 4*maxValue {
		was := s
		if ext := path.Ext(s); extensions[strings.ToLower(ext)] {
			s = strings.TrimSuffix(s, ext)
		}
		s = confg.ReplaceAllString(s, "")
		s = stamp.ReplaceAllString(s, "")
		if s == was {
			break
		}
	}
	s = strings.Trim(s, "-_. @")
	lower := strings.ToLower(s)
	if generic[lower] || stamp.MatchString("-"+lower) || strings.Trim(lower, "0123456789") == "" {
		return ""
	}
	return s
}

// Source returns an address as it is stored and shown: an IPv4 address in IPv6 form (RFC 4291,
// section 2.5.5.2) is the IPv4 address, and a zone stays, since link-local addresses are told apart
// by it.
func Source(addr netip.Addr) string { return addr.Unmap().String() }
