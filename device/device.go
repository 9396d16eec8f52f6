// Package device reads configurations of network devices. It tells which device a configuration
// belongs to and which platform the device runs, which parts of it an operator sets and which
// parts change by themselves, and which blocks a line is in. The functions are pure: they take
// bytes, return values, keep no state and read nothing else. They take time linear in the size of
// the configuration, whatever it holds.
//
// # Identity
//
// [Identify] recognises the platform ([Platforms] lists them, by Netmiko's names). It takes host
// name, model, version and serial number from the place where that platform keeps them, and it
// tells whether the file is whole. A blank value is a legal answer; a wrong name is a defect. So
// the package guesses nothing: it never takes a host name from the first line that looks like one.
// [FromFilename] is for configurations that contain no name.
//
// # Changes
//
// Two backups of a device can differ although no operator has changed anything: times, counters,
// and secrets that the device encrypts anew for each display. [Fingerprint] is equal for both. It
// differs as soon as a line is added, removed or edited. Fingerprints are comparable while [Rules]
// is the same. [Examine] returns identity and fingerprint in one pass.
//
// # Lines
//
// [Lines] iterates over a configuration. Each [Line] knows the blocks that it is in, its
// significant part, and its text without secrets. [Context] returns the blocks of one line.
//
// The package decodes line ends, a byte order mark, UTF-16, gzip and a zip archive of one file. It
// reads a recording of a terminal session as the terminal showed it, and skips what stands around
// the configuration. [MaxDecoded] bounds the decoded size.
//
// # Stability
//
// What is exported here follows semantic versioning: until version 1 a minor version may change it,
// and CHANGELOG.md says what to write instead. What the package answers about a configuration may
// become better in any version: a name that was blank, a line that is found to be noise. What it
// answers about changes raises [Rules]. The package uses the standard library alone.
package device

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules is the version of the rules by which [Fingerprint] tells noise from changes. It grows
// whenever the same bytes may get another fingerprint than before. Fingerprints of different rules
// are not comparable.
const Rules = 3

// Kinds of configuration. Captures are compared within a kind only. Parts of a device have a kind
// of their own, "vdom:NAME" or "context:NAME".
const (
	KindFull      = "full"        // the whole configuration of a known platform
	KindDefaults  = "full-config" // the same, with every setting that has its default (FortiOS)
	KindEncrypted = "encrypted"   // readable by the device alone
	KindOther     = "other"       // anything else
)

// maxValue bounds the values of an identity, in bytes. Names of devices have 253 at most (RFC
// 1035, section 2.3.4); a longer value is not a name.
const maxValue = 255

// Identity is what a configuration says about its device. Every field may be blank. Every field is
// printable UTF-8, as [Text] makes it.
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
	ExportedBy string // who made the file, where it says so
}

// platforms lists the known platforms. Where two match a configuration equally well, the first one
// wins.
var platforms = []*platform{
	&fortiOS, &fortiManager, &fortiAnalyzer,
	&ciscoLike, &alliedWarePlus, &ruijieOS, &bdcom, &dcn, &eltexMES, &adtranOS, &zteOLT, &zyxelOS,
	&edgecore, &extremeVOSS, &yamahaRT, &dLink, &ciscoIOS, &ciscoNXOS, &ciscoASA, &ciscoPIX,
	&ciscoFWSM, &ciscoXR, &ciscoCatOS, &enterasysEOS,
	&ciscoAireOS,
	&ciscoVxWorks, &ciscoSMB,
	&aristaEOS, &arubaCX, &arubaOS, &arubaInstant, &hpProCurve, &hpComware, &huaweiVRP,
	&broadcomICOS, &dellEFOS, &dellOS6, &dellOS9, &dellOS10,
	&netgearProSafe, &edgeSwitch, &ruckusFastIron, &extremeNetIron, &a10ACOS, &nokiaSROS,
	&junOS, &vyOS, &edgeOS, &f5TMSH, &panOS, &pfSense, &opnSense, &extremeXOS, &screenOS, &gaia,
	&netScaler, &openWrt, &sonic, &routerOS, &sonicWall, &airOS,
	&cdataOLT, &maipuOS, &brocadeNOS, &extremeSLX, &tplinkJetStream, &ocNOS, &mlnxOS, &fabricOS,
	&apcAOS, &hirschmann,
}

// Identify returns what a configuration says about its device. A configuration that no platform
// recognises has kind [KindOther]; it is complete unless it is blank, since nothing says how it
// would end.
func Identify(config []byte) Identity {
	w := newWalk(config)
	w.brief = true
	w.run()
	return w.identity()
}

// Fingerprint returns the SHA-256 of a configuration's significant form, in which the parts that
// change by themselves are left out or replaced by a marker. Configurations of a device are
// compared by it: two with the same fingerprint differ in nothing that an operator changed, as far
// as the bytes tell. A secret that the device encrypts anew for each display hides its own change.
// A configuration that can't be read, such as an encrypted backup, is its own significant form.
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

// The endings of a complete text that lacks its last newline. It may be whole all the same.
const (
	// Unended is for a platform that writes one and has no other end: such a text is whole unless
	// others of its device have the newline, or it is [CutOff].
	Unended = "~"
	// Bare is for any other platform: such a text is whole unless it is [CutOff].
	Bare = "-"
)

// Ending returns the last significant line of a text that [Identify] calls incomplete, with the
// blocks that the line is in and without secrets. Some releases don't write the end that is usual
// on their platform: if two captures of a device lack it and have the same Ending, they are equally
// whole. Ending is blank where the text is complete, and where it is certainly cut off: in the
// middle of a line, of a banner, or of a block that the platform always closes. It is [Unended] or
// [Bare] for a complete text that may be cut off all the same.
func Ending(config []byte) string {
	w := newWalk(config)
	bare := w.platform != &plain && !w.opaque && w.bare()
	if w.platform.cut == nil && !bare {
		return ""
	}
	last, inside := 0, false // the last significant line
	for !w.opaque && w.step() {
		if !w.dropped && len(w.words) > 0 {
			last, inside = w.number, w.start+len(w.line) == len(w.text)
		}
	}
	switch complete := w.identity().Complete; {
	case bare && complete && w.lined() && w.until == nil:
		return Unended
	case bare && complete:
		return Bare
	case w.opaque || complete || inside || w.platform.cut == nil || w.platform.cut(w):
		return ""
	}
	w = newWalk(config)
	w.redact = true
	for w.number < last && w.step() {
	}
	return strings.Join(append(w.pathStrings(), string(w.masked(nil, noise|secret, hidden))), "\n")
}

// CutOff reports whether a text without its last newline ends in the middle of a line, as an
// earlier text of its device shows: a line there begins as its last one does, and none is like it.
func CutOff(config, before []byte) bool {
	const blanks = " \t\r\n"
	text := unpadded(newWalk(config).text)
	last := bytes.TrimRight(text[bytes.LastIndexByte(text, '\n')+1:], blanks)
	begins := false
	for line := range bytes.Lines(newWalk(before).text) {
		line = bytes.TrimRight(line, blanks)
		if bytes.Equal(line, last) {
			return false
		}
		begins = begins || bytes.HasPrefix(line, last)
	}
	return begins && len(last) > 0
}

// Readable reports whether the significant form consists of lines, so that two configurations can
// be compared line by line.
func Readable(config []byte) bool { return !newWalk(config).opaque }

// Known reports whether a configuration is [Readable] and its platform known, so that it is known
// where secrets stand in it.
func Known(config []byte) bool {
	w := newWalk(config)
	return w.platform.name != "" && !w.opaque
}

// A Line is one line of a configuration. It is valid until the iteration goes on.
type Line struct {
	Number  int    // from 1 on, in the decoded text
	Text    []byte // as it is, without its line end
	Noise   bool   // nothing in it is significant: a time of writing, a byte count, a prompt
	Comment bool   // the platform takes all of it for a comment
	w       *walk
}

// Significant returns the line with its noise replaced by markers. Markers begin with a NUL, which
// no line holds.
func (l Line) Significant() []byte { return l.AppendSignificant(nil) }

// AppendSignificant appends [Line.Significant] to b.
func (l Line) AppendSignificant(b []byte) []byte { return l.w.masked(b, noise, "\x00") }

// Redacted returns the line with its secrets replaced by "<secret>". The lines of [Outline], in
// which secrets aren't searched, are replaced as a whole.
func (l Line) Redacted() []byte {
	if !l.w.redact {
		return []byte(hidden)
	}
	return l.w.masked(nil, secret, hidden)
}

// Path returns the blocks that the line is in, outermost first: "config firewall policy", "edit
// 12".
func (l Line) Path() []string { return l.w.pathStrings() }

// Depth returns how many blocks the line is in, as [Line.Path] does, without naming them. A line
// before a deeper one heads a block.
func (l Line) Depth() int { return len(l.w.around()) }

// Lines returns the decoded lines of a configuration, in order. It returns none if the
// configuration isn't [Readable].
func Lines(config []byte) iter.Seq[Line] { return lines(config, true) }

// Outline is [Lines] for callers that show the text as it is. It doesn't search secrets, in lines
// or in the blocks around them, and so takes a third of the time.
func Outline(config []byte) iter.Seq[Line] { return lines(config, false) }

func lines(config []byte, redact bool) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		w := newWalk(config)
		w.redact = redact
		for !w.opaque && w.step() {
			if !yield(Line{Number: w.number, Text: w.line, Noise: w.dropped,
				Comment: w.comment, w: w}) {
				return
			}
		}
	}
}

// Context returns the blocks that a line is in, outermost first. The number of the first line is
// 1.
func Context(config []byte, number int) []string {
	for l := range Lines(config) {
		if l.Number == number {
			return l.Path()
		}
	}
	return nil
}

// value makes an identity value printable. A value that is too long, before or after escaping,
// becomes blank.
func value(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxValue {
		return ""
	}
	if s = Text(s); len(s) > maxValue {
		return ""
	}
	return s
}

// Text returns s as printable UTF-8, from which s can be restored. Other encodings, control
// characters, and characters that only direct the display, such as U+202E, become \xNN, byte by
// byte. A backslash is doubled.
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

// Platforms returns the names of the known platforms.
func Platforms() []string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.name
	}
	return names
}
