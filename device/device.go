// Package device reads what a device's configuration says: who the device is and which platform it
// runs, what in its configuration is significant and what changes by itself, and where in its
// blocks a line stands. Its functions are pure: bytes go in, values come out, nothing is kept and
// nothing is read from elsewhere. They take time linear in the size of the configuration, whatever
// it holds.
//
// # Who it is
//
// [Identify] recognises the platform ([Platforms] lists them, by Netmiko's names) and takes host
// name, model, version and serial number from where that platform keeps them, and whether the file
// is whole. A blank is a legal answer; a wrong name is a defect. So nothing is guessed: a host name
// is never taken from the first line that looks like one. [FromFilename] is for what says no name.
//
// # What changed
//
// Two backups of a device differ, though nobody has touched it: times, counters, secrets that are
// encrypted anew for each display. [Fingerprint] is the same for both, and another one as soon as a
// line comes, goes or is edited. Fingerprints are comparable while [Rules] is the same. [Examine]
// gives identity and fingerprint in one pass.
//
// # Line by line
//
// [Lines] goes through a configuration: each [Line] knows the blocks it stands in, what of it is
// significant, and how it reads without its secrets. [Context] answers the same for one line.
//
// Line ends, a byte order mark, UTF-16, gzip, a zip archive of one file and the prompts of a
// terminal session around a configuration are looked through. What that unpacks to is bounded by
// [MaxDecoded].
package device

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules is the number of the rules by which [Fingerprint] tells noise from what somebody changed.
// It grows whenever the same bytes may get another fingerprint than before; fingerprints of
// different rules can't be compared.
const Rules = 2

// Kinds of configuration. Captures are compared within a kind only. Parts of a device have a kind
// of their own, "vdom:NAME" or "context:NAME".
const (
	KindFull      = "full"        // the whole configuration of a known platform
	KindDefaults  = "full-config" // the same, with every setting that has its default (FortiOS)
	KindEncrypted = "encrypted"   // readable by the device alone
	KindOther     = "other"       // anything else
)

// maxValue bounds what is taken for an identity, in bytes: names of devices have 253 at most (RFC
// 1035, section 2.3.4), and a longer value is something else.
const maxValue = 255

// Identity is what a configuration says about its device. Every field may be blank, and every one
// is printable UTF-8, as [Text] makes it.
type Identity struct {
	Platform   string // Netmiko's name of the platform, where it has one: "fortinet"
	Name       string // host name
	Model      string
	OSVersion  string
	Build      string
	Serial     string
	Kind       string // one of the Kind constants, "vdom:NAME" or "context:NAME"
	Complete   bool   // the file ends as its platform ends files
	ChangedBy  string // who changed the configuration last, where the file says so
	ExportedBy string // who had the file made, where it says so
}

// platforms, of which the first is taken where a configuration looks as much like one as like
// another.
var platforms = []*platform{
	&fortiOS, &fortiManager, &fortiAnalyzer,
	&ciscoLike, &alliedWarePlus, &ruijieOS, &bdcom, &dcn, &eltexMES, &adtranOS, &zteOLT, &zyxelOS,
	&edgecore, &extremeVOSS, &yamahaRT, &dLink, &ciscoIOS, &ciscoNXOS, &ciscoASA, &ciscoPIX,
	&ciscoFWSM, &ciscoXR, &ciscoCatOS,
	&ciscoAireOS,
	&ciscoVxWorks, &ciscoSMB,
	&aristaEOS, &arubaCX, &arubaOS, &arubaInstant, &hpProCurve, &hpComware, &huaweiVRP,
	&broadcomICOS, &dellEFOS, &dellOS6, &dellOS9, &dellOS10,
	&netgearProSafe, &edgeSwitch, &ruckusFastIron, &extremeNetIron, &a10ACOS, &nokiaSROS,
	&junOS, &vyOS, &edgeOS, &f5TMSH, &panOS, &pfSense, &opnSense, &extremeXOS, &screenOS, &gaia,
	&netScaler, &openWrt, &sonic, &routerOS, &sonicWall, &airOS,
}

// Identify tells what a configuration says about its device. What no platform recognises has kind
// [KindOther], and is complete unless it is empty, since nothing says how it would end.
func Identify(config []byte) Identity {
	w := newWalk(config)
	w.brief = true
	w.run()
	return w.identity()
}

// Fingerprint is what two configurations of a device are compared by: the SHA-256 of their
// significant form, in which what changes by itself is left out or replaced by a marker. Two
// configurations with the same fingerprint differ in nothing that somebody changed, as far as the
// bytes can tell: a secret that is encrypted anew at each display hides its own change. What can't
// be read, such as an encrypted backup, is its own significant form.
func Fingerprint(config []byte) [sha256.Size]byte {
	_, sum := Examine(config)
	return sum
}

// Examine is [Identify] and [Fingerprint] in one pass.
func Examine(config []byte) (Identity, [sha256.Size]byte) {
	w := newWalk(config)
	if w.opaque {
		w.run()
		return w.identity(), sha256.Sum256(w.text)
	}
	w.hash = &hasher{sum: sha256.New()}
	w.run()
	return w.identity(), w.hash.finish(w.text)
}

// Ending returns how a text ends that [Identify] says is incomplete: its last significant line,
// with the blocks that the line stands in, and without secrets. Some releases leave out the end
// that their platform writes: where two captures of a device lack it and have the same Ending, one
// is as whole as the other. It is blank where the text is complete, and where it is cut off for
// certain: in the middle of a line, of a banner, or of a block that its platform always closes.
func Ending(config []byte) string {
	w := newWalk(config)
	last, inside := 0, false // the last significant line
	for !w.opaque && w.step() {
		if !w.dropped && len(w.words) > 0 {
			last, inside = w.number, w.start+len(w.line) == len(w.text)
		}
	}
	whole := w.opaque || w.platform == &plain || w.identity().Complete
	if whole || inside || w.platform.cut == nil || w.platform.cut(w) {
		return ""
	}
	w = newWalk(config)
	w.redact = true
	for w.number < last && w.step() {
	}
	return strings.Join(append(w.pathStrings(), string(w.masked(nil, noise|secret, hidden))), "\n")
}

// Readable reports whether the significant form is one of lines, so that two configurations can be
// shown line against line.
func Readable(config []byte) bool { return !newWalk(config).opaque }

// A Line is one line of a configuration. It is good until the next one is asked for.
type Line struct {
	Number int    // from 1 on, in the decoded text
	Text   []byte // as it is, without its line end
	Noise  bool   // nothing in it is significant: a time of writing, a byte count, a prompt
	w      *walk
}

// Significant returns the line with its noise replaced by markers. Markers begin with a NUL, which
// no line holds.
func (l Line) Significant() []byte { return l.w.masked(nil, noise, "\x00") }

// Redacted returns the line with its secrets replaced by "<secret>"; the whole of it where nobody
// has looked for secrets, as [Outline].
func (l Line) Redacted() []byte {
	if !l.w.redact {
		return []byte(hidden)
	}
	return l.w.masked(nil, secret, hidden)
}

// Path returns the blocks that the line stands in, outermost first: "config firewall policy", "edit
// 12".
func (l Line) Path() []string { return l.w.pathStrings() }

// Lines returns the lines of a configuration, decoded, in order. There are none where it isn't
// [Readable].
func Lines(config []byte) iter.Seq[Line] { return lines(config, true) }

// Outline is [Lines] for who shows them as they are: it doesn't look for secrets, in lines or in
// the blocks that they stand in, which takes a third of the time.
func Outline(config []byte) iter.Seq[Line] { return lines(config, false) }

func lines(config []byte, redact bool) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		w := newWalk(config)
		w.redact = redact
		for !w.opaque && w.step() {
			if !yield(Line{Number: w.number, Text: w.line, Noise: w.dropped, w: w}) {
				return
			}
		}
	}
}

// Context returns the blocks that a line stands in, by its number from 1 on, outermost first.
func Context(config []byte, number int) []string {
	for l := range Lines(config) {
		if l.Number == number {
			return l.Path()
		}
	}
	return nil
}

// value makes an identity value presentable: one that is too long to be one, before or after
// escaping, is blank.
func value(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxValue {
		return ""
	}
	if s = Text(s); len(s) > maxValue {
		return ""
	}
	return s
}

// Text returns s as printable UTF-8 from which s can be had back: what is not (other encodings,
// control characters, characters that only direct the display, such as U+202E) becomes \xNN, byte
// by byte, and a backslash is doubled.
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

// Platforms returns the names of the platforms that are recognised.
func Platforms() []string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.name
	}
	return names
}
