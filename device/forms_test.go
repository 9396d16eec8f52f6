package device_test

import (
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestOtherForms: forms in which some releases, and some tools that pass files on, write what
// others write differently.
func TestOtherForms(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		want   device.Identity
	}{
		"comments above ProCurve's title": {"! Slot A: a module\n! System Name : " +
			"decoy\n\nRunning configuration:\n\n; J0000A Configuration Editor; Created on " +
			"release #WC.16.11\n\nhostname \"sw1\"\n",
			device.Identity{Platform: "hp_procurve", Name: "sw1", Model: "J0000A",
				OSVersion: "WC.16.11", Kind: "full", Complete: true}},
		"comments above AOS-CX's title": {"! Version : decoy\n! Hostname : decoy\nCurrent " +
			"configuration:\n!\n!Version AOS-CX HL.10.15.1020\nhostname cx1\n",
			device.Identity{Platform: "aruba_aoscx", Name: "cx1", OSVersion: "HL.10.15.1020",
				Kind: "full", Complete: true}},
		"RouterOS without a time": {"# by RouterOS 6.49.6\n# model = CCR1\n/system identity set " +
			"name=mt1\n",
			device.Identity{Platform: "mikrotik_routeros", Name: "mt1", Model: "CCR1",
				OSVersion: "6.49.6", Kind: "full", Complete: true}},
		"PAN-OS with the whole path": {"set config devices localhost.localdomain deviceconfig " +
			"system hostname pa1\nset config devices other deviceconfig system hostname decoy\n",
			device.Identity{Platform: "paloalto_panos", Name: "pa1", Kind: "full", Complete: true}},
		"a few lines of IOS": {"hostname r1\n!\ninterface Serial0/0/0\n ip address 192.0.2.1 " +
			"255.255.255.252\n",
			device.Identity{Platform: "cisco_ios", Name: "r1", Kind: "full"}},
		"VRP's release is no prompt": {"[V200R009C00SPC500]\n#\nsysname ar1\n#\nvlan batch " +
			"2\n#\nreturn\n",
			device.Identity{Platform: "huawei_vrp", Name: "ar1", OSVersion: "V200R009C00SPC500",
				Kind: "full", Complete: true}},
		"a few lines of FastIron": {"interface ethernet 1/1/1\n ip address 192.0.2.1 " +
			"255.255.255.0\n!\nip access-list extended A\n permit ip any any\n!\nhostname " +
			"fi1\nip route 0.0.0.0 0.0.0.0 192.0.2.2\n",
			device.Identity{Platform: "ruckus_fastiron", Name: "fi1", Kind: "full"}},
		"FRR looks like IOS": {"frr version 8.1\nhostname f1\n!\nip route 192.0.2.0/24 " +
			"198.51.100.1\nrouter ospf\n ospf router-id 192.0.2.1\n!\nline vty\n!\n",
			device.Identity{Platform: "cisco_like", Name: "f1", Kind: "full", Complete: true}},
		"a VDOM named twice": {"#config-version=FG1-7.4.11-FW-build2878-260126\n" +
			"#global_vdom=0:vd_name=BRANCH/BRANCH\nconfig system settings\nend\n",
			device.Identity{Platform: "fortinet", Model: "FG1", OSVersion: "7.4.11", Build: "2878",
				Kind: "vdom:BRANCH", Complete: true}},
		"a VDOM of two names": {"#config-version=FG1-7.4.11-FW-build2878-260126\n" +
			"#global_vdom=0:vd_name=a/b\nconfig system settings\nend\n",
			device.Identity{Platform: "fortinet", Model: "FG1", OSVersion: "7.4.11", Build: "2878",
				Kind: "vdom:a/b", Complete: true}},
		"FTD": {": Saved\n\n: \n: Serial Number: S1\n: Hardware:   FPR-1, 4 MB RAM\n:\nNGFW " +
			"Version 7.4.2 \n!\nhostname ftd1\nnames\n: end\n",
			device.Identity{Platform: "cisco_asa", Name: "ftd1", Model: "FPR-1", OSVersion: "7.4.2",
				Serial: "S1", Kind: "full", Complete: true}},
		"NetScaler in small letters": {"#NS13.1 Build 53.17\nset ns hostname adc1\n",
			device.Identity{Platform: "netscaler", Name: "adc1", OSVersion: "NS13.1 Build 53.17",
				Kind: "full", Complete: true}},
		"SonicOS without a block": {"firmware-version \"SonicOS 7.1.2-7019\"\nfirewall-name " +
			"\"sw1\"\n",
			device.Identity{Platform: "sonicwall", Name: "sw1", OSVersion: "7.1.2-7019",
				Kind: "full", Complete: true}},
		"airFiber": {"### PART ###\n##\n##AF.v4.1.0\n#board.name=airFiber 24G\n### PART " +
			"###\nnetmode=airfiber\nradio.status=enabled\nresolv.host.1.name=af1\n",
			device.Identity{Platform: "ubiquiti_airos", Name: "af1", Model: "airFiber 24G",
				OSVersion: "4.1.0", Kind: "full", Complete: true}},
		"Netgear's other first line": {"0x4e47 4e47 0100 GS108Tv2            5.4.2.36   " +
			"0x00000000 0x00000000000000\n\n!System Description \"GS108Tv2\"\nvlan database\n" +
			"exit\n",
			device.Identity{Platform: "netgear_prosafe", Model: "GS108Tv2", OSVersion: "5.4.2.36",
				Kind: "full", Complete: true}},
		"UniFi": {"!System Description \"USW-Pro-Aggregation, 7.1.26\"\nsnmp-server sysname " +
			"\"us1\"\nnetwork parms 192.0.2.2 255.255.255.0 192.0.2.1\n",
			device.Identity{Platform: "ubiquiti_edgeswitch", Name: "us1",
				Model: "USW-Pro-Aggregation", Kind: "full", Complete: true}},
		"VRP from where it is configured": {"[hw1]display current-configuration\n!Software " +
			"Version V200R022C00SPC500\n#\nsysname hw1\n#\nreturn\n[hw1]\n",
			device.Identity{Platform: "huawei_vrp", Name: "hw1", OSVersion: "V200R022C00SPC500",
				Kind: "full", Complete: true}},
		"a message after SR OS's end": {"# TiMOS-B-21.2.R1 both/x86_64 Nokia 7750 SR Copyright " +
			"(c) 2021 Nokia.\nexit all\nconfigure\n    system\n        name \"sr1\"\n    " +
			"exit\nexit all\n\n# Finished THU\nINFO: CLI #2052: Switching to the MD-CLI engine\n",
			device.Identity{Platform: "nokia_sros", Name: "sr1", Model: "7750 SR",
				OSVersion: "21.2.R1", Kind: "full", Complete: true}},
	} {
		if got := device.Identify([]byte(c.config)); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}
