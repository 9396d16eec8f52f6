package capture

import (
	"net/netip"
	"testing"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// TestNames: an upload goes under its configuration's name, else its file's, else its source.
func TestNames(t *testing.T) {
	const configuration = "#config-version=FGT60F-7.2.5-FW-build1517-230606:opmode=0:" +
		"vdom=0:user=admin\n" +
		"config system global\n    set hostname \"edge\"\nend\n"
	for _, c := range []struct{ file, body, site, name, by string }{
		{"folder/fw1.conf", "x", "folder", "fw1", store.NamedByFilename},
		{"backup.conf", "x", "", "192.0.2.1", store.NamedBySource},
		{"folder/fw1.conf", configuration, "folder", "edge", store.NamedByConfig},
	} {
		got := Upload{Filename: c.file, Peer: netip.MustParseAddrPort("192.0.2.1:1"),
			Body: []byte(c.body)}.Capture()
		if got.Site != c.site || got.Name != c.name || got.NamedBy != c.by {
			t.Errorf("%s: %q/%q by %s; want %q/%q by %s", c.file, got.Site, got.Name, got.NamedBy,
				c.site, c.name, c.by)
		}
	}
}

// TestVolumes: what stands before a path is no site: a drive, a share, a device's file system, a
// protocol with its host.
func TestVolumes(t *testing.T) {
	for file, want := range map[string]string{
		`C:\backup\fw1.conf`:                        "backup/fw1",
		`c:/tftp/acme/fw1.cfg`:                      "tftp/acme/fw1",
		`C:\fw1.conf`:                               "/fw1",
		`C:fw1.conf`:                                "/fw1",
		`\\server\share\fw1.conf`:                   "/fw1",
		`\\server\share\acme\fw1.cfg`:               "acme/fw1",
		`\\acme\fw1.conf`:                           "acme/fw1", // no share
		`\acme\fw1.conf`:                            "acme/fw1",
		`//acme/shelf/fw1.conf`:                     "acme/shelf/fw1",
		`flash:fw1.cfg`:                             "/fw1",
		`flash:/acme/fw1.cfg`:                       "acme/fw1",
		`flash://fw1.cfg`:                           "/fw1",
		`disk0:/fw1`:                                "/fw1",
		`cf3:\fw1.cfg`:                              "/fw1",
		`/bootflash:fw1.cfg`:                        "/fw1",
		`sup-bootdisk:fw1.cfg`:                      "/fw1",
		`usbflash0:/acme/fw1.cfg`:                   "acme/fw1",
		`bootflash-1:fw1.cfg`:                       "/fw1",
		`nvram:startup-config`:                      "/192.0.2.1",
		`tftp://192.0.2.9/fw1.cfg`:                  "/fw1",
		`TFTP://tftp.example.net:6969/acme/fw1.cfg`: "acme/fw1",
		`tftp:///fw1.cfg`:                           "/fw1",
		`tftp:fw1.cfg`:                              "/fw1",
		`file:///C:/acme/fw1.cfg`:                   "acme/fw1",
		`tftp://192.0.2.9`:                          "/192.0.2.1", // no file
		// colons that stand for something else
		`acme:fw1.cfg`:          "/acme:fw1",
		`0a:1b:2c:3d:4e:5f.cfg`: "/0a:1b:2c:3d:4e:5f",
		`a:b:c:1.cfg`:           "/a:b:c:1",
		`flash/fw1.cfg`:         "flash/fw1",
		`acme/C:/fw1.cfg`:       "acme/C:/fw1",
		`flashy:fw1.cfg`:        "/flashy:fw1",
	} {
		got := Upload{Filename: file, Peer: netip.MustParseAddrPort("192.0.2.1:1"),
			Body: []byte("x")}.Capture()
		if name := got.Site + "/" + got.Name; name != want {
			t.Errorf("%s goes to %s, want %s", file, name, want)
		}
	}
}

// TestUnknownSource: an upload that came from nowhere, as an imported one, has no source.
func TestUnknownSource(t *testing.T) {
	if got := (Upload{Filename: "fw1.conf"}).Capture(); got.Source != "" || got.SourcePort != 0 ||
		got.Local != "" || got.Name != "fw1" {
		t.Errorf("%+v", got)
	}
}

// TestUnended: both packages mean the same by the ending of what may be cut off.
func TestUnended(t *testing.T) {
	if device.Unended != store.Unended {
		t.Errorf("%q is not %q", device.Unended, store.Unended)
	}
}
