package device

import (
	"bytes"
	"encoding/base64"
)

// SonicOS exports its settings as pairs KEY=VALUE joined by "&", in base64, and its command line
// shows them as indented blocks. The host name is the firewall's name.
//
// Sources: SonicWall's administration guides and command references, and what is known of the
// files' form.

var sonicWall = platform{
	name: "sonicwall",
	signs: []sign{
		{"firewallName=", 6, nil}, {"buildNum=", 6, nil}, {"shortProdName=", 6, nil},
		{"checksumVersion=", 4, nil}, {"prodName=", 2, nil},
		{"firmware-version \"SonicOS", 10, nil}, {"rom-version ", 3, nil},
		{"system-uptime ", 4, nil}, {"system-time ", 3, nil}, {"serial-number ", 1, nil},
		{"    firewall-name ", 6, nil}, {"administration", 2, nothing}, {"zone LAN", 2, nothing},
		{"access-rule ipv4 from ", 4, nil},
	},
	read: readSonicWall,
}

func readSonicWall(w *walk) {
	if key, v, ok := bytes.Cut(w.words, []byte("=")); ok && w.indent == 0 &&
		bytes.IndexByte(key, ' ') < 0 {
		w.readSonicPair(string(key[:min(len(key), maxValue)]), v)
		return
	}
	w.indented()
	if w.top() {
		w.readSonicHeader()
	} else if v, ok := w.after("firewall-name "); ok && w.in("administration") {
		w.setName(scalar(v))
	} else if w.in("time") {
		for _, key := range []string{"date ", "time "} {
			if v, ok := w.after(key); ok && startsNumber(v) {
				w.mark(v, noise) // the clock
			}
		}
	}
	if !w.dropped {
		w.secretTokens(sonicSecrets)
		w.opens()
	}
}

func (w *walk) readSonicHeader() {
	if v, ok := w.after("firmware-version "); ok {
		v = unquoted(v)
		for _, name := range []string{"SonicOSX ", "SonicOS ", "Enhanced ", "Standard "} {
			v = bytes.TrimPrefix(v, []byte(name))
		}
		set(&w.id.OSVersion, v)
	} else if v, ok := w.after("model "); ok {
		set(&w.id.Model, unquoted(v))
	} else if v, ok := w.after("firewall-name "); ok {
		w.setName(scalar(v))
	} else if v, ok := w.after("serial-number "); ok {
		set(&w.id.Serial, scalar(v))
	} else if w.has("system-time ") || w.has("system-uptime ") {
		w.drop()
	} else if v, ok := w.after("checksum "); ok && digits(v) {
		w.drop()
	}
}

// readSonicPair reads a setting of the export.
func (w *walk) readSonicPair(key string, v []byte) {
	switch key {
	case "firewallName":
		w.setName(unescapedURL(v))
	case "buildNum":
		set(&w.id.OSVersion, unescapedURL(v))
	case "shortProdName":
		set(&w.id.Model, unescapedURL(v))
	case "serialNumber":
		if serial := unescapedURL(v); len(bytes.Trim(serial, "0")) > 0 {
			set(&w.id.Serial, serial)
		}
	}
	if !w.redact {
		return
	}
	for _, part := range []string{"assword", "Secret", "secret", "Passwd", "passwd", "Passphrase",
		"passphrase", "sharedKey", "SharedKey", "PresharedKey", "presharedKey", "Community",
		"community",
		"Pwd", "psk", "Psk", "wepKey", "WepKey", "privateKey", "PrivateKey", "Phase2Key", "authKey",
		"AuthKey", "encKey", "EncKey"} {
		if bytes.Contains([]byte(key), []byte(part)) {
			w.mark(v, secret)
			return
		}
	}
}

// unescapedURL resolves %20 and the like.
func unescapedURL(b []byte) []byte {
	b = b[:min(len(b), 4*maxValue)]
	var out []byte
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if high, low := hexDigit(b[i+1]), hexDigit(b[i+2]); high < 16 && low < 16 {
				out = append(out, high<<4|low)
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// unpackSonic returns the settings of an export in base64, one per line. It fails if the text
// doesn't begin as such an export.
func unpackSonic(config []byte) ([]byte, bool) {
	head := make([]byte, 0, 4096)
	for _, c := range config[:min(len(config), 8192)] {
		if c == '\n' || c == '\r' {
			continue
		}
		if len(head) == cap(head) || !base64Byte(c) {
			break
		}
		head = append(head, c)
	}
	if len(head) < 64 {
		return nil, false
	}
	var start [3072]byte
	// what is missing at the end doesn't matter
	known, _ := base64.StdEncoding.Decode(start[:], head[:len(head)&^3])
	if !bytes.Contains(start[:known], []byte("&")) ||
		!bytes.Contains(start[:known], []byte("buildNum=")) &&
			!bytes.Contains(start[:known], []byte("shortProdName=")) &&
			!bytes.Contains(start[:known], []byte("firewallName=")) {
		return nil, false
	}
	config = bytes.TrimRight(config, "=& \t\r\n\x00")
	if len(config) > MaxDecoded {
		return nil, false
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(config)))
	n, err := base64.RawStdEncoding.Decode(out, config)
	if err != nil {
		return nil, false
	}
	out = out[:n]
	for i, c := range out {
		if c == '&' {
			out[i] = '\n'
		}
	}
	return out, true
}

func base64Byte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' ||
		c == '/' || c == '='
}

var sonicSecrets = map[string]bool{
	"password": true, "secret": true, "shared-secret": true, "passphrase": true,
	"bind-password": true, "shared-key": true, "sha1": true, "aes": true,
	"md5": true, "des": true, "pre-shared-secret": true, "community-name": true,
}
