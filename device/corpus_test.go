package device_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/device"
)

// A corpus is a folder of configurations with expected.tsv, a row a file with what Identify must
// say about it, and pairs.tsv, a row a pair of files that are the same configuration or not.
// testdata is one; make corpus CORPUS=DIR checks another. A column that is absent, or a blank cell
// of any column but hostname, says nothing.

// aliases are what others call the platforms.
var aliases = map[string]string{
	"fortigate": "fortinet", "junos": "juniper_junos", "cisco_iosxr": "cisco_xr",
	"cisco_aireos": "cisco_wlc", "mikrotik": "mikrotik_routeros",
	"cisco_aironet_vxworks": "cisco_vxworks", "paloalto": "paloalto_panos", "f5_bigip": "f5_tmsh",
	"citrix_netscaler": "netscaler",
	"netgear":          "netgear_prosafe", "efos": "dell_efos", "huawei": "huawei_vrp",
	"arista": "arista_eos", "nokia": "nokia_sros",
	"checkpoint": "checkpoint_gaia", "edgeos": "ubiquiti_edgerouter",
}

func table(t *testing.T, file string) (rows []map[string]string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var head []string
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if head == nil {
			head = cells
			continue
		}
		row := map[string]string{}
		for i, c := range cells[:min(len(cells), len(head))] {
			row[head[i]] = c
		}
		rows = append(rows, row)
	}
	return rows
}

func TestCorpus(t *testing.T) {
	dir := cmp.Or(os.Getenv("CORPUS"), "testdata")
	config := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var names struct{ right, blank, wrong, lost int }
	wrong := map[string]int{}
	files := table(t, filepath.Join(dir, "expected.tsv"))
	for _, row := range files {
		id, sum := device.Examine(config(row["path"]))
		if id != device.Identify(config(row["path"])) ||
			sum != device.Fingerprint(config(row["path"])) {
			t.Errorf("%s: Examine differs from Identify and Fingerprint", row["path"])
		}
		switch want := row["hostname"]; {
		case id.Name == want && want == "":
			names.blank++
		case id.Name == want:
			names.right++
		case id.Name == "":
			names.lost++
			t.Errorf("%s: no host name, want %q", row["path"], want)
		default:
			names.wrong++
			t.Errorf("%s: host name %q, want %q", row["path"], id.Name, want)
		}
		platform := cmp.Or(aliases[row["platform"]], row["platform"])
		complete := "no"
		if id.Complete {
			complete = "yes"
		}
		for column, v := range map[string][2]string{"platform": {id.Platform, platform},
			"model": {id.Model, row["model"]}, "os_version": {id.OSVersion, row["os_version"]},
			"serial": {id.Serial, row["serial"]}, "kind": {id.Kind, row["kind"]},
			"complete":    {complete, row["complete"]},
			"changed_by":  {id.ChangedBy, row["changed_by"]},
			"exported_by": {id.ExportedBy, row["exported_by"]}} {
			if v[1] != "" && v[0] != v[1] {
				wrong[column]++
				t.Errorf("%s: %s is %q, want %q", row["path"], column, v[0], v[1])
			}
		}
	}
	t.Logf("%d files: host names: %d right, %d rightly blank, %d wrong, %d lost; other values "+
		"wrong: %v", len(files), names.right, names.blank, names.wrong, names.lost, wrong)
	same, changed, noise, missed := 0, 0, 0, 0
	for _, row := range table(t, filepath.Join(dir, "pairs.tsv")) {
		equal := device.Fingerprint(config(row["base"])) ==
			device.Fingerprint(config(row["variant"]))
		switch {
		case row["expected"] == "same" && equal:
			same++
		case row["expected"] == "changed" && !equal:
			changed++
		case row["expected"] == "same":
			noise++
			t.Errorf("%s and %s: noise passes for a change (%s)", row["base"], row["variant"],
				row["note"])
		case row["expected"] == "changed":
			missed++
			t.Errorf("%s and %s: a change is missed (%s)", row["base"], row["variant"], row["note"])
		default:
			t.Errorf("expected is %q", row["expected"])
		}
	}
	t.Logf("%d pairs: %d rightly the same, %d rightly changed, %d noise taken for a change, %d "+
		"changes missed", same+changed+noise+missed, same, changed, noise, missed)
}

// TestEveryPlatform: testdata has a file of every platform that is recognised.
func TestEveryPlatform(t *testing.T) {
	have := map[string]bool{}
	for _, row := range table(t, "testdata/expected.tsv") {
		have[row["platform"]] = true
	}
	for _, p := range device.Platforms() {
		if !have[p] {
			t.Errorf("testdata has no file of %s", p)
		}
	}
	if len(have) > len(device.Platforms()) {
		t.Errorf("testdata has files of %d platforms, %d are known: %s", len(have),
			len(device.Platforms()), strings.Join(device.Platforms(), " "))
	}
}
