package device

import "bytes"

// Some names announce a secret only now and then: "key" is a number or the name of a file as
// often. A value after such a name is taken for a secret if it looks like one.

// weakNames are the last words of such names, in small letters.
var weakNames = wordSet("key keys token tokens hmac secret secrets pass passwd password " +
	"passphrase pwd pin psk pw otp challenge credential credentials seed encrypted " +
	"ciphertext cleartext plaintext asciitext hexdigit oinkcode cred creds authcode accesskey " +
	"authkey passkey apikey privkey sharedkey")

// weakEnds says of two letters, in any case, whether such a name may end with them. Most names are
// told by it.
var weakEnds = func() (ends [1 << 10]bool) {
	names := []string{"text", "authentication"}
	for name := range weakNames {
		names = append(names, name)
	}
	for _, name := range names {
		ends[twoLetters(name[len(name)-2], name[len(name)-1])] = true
	}
	return ends
}()

func twoLetters(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// weakName reports whether a value after a name may be a secret.
func weakName(name []byte) bool {
	from := len(name)
	for from > 0 && name[from-1] >= '0' && name[from-1] <= '9' { // key2
		from--
	}
	end := from
	if end < 2 || !weakEnds[twoLetters(name[end-2], name[end-1])] {
		return false
	}
	for ; from > 0; from-- {
		c := name[from-1]
		if c == '-' || c == '_' || c == '.' {
			break
		}
		// the hump of accessToken
		if 'A' <= c && c <= 'Z' && from < end && 'a' <= name[from] && name[from] <= 'z' {
			from--
			break
		}
	}
	var buffer [64]byte
	last := lowered(&buffer, name[from:end])
	if len(last) == 4 && string(last) == "text" { // authentication-text
		return bytes.HasSuffix(name, []byte("auth-text")) ||
			bytes.HasSuffix(name, []byte("authentication-text"))
	}
	if string(last) == "authentication" {
		return bytes.HasSuffix(name, []byte("md5-authentication"))
	}
	return weakNames[string(last)] && !publicName(name)
}

// publicName reports whether a name is that of a public key.
func publicName(name []byte) bool {
	var buffer [64]byte
	lower := lowered(&buffer, name)
	for _, end := range []string{"public-key", "public_key", "publickey", "pubkey", "host-key",
		"hostkey", "ssh-key", "sshkey", "certkey", "cert-key"} {
		if bytes.HasSuffix(lower, []byte(end)) {
			return true
		}
	}
	return false
}

// strongValue reports whether a value looks like a secret: it mixes letters and digits, and is no
// address, algorithm, variable, file, interface or public key.
func strongValue(v []byte) bool {
	v = bytes.Trim(v, `"'`)
	if len(v) < 6 || v[0] == '/' || v[0] == '$' || v[0] == '<' || address(v) || hardware(v) ||
		port(v) {
		return false
	}
	for _, begin := range []string{"AAAA", "ssh-", "ecdsa-"} {
		if bytes.HasPrefix(v, []byte(begin)) {
			return false
		}
	}
	if noSecret(v) {
		return false
	}
	letter, digit := false, false
	for _, c := range v {
		digit = digit || '0' <= c && c <= '9'
		letter = letter || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	return letter && digit
}

// files are the endings of names of files that hold keys.
var files = wordSet("key pem crt cer pfx p12 der pub csr txt cfg bin tgz gz zip")

// noSecret reports whether a word is none even after one that announces a secret: it says
// something of secrets in general, names an algorithm or a file, or is the number of a key.
func noSecret(v []byte) bool {
	if harmless[string(v)] || len(v) <= 2 && digits(v) ||
		bytes.HasPrefix(v, []byte("token")) && bytes.Contains(v, []byte(",/")) { // TerminAttr's
		return true
	}
	if v = bytes.Trim(v, `"'`); algorithm(v) {
		return true
	}
	n := bytes.LastIndexByte(v, '.')
	return n > 0 && files[string(v[n+1:])] && (nameBytes(v) || v[0] == '/' &&
		nameBytes(bytes.ReplaceAll(v, []byte("/"), nil)))
}

// namedAfter are words that a name follows, of a list, a map, a group, and no secret.
var namedAfter = wordSet("prefix-list prefix-list6 route-map route-policy policy-statement vrf " +
	"access-list access-list6 access-group class-map policy-map community-list as-path-list " +
	"large-community-list extcommunity-list object object-group route-filter-list " +
	"routing-instances routing-instance vpn-instance security-zone from-zone to-zone policy " +
	"peer-group peer-filter filter term groups community neighbor group address address-set " +
	"application application-set vserver pool group-policy tunnel-group standard extended " +
	"expanded match-any match-all instance service-policy traffic-filter")

// named reports whether a word of the line, which begins at an index, is a name that an operator
// gave: it stands where one does, and has a capital letter, which no keyword has that stands there.
func named(b []byte, from int) bool {
	if c := b[from]; c < 'A' || c > 'Z' {
		return false
	}
	near := b[max(0, from-40):from] // no word of these is as long
	before := bytes.TrimRight(near, ` "'`)
	return len(before) < len(near) &&
		namedAfter[string(before[bytes.LastIndexByte(before, ' ')+1:])]
}

// hardware reports whether a word is an address of IPv6 or of a network card.
func hardware(v []byte) bool {
	colons := 0
	for _, c := range v {
		switch {
		case c == ':' || c == '.' || c == '-' || c == '/':
			colons++
		case !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'):
			return false
		}
	}
	return colons > 1
}

// port reports whether a word is an interface with a slot, such as Ethernet1/7.
func port(v []byte) bool {
	v = bytes.TrimRight(v, "0123456789")
	if len(v) == 0 || v[len(v)-1] != '/' {
		return false
	}
	v = bytes.TrimLeft(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
	return len(bytes.Trim(v, "0123456789/.")) == 0
}

// ciphers are the parts of names of algorithms.
var ciphers = []string{"sha", "md", "aes", "des", "hmac", "cmac", "gmac", "gcm", "cbc", "cfb",
	"ctr", "ccm", "rsa", "dsa", "ecdsa", "chacha", "poly", "group", "dh", "ike", "umac", "etm",
	"pbkdf", "tkip", "wpa", "wep", "modp", "ecp", "prf", "curve", "ed", "sslv", "ssl", "dtlsv",
	"tlsv", "tls", "xpn", "esp", "ah"}

// algorithm reports whether a word is the name of an algorithm, such as hmac-sha2-256.
func algorithm(v []byte) bool {
	var buffer [64]byte
	v = lowered(&buffer, v)
	named := false
next:
	for len(v) > 0 {
		if v[0] == '-' || v[0] == '_' || v[0] == '.' || '0' <= v[0] && v[0] <= '9' {
			v = v[1:]
			continue
		}
		for _, part := range ciphers {
			if bytes.HasPrefix(v, []byte(part)) {
				v, named = v[len(part):], true
				continue next
			}
		}
		return false
	}
	return named
}

// typed returns the secret in what begins with the number of its encryption: 7 and Cisco's oldest
// cipher, 6 and what a master key encrypts, any number and a long hexadecimal hash.
func typed(b []byte) []byte {
	if len(b) < 10 || b[1] != ' ' {
		return nil
	}
	v := bytes.TrimLeft(b[2:min(len(b), 600)], " ")
	v = bytes.TrimRight(field(v, 0), `;,"'\`)
	switch {
	case len(v) >= 32 && hexadecimal(v) && strongValue(v):
		return v
	case b[0] == '7' && len(v) >= 8 && hexadecimal(v) && strongValue(v) && digits(v[:2]) &&
		v[0] <= '1' && bytes.Equal(bytes.ToUpper(v), v):
		return v
	case b[0] == '6' && len(v) >= 20 && sealedWord(v):
		return v
	}
	return nil
}

// sealedWord reports whether a word has the letters that encryption with a master key writes on
// Cisco's: large and small letters and what stands between them in ASCII.
func sealedWord(v []byte) bool {
	large, small := false, false
	for _, c := range v {
		if c < 'A' || c > 'i' {
			return false
		}
		large, small = large || c <= 'Z', small || c >= 'a'
	}
	return large && small
}

// hideAddressed marks the password of "USER:PASSWORD@HOST" that stands without a scheme.
func (w *walk) hideAddressed() {
	b := w.line
	for at := 0; ; at++ {
		n := bytes.IndexByte(b[at:], '@')
		if n < 0 {
			return
		}
		at += n
		from := at
		for from > 0 && at-from < 256 && bytes.IndexByte([]byte(" \t\"'=(<>/,"), b[from-1]) < 0 {
			from--
		}
		user, password, ok := bytes.Cut(b[from:at], []byte(":"))
		if ok && len(password) > 0 && at+1 < len(b) && alphanumeric(b[at+1]) &&
			nameBytes(user) && !digits(user) && !schemes[string(user)] {
			w.mark(password, secret)
		}
	}
}

// schemes stand before the address of a person, not of a user with a password.
var schemes = wordSet("sip sips tel mailto xmpp h323 URI email acct im pres")

// hideEntry marks the value of an entry that the block around the line names like a secret:
// "environment DB_PASSWORD" with "value X" inside.
func (w *walk) hideEntry() {
	v, ok := w.after("value ")
	if !ok {
		if v, ok = w.after("set value "); !ok {
			return
		}
	}
	b := w.path
	for len(b) > 0 && b[len(b)-1].number == w.number {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return
	}
	name := bytes.TrimRight(b[len(b)-1].header, `"'`)
	name = name[bytes.LastIndexAny(name, " \"'")+1:]
	if secretName(name) || weakName(name) {
		w.mark(bytes.TrimRight(v, ";"), secret)
	}
}
