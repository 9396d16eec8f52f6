package device

import "bytes"

// AireOS, of Cisco's wireless controllers, writes commands "config ...". The command "show
// run-config commands" and the tools that use it omit the word config. A file that the controller
// sent itself is enclosed in two comments with the time, and begins with the state of the
// controller.

var ciscoAireOS = platform{
	name: "cisco_wlc",
	signs: []sign{
		{"config sysname ", 10, nil}, {"! Product Version: ", 4, nil}, {"! PID: ", 4, nil},
		{"config wlan ", 4, nil}, {"config mgmtuser ", 5, nil},
		{"config 802.11", 5, nil}, {"config mobility ", 4, nil}, {"config ap ", 3, nil},
		{"config interface ", 2, nil}, {"# WLC Config Begin", 10, nil},
		{"# PID: ", 4, nil}, {"# Product Version: ", 4, nil}, {"802.11a ", 4, nil},
		{"802.11b ", 4, nil}, {"advanced 802.11", 5, nil}, {"mobility group domain ", 5, nil},
		{"mgmtuser add ", 4, nil}, {"wlan create ", 5, nil}, {"wlan apgroup ", 5, nil},
		{"interface address management ", 6, nil}, {"interface address virtual ", 6, nil},
		{"snmp community accessmode ", 4, nil}, {"snmp community create ", 3, nil},
		{"auth-list ap-policy ", 5, nil}, {"sysname ", 1, nil}, {"rf-profile create ", 5, nil},
		{"rogue detection ", 3, nil}, {"network rf-network-name ", 5, nil},
	},
	read: readAireOS, whole: func(w *walk) bool { return !w.aire.torn },
}

// aireState is what a file that the controller sent itself remembers from line to line.
type aireState struct {
	head bool // it says what state the controller is in, before the first command
	torn bool // its last comment is still to come
}

func readAireOS(w *walk) {
	if v, ok := w.after("# WLC Config Begin <"); ok {
		w.mark(v, noise) // the time
		w.aire.head, w.aire.torn = true, true
		return
	}
	if v, ok := w.after("# WLC Config End <"); ok {
		w.mark(v, noise)
		w.aire.torn = false
		return
	}
	if w.words[0] == '!' || w.words[0] == '#' {
		w.readAireComment()
		return
	}
	w.aire.head = false
	command := bytes.TrimPrefix(w.words, []byte("config "))
	if v, ok := bytes.CutPrefix(command, []byte("sysname ")); ok {
		w.setWord(v)
	}
	// config mgmtuser add encrypt NAME 1 IV TAG 16 CIPHER
	if i := bytes.Index(w.words, []byte(" encrypt ")); i >= 0 {
		w.mark(w.words[i+len(" encrypt "):], secret)
	} else if v, ok := bytes.CutPrefix(command, []byte("mgmtuser add ")); ok {
		w.mark(field(v, 1), secret)
	} else if !w.redact {
		return
	} else if i := bytes.Index(w.words, []byte(" hex ")); i >= 0 {
		w.mark(w.words[i+len(" hex "):], secret)
	} else if n := aireSecret(command); n > 0 {
		w.mark(rest(command, n), secret)
	} else {
		w.secrets()
	}
}

// aireSecret returns the number of words of a command before secrets that no word announces, or 0.
func aireSecret(b []byte) int {
	for _, c := range []struct {
		command string
		words   int
	}{
		{"snmp community mode enable ", 4}, {"snmp community ipaddr ", 5},
		{"snmp community mode disable ", 4}, {"snmp trapreceiver create ", 3},
		{"snmp trapreceiver mode enable ", 4}, {"snmp v3user create ", 7},
		{"netuser add ", 3}, {"ldap simple-bind authenticated ", 5},
	} {
		if bytes.HasPrefix(b, []byte(c.command)) {
			return c.words
		}
	}
	return 0
}

// readAireComment reads the controller's description of itself. In a file from the controller
// itself, tables of ports and neighbours with running times follow.
func (w *walk) readAireComment() {
	v := bytes.TrimLeft(w.words[1:], " ")
	if v, ok := bytes.CutPrefix(v, []byte("PID:")); ok {
		v = bytes.TrimLeft(v, " ")
		model, v, _ := bytes.Cut(v, []byte(","))
		set(&w.id.Model, model)
		if _, serial, ok := bytes.Cut(v, []byte("SN:")); ok {
			set(&w.id.Serial, field(bytes.TrimLeft(serial, " "), 0))
		}
	} else if v, ok := bytes.CutPrefix(v, []byte("Product Version:")); ok {
		set(&w.id.OSVersion, bytes.TrimLeft(v, " "))
	} else if w.aire.head {
		w.drop()
	}
}
