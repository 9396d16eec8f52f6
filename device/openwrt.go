package device

import "bytes"

// OpenWrt keeps its configuration in files of sections, "config TYPE 'NAME'" with lines "option KEY
// 'VALUE'" and "list KEY 'VALUE'" below. "uci export" writes them all, each under "package NAME".
// The host name is an option of a section "system".
//
// Sources: OpenWrt's documentation of UCI, and exports of several releases.

var openWrt = platform{
	name: "openwrt",
	signs: []sign{
		{"config ", 3, uciSection}, {"\toption ", 4, nil}, {"\tlist ", 2, nil},
		{"package ", 2, oneWord},
		{"        option ", 3, nil}, {"    option ", 3, nil},
	},
	read: readOpenWrt,
}

// uciSection reports whether the rest of a line "config ..." is a type with a name in quotes, or
// without one.
func uciSection(v []byte) bool {
	name := field(v, 1)
	return len(name) == 0 && len(v) > 0 || len(name) > 1 && (name[0] == '\'' || name[0] == '"') &&
		len(rest(v, 2)) == 0
}

func oneWord(v []byte) bool { return len(v) > 0 && bytes.IndexByte(v, ' ') < 0 }

func readOpenWrt(w *walk) {
	if w.words[0] == '#' {
		return
	}
	if w.has("package ") {
		for w.pop() {
		}
		w.push(w.words, 0)
		return
	}
	if w.has("config ") {
		for w.depth > 0 && !bytes.HasPrefix(w.parent(), []byte("package ")) {
			w.pop()
		}
		w.push(w.words, 0)
		return
	}
	key, v := field(w.words, 1), rest(w.words, 2)
	if string(field(w.words, 0)) != "option" && string(field(w.words, 0)) != "list" {
		return
	}
	switch {
	case string(key) == "hostname" && string(field(w.parent(), 1)) == "system":
		set(&w.id.Name, []byte(unquote(v)))
	case w.redact && len(v) > 3 && uciSecret(key) && !noSecret(v):
		w.mark(v, secret)
	case w.redact && (string(key) == "r0kh" || string(key) == "r1kh"): // MAC, name, key
		w.mark(bytes.Trim(v[bytes.LastIndexByte(v, ',')+1:], `"'`), secret)
	}
}

// uciSecret reports whether an option of this name holds a secret.
func uciSecret(key []byte) bool {
	switch string(key) {
	case "key", "key1", "key2", "key3", "key4", "community", "pincode", "wpakey", "token":
		return true
	}
	return secretName(key)
}
