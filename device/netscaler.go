package device

import "bytes"

// NetScaler saves commands, below a line with its release and one with the time of saving. The host
// name is "set ns hostName", which is absent until an operator sets it.
//
// Sources: Citrix's command reference, and files of several releases.

var netScaler = platform{
	name: "netscaler",
	signs: []sign{
		{"#NS", 10, startsNumber}, {"set ns config ", 5, nil}, {"enable ns feature ", 5, nil},
		{"enable ns mode ", 5, nil}, {"add lb vserver ", 5, nil},
		{"add serviceGroup ", 4, nil}, {"bind serviceGroup ", 4, nil}, {"bind lb vserver ", 4, nil},
		{"add cs vserver ", 4, nil}, {"add ns ip ", 5, nil},
		{"set system user nsroot ", 5, nil}, {"set ns rpcNode ", 4, nil},
		{"set ns hostName ", 6, nil}, {"set ns param ", 3, nil}, {"add ssl certKey ", 4, nil},
		{"set ssl vserver ", 3, nil}, {"set ns httpProfile ", 3, nil}, {"set ns tcpParam ", 3, nil},
		{"add server ", 1, nil}, {"set lb parameter ", 3, nil},
		{"add lb monitor ", 4, nil}, {"set ns encryptionParams ", 4, nil},
	},
	read: readNetScaler, lined: true,
}

func readNetScaler(w *walk) {
	switch {
	case w.words[0] == '#':
		if v, ok := w.after("#NS"); ok && w.commentsOnly() && startsNumber(v) {
			set(&w.id.OSVersion, w.words[1:])
		} else if w.has("# Last modified ") && w.commentsOnly() {
			w.drop()
		}
		return
	case w.words[0] == '>':
		w.drop() // its prompt
		return
	case string(w.words) == "Done":
		w.drop() // the command line says so after each command
		return
	}
	if v, ok := w.after("set ns hostName "); ok {
		w.setName(scalar(v))
	} else if v, ok := w.after("set ns hostname "); ok {
		w.setName(scalar(v))
	}
	w.secretTokens(netScalerSecrets)
	w.netScalerUser()
}

// netScalerUser marks the password of a system user and other secrets that no word announces.
func (w *walk) netScalerUser() {
	if !w.redact {
		return
	}
	for _, command := range []string{"set system user ", "add system user ",
		"add snmp community "} {
		v, ok := w.after(command)
		if !ok {
			continue
		}
		word, v := token(v)
		if command != "add snmp community " {
			word, _ = token(v)
		}
		if len(word) > 0 && word[0] != '-' {
			w.mark(word, secret)
		}
	}
	for b := w.words; len(b) > 0; { // the value before it is encrypted
		before, after, ok := bytes.Cut(b, []byte(" -encrypted"))
		if n := bytes.LastIndexByte(before, ' ') + 1; ok && len(before) > n && before[n] != '-' {
			w.mark(before[n:], secret)
		}
		b = after
	}
}

var netScalerSecrets = map[string]bool{
	"-password": true, "-keyValue": true, "-tacacsSecret": true, "-radKey": true,
	"-ldapBindDnPassword": true, "-passcrypt": true, "-secret": true,
	"-clientSecret": true, "-snmpCommunity": true, "-key": true, "-communityName": true,
	"-authpasswd": true, "-privpasswd": true, "-passPhrase": true, "-psk": true,
}
