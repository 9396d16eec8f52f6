package device

import "bytes"

// airOS of Ubiquiti keeps lines KEY=VALUE, with dots and numbers in the keys.

var airOS = platform{
	name: "ubiquiti_airos",
	signs: []sign{
		{"resolv.host.1.name=", 6, nil}, {"resolv.host.1.status=", 3, nil}, {"radio.1.", 4, nil},
		{"wireless.1.", 4, nil}, {"netconf.1.", 4, nil},
		{"aaa.1.", 2, nil}, {"users.1.", 3, nil}, {"netmode=", 3, nil}, {"bridge.1.", 2, nil},
		{"wpasupplicant.", 3, nil}, {"ebtables.", 2, nil},
		{"tshaper.", 3, nil}, {"##AF.v", 6, startsNumber}, {"radio.status=", 3, nil},
		{"system.cfg.version=", 6, nil},
	},
	read: readAirOS, lined: true,
}

func readAirOS(w *walk) {
	if v, ok := w.after("##AF.v"); ok && w.commentsOnly() && startsNumber(v) {
		set(&w.id.OSVersion, field(v, 0))
		return
	}
	if v, ok := w.after("#board.name="); ok && w.commentsOnly() {
		set(&w.id.Model, v)
		return
	}
	key, v, ok := bytes.Cut(w.words, []byte("="))
	if !ok {
		return
	}
	if string(key) == "resolv.host.1.name" {
		w.setName(v)
	}
	if !w.redact {
		return
	}
	for _, end := range []string{".password", ".psk", ".community", ".secret", ".wpa.key", ".key",
		".passphrase", ".wpakey", ".private", ".token"} {
		if bytes.HasSuffix(key, []byte(end)) {
			w.mark(v, secret)
			return
		}
	}
	if bytes.HasSuffix(bytes.TrimRight(key, "0123456789."), []byte(".wep.key")) {
		w.mark(v, secret)
	}
}
