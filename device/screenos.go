package device

// ScreenOS writes commands "set ..." and "unset ...". The host name is "set hostname NAME", which
// FortiOS has, too. Virtual routers and policies of several lines end with "exit".
//
// Sources: Juniper's ScreenOS CLI reference, and files of several releases.

var screenOS = platform{
	name: "juniper_screenos",
	signs: []sign{
		{"Total Config size ", 10, nil}, {"set vrouter ", 4, nil}, {"unset vrouter ", 5, nil},
		{"set auth-server ", 4, nil},
		{"set auth default auth server ", 5, nil}, {"set admin name ", 4, nil},
		{"set zone \"", 4, nil}, {"set nsmgmt ", 4, nil}, {"set flow tcp-mss", 4, nil},
		{"set interface \"", 3, nil}, {"set policy id ", 4, nil}, {"set clock ", 2, nil},
		{"set hostname ", 1, nil}, {"unset interface vlan1 ", 4, nil},
		{"set alg appleichat ", 4, nil}, {"set admin format dos", 4, nil},
		{"set pki authority default ", 3, nil}, {"set url protocol ", 3, nil},
		{"set config lock timeout ", 4, nil}, {"set ike respond-bad-spi ", 4, nil},
		{"set crypto-policy", 2, nil},
	},
	read: readScreenOS, whole: func(w *walk) bool { return w.depth == 0 },
}

func readScreenOS(w *walk) {
	switch {
	case w.last == nil && (w.has("Total Config size ") || endsWithCommand(w.words,
		"-> get config")):
		w.drop()
		return
	case string(w.words) == "exit":
		w.pop()
		return
	}
	if v, ok := w.after("set hostname "); ok && w.top() {
		w.setName(scalar(v))
	}
	if v, ok := w.after("set snmp host "); ok && w.redact {
		community, _ := token(v)
		w.mark(community, secret)
	} else {
		w.secretTokens(screenSecrets)
	}
	if w.has("set ") && w.opensScreenBlock() {
		w.push(w.words, w.indent)
	}
}

// endsWithCommand reports whether a line is a prompt with this command.
func endsWithCommand(line []byte, command string) bool {
	return len(line) < 120 && len(line) > len(command) &&
		string(line[len(line)-len(command):]) == command
}

// opensScreenBlock reports whether the command names only a virtual router or a policy, which
// opens a block of commands for it.
func (w *walk) opensScreenBlock() bool {
	words := 0
	b := w.words
	if len(b) > 200 {
		return false
	}
	var second, third []byte
	for ; len(b) > 0; words++ {
		var word []byte
		if word, b = token(b); len(word) == 0 {
			break
		}
		switch words {
		case 1:
			second = word
		case 2:
			third = word
		}
	}
	return words == 3 && string(second) == "vrouter" || words == 4 && string(second) == "policy" &&
		string(third) == "id"
}

var screenSecrets = map[string]bool{
	"password": true, "hash-password": true, "secret": true, "preshare": true, "community": true,
	"seed-preshare": true, "auth-md5": true,
	"md5": true, "password-hash": true, "priv-password": true, "auth-password": true,
	"passphrase": true, "key": true, "encrypted-password": true,
	"otp": true, "ascii": true, "challenge": true,
}
