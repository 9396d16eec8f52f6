package device

import (
	"bytes"
	"slices"
	"strings"
)

// Besides the rules of each platform, there is a net for all platforms. It catches secrets by
// their form (a hash, a private key, a password in a URL), and values after names that always
// announce secrets. It is for display only: it marks no noise, and it works only if lines are
// asked for, so no fingerprint depends on it. Hiding a value that is no secret is the lesser harm.

// hideAnywhere marks the secrets of the line that the platform hasn't marked, sorts the marks, and
// removes the secrets from the path.
func (w *walk) hideAnywhere() {
	w.hidePrivateKey()
	w.hideURLs()
	w.hideAddressed()
	w.hideWebhooks()
	switch w.platform {
	case &fortiOS, &fortiManager, &fortiAnalyzer:
		w.hideFortiCommands()
	case &routerOS:
		w.hideRouterScript()
	}
	w.hideCurl()
	w.hideForms()
	w.hideNamed()
	w.hideEntry()
	w.hideSpoken()
	if w.platform == &routerOS {
		w.carryRouterSecret()
	}
	slices.SortStableFunc(w.marks, func(a, b mark) int { return a.from - b.from })
	w.hidePath()
}

// hidePath removes secrets from the displayed form of the blocks that the line opens.
func (w *walk) hidePath() {
	old := len(w.path)
	for old > 0 && w.path[old-1].number == w.number {
		old--
	}
	w.shown = w.shown[:min(len(w.shown), old)]
	for len(w.shown) < len(w.path) {
		b := &w.path[len(w.shown)]
		var shown []byte
		if b.number == w.number && slices.ContainsFunc(w.marks, func(m mark) bool {
			return m.kind&secret != 0
		}) {
			shown = w.maskedPart(nil, b.header, secret, hidden)
		}
		w.shown = append(w.shown, shown)
	}
}

// hidden replaces a secret.
const hidden = "<secret>"

// hidePrivateKey marks private keys in PEM (RFC 7468) and what resembles it, over lines or on one.
func (w *walk) hidePrivateKey() {
	for b := w.words; len(b) > 0; {
		if !w.sealed {
			_, after, ok := bytes.Cut(b, []byte("BEGIN "))
			if !ok {
				return
			}
			n := bytes.Index(after[:min(len(after), 60)], []byte("PRIVATE KEY"))
			if b = after; n < 0 || bytes.Contains(after[:n], []byte("--")) {
				continue
			}
			b = bytes.TrimLeft(bytes.TrimPrefix(after[n+len("PRIVATE KEY"):], []byte(" BLOCK")),
				" -")
			w.sealed = true
		}
		end := sealEnd(b)
		w.mark(bytes.TrimRight(b[:end], " -"), secret)
		w.sealed, b = end == len(b), b[end:]
	}
}

// sealEnd returns where "-END " or "- END " begins, or the length.
func sealEnd(b []byte) int {
	for i := 0; ; i++ {
		n := bytes.Index(b[i:], []byte("END "))
		if n < 0 {
			return len(b)
		}
		if i += n; i > 0 && b[i-1] == '-' || i > 1 && b[i-1] == ' ' && b[i-2] == '-' {
			return i
		}
	}
}

// hideCurl marks the password of "curl -u NAME:PASSWORD" in scripts.
func (w *walk) hideCurl() {
	_, b, _ := bytes.Cut(w.words, []byte("curl "))
	for len(b) > 0 {
		option := field(b, 0)
		b = rest(b, 1)
		v := b
		switch {
		case string(option) == "--user", string(option) == "--proxy-user":
		case len(option) < 2 || option[0] != '-' || option[1] == '-':
			continue
		case option[1] == 'u' && len(option) > 2:
			v = option[2:]
		case option[len(option)-1] != 'u' && option[len(option)-1] != 'U':
			continue
		}
		quoted := len(v) > 0 && (v[0] == '"' || v[0] == '\'')
		if quoted {
			v, _ = token(v)
		} else {
			v = bytes.TrimRight(field(v, 0), `"'\`)
		}
		if n := bytes.IndexByte(v, ':'); n >= 0 {
			w.mark(v[n+1:], secret)
		}
	}
}

// hideForms marks the words that are secrets by their form.
func (w *walk) hideForms() {
	b := w.words
	for i := 0; i < len(b); i++ {
		if i > 0 && !opensValue(b[i-1]) {
			continue
		}
		switch b[i] {
		case '$', '%', '{':
			if n := secretFormed(b[i:]); n >= 0 {
				if v := formed(b, i); len(v) > n+5 {
					w.mark(v[n:], secret)
					i += len(v) - 1
				}
			}
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			w.mark(typed(b[i:]), secret)
		case 'B', 'E', 'T', 'b', 'e':
			if v := credentials(b[i:]); len(v) > 0 {
				w.mark(v, secret)
			} else if bytes.HasPrefix(b[i:], []byte("eyJ")) { // a JSON Web Token (RFC 7519)
				v := formed(b, i)
				if len(v) > 40 && bytes.Count(v, []byte(".")) == 2 {
					w.mark(v, secret)
				}
				i += len(v) - 1
			}
		}
	}
}

// opensValue reports whether a value may begin after c.
func opensValue(c byte) bool { return bytes.IndexByte([]byte(" \t\"'=:>,([{"), c) >= 0 }

// formed returns the word of b that begins at i. It ends at the quote before it, or else at a
// blank or an end tag. The cost is linear in its length.
func formed(b []byte, i int) []byte {
	var quote byte
	if i > 0 && (b[i-1] == '"' || b[i-1] == '\'') {
		quote = b[i-1]
	}
	n := i
	for n < len(b) && b[n] != quote && (quote != 0 || !blank(b[n])) &&
		!bytes.HasPrefix(b[n:], []byte("</")) && !bytes.HasPrefix(b[n:], []byte("]]>")) {
		n++
	}
	return bytes.TrimRight(b[i:n], `;,"'\`)
}

// secretFormed returns the index of the secret in a word whose form shows that it is one, or a
// negative number. Such forms are the hashes and ciphers of crypt(3) ($6$SALT$HASH, Junos $9$,
// Comware $c$3$, F5 $M$), of LDAP ({SSHA}) and of Huawei (%^%#...%^%#).
func secretFormed(b []byte) int {
	b = b[:min(len(b), 20)]
	if len(b) < 6 {
		return -1
	}
	switch b[0] {
	case '$':
		if n := bytes.IndexByte(b[1:], '$'); nameBytes(b[1 : 1+max(n, 0)]) {
			return 0
		}
	case '%':
		if b[2] == '%' && bytes.IndexByte([]byte("^@$+#*"), b[1]) >= 0 &&
			bytes.IndexByte([]byte("^@$+#*"), b[3]) >= 0 {
			return 0
		}
	case '{':
		if n := bytes.IndexByte(b, '}'); n > 2 && nameBytes(b[1:n]) {
			return n + 1
		}
	}
	return -1
}

// credentials returns the credentials after the scheme of an HTTP header (RFC 7235), or after ENC
// of FortiOS.
func credentials(b []byte) []byte {
	n := bytes.IndexByte(b[:min(len(b), 8)], ' ')
	if n < 0 {
		return nil
	}
	v := bytes.TrimLeft(b[n:], " ")
	if end := bytes.IndexAny(v, " \t\"'<\\;,"); end >= 0 {
		v = v[:end]
	}
	switch string(b[:n]) {
	case "Bearer", "bearer", "Token":
		if len(v) < 12 {
			return nil
		}
	case "Basic", "basic":
		if len(v) < 8 || len(v)%4 != 0 || !base64Bytes(v) || bytes.Equal(bytes.ToLower(v), v) {
			return nil
		}
	case "ENC":
		if len(v) < 8 {
			return nil
		}
	default:
		return nil
	}
	return v
}

func base64Bytes(b []byte) bool {
	for _, c := range b {
		if !base64Byte(c) {
			return false
		}
	}
	return true
}

func nameByte(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' || c == '.' }

func nameBytes(b []byte) bool {
	for _, c := range b {
		if !nameByte(c) {
			return false
		}
	}
	return len(b) > 0
}

// hideNamed marks the value after a name that announces a secret. In free text, comments and
// strings such a name counts only before a colon or an equals sign.
func (w *walk) hideNamed() {
	b := w.words
	talk := w.quoting || w.inside || prose[string(field(b, 0))] || w.has("set apply-to ") ||
		len(b) > 0 &&
			(b[0] == '!' || b[0] == '#' || b[0] == ';' || b[0] == '/' && w.platform != &routerOS)
	var quote byte
	for i := 0; i < len(b); {
		c := b[i]
		if !nameByte(c) {
			switch {
			case c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\'') && (i == 0 || opensValue(b[i-1])):
				quote = c
			}
			i++
			continue
		}
		from := i
		for i < len(b) && nameByte(b[i]) {
			i++
		}
		strict := secretName(b[from:i])
		option := bytes.HasPrefix(b[from:i], []byte("--")) // of a shell's command
		weak := !strict && !secretHeader(b[from:i]) &&
			!toldName(b[from:i], from > 0 && (b[from-1] == '?' || b[from-1] == '&'))
		vyattaPeer := w.platform == &vyOS && string(b[from:i]) == "psk" // its name follows
		// /container envs add key=DB2_HOST; routerSecret knows the settings
		setting := w.platform == &routerOS && !option && i < len(b) && b[i] == '='
		file := weak && from > 0 && b[from-1] == ':' // /config/x:key:_Common:a.key_1
		if vyattaPeer || file || weak && (setting || !weakName(b[from:i])) {
			continue
		}
		at, told := i, option
		for at < len(b) && b[at] == '\\' {
			at++
		}
		if at < len(b) && (b[at] == '"' || b[at] == '\'') {
			at++
		}
		closed := at > i
		for at < len(b) && (blank(b[at]) || b[at] == ':' || b[at] == '=') {
			told = told || !blank(b[at])
			at++
		}
		// a string inside of the string, of a script
		if at+1 < len(b) && b[at] == '\\' && b[at+1] == '"' {
			told = true
		}
		// authentication-types=wpa2-psk,wpa-psk
		isValue := from > 0 && (b[from-1] == '=' || b[from-1] == ',')
		path := from > 1 && b[from-1] == '/' && nameByte(b[from-2])
		if at >= len(b) || at == i || !told &&
			(closed || quote != 0 || talk || isValue || path || named(b, from) ||
				!strict && !weak && !weakName(b[from:i])) {
			continue
		}
		weak = !strict && !told || weak // the value must look like a secret
		if end := w.hideValue(at, quote, told, secretHeader(b[from:i]), weak); end > i {
			i = end
		}
	}
}

// maxBetween bounds the words that are skipped between a name and its secret: no line has more.
const maxBetween = 8

// hideValue marks the secret whose announcement ends at a place of the line, and returns the
// secret's end. quote is the quote around the name. The value of an HTTP header may have several
// words.
func (w *walk) hideValue(at int, quote byte, told, header, weak bool) int {
	b := w.words
	for between := 0; ; between++ {
		v := b[at:]
		if bytes.IndexByte([]byte("{}[]();<|"), v[0]) >= 0 {
			return 0
		}
		var more []byte
		switch {
		case quote == 0 && (v[0] == '"' || v[0] == '\''):
			v, more = token(v)
		case header && quote != 0:
			if n := bytes.IndexByte(v, quote); n >= 0 {
				v = v[:n]
			}
		case header:
		default:
			ends := " \t"
			if quote != 0 {
				ends += string(quote)
			}
			v = bytes.TrimLeft(v, `\"'`)
			at = len(b) - len(v)
			if n := bytes.IndexAny(v, ends); n >= 0 {
				v, more = v[:n], bytes.TrimLeft(v[n:], " \t")
			}
		}
		if quote == 0 && len(more) > 0 && more[0] != ';' && between < maxBetween && writtenAs(v) {
			more = bytes.TrimLeft(more, " \t")
			if len(more) > 0 {
				at = len(b) - len(more)
				continue
			}
		}
		v = bytes.TrimRight(v, `;,\`)
		if weak && len(v) > 0 && !strongValue(v) {
			if len(v) > 512 { // names inside would be looked at again and again
				return at + len(v)
			}
			return 0
		}
		if len(v) == 0 || noSecret(v) || told && string(v) == "null" {
			return 0
		}
		w.mark(v, secret)
		return at + len(v)
	}
}

// writtenAs reports whether a word only states the encoding or the number of the secret after it.
func writtenAs(v []byte) bool {
	return len(v) <= 2 && digits(v) || manner[string(v)] || secretForms[string(v)] ||
		secretForm[string(v)] || ways[string(v)] || address(v) ||
		algorithm(v) && !harmless[string(v)]
}

// ways are words between an announcing word and its secret, in addition to those of single
// families.
var ways = wordSet("ENC level text plain simple-text hmac-md5 hmac-sha1 hmac-sha-1 hmac-sha-256 " +
	"hmac-sha256 hmac-sha1-12 hmac-sha1-20 hmac-sha2-256 " +
	"hmac-sha-384 hmac-sha-512 cmac-aes-128 hmac set-key hex ascii size 40bit 104bit 128bit " +
	"fallback des56 aes128 aes192 aes256 sha-224 sha-384 sha-512 config-key " +
	"priv-encrypted password-encrypted cleartext password-encrypt password-encryption encrypt " +
	"encryptb64 secret-value pass-phrase value type key peer eigrp localized-key 128 " +
	"192 256 md5 sha aes des auth-encrypted privacy-encrypted index id user-name cak is")

func wordSet(words string) map[string]bool {
	list := strings.Fields(words)
	m := make(map[string]bool, len(list))
	for _, word := range list {
		m[word] = true
	}
	return m
}

// address reports whether a word is an IPv4 address.
func address(v []byte) bool {
	return len(v) <= 15 && bytes.Count(v, []byte(".")) == 3 && dotted(string(v))
}

// harmless are words that are no secret, even after a word that announces one.
var harmless = wordSet("strength-check secure-mode policy complexity min-length minimum-length " +
	"length history aging age lockout expire expiration " +
	"expiry lifetime warntime gracetime prompt required require enable disable enabled disabled " +
	"yes no true false none recovery encryption change reset " +
	"retries retry timeout address hostname keychain key-chain publickey keyboard " +
	"keyboard-interactive configuration options option minimum maximum " +
	"add set remove unset print find storage rotation alert matches-any matches-every " +
	"matches-within in case-check consecutive-check default-check username-check enableall " +
	"enablelocal start-time algorithm rsa dsa ecdsa generate md5 sha sha1 sha256 sha384 sha512 " +
	"complexity-check pubkey-chain new-format config-key password-encrypt " +
	"password-encryption key-id expire-in change-type format ckn " +
	"shared-secret profile restriction = - * & | null " +
	"\"\" ''")

// secretEnds are the endings of names that announce a secret, by their last byte.
var secretEnds = func() (by [256][]string) {
	for _, end := range []string{"password", "passwd", "passphrase", "pass-phrase", "pass_phrase",
		"passcode", "passkey", "secret", "psk", "pwd", "bindpw", "uploadpass", "keytab", "cvauth",
		"ingestauth", "wepkey", "common-pw", "bind-pw",
		"cak", "-pass", "_pass", "_pw", "_token", "-token", "phash", "password-hash",
		"pre-shared-key", "preshared-key", "pre_shared_key", "presharedkey", "preshare",
		"shared-key", "shared_key", "sharedkey",
		"private-key", "privatekey", "private_key", "secret-key", "secret_key", "secretkey",
		"api-key", "apikey", "api_key", "api-token", "auth-key", "authkey", "auth_key",
		"auth-token", "access-token", "access_token", "authentication-key", "encryption-key",
		"encryption_key",
		"simple-text", "association-key", "protection-key",
		"key-string", "community-string", "community-name", "encrypt-key", "preshare-key",
		"otp_seed", "md5-key", "sha1-key", "-hexkey", "wep-key", "wep_key", "wpa-key", "hmac-key",
		"privacy-key", "encrypted-key", "url-hash-key", "dns-key", "activate-key",
		"keystring", "nthash",
		"md5-authentication", "auth-text", "authentication-text", "asciitext", "hexdigit",
		"password-auth", "accesstoken", "authenticationtoken", "endpointtoken", "sim-pin",
	} {
		by[end[len(end)-1]] = append(by[end[len(end)-1]], end)
	}
	return by
}()

// secretName reports whether a setting of this name holds a secret, on any platform.
func secretName(name []byte) bool {
	var buffer [64]byte
	lower := lowered(&buffer, name)
	for len(lower) > 1 && lower[len(lower)-1] >= '0' && lower[len(lower)-1] <= '9' { // password2
		lower = lower[:len(lower)-1]
	}
	if len(lower) == 0 {
		return false
	}
	// ciphers, of ArubaOS, and VLANs that pass, of VRP and Comware
	for _, end := range []string{"aes-psk", "tkip-psk", "allow-pass", "by-pass"} {
		if bytes.HasSuffix(lower, []byte(end)) {
			return false
		}
	}
	for _, end := range secretEnds[lower[len(lower)-1]] {
		if len(lower) >= len(end) && string(lower[len(lower)-len(end):]) == end {
			return true
		}
	}
	return false
}

// secretElement reports whether the text of an XML element is a secret, by the name of the element
// or of the entry around it.
func (x *xmlScan) secretElement(part []byte) bool {
	var buffer [64]byte
	name := x.element(0)
	lower := bytes.TrimRight(lowered(&buffer, name), "0123456789")
	for _, end := range []string{"community", "communitystring", "token", "key", "pass",
		"trapstring"} {
		if bytes.HasSuffix(lower, []byte(end)) && !bytes.HasSuffix(lower, []byte("public-key")) &&
			!bytes.HasSuffix(lower, []byte("publickey")) &&
			!bytes.HasSuffix(lower, []byte("bypass")) {
			return true
		}
	}
	for _, word := range []string{"passw", "secret", "code", "pin", "hmac", "_ck", "tlsauth",
		"psk"} {
		if bytes.Contains(lower, []byte(word)) && strongValue(part) {
			return true
		}
	}
	if string(lower) == "value" && x.depth <= len(x.open) && x.depth > 3 {
		entry := bytes.TrimRight(x.open[x.depth-2].header, `"`)
		return secretName(entry[max(0, len(entry)-len(buffer)):]) ||
			string(x.element(1)) == "key" || string(x.element(2)) == "headers"
	}
	return secretName(name)
}

// secretHeader reports whether an HTTP header of this name holds a secret.
func secretHeader(name []byte) bool {
	var buffer [64]byte
	lower := lowered(&buffer, name)
	return len(lower) > 5 && (bytes.HasSuffix(lower, []byte("authorization")) ||
		string(lower) == "x-api-key" || string(lower) == "cookie" ||
		string(lower) == "x-auth-token")
}

// toldName reports whether a name announces a secret if a colon or an equals sign follows, or in
// the query of a URL.
func toldName(name []byte, query bool) bool {
	var buffer [64]byte
	switch string(lowered(&buffer, name)) {
	case "token", "pass", "pin", "pw":
		return true
	case "key", "auth", "sig", "code":
		return query
	}
	return false
}

// lowered returns a name in small letters, in a buffer. It returns nothing if the name is too
// long.
func lowered(buffer *[64]byte, name []byte) []byte {
	if len(name) > len(buffer) {
		return nil
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buffer[i] = c
	}
	return buffer[:len(name)]
}
