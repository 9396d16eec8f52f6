package device

import "bytes"

// AireOS, of Cisco's wireless controllers, writes commands "config ...". A file that the controller
// sent itself stands between two comments with the time, and begins with what state the controller
// is in.

var ciscoAireOS = platform{
	name: "cisco_wlc",
	signs: []sign{
		{"config sysname ", 10, nil}, {"! Product Version: ", 4, nil}, {"! PID: ", 4, nil},
		{"config wlan ", 4, nil}, {"config mgmtuser ", 5, nil},
		{"config 802.11", 5, nil}, {"config mobility ", 4, nil}, {"config ap ", 3, nil},
		{"config interface ", 2, nil}, {"# WLC Config Begin", 10, nil},
	},
	read: readAireOS, whole: func(w *walk) bool { return !w.torn },
}

// aireHead is where a file that the controller sent itself says what state it is in, before the
// first command.
const aireHead = inBody + 1

func readAireOS(w *walk) {
	if v, ok := w.after("# WLC Config Begin <"); ok {
		w.mark(v, noise) // the time
		w.place, w.torn = aireHead, true
		return
	}
	if v, ok := w.after("# WLC Config End <"); ok {
		w.mark(v, noise)
		w.torn = false
		return
	}
	if w.words[0] == '!' {
		w.readAireComment()
		return
	}
	w.place = inBody
	if v, ok := w.after("config sysname "); ok {
		w.setWord(v)
	}
	// config mgmtuser add encrypt NAME 1 IV TAG 16 CIPHER
	if i := bytes.Index(w.words, []byte(" encrypt ")); i >= 0 {
		w.mark(w.words[i+len(" encrypt "):], secret)
	} else if v, ok := w.after("config mgmtuser add "); ok {
		w.mark(field(v, 1), secret)
	} else if !w.redact {
		return
	} else if i := bytes.Index(w.words, []byte(" hex ")); i >= 0 {
		w.mark(w.words[i+len(" hex "):], secret)
	} else if n := aireSecret(w.words); n > 0 {
		w.mark(rest(w.words, n), secret)
	} else {
		w.secrets()
	}
}

// aireSecret returns after how many words of a command secrets follow that no word announces, or 0.
func aireSecret(b []byte) int {
	for _, c := range []struct {
		command string
		words   int
	}{
		{"config snmp community mode enable ", 5}, {"config snmp community ipaddr ", 6},
		{"config snmp community mode disable ", 5}, {"config snmp trapreceiver create ", 4},
		{"config snmp trapreceiver mode enable ", 5}, {"config snmp v3user create ", 8},
		{"config netuser add ", 4},
	} {
		if bytes.HasPrefix(b, []byte(c.command)) {
			return c.words
		}
	}
	return 0
}

// readAireComment reads what the controller says of itself; in a file that it sent itself, tables
// of ports and neighbours follow, with times that run.
func (w *walk) readAireComment() {
	if v, ok := w.after("! PID:"); ok {
		model, v, _ := bytes.Cut(v, []byte(","))
		set(&w.id.Model, model)
		if v = bytes.TrimLeft(v, " "); bytes.HasPrefix(v, []byte("SN:")) {
			set(&w.id.Serial, field(v, 1))
		}
	} else if v, ok := w.after("! Product Version:"); ok {
		set(&w.id.OSVersion, v)
	} else if w.place == aireHead {
		w.drop()
	}
}
