package capture

import (
	"net/netip"
	"testing"

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

// TestUnknownSource: an upload that came from nowhere, as an imported one, has no source.
func TestUnknownSource(t *testing.T) {
	if got := (Upload{Filename: "fw1.conf"}).Capture(); got.Source != "" || got.SourcePort != 0 ||
		got.Local != "" || got.Name != "fw1" {
		t.Errorf("%+v", got)
	}
}
