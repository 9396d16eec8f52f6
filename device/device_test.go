package device_test

import (
	"bytes"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/device"
)

func TestIdentify(t *testing.T) {
	full := read(t, "fortios-full.conf")
	fullID := device.Identity{Platform: "fortinet", Name: `branch "7" \\ fw`, Model: "FGT60F",
		OSVersion: "7.4.7", Build: "2731", Kind: "full", Complete: true, ExportedBy: "admin"}
	multi := device.Identity{Platform: "fortinet", Name: "dc-fw-1", Model: "FG5H1E",
		OSVersion: "7.4.8", Build: "2795", Kind: "full", Complete: true, ExportedBy: "backup"}
	vdom := device.Identity{Platform: "fortinet", Model: "FG5H1E", OSVersion: "7.4.8",
		Build: "2795", Kind: "vdom:customer", Complete: true, ExportedBy: "backup"}
	torn := fullID
	torn.Complete = false
	other := device.Identity{Kind: "other", Complete: true}
	header := "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0\n"
	forti := func(name string, complete bool) device.Identity {
		return device.Identity{Platform: "fortinet", Name: name, Model: "FGT60F",
			OSVersion: "7.4.7", Build: "2731", Kind: "full", Complete: complete}
	}
	for name, c := range map[string]struct {
		config string
		want   device.Identity
	}{
		"full":              {full, fullID},
		"CRLF":              {strings.ReplaceAll(full, "\n", "\r\n"), fullID},
		"BOM":               {"\xef\xbb\xbf" + full, fullID},
		"blank lines":       {"\n\n" + full + "\n\n", fullID},
		"prompt line":       {"FW1 $ show\n" + full, fullID},
		"multi-VDOM":        {read(t, "fortios-multivdom.conf"), multi},
		"one VDOM":          {read(t, "fortios-vdom.conf"), vdom},
		"cut in a block":    {full[:len(full)-5], torn},
		"cut after a block": {strings.TrimSuffix(full, "    next\nend\n"), torn},
		"cut in a string":   {full[:strings.Index(full, "    set header")-3], torn},
		"unquoted name": {header + "config system global\nset hostname FW-1\nend\n",
			forti("FW-1", true)},
		"escaped blank": {header + "config system global\nset hostname FW\\ 1\nend\n",
			forti("FW 1", true)},
		"no name": {header + "config system global\nset admintimeout 5\nend\n",
			forti("", true)},
		"like hostname": {header +
			"config system global\nset hostname-ttl 5\nset hostnames x\nend\n", forti("", true)},
		"only decoys": {header +
			"config webfilter search-engine\nedit \"g\"\nset hostname \"x\"\nnext\nend\n",
			forti("", true)},
		"decoy in a subblock": {header +
			"config system global\nconfig x\nset hostname \"x\"\nend\nend\n", forti("", true)},
		"decoy in a VDOM": {header +
			"config vdom\nedit a\nconfig system global\nset hostname \"x\"\nend\nend\n",
			forti("", true)},
		"stray quote": {header +
			"config firewall policy\nedit 1\nset service \"\"HTTPS\" \"HTTP\"\nnext\nend\nconfig " +
			"system global\nset hostname \"late\"\nend\n", forti("late", true)},
		"end without block": {header + "config system global\nset hostname \"a\"\nend\nend\n",
			forti("a", false)},
		"control bytes": {header +
			"config system global\nset hostname \"a\x1b[31m\xe9\u202e\"\nend\n",
			forti(`a\x1b[31m\xe9\xe2\x80\xae`, true)},
		"name too long": {header + "config system global\nset hostname \"" +
			strings.Repeat("x", 256) + "\"\nend\n", forti("", true)},
		"no header": {"config system global\n    set hostname \"fw9\"\nend\n",
			device.Identity{Platform: "fortinet", Name: "fw9", Kind: "full", Complete: true}},
		"header of FortiManager": {"#config-version=FMG-VM64-7.4-FW-build2588-241212\nconfig " +
			"system global\nset hostname \"fmg\"\nend\n",
			device.Identity{Platform: "fortimanager", Name: "fmg", Model: "FMG-VM64",
				OSVersion: "7.4", Build: "2588", Kind: "full", Complete: true}},
		"header of a CLI capture": {"#config-version=FortiGate-VM64 v6.2.3,build1066,191218 " +
			"(GA):opmode=1:vdom=0:user=demo\nconfig system global\nend\n",
			device.Identity{Platform: "fortinet", Model: "FortiGate-VM64", OSVersion: "6.2.3",
				Build: "1066", Kind: "full", Complete: true, ExportedBy: "demo"}},
		"old header": {"#config-version=FG200B-5.02-FW-build0670-150318:opmode=0:vdom=0\nconfig " +
			"system global\nend\n",
			device.Identity{Platform: "fortinet", Model: "FG200B", OSVersion: "5.02", Build: "0670",
				Kind: "full", Complete: true}},
		"encrypted": {"#FGBK|4|FGT60F|7|04|2731|\n\x00\x01\x02",
			device.Identity{Platform: "fortinet", Model: "FGT60F", OSVersion: "7.04", Build: "2731",
				Kind: "encrypted", Complete: true}},
		"header only":  {header, forti("", false)},
		"empty":        {"", device.Identity{Kind: "other"}},
		"text":         {"hostname sw1\n", other},
		"binary":       {"\x1f\x8b\x08\x00\x00\x00", other},
		"other header": {"#version=1\nconfig x\nset hostname y\nend\n", other},
		"mentions":     {"! copied from #config-version=FGT60F-7.4.7\nhostname sw1\n", other},
	} {
		if got := device.Identify([]byte(c.config)); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFromFilename(t *testing.T) {
	for _, c := range [][3]string{
		{"fw1.conf", "", "fw1"},
		{"/fw1.conf", "", "fw1"},
		{"acme/fw1.conf", "acme", "fw1"},
		{`acme\branch\fw1.cfg`, "acme/branch", "fw1"},
		{"./../../etc/passwd", "etc", "passwd"},
		{"sw1-confg", "", "sw1"},
		{"sw1.example.net-confg", "", "sw1.example.net"},
		{"fw1.example.net.conf.gz", "", "fw1.example.net"},
		{"sw-1", "", "sw-1"},
		{"sw-2.cfg", "", "sw-2"},
		{"rack12", "", "rack12"},
		{"fw1_20261123.conf", "", "fw1"},
		{"fw1-2026-11-23_05-15.conf", "", "fw1"},
		{"fw1 2026-11-23 05:15:00.conf", "", "fw1"},
		{"FW-20261123-051500-3.cfg", "", "FW"},
		{"R1-Nov-23-05-15-00.123-UTC-5", "", "R1"},
		{"config.boot-vyos1.20261123_051500", "", "config.boot-vyos1"},
		{"20261124030000.sw1.cfg", "", "sw1"},
		{"2026-11-24-sw1.cfg", "", "sw1"},
		{"sw1-1763950800", "", "sw1"},
		{"sw1-1763950800123.cfg", "", "sw1"},
		{"sw1_24112026", "", "sw1"},
		{"sw1_11242026.cfg", "", "sw1"},
		{"sw1-24-11-2026", "", "sw1"},
		{"sw1-11-24-2026.cfg", "", "sw1"},
		{"sw1_261124_0300", "", "sw1"},
		{"sw1 24.11.2026 03.00", "", "sw1"},
		{"sw1-2026-W48.cfg", "", "sw1"},
		{"sw1-2026W482.cfg", "", "sw1"},
		{"sw1_2026-11-24T03:00:00+01:00.cfg", "", "sw1"},
		{"sw1_2026-11-24T03:00:00.123Z.cfg", "", "sw1"},
		{"sw1-20261124T030000+0100", "", "sw1"},
		{"sw1-24-Nov-2026.cfg", "", "sw1"},
		{"sw1.cfg.1", "", "sw1"},
		{"sw1.cfg.12.gz", "", "sw1"},
		{"sw1-20261124-core.cfg", "", "sw1-core"},
		{"sw1_Nov24_2026.cfg", "", "sw1"},
		{"sw1_2026_Nov_24.cfg", "", "sw1"},
		{"sw1-2026Nov24.cfg", "", "sw1"},
		{"sw1_November_24_2026.cfg", "", "sw1"},
		{"sw1-24november2026.cfg", "", "sw1"},
		{"sw1 Nov 24 2026 3.00 AM.cfg", "", "sw1"},
		{"sw1_11-24-2026_03-00-00_PM.cfg", "", "sw1"},
		{"sw1_2026-11-24_03h00m00s.cfg", "", "sw1"},
		{"sw1-1763950800123456.cfg", "", "sw1"},
		{"sw1-W48-2026.cfg", "", "sw1"},
		{"sw1_KW48-2026.cfg", "", "sw1"},
		{"sw1#20261124.cfg", "", "sw1"},
		{"sw1+20261124.cfg", "", "sw1"},
		{"sw1,20261124.cfg", "", "sw1"},
		{"sw1[20261124].cfg", "", "sw1"},
		{"sw1{20261124}.cfg", "", "sw1"},
		{"sw1=20261124.cfg", "", "sw1"},
		{"sw1_20261124_0300.tar.gz", "", "sw1"},
		{"sw1 - Copy.cfg", "", "sw1"},
		{"sw1 - Copy (2).cfg", "", "sw1"},
		{"Copy of sw1.cfg", "", "sw1"},
		{"sw1-running.cfg", "", "sw1"},
		{"sw1.startup", "", "sw1"},
		{"running-config-sw1", "", "sw1"},
		{"startup_config_sw1.cfg", "", "sw1"},
		{"SEP001122334455.cnf.xml", "", "SEP001122334455"},
		{"march-router-10.cfg", "", "march-router-10"},
		{"rack-12-11-26.cfg", "", "rack-12-11-26"},
		{"sw-101112-20261124.cfg", "", "sw-101112"},
		{"sw-running-2.cfg", "", "sw-running-2"},
		{"augusta-12.cfg", "", "augusta-12"},
		{"(2026-11-24) sw1.cfg", "", "sw1"},
		{"config.gz.7d1f8a52-0c6e-4f2b-9a35-1f0b9f3f6f11-monitor", "", ""},
		{"sw1.cfg.7d1f8a52-0c6e-4f2b-9a35-1f0b9f3f6f11", "", "sw1"},
		{"acme/sw-2960-48", "acme", "sw-2960-48"},
		{"fw1-192.0.2.1", "", "fw1-192.0.2.1"},
		{"fw1-10.11.20.26.cfg", "", "fw1-10.11.20.26"},
		{"7204vxr", "", "7204vxr"},
		{"c3850-24-1", "", "c3850-24-1"},
		{"b12-may-10-sw1", "", "b12-may-10-sw1"},
		{"rack-2026", "", "rack-2026"},
		{"sw1-123456", "", "sw1-123456"},
		{"as65001-r1", "", "as65001-r1"},
		{"sw.1", "", "sw.1"},
		{"sw1(1).cfg", "", "sw1"},
		{"sw1 (2).cfg", "", "sw1"},
		{"sw1.cfg (2)", "", "sw1"},
		{"sw1 - Kopie (2).cfg", "", "sw1"},
		{"Kopie von sw1.cfg", "", "sw1"},
		{"sw1-20261124(1).cfg", "", "sw1"},
		{"sw1-26-Nov-26.cfg", "", "sw1"},
		{"sw1_26.11.26", "", "sw1"},
		{"sw1_26.11.26.cfg", "", "sw1"},
		{"sw1-26-11-26", "", "sw1"},
		{"sw-2960-26-11-26.cfg", "", "sw-2960"},
		{"sw1-26-11-26_0300.cfg", "", "sw1"},
		{"sw1-261126", "", "sw1"},
		{"sw1_141126.cfg", "", "sw1"},
		{"sw1-26-Dez-2026", "", "sw1"},
		{"sw1_26.Okt.2026.cfg", "", "sw1"},
		{"sw1-26-Mai-26.cfg", "", "sw1"},
		{"sw1-26-März-2026.cfg", "", "sw1"},
		{"sw1-2026KW48", "", "sw1"},
		{"sw1-2026-KW48.cfg", "", "sw1"},
		{"sw1_2026_week_48.cfg", "", "sw1"},
		{"sw1-d2026-11-26-t03-00-00", "", "sw1"},
		{"sw1-Nov-26-03-00-00", "", "sw1"},
		{"sw1-Nov-26-03:00.cfg", "", "sw1"},
		// what may as well be a part of a name
		{"sw-mar-01", "", "sw-mar-01"},
		{"sw-mar-02.cfg", "", "sw-mar-02"},
		{"rtr-jan-1", "", "rtr-jan-1"},
		{"rtr-jan-1-12", "", "rtr-jan-1-12"},
		{"rtr-jan-1-1024", "", "rtr-jan-1-1024"},
		{"mar-01-core.cfg", "", "mar-01-core"},
		{"dec-02-edge.cfg", "", "dec-02-edge"},
		{"dec-02", "", "dec-02"},
		{"sw-12-may-10", "", "sw-12-may-10"},
		{"sw-301326", "", "sw-301326"},
		{"sw-321326", "", "sw-321326"},
		{"sw-261126-7", "", "sw-261126-7"},
		{"sw261126", "", "sw261126"},
		{"fw1-10.11.12.26", "", "fw1-10.11.12.26"},
		{"rack-7-26-11-26", "", "rack-7-26-11-26"},
		{"sw-1200-20261126", "", "sw-1200"},
		{"sw1-1812.cfg", "", "sw1-1812"},
		// dates as folders
		{"acme/20261126/d.conf", "acme", "d"},
		{"20261126/d.conf", "20261126", "d"},
		{"2026-11-26/d.conf", "", "d"},
		{"2026-11-26_0300/acme/d.conf", "acme", "d"},
		{"acme/26-Nov-2026/d.conf", "acme", "d"},
		{"acme/26.11.2026/d.conf", "acme", "d"},
		{"acme/2026-W48/d.conf", "acme", "d"},
		{"acme/2026/11/26/d.conf", "acme", "d"},
		{"acme/2026/11/d.conf", "acme", "d"},
		{"acme/2026-11/d.conf", "acme", "d"},
		{"2026-11-26/", "", ""},
		{"acme/2026/d.conf", "acme/2026", "d"},
		{"acme/261126/d.conf", "acme/261126", "d"},
		{"1763950800/d.conf", "1763950800", "d"},
		{"7d1f8a52-0c6e-4f2b-9a35-1f0b9f3f6f11/d.conf", "7d1f8a52-0c6e-4f2b-9a35-1f0b9f3f6f11",
			"d"},
		{"acme/store-20261126/d.conf", "acme/store-20261126", "d"},
		{"acme/", "acme", ""},
		{`acme\branch\`, "acme/branch", ""},
		{"backup.conf", "", ""},
		{"acme/running-config", "acme", ""},
		{"backup_2026-11-23.conf", "", ""},
		{"2026-11-23.cfg", "", ""},
		{"12345", "", ""},
		{"", "", ""},
		{"///", "", ""},
		{"caf\xe9.conf", "", `caf\xe9`},
		{"a\x1bb\u202ec.conf", "", `a\x1bb\xe2\x80\xaec`},
		{strings.Repeat("n", 300) + ".conf", "", ""},
	} {
		if site, stem := device.FromFilename(c[0]); site != c[1] || stem != c[2] {
			t.Errorf("%q is site %q, stem %q; want %q, %q", c[0], site, stem, c[1], c[2])
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain ☃ größe": "plain ☃ größe", `a\b`: `a\\b`, "a\x00\n\x7f": `a\x00\x0a\x7f`,
		"\xff": `\xff`, "\u202e": `\xe2\x80\xae`, "\ufffd": "\ufffd", "": "",
	} {
		if got := device.Text(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestSource(t *testing.T) {
	if got := device.Source(netip.MustParseAddr("::ffff:192.0.2.1")); got != "192.0.2.1" {
		t.Error(got)
	}
}

func FuzzIdentify(f *testing.F) {
	for _, name := range []string{"fortios-full.conf", "fortios-multivdom.conf",
		"fortios-vdom.conf"} {
		f.Add([]byte(read(f, name)))
	}
	f.Add([]byte("#FGBK|||||||"))
	f.Fuzz(func(t *testing.T, config []byte) {
		id := device.Identify(config)
		for _, v := range []string{id.Platform, id.Name, id.Model, id.OSVersion, id.Build,
			id.Serial, id.Kind} {
			if !utf8.ValidString(v) || len(v) > 260 ||
				device.Text(strings.ReplaceAll(v, `\`, "")) != strings.ReplaceAll(v, `\`, "") {
				t.Errorf("%q is no value to show", v)
			}
		}
		if id.Kind == "" {
			t.Error("no kind")
		}
	})
}

func FuzzFromFilename(f *testing.F) {
	f.Add("acme/fw1-20261123.conf")
	f.Fuzz(func(t *testing.T, name string) {
		site, stem := device.FromFilename(name)
		if !utf8.ValidString(site+stem) || len(site) > 255 || len(stem) > 255 ||
			strings.Contains(stem, "/") {
			t.Errorf("%q is site %q, stem %q", name, site, stem)
		}
	})
}

// TestOutline: a caller that doesn't search secrets gets the same lines, the same noise and the
// same blocks, with the secrets of these, and nothing passes for redacted.
func TestOutline(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		config, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		next, stop := iter.Pull(device.Outline(config))
		for want := range device.Lines(config) {
			got, ok := next()
			if !ok || got.Number != want.Number || got.Noise != want.Noise ||
				!bytes.Equal(got.Text, want.Text) ||
				!bytes.Equal(got.Significant(), want.Significant()) ||
				!slices.Equal(got.Path(), want.Path()) &&
					!strings.Contains(strings.Join(want.Path(), ""), "<secret>") ||
				string(got.Redacted()) != "<secret>" {
				t.Fatalf("%s:%d: %q %q %q", file, want.Number, got.Text, got.Significant(),
					got.Redacted())
			}
		}
		if _, more := next(); more {
			t.Errorf("%s: more lines", file)
		}
		stop()
	}
}
