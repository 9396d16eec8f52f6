// Package device reads what a device's configuration says about the device: who it is, which platform it runs, whether
// the file is whole. Its functions are pure: bytes go in, values come out, nothing is kept and nothing is read from
// elsewhere.
//
// A blank is a legal answer; a wrong name is a defect. So nothing is guessed: a host name is taken only from the place
// where the platform keeps it, and never from the first line that looks like one.
package device

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of configuration. Captures are compared within a kind only. Parts of a device have a kind of their own, "vdom:NAME".
const (
	KindFull      = "full"      // the whole configuration of a known platform
	KindEncrypted = "encrypted" // readable by the device alone
	KindOther     = "other"     // anything else
)

// maxValue bounds what is taken for an identity, in bytes: names of devices have 253 at most (RFC 1035, section 2.3.4),
// and a longer value is something else.
const maxValue = 255

// Identity is what a configuration says about its device. Every field may be blank, and every one is printable UTF-8, as
// [Text] makes it.
type Identity struct {
	Platform  string // Netmiko's name of the platform: "fortinet"
	Name      string // host name
	Model     string
	OSVersion string
	Build     string
	Serial    string
	Kind      string // one of the Kind constants, or "vdom:NAME"
	Complete  bool   // the file ends as its platform ends files
}

// A platform recognises its own configurations.
type platform struct {
	name     string
	identify func(config []byte) (Identity, bool)
}

// platforms in the order they are asked: the first that recognises a configuration has it.
var platforms = []platform{
	{"fortinet", identifyFortiOS},
}

// Identify tells what a configuration says about its device. What no platform recognises has kind [KindOther], and is
// complete unless it is empty, since nothing says how it would end.
func Identify(config []byte) Identity {
	text := bytes.TrimPrefix(config, []byte("\xef\xbb\xbf"))
	for _, p := range platforms {
		id, ok := p.identify(text)
		if !ok {
			continue
		}
		id.Platform = p.name
		for _, v := range []*string{&id.Name, &id.Model, &id.OSVersion, &id.Build, &id.Serial, &id.Kind} {
			*v = value(*v)
		}
		if id.Kind == "" { // a part of the device without a usable name is still no full configuration
			id.Kind = KindOther
		}
		return id
	}
	return Identity{Kind: KindOther, Complete: len(config) > 0}
}

// value makes an identity value presentable: one that is too long to be one, before or after escaping, is blank.
func value(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxValue {
		return ""
	}
	if s = Text(s); len(s) > maxValue {
		return ""
	}
	return s
}

// Text returns s as printable UTF-8 from which s can be had back: what is not (other encodings, control characters,
// characters that only direct the display, such as U+202E) becomes \xNN, byte by byte, and a backslash is doubled.
func Text(s string) string {
	plain := true
	for _, r := range s {
		if r == '\\' || r == utf8.RuneError || !unicode.IsPrint(r) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && n == 1, !unicode.IsPrint(r):
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}
