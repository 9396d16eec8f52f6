package device

// Gaia shows its configuration as commands "set ..." and "add ...", below a header of comments that
// names the machine and the user.
//
// Sources: Check Point's administration guides, and files of several releases.

var gaia = platform{
	name: "checkpoint_gaia",
	signs: []sign{
		{"# Configuration of ", 5, nil}, {"# Language version: ", 6, nil},
		{"# Exported by ", 6, holding(" on ")}, {"set installer policy ", 4, nil},
		{"set management interface ", 4, nil}, {"add allowed-client ", 4, nil},
		{"set user admin shell ", 4, nil}, {"set max-path-splits ", 4, nil},
		{"set expert-password-hash ", 6, nil}, {"set web table-refresh-rate ", 4, nil},
		{"set inactivity-timeout ", 3, nil}, {"set tracefile ", 3, nil},
		{"set format date ", 4, nil}, {"set domainname ", 2, nil}, {"set message banner ", 4, nil},
		{"set static-route default nexthop ", 4, nil},
		{"set core-dump ", 3, nil}, {"set hostname ", 1, nil}, {"set interface eth", 2, nil},
		{"add rba ", 4, nil}, {"set password-controls ", 4, nil},
		{"set edition ", 2, nil}, {"set dns mode ", 2, nil}, {"set clienv ", 3, nil},
		{"set ntp active ", 3, nil},
	},
	read: readGaia, lined: true,
}

func readGaia(w *walk) {
	if w.words[0] == '#' {
		if v, ok := w.after("# Exported by "); ok && w.commentsOnly() {
			set(&w.id.ExportedBy, field(v, 0))
			w.drop()
		}
		return
	}
	if v, ok := w.after("set hostname "); ok {
		w.setName(scalar(v))
	}
	w.secretTokens(gaiaSecrets)
}

// commentsOnly reports whether nothing but comments came before the line.
func (w *walk) commentsOnly() bool { return w.last == nil || w.last[0] == '#' }

var gaiaSecrets = map[string]bool{
	"expert-password-hash": true, "password-hash": true, "secret": true, "community": true,
	"auth-pass-phrase-hashed": true, "password": true,
	"privacy-pass-phrase-hashed": true, "auth-pass-phrase": true, "privacy-pass-phrase": true,
	"newpass": true, "md5": true, "authkey": true, "key": true, "simple": true,
}
