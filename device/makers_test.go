package device_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// TestMakers: in the files of the smaller makers, secrets are hidden, and a line is in its block.
func TestMakers(t *testing.T) {
	for file, c := range map[string]struct {
		line string
		path []string
	}{
		"cdata_olt": {"ont add 1 1 sn-auth CDTC0A0B0C0D", []string{"interface gpon 0/0"}},
		"maipu":     {"login local", []string{"line vty 0 15"}},
		"brocade_nos": {"fabric isl enable",
			[]string{"interface TenGigabitEthernet 7/0/1"}},
		"extreme_slx":      {"description rack", []string{"interface Ethernet 0/1"}},
		"tplink_jetstream": {"description \"rack\"", []string{"interface gigabitEthernet 1/0/1"}},
		"ipinfusion_ocnos": {"description rack", []string{"interface xe1"}},
		"mellanox_mlnxos":  {"ip name-server 192.0.2.53", []string{"Other IP configuration"}},
		"brocade_fos": {"fabric.domain:7",
			[]string{"Switch Configuration Begin : 0", "Configuration"}},
		"apc_aos":         {"Contact=Keeper", []string{"SystemID"}},
		"zte_zxros.titan": {"description uplink", []string{"interface xgei-1/4/1"}},
		"hirschmann": {"vlan participation include 10",
			[]string{"configure", "interface 1/1"}},
	} {
		config, err := os.ReadFile("testdata/" + file + ".conf")
		if err != nil {
			t.Fatal(err)
		}
		found, hidden := false, 0
		for l := range device.Lines(config) {
			if strings.HasPrefix(strings.TrimSpace(string(l.Text)), c.line) {
				found = true
				if path := l.Path(); !slices.Equal(path, c.path) {
					t.Errorf("%s: %s is in %q, want %q", file, c.line, path, c.path)
				}
			}
			shown := string(l.Redacted())
			hidden += strings.Count(shown, "<secret>")
			for _, secret := range []string{"Plover", "0a1b2c", "$1$", "$6$"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%s shows %s", file, shown)
				}
			}
		}
		if !found {
			t.Errorf("%s has no line %s", file, c.line)
		}
		if file != "hirschmann" && hidden == 0 {
			t.Errorf("%s: nothing is hidden", file)
		}
	}
}

// TestFabricOSTorn: an upload of Fabric OS that is cut off in a configuration is not complete.
func TestFabricOSTorn(t *testing.T) {
	config, err := os.ReadFile("testdata/brocade_fos.conf")
	if err != nil {
		t.Fatal(err)
	}
	whole, _, _ := strings.Cut(string(config), "[Switch Configuration End")
	if device.Identify([]byte(whole)).Complete || device.Ending([]byte(whole)) != "" {
		t.Error("an upload without its end passes for whole")
	}
}

// TestChassisName: the name of a chassis is its model until it is given another.
func TestChassisName(t *testing.T) {
	for file, names := range map[string]map[string]string{
		"brocade_nos": {"VDX6740": "VDX6740", "VDX6740T-1G": "VDX6740T-1G",
			"VDX8770-4": "VDX8770-4", "\"VDX 6730-32\"": "VDX 6730-32", "VDX-YARD": "",
			"VDX": "", "VDX6740-YARD": "",
			"VDX67": "", "rack7": ""},
		"extreme_slx": {"BR-SLX9540": "BR-SLX9540", "BR-SLX-9850-4": "BR-SLX-9850-4",
			"EXTR-SLX9150-48Y": "EXTR-SLX9150-48Y", "SLX9740-40C": "SLX9740-40C", "SLX-HALL": "",
			"BR-SLX-9": ""},
	} {
		config, err := os.ReadFile("testdata/" + file + ".conf")
		if err != nil {
			t.Fatal(err)
		}
		before, rest, _ := strings.Cut(string(config), " chassis-name ")
		_, after, ok := strings.Cut(rest, "\n")
		if !ok {
			t.Fatalf("%s has no name of a chassis", file)
		}
		for name, want := range names {
			id := device.Identify([]byte(before + " chassis-name " + name + "\n" + after))
			if id.Platform != file || id.Model != want {
				t.Errorf("%s: %s is of %s, model %q, want %q", file, name, id.Platform, id.Model,
					want)
			}
		}
	}
}
