package device

import "bytes"

// Some systems write commands or settings in sections, each under a line of its own: Onyx, Fabric
// OS and APC's management cards. A section is the block of its lines.
// Sources: the makers' references, and files of several releases.

// section makes the line the head of a section at a depth, which ends the one before.
func (w *walk) section(depth int, head []byte) {
	for w.depth > depth {
		w.pop()
	}
	w.push(head, w.indent)
}

// mlnxOS is Onyx, MLNX-OS before, on Mellanox' and Nvidia's switches.
var mlnxOS = platform{
	name: "mellanox_mlnxos",
	signs: []sign{
		{"## Running database ", 12, nil}, {"## Generated at ", 5, nil}, {"## Hostname: ", 5, nil},
		{"## Product release: ", 6, nil}, {"no cli default prefix-modes enable", 6, nothing},
		{"   cli default prefix-modes enable", 5, nothing}, {"## Active saved database ", 10, nil},
	},
	read: readOnyx, lined: true,
}

func readOnyx(w *walk) {
	if v, ok := w.after("##"); ok {
		switch release, named := keyed(v, "Product release"); {
		case len(v) == 0:
		case named:
			set(&w.id.OSVersion, release)
		case bytes.HasPrefix(v, []byte("Generated at ")):
			w.drop()
		case bytes.HasPrefix(v, []byte("Hostname:")),
			bytes.HasPrefix(v, []byte("Running database")),
			bytes.HasPrefix(v, []byte("Active saved database")):
		default:
			w.section(0, v)
		}
		return
	}
	if v, ok := w.after("hostname "); ok {
		w.setWord(v)
	}
	w.secrets()
}

// fabricOS is Fabric OS, as configupload writes it.
var fabricOS = platform{
	name: "brocade_fos",
	signs: []sign{
		{"[Configuration upload Information]", 12, nothing}, {"Configuration Format = ", 4, nil},
		{"[Switch Configuration Begin : ", 8, nil}, {"[Chassis Configuration Begin]", 8, nothing},
		{"FOS version = ", 6, nil}, {"Fabric OS Version = ", 6, nil},
		{"[Boot Parameters]", 3, nothing},
		{"[Zoning]", 2, nothing}, {"SwitchName = ", 3, nil},
	},
	read: readFabricOS, whole: func(w *walk) bool { return !w.fabric.torn && !w.fabric.begun },
}

// fabricState is what an upload of Fabric OS remembers from line to line.
type fabricState struct {
	begun bool // a configuration has begun that has not ended
	torn  bool // one has ended that had not begun
}

func readFabricOS(w *walk) {
	if w.words[0] == '[' {
		head := bytes.Trim(w.words, "[]")
		switch {
		case bytes.Contains(head, []byte(" Configuration Begin")):
			w.section(0, head)
			w.fabric.begun = true
		case bytes.Contains(head, []byte(" Configuration End")):
			w.fabric.torn = w.fabric.torn || !w.fabric.begun
			w.fabric.begun = false
			w.section(0, head)
		case w.fabric.begun:
			w.section(1, head)
		default:
			w.section(0, head)
		}
		return
	}
	switch {
	case w.has("date = "), w.has("Time Stamp = "):
		w.drop()
		return
	}
	for _, f := range []struct {
		key string
		to  *string
	}{
		{"SwitchName", &w.id.Name}, {"Switch Name", &w.id.Name}, {"switchname", &w.id.Name},
		{"FOS version", &w.id.OSVersion}, {"Fabric OS Version", &w.id.OSVersion},
	} {
		if v, ok := keyed(w.words, f.key); ok {
			set(f.to, v)
		}
	}
	if n := bytes.IndexAny(w.words, ":="); n > 0 && w.redact && fabricSecret(w.words[:n]) {
		w.mark(bytes.TrimLeft(w.words[n+1:], " "), secret)
	}
}

// fabricSecret reports whether a setting holds a secret.
func fabricSecret(key []byte) bool {
	key = bytes.ToLower(key[:min(len(key), 80)])
	for _, part := range []string{"passw", "pwd", "secret", "community", "authkey", "privkey",
		"sharedkey"} {
		if bytes.Contains(key, []byte(part)) {
			return true
		}
	}
	return bytes.HasSuffix(key, []byte(".key"))
}

// apcAOS is on the management cards of APC's power supplies: config.ini.
var apcAOS = platform{
	name: "apc_aos",
	signs: []sign{
		{"; Network Management Card AOS", 12, nil},
		{"; Configuration file, generated on ", 10, nil},
		{"[NetworkTCP/IP]", 5, nothing}, {"[SystemID]", 5, nothing},
		{"; Schneider Electric", 3, nil},
		{"; American Power Conversion", 5, nil}, {"[SystemUserManager]", 4, nothing},
		{"[NetworkSNMP]", 4, nothing}, {"; APC", 2, nil},
	},
	read: readAPC, lined: true,
}

func readAPC(w *walk) {
	switch {
	case w.words[0] == '[' && w.words[len(w.words)-1] == ']':
		w.section(0, w.words[1:len(w.words)-1])
		return
	case w.words[0] == ';':
		w.readAPCComment()
		return
	}
	key, v, ok := bytes.Cut(w.words, []byte("="))
	switch {
	case !ok:
	case string(key) == "Name" && w.in("SystemID"):
		w.id.Name = string(v) // rather than the one that DNS has
	case string(key) == "HostName" && w.in("NetworkTCP/IP"):
		w.setName(v)
	case w.redact && (fabricSecret(key) || apcSecret(key)):
		w.mark(v, secret)
	}
}

// apcSecret reports whether a setting of a management card holds a secret.
func apcSecret(key []byte) bool {
	for _, end := range []string{"Phrase", "phrase", "PW", "Key", "PSK"} {
		if bytes.HasSuffix(key, []byte(end)) && !bytes.HasSuffix(key, []byte("PublicKey")) {
			return true
		}
	}
	return false
}

// readAPCComment reads what the card says of itself, and the time, which stands there as a section
// that is commented out.
func (w *walk) readAPCComment() {
	b := bytes.TrimLeft(w.words, "; ")
	switch {
	case bytes.HasPrefix(b, []byte("Configuration file, generated on ")):
		_, by, _ := bytes.Cut(b, []byte(" by "))
		set(&w.id.ExportedBy, by[bytes.LastIndexByte(by, ' ')+1:])
		w.drop()
	case bytes.HasPrefix(b, []byte("Network Management Card AOS")):
		set(&w.id.OSVersion, bytes.TrimSpace(b[len("Network Management Card AOS"):]))
	case bytes.HasPrefix(b, []byte("Date=")), bytes.HasPrefix(b, []byte("Time=")):
		w.drop()
	}
}
