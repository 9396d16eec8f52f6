package device

import "bytes"

// Junos shows its configuration as blocks of braces or as commands "set ...". The host name is the
// statement host-name directly in "system", or in "system" of a configuration group. Groups re0
// and re1 name the two routing engines. If they have two names, the sender is unknown and the name
// is blank. A deactivated statement has no effect.
//
// The header "## Last commit: TIME by NAME" is the only comment that the device itself writes.
//
// Sources: Juniper's CLI references, and files of many releases.

var junOS = platform{
	name: "juniper_junos",
	signs: []sign{
		{"## Last commit: ", 10, nil}, {"## Last changed: ", 10, nil},
		{"version ", 8, junosVersion}, {"set version ", 8, nil},
		{"    root-authentication {", 5, nil}, {"routing-options {", 4, nil},
		{"policy-options {", 4, nil}, {"chassis {", 3, nil},
		{"groups {", 3, nil}, {"apply-groups ", 4, nil}, {"    ge-", 3, opensBlock},
		{"    xe-", 3, opensBlock}, {"    et-", 3, opensBlock},
		{"routing-instances {", 3, nil}, {"class-of-service {", 3, nil},
		{"forwarding-options {", 3, nil}, {"vlans {", 3, nil},
		{"system {", 2, nil}, {"interfaces {", 1, nil}, {"protocols {", 1, nil},
		{"security {", 2, nil}, {"firewall {", 1, nil}, {"snmp {", 1, nil},
		{"    host-name ", 2, endsStatement}, {"ethernet-switching-options {", 4, nil},
		{"access {", 2, nil}, {"applications {", 2, nil},
		{"set system root-authentication ", 5, nil}, {"set interfaces ge-", 4, nil},
		{"set interfaces xe-", 4, nil}, {"set interfaces et-", 4, nil},
		{"set interfaces ae", 3, nil}, {"set interfaces lo0 ", 3, nil},
		{"set interfaces fxp0 ", 4, nil}, {"set interfaces em0 ", 4, nil},
		{"set routing-options ", 4, nil}, {"set policy-options ", 4, nil},
		{"set security zones ", 4, nil}, {"set security policies ", 4, nil},
		{"set groups ", 4, nil}, {"set apply-groups ", 4, nil}, {"set firewall family ", 4, nil},
		{"set firewall filter ", 4, nil},
		{"set chassis ", 4, nil}, {"set class-of-service ", 4, nil},
		{"set routing-instances ", 4, nil}, {"set forwarding-options ", 4, nil},
		{"set protocols bgp group ", 3, nil}, {"set vlans ", 2, nil}, {"deactivate ", 2, nil},
		{"set system host-name ", 2, nil},
		{"set system services ", 2, nil}, {"set snmp community ", 1, nil},
		{"set protocols ospf area ", 1, nil}, {"set security ", 2, nil},
	},
	read: readJunos, open: unclosed, whole: balanced,
}

var junosBraces = braceForm{hash: true, slash: true}

// junosState is what a Junos file remembers from line to line.
type junosState struct {
	named junosNamed
	// group and the name that it gives, parted by a NUL, until the group is applied.
	group []byte
}

// junosNamed says where the host name is from.
type junosNamed uint8

const (
	junosGroup  junosNamed = iota + 1 // a group
	junosOwn                          // the system's own
	junosNobody                       // groups that differ
)

// junosVersion: Junos writes "version 22.4R3-S2.11;".
func junosVersion(rest []byte) bool {
	return endsStatement(rest) && (rest[0] >= '0' && rest[0] <= '9' || rest[0] == '"')
}

func endsStatement(rest []byte) bool { return len(rest) > 1 && rest[len(rest)-1] == ';' }

func opensBlock(rest []byte) bool { return len(rest) > 0 && rest[len(rest)-1] == '{' }

func readJunos(w *walk) {
	if w.stray() {
		w.drop()
		return
	}
	if len(w.words) > 0 && w.words[0] == '#' && w.readJunosHeader() {
		return
	}
	kind, words := w.braces(junosBraces)
	switch kind {
	case braceStatement:
		w.readJunosStatement(words)
	case braceOpen:
		w.hideJunos()
		w.push(bytes.TrimPrefix(words, []byte("protect: ")), w.indent)
		return
	}
	w.hideJunos()
}

// hideJunos marks the secrets of a line, unless it is of a policy, whose communities are BGP's, or
// has the number of a key: of GRE or of a time server.
func (w *walk) hideJunos() {
	if w.within("policy-options") || w.has("set policy-options ") || w.timeServer() ||
		bytes.Contains(w.words, []byte(" tunnel key ")) || w.has("key ") && w.within("tunnel") {
		return
	}
	w.secretTokens(junosSecrets)
}

// readJunosHeader reads "## Last commit: TIME by NAME", which only the device writes at the top.
func (w *walk) readJunosHeader() bool {
	if w.brace.text != bracePlain || !w.top() || w.indent > 0 {
		return false
	}
	b := bytes.TrimLeft(w.words, "# ")
	if !bytes.HasPrefix(b, []byte("Last commit: ")) &&
		!bytes.HasPrefix(b, []byte("Last changed: ")) {
		return false
	}
	set(&w.id.ChangedBy, field(author(b), 0))
	w.drop()
	return true
}

func (w *walk) readJunosStatement(b []byte) {
	switch b[0] {
	case 'h':
		v, ok := bytes.CutPrefix(b, []byte("host-name "))
		if !ok {
			return
		}
		if w.in("system") {
			w.ownJunosName(scalar(v))
		} else if w.depth == 3 && len(w.path) == 3 && string(w.path[0].header) == "groups" &&
			string(w.path[2].header) == "system" {
			w.groupJunosName(w.path[1].header, scalar(v))
		}
	case 'v':
		if v, ok := bytes.CutPrefix(b, []byte("version ")); ok && w.top() {
			set(&w.id.OSVersion, scalar(v))
		}
	case 'a':
		if v, ok := bytes.CutPrefix(b, []byte("apply-groups ")); ok && w.top() {
			w.applyJunosGroups(v)
		}
	case 's':
		if v, ok := bytes.CutPrefix(b, []byte("set ")); ok && w.top() {
			w.readJunosSet(v)
		}
	case 'd':
		if v, ok := bytes.CutPrefix(b, []byte("deactivate ")); ok && w.top() {
			w.deactivateJunos(v)
		}
	}
}

// readJunosSet reads a command of the other form.
func (w *walk) readJunosSet(b []byte) {
	if v, ok := bytes.CutPrefix(b, []byte("system host-name ")); ok {
		w.ownJunosName(scalar(v))
	} else if v, ok := bytes.CutPrefix(b, []byte("version ")); ok {
		set(&w.id.OSVersion, scalar(v))
	} else if v, ok := bytes.CutPrefix(b, []byte("groups ")); ok {
		group, v := token(v)
		if v, ok = bytes.CutPrefix(bytes.TrimLeft(v, " "), []byte("system host-name ")); ok {
			w.groupJunosName(group, scalar(v))
		}
	} else if v, ok := bytes.CutPrefix(b, []byte("apply-groups ")); ok {
		w.applyJunosGroups(v)
	}
}

func (w *walk) ownJunosName(name []byte) {
	w.id.Name, w.junos.named = "", junosOwn
	w.setName(name)
}

// groupJunosName takes the name from a group. Groups of routing engines and of cluster nodes apply
// by their names. Any other group must be applied by a statement, which comes later in the file.
func (w *walk) groupJunosName(group, name []byte) {
	if w.junos.named == junosOwn || len(name) == 0 || len(name) > maxValue ||
		len(group) > maxValue {
		return
	}
	if memberGroup(group) {
		w.takeJunosName(name)
		return
	}
	held := append(append(append([]byte(nil), group...), 0), name...)
	if w.junos.group != nil && !bytes.Equal(w.junos.group, held) {
		held = []byte{0} // more than one: none
	}
	w.junos.group = held
}

func (w *walk) takeJunosName(name []byte) {
	switch {
	case w.junos.named == 0:
		w.junos.named = junosGroup
		w.setName(name)
	case w.junos.named == junosGroup && w.id.Name != string(name):
		w.junos.named, w.id.Name = junosNobody, ""
	}
}

// memberGroup reports whether a group is that of a routing engine or of a member of a cluster.
func memberGroup(group []byte) bool {
	for _, prefix := range []string{"re", "node", "member"} {
		if n, ok := bytes.CutPrefix(group, []byte(prefix)); ok && len(n) <= 2 && digits(n) {
			return true
		}
	}
	return false
}

// applyJunosGroups reads "NAME;" or "[ NAME NAME ];".
func (w *walk) applyJunosGroups(b []byte) {
	group, name, ok := bytes.Cut(w.junos.group, []byte{0})
	if !ok || len(group) == 0 || w.junos.named == junosOwn {
		return
	}
	for len(b) > 0 {
		var word []byte
		word, b = token(b)
		if bytes.Equal(bytes.Trim(word, "[];\""), group) {
			w.takeJunosName(name)
			return
		}
		if len(word) == 0 {
			return
		}
	}
}

// deactivateJunos removes a name that is deactivated.
func (w *walk) deactivateJunos(b []byte) {
	switch {
	case w.junos.named == junosOwn && (string(b) == "system" || string(b) == "system host-name"),
		w.junos.named == junosGroup && (bytes.HasPrefix(b, []byte("groups ")) || bytes.HasPrefix(b,
			[]byte("apply-groups"))):
		w.junos.named, w.id.Name = junosNobody, ""
	case bytes.HasPrefix(b, []byte("groups ")):
		w.junos.group = []byte{0}
	}
}

var junosSecrets = map[string]bool{
	"trap-group": true, "community-name": true, "snmp-community": true, "encrypted-password": true,
	"plain-text-password-value": true, "secret": true, "authentication-key": true, "key": true,
	"ascii-text":  true,
	"hexadecimal": true, "password": true, "pre-shared-key": true, "simple-password": true,
	"community": true, "authentication-password": true,
	"privacy-password": true, "privacy-key": true, "key1": true, "key2": true, "key3": true,
	"key4": true, "authentication-key-chain-secret": true, "ssh-rsa": true,
	"ssh-ed25519": true, "ssh-ecdsa": true, "ssh-dsa": true,
}
