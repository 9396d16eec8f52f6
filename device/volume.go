package device

import (
	"strings"
)

// fileSystems are the names that devices give to theirs, and the protocols that stand in the same
// place: "flash:", "disk0:", "cf3-a:", "slot2#flash:", "tftp:". Other words before a colon may be
// a part of a name.
var fileSystems = expression(`(?i)^(?:` +
	`(?:(?:chassis|slot)\d+#)*` +
	`(?:(?:sup|slave|slavesup|stby|standby|usb|log|mini)-?)?(?:boot)?(?:flash|disk)\d*(?:-\d+)?` +
	`|(?:stby-|slave)?(?:nvram|slot|harddisk|usb|crashinfo)\d*` +
	`|cf\d(?:-[ab])?|cfcard\d*|hd[a-z]\d|sd\d|re[01]` +
	`|system|unix|volatile|archive|` + protocols + `):`)

// protocols are those of addresses such as tftp://192.0.2.1/fw1.cfg.
const protocols = `tftp|ftps?|sftp|scp|rcp|https?|file`

// hosted is the beginning of an address: its protocol and host.
var hosted = expression(`(?i)^(?:` + protocols + `)://[^/\\]*`)

// withoutVolume returns a path without what it is a path in: a drive, a share of a server, a file
// system of a device, or a protocol with its host.
func withoutVolume(path string) string {
	if elements := strings.FieldsFunc(path, isSlash); strings.HasPrefix(path, `\\`) &&
		len(elements) > 2 {
		path = path[strings.Index(path, elements[0])+len(elements[0]):] // the server
		path = path[strings.Index(path, elements[1])+len(elements[1]):] // its share
	}
	for strings.IndexByte(path, ':') > 0 {
		bare := strings.TrimLeftFunc(path, isSlash)
		end := 0
		if at := hosted().FindStringIndex(bare); at != nil {
			end = at[1]
		} else if at := fileSystems().FindStringIndex(bare); at != nil {
			end = at[1]
		} else if isDrive(bare) {
			end = 2
		}
		if end == 0 {
			break
		}
		path = bare[end:]
	}
	return path
}

func isSlash(r rune) bool { return r == '/' || r == '\\' }

// isDrive reports whether a path begins with the letter of a drive. In "a:b:c:1" the colons are of
// an address.
func isDrive(path string) bool {
	if len(path) < 2 || path[1] != ':' || (path[0]|0x20) < 'a' || (path[0]|0x20) > 'z' {
		return false
	}
	rest := path[2:]
	return strings.IndexByte(rest, ':') < 0 || isSlash(rune(rest[0]))
}
