package device

import (
	"bytes"
	"strings"
)

// FortiOS writes a tree of blocks: config PATH ... end around settings or entries, edit NAME ... next around an entry. The
// host name stands in the block "config system global", at the top or directly inside "config global" where VDOMs are on.
// Other blocks have a hostname too (config webfilter search-engine, config system fortiguard), and so may text inside a
// quoted string, which can run over lines.

// identifyFortiOS recognises a configuration by its #config-version header, after a prompt line at most, an encrypted
// backup by its #FGBK header, and a file without header by the block it starts with.
func identifyFortiOS(config []byte) (Identity, bool) {
	if bytes.HasPrefix(config, []byte("#FGBK|")) {
		return identifyFGBK(config), true
	}
	id := Identity{Kind: KindFull}
	r := fortiReader{rest: config}
	headers, statements := 0, 0
	for r.next() {
		if key, v, ok := r.header(); ok && statements <= 1 {
			switch {
			case key == "config-version":
				headers++
				id.Model, id.OSVersion, id.Build = fortiVersion(v)
			case key == "buildno" && id.Build == "":
				id.Build = v
			case key == "global_vdom": // 0:vd_name=NAME in the backup of one VDOM
				if name, ok := strings.CutPrefix(v, "0:vd_name="); ok {
					id.Kind = "vdom:" + name
				}
			}
			continue
		}
		if len(r.line) == 0 || r.line[0] == '#' {
			continue
		}
		statements++
		// A statement before the header is a prompt line at most ("FW1 $ show"); without a header the file must start
		// with a block that only FortiOS has.
		if headers == 0 && (statements > 1 && !r.started || statements == 1 && !r.starts()) {
			if statements > 1 {
				return Identity{}, false
			}
			continue
		}
		r.started = true
		if r.word == "set" && r.inGlobal() {
			if v, ok := r.setting("hostname"); ok {
				id.Name = v
			}
		}
	}
	if headers == 0 && !r.started {
		return Identity{}, false
	}
	id.Complete = r.complete()
	return id, true
}

// identifyFGBK reads the header of an encrypted backup: #FGBK|<n>|<model>|<major>|<minor>|<build>|.
func identifyFGBK(config []byte) Identity {
	id := Identity{Kind: KindEncrypted, Complete: true}
	head := config[:min(len(config), 200)]
	f := strings.Split(string(head), "|")
	if len(f) < 7 {
		return id
	}
	id.Model, id.Build = f[2], f[5]
	id.OSVersion = f[3] + "." + f[4]
	return id
}

// fortiVersion splits the value of #config-version=, of which these forms are met:
//
//	FGT60F-7.0.1-FW-build0157-210714:opmode=0:vdom=0:user=admin
//	FMG-VM64-7.4-FW-build2588-241212
//	FortiGate-VM64 v6.2.3,build1066,191218 (GA):opmode=1:vdom=0:user=demo
func fortiVersion(v string) (model, version, build string) {
	v, _, _ = strings.Cut(v, ":")
	fields := strings.FieldsFunc(v, func(r rune) bool { return r == '-' || r == ',' || r == ' ' })
	at := 0 // of the field after the last one read, in v
	for _, f := range fields {
		start := at + strings.Index(v[at:], f)
		at = start + len(f)
		number := strings.TrimPrefix(f, "v")
		switch {
		case version == "" && start > 0 && dotted(number):
			model, version = v[:start-1], number
		case version != "" && build == "" && strings.HasPrefix(f, "build"):
			build = strings.TrimPrefix(f, "build")
		}
	}
	return model, version, build
}

// dotted reports whether s is a number with dots, such as 7.0.1.
func dotted(s string) bool {
	return strings.Contains(s, ".") && strings.Trim(s, "0123456789.") == "" && s[0] != '.' && s[len(s)-1] != '.'
}

// fortiReader walks a FortiOS configuration, logical line by logical line: a quoted string that runs over lines belongs to
// the line it starts on.
type fortiReader struct {
	rest    []byte
	line    []byte // the logical line, without surrounding blanks
	word    string // its first word, where that opens, closes or sets
	started bool   // a statement of FortiOS was met

	blocks []string // the open blocks: "config system global", "edit"
	torn   bool     // a block ended that none had opened, or the text ended inside a string
	last   string   // the first word of the last line that is not blank
}

// maxBlocks bounds how many open blocks are kept; FortiOS nests a handful. Deeper ones make the file incomplete.
const maxBlocks = 64

func (r *fortiReader) next() bool {
	if len(r.rest) == 0 {
		return false
	}
	n, closed := logicalLine(r.rest)
	r.line = bytes.TrimSpace(r.rest[:n])
	r.rest = r.rest[n:]
	r.word = ""
	if !closed {
		r.torn = true
	}
	if len(r.line) == 0 {
		return true
	}
	word, args, _ := bytes.Cut(r.line, []byte(" "))
	r.last = ""
	switch string(word) {
	case "config":
		r.word = "config"
		r.push("config " + string(bytes.Join(bytes.Fields(args[:min(len(args), 4*maxValue)]), []byte(" "))))
	case "edit":
		r.word = "edit"
		r.push("edit")
	case "next":
		r.word = "next"
		r.pop(false)
	case "end":
		r.word = "end"
		r.pop(true)
	case "set":
		r.word = "set"
	}
	r.last = r.word
	return true
}

func (r *fortiReader) push(block string) {
	if len(r.blocks) == maxBlocks {
		r.torn = true
		return
	}
	r.blocks = append(r.blocks, block)
}

// pop closes the innermost block. "end" closes a config block, and with it an edit block that has no "next" of its own.
func (r *fortiReader) pop(end bool) {
	if end && len(r.blocks) > 1 && r.blocks[len(r.blocks)-1] == "edit" {
		r.blocks = r.blocks[:len(r.blocks)-1]
	}
	if len(r.blocks) == 0 || end == (r.blocks[len(r.blocks)-1] == "edit") {
		r.torn = true
		return
	}
	r.blocks = r.blocks[:len(r.blocks)-1]
}

// header reports a line "#key=value".
func (r *fortiReader) header() (key, value string, ok bool) {
	if len(r.line) == 0 || r.line[0] != '#' || len(r.line) > 4*maxValue {
		return "", "", false
	}
	return strings.Cut(string(r.line[1:]), "=")
}

// starts reports whether a configuration without header may start with this line.
func (r *fortiReader) starts() bool {
	return len(r.blocks) == 1 &&
		(r.blocks[0] == "config system global" || r.blocks[0] == "config global" || r.blocks[0] == "config vdom")
}

// inGlobal reports whether the line stands directly in the block that has the device's host name.
func (r *fortiReader) inGlobal() bool {
	b := r.blocks
	if len(b) == 2 && b[0] == "config global" {
		b = b[1:]
	}
	return len(b) == 1 && b[0] == "config system global"
}

// setting returns the value of a line "set key value".
func (r *fortiReader) setting(key string) (string, bool) {
	rest := bytes.TrimLeft(bytes.TrimPrefix(r.line, []byte("set")), " \t")
	rest, ok := bytes.CutPrefix(rest, []byte(key))
	if !ok || len(rest) == 0 || rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return unquote(bytes.TrimLeft(rest, " \t")), true
}

// complete reports whether every block is closed and the file ends with "end".
func (r *fortiReader) complete() bool {
	return !r.torn && len(r.blocks) == 0 && r.last == "end"
}

// logicalLine returns the length of the logical line that b starts with, line end included, and whether every string in it
// is closed. A string opens with a quote after a blank and closes with one before a blank, since FortiOS escapes every quote
// inside: so a stray quote that somebody's editor left (""HTTPS" "HTTP") doesn't swallow the rest of the file. In a comment
// quotes are only characters.
func logicalLine(b []byte) (n int, closed bool) {
	end := bytes.IndexByte(b, '\n') + 1
	if end == 0 {
		end = len(b)
	}
	line := b[:end]
	if bytes.IndexByte(line, '"') < 0 || bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) {
		return end, true
	}
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b) && b[i+1] != '\n':
			i++
		case c == '"' && !quoted:
			quoted = i == 0 || blank(b[i-1])
		case c == '"':
			quoted = i+1 < len(b) && !blank(b[i+1])
		case c == '\n' && !quoted:
			return i + 1, true
		}
	}
	return len(b), !quoted
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// unquote returns the first value of a line: up to the closing quote or the next blank, with \" and \\ resolved.
func unquote(b []byte) string {
	var out []byte
	quoted := false
	for i := 0; i < len(b) && len(out) <= maxValue; i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b):
			i++
			out = append(out, b[i])
		case c == '"':
			if quoted {
				return string(out)
			}
			quoted = true
		case !quoted && (c == ' ' || c == '\t' || c == '\r'):
			return string(out)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
