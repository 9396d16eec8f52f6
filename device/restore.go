package device

import (
	"cmp"
	"strings"
)

// A restore is what to type on a device so that it fetches NAME from SERVER by TFTP, and what makes
// that its configuration where a second step is needed.
type restore struct{ fetch, then string }

// restores are by platform, and come from the vendors' command references.
var restores = map[string]restore{
	"fortinet":     {"execute restore config tftp NAME SERVER", ""},
	"fortimanager": {"execute restore all-settings tftp SERVER NAME", ""},
	"cisco_ios":    {"configure replace tftp://SERVER/NAME", ""},
	"cisco_nxos":   {"copy tftp://SERVER/NAME startup-config vrf management", "reload"},
	"cisco_asa":    {"copy tftp://SERVER/NAME startup-config", "reload"},
	"cisco_fwsm":   {"copy tftp://SERVER/NAME startup-config", "reload"},
	"cisco_pix":    {"configure net SERVER:NAME", ""},
	"cisco_xr": {"copy tftp://SERVER/NAME disk0:NAME",
		"configure, load disk0:NAME, commit replace"},
	"cisco_catos": {"copy tftp config", "give it SERVER and NAME as it asks"},
	"cisco_s300":  {"copy tftp://SERVER/NAME startup-config", "reload"},
	"cisco_wlc": {"transfer download start",
		"set before it: transfer download datatype config, mode tftp, serverip SERVER, filename " +
			"NAME"},
	"arista_eos":  {"copy tftp:SERVER/NAME startup-config", "reload"},
	"aruba_aoscx": {"copy tftp://SERVER/NAME startup-config", "boot system"},
	"aruba_os": {"copy tftp: SERVER NAME flash: NAME",
		"copy flash: NAME startup-config, reload"},
	"aruba_instant": {"copy config tftp SERVER NAME", "reload"},
	"hp_procurve":   {"copy tftp startup-config SERVER NAME", ""},
	"hp_comware":    {"tftp SERVER get NAME", "startup saved-configuration NAME, reboot"},
	"huawei_vrp":    {"tftp SERVER get NAME", "startup saved-configuration NAME, reboot"},
	"juniper_junos": {"start shell",
		"tftp SERVER, get NAME, exit; configure, load override NAME, commit"},
	"juniper_screenos": {"save config from tftp SERVER NAME to flash", "reset"},
	"mikrotik_routeros": {"/tool fetch mode=tftp address=SERVER src-path=NAME dst-path=NAME",
		"/import NAME"},
	"paloalto_panos": {"tftp import configuration from SERVER file NAME",
		"configure, load config from NAME, commit"},
	"vyos":                {"load tftp://SERVER/NAME", "commit; both in configure"},
	"ubiquiti_edgerouter": {"load tftp://SERVER/NAME", "commit; both in configure"},
	"ubiquiti_edgeswitch": {"copy tftp://SERVER/NAME nvram:startup-config", "reload"},
	"enterasys_eos": {"copy tftp://SERVER/NAME configs/NAME",
		"configure configs/NAME"},
	"extreme_exos":    {"tftp get SERVER NAME", "use configuration NAME, reboot"},
	"extreme_netiron": {"copy tftp startup-config SERVER NAME", "reload"},
	"ruckus_fastiron": {"copy tftp startup-config SERVER NAME", "reload"},
	"nokia_sros":      {"file copy tftp://SERVER/NAME cf3:\\config.cfg", "admin reboot"},
	"dell_os6":        {"copy tftp://SERVER/NAME startup-config", "reload"},
	"dell_os9":        {"copy tftp://SERVER/NAME startup-config", "reload"},
	"dell_efos":       {"copy tftp://SERVER/NAME nvram:startup-config", "reload"},
	"broadcom_icos":   {"copy tftp://SERVER/NAME nvram:startup-config", "reload"},
	"netgear_prosafe": {"copy tftp://SERVER/NAME nvram:startup-config", "reload"},
}

// RestoreLines returns what to type on a device that fetches a publication, and what then, "" for
// nothing. An unknown server stays SERVER.
func RestoreLines(platform, name, server string) (fetch, then string) {
	r, ok := restores[platform]
	if !ok {
		r.fetch = "tftp SERVER: get NAME"
	}
	fill := strings.NewReplacer("SERVER", cmp.Or(server, "SERVER"), "NAME", name)
	return fill.Replace(r.fetch), fill.Replace(r.then)
}
