package device

import "bytes"

// What the platforms with indented lines share, except Cisco's.

// lineState is what a file of lines remembers from one to the next, besides walk.until.
type lineState struct {
	// body says that the file's own lines have begun: comments before them are the header, which
	// the device writes. A later comment may be the operator's.
	body   bool
	closed bool // the end was met
}

// readHeaded is readLines for files with a header of comments: it tells those from what follows. It
// reports whether the line is a statement.
func (w *walk) readHeaded() bool {
	if w.until == nil && !w.lines.body && w.title() { // comments may stand above it
		w.drop()
		return false
	}
	if !w.readLines() {
		return false
	}
	w.lines.body = true
	return true
}

// title reports whether a terminal prints the line above a configuration.
func (w *walk) title() bool {
	for _, t := range []string{"Building configuration", "Building Configuration",
		"Current configuration", "Current Configuration",
		"Running configuration", "Startup configuration", "Startup-config data location"} {
		if v, ok := w.after(t); ok {
			return len(v) == 0 || bytes.IndexByte([]byte(":.i"), v[0]) >= 0
		}
	}
	return false
}

// heads reports whether the line is a comment of the header.
func (w *walk) heads() bool {
	return !w.lines.body && w.depth == 0 && w.indent == 0 && !w.dropped && w.until == nil &&
		!w.quoting
}

// openText opens a text that ends at its first character, if that is not on this line. A text that
// begins with a letter or digit ends on its line: those are no delimiters.
func (w *walk) openText(text []byte) {
	if len(text) > 0 && !alphanumeric(text[0]) {
		w.openBanner(text)
	}
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// untilLine reads a text that ends with a line of its own. It reports whether the line belongs to
// such a text.
func (w *walk) untilLine() bool {
	if w.until == nil {
		return false
	}
	w.quoting = true
	if bytes.Equal(w.words, w.until) {
		w.until = nil
	}
	return true
}

// manner are words between an announcing word and its secret. They say how the secret is encrypted
// or what it is for.
var manner = map[string]bool{
	"encrypted": true, "secret-encrypted": true, "cipher": true, "simple": true, "plaintext": true,
	"ciphertext": true, "hash": true,
	"irreversible-cipher": true, "md5": true, "sha": true, "sha1": true, "sha224": true,
	"sha256": true, "sha384": true, "sha512": true,
	"MD5": true, "SHA": true, "aes": true, "aes128": true, "aes192": true, "aes256": true,
	"AES": true, "AES128": true, "des": true,
	"des56": true, "3des": true, "DES": true, "8a": true, "read": true, "write": true,
	"authentication": true, "authorization": true,
	"accounting": true, "authentication-mode": true, "hashed": true, "hash2": true,
	"encrypted-credential": true,
}

// lineSecrets are words that announce a secret, with the number of words in between.
var lineSecrets = map[string]int{
	"password": 0, "passwd": 0, "secret": 0, "key": 0, "key-string": 0, "passphrase": 0,
	"community": 0, "2c": 0, "auth": 0, "priv": 0,
	"auth-pass": 0, "priv-pass": 0,
	"authentication-key": 0, "encrypted-key": 0, "encrypted-password": 0, "encrypted-community": 0,
	"server-key": 0, "shared-key": 0,
	"shared-secret": 0, "pre-shared-key": 0, "psk": 0, "md5": 0, "sha": 0, "sha1": 0, "sha256": 0,
	"sha512": 0, "cipher": 0, "ciphertext": 0,
	"irreversible-cipher": 0, "simple": 0, "plaintext": 0, "hash": 0, "encrypted": 0,
	"secret-encrypted": 0, "privacy-mode": 0,
	"super-user-password": 0, "port-config-password": 0, "read-only-password": 0, "md5-key": 0,
	"message-digest-key": 1, "admin-password": 0,
	"snmptrap": 0, "auth-md5": 0, "auth-sha": 0, "auth-md5-key": 0, "auth-sha-key": 0,
	"priv-des": 0, "priv-des-key": 0, "priv-aes128": 0, "securityname": 0,
	"community-map": 0, "plain": 0, "hmac-sha256": 0,
}

// hide marks the secrets of a line: the values after words that announce them. changes, which may
// be nil, tells whether the device writes a secret anew at each display. A text that only mentions
// secrets may lose a word; that is the lesser harm.
func (w *walk) hide(announced map[string]int, changes func(word, v []byte) bool) {
	if !w.redact && changes == nil || prose[string(field(w.words, 0))] || changes == nil &&
		w.talks() {
		return
	}
	b := w.words
	for len(b) > 0 {
		var word []byte
		word, b = cutWord(b)
		between, ok := announced[string(word)]
		if !ok {
			continue
		}
		for ; between > 0; between-- {
			_, b = cutWord(b)
		}
		at, numbered := b, false
		v, more := cutWord(b)
		for len(more) > 0 && (manner[string(v)] || len(v) <= 2 && digits(v) || changes == nil &&
			writtenAs(v)) {
			at, numbered = more, digits(v)
			v, more = cutWord(more)
		}
		// key 1 encrypted-key SECRET; a secret may be one of the short words
		if _, again := announced[string(v)]; again && len(more) > 0 &&
			(!numbered || bytes.IndexByte(v, '-') > 0) {
			b = at
			continue
		}
		if changes != nil && changes(word, unquoted(v)) {
			w.mark(v, noise|secret)
		} else if w.redact && !noSecret(v) && string(v) != "{" {
			w.mark(v, secret)
		}
		b = more
	}
}

// cutWord cuts b after its first word, which may stand in quotes and hold blanks then.
func cutWord(b []byte) (word, more []byte) {
	from := 0
	if len(b) > 0 && b[0] == '"' {
		from = bytes.IndexByte(b[1:], '"') + 1 // 0 where the quote is the only one
	}
	n := bytes.IndexAny(b[from:], " \t")
	if n < 0 {
		return b, nil
	}
	return b[:from+n], bytes.TrimLeft(b[from+n:], " \t")
}

// holding reports whether the rest of a line holds a text.
func holding(text string) func([]byte) bool {
	return func(v []byte) bool { return bytes.Contains(v, []byte(text)) }
}
