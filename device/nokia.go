package device

import "bytes"

// Nokia's SR OS writes one of two forms. The classic form has lines that are indented by four
// blanks inside a block, "exit" at the end of a block and "exit all" at the end of the file.
// MD-CLI writes braces. Both are enclosed in comments with the time. The name is in the block
// system of the block configure; nearly every other block has names, too.
//
// Sources: Nokia's CLI guides, and configurations of releases 8 to 25.

var nokiaSROS = platform{
	name: "nokia_sros",
	signs: []sign{
		{"# TiMOS-", 20, nil}, {`echo "System Configuration"`, 10, nil}, {"exit all", 3, nothing},
		{"configure {", 5, nothing}, {"configure", 1, nothing},
		{"    system", 2, nothing}, {"    system {", 2, nothing},
		{`echo "`, 2, holding(` Configuration"`)}, {"    card 1", 2, nil},
		{"        card-type ", 3, nil},
		{"/configure ", 4, nil}, {"# Generated ", 2, nil},
		{"# Configuration format version ", 4, nil}, {"persistent-indices {", 4, nothing},
	},
	read: readSROS,
	whole: func(w *walk) bool {
		if w.sros.torn || w.until != nil {
			return false
		}
		switch w.sros.form {
		case srosBraces:
			return w.depth == 0
		case srosFlat: // has no end
			return true
		}
		return string(w.last) == "exit all"
	},
	cut: func(w *walk) bool { return w.sros.torn || w.until != nil || w.sros.form == srosBraces },
}

// srosState is what a file of SR OS remembers from line to line.
type srosState struct {
	form srosForm
	torn bool // a brace was closed that nothing opened
}

type srosForm uint8

const (
	srosClassic srosForm = iota + 1
	srosBraces
	srosFlat
)

func readSROS(w *walk) {
	if w.words[0] == '#' {
		w.readSROSComment()
		return
	}
	// what it says after the configuration
	if w.indent == 0 && (srosPrompt(w.words) || w.has("INFO: ") && string(w.last) == "exit all") {
		w.drop()
		return
	}
	if w.indent == 0 && w.words[len(w.words)-1] == '{' {
		w.sros.form = srosBraces
	}
	if w.sros.form == srosBraces {
		w.readSROSBraces()
		return
	}
	if w.has("/configure ") || w.has("configure ") && w.indent == 0 {
		w.readSROSFlat()
		return
	}
	w.sros.form = srosClassic
	// a title, which stands at the edge inside of "configure" too
	if w.has("echo ") && w.indent == 0 {
		return
	}
	w.indented()
	if v, ok := w.after("name "); ok && w.in("configure", "system") {
		w.setName(quotedValue(v))
	}
	w.hideSROS()
	if !w.has("exit") {
		w.opens()
	}
}

// srosPrompt reports whether a line is the first of MD-CLI's prompts, which have two: "[/]",
// "*(ex)[/configure]".
func srosPrompt(b []byte) bool {
	b = bytes.TrimLeft(b, "!*")
	if len(b) > 4 && b[0] == '(' && b[3] == ')' {
		b = b[4:]
	}
	return len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']'
}

func (w *walk) readSROSBraces() {
	switch {
	case w.words[len(w.words)-1] == '{':
		w.hideSROS()
		w.push(bytes.TrimRight(w.words[:len(w.words)-1], " "), w.indent)
		return
	case string(w.words) == "}":
		if !w.pop() {
			w.sros.torn = true
		}
		return
	}
	if v, ok := w.after("name "); ok && w.in("configure", "system") {
		w.setName(quotedValue(v))
	}
	w.hideSROS()
}

// hideSROS marks the secrets of a line. Every encrypted value says how it was encrypted: inside of
// its quotes in MD-CLI, in the next word in the classic form.
func (w *walk) hideSROS() {
	if !w.redact {
		return
	}
	var last []byte
	for b := w.words; len(b) > 0; {
		var v []byte
		v, b = cutWord(b)
		switch string(bytes.Trim(v[bytes.LastIndexByte(v, ' ')+1:], `"`)) {
		case "hash", "hash2", "custom":
			if bytes.IndexByte(v, ' ') > 0 {
				w.mark(v, secret)
			} else if len(last) > 0 && !manner[string(last)] {
				w.mark(last, secret)
			}
		}
		if _, announced := srosSecrets[string(v)]; announced {
			last = nil
		} else {
			last = v
		}
	}
	w.hide(srosSecrets, nil)
}

// readSROSFlat reads a line of MD-CLI's other form, which has its blocks before it.
func (w *walk) readSROSFlat() {
	w.sros.form = srosFlat
	if v, ok := bytes.CutPrefix(bytes.TrimPrefix(w.words, []byte("/")),
		[]byte("configure system name ")); ok {
		w.setName(quotedValue(v))
	}
	w.hideSROS()
}

// readSROSComment reads a comment at the beginning of a line; only the header and the end have any
// of interest.
func (w *walk) readSROSComment() {
	if w.indent > 0 {
		return
	}
	switch {
	case w.has("# Generated "):
		set(&w.id.ExportedBy, srosUser(w.words))
		w.drop()
	case w.has("# Last modified "):
		set(&w.id.ChangedBy, srosUser(w.words))
		w.drop()
	case w.has("# Finished "):
		w.drop()
	case w.has("# TiMOS-"):
		version := field(w.words, 1)[len("TiMOS-"):]
		if i := bytes.IndexByte(version, '-'); i >= 0 { // B and C say for which card the image is
			version = version[i+1:]
		}
		set(&w.id.OSVersion, version)
		v, _, found := bytes.Cut(rest(w.words, 3), []byte(" Copyright"))
		if found {
			set(&w.id.Model, rest(v, 1)) // after Nokia, or ALCATEL
		}
	}
}

// srosUser returns USER of "... TIME by USER (MD-CLI) from ADDRESS".
func srosUser(b []byte) []byte {
	_, user, _ := bytes.Cut(b, []byte(" by "))
	return field(user, 0)
}

func quotedValue(b []byte) []byte { return []byte(unquote(b)) }

var srosSecrets = map[string]int{
	"password": 0, "admin-password": 0, "community": 0, "notify-community": 0,
	"authentication-key": 0, "message-digest-key": 0, "secret": 0,
	"key": 0, "md5-key": 0, "pre-shared-key": 0, "authentication": 0, "hello-authentication-key": 0,
	"shared-secret": 0, "privacy": 0, "privacy-key": 0,
	"usm-community": 0, "des-key": 0, "aes-128-cfb-key": 0,
}
