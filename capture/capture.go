// Package capture says what an upload is, however it came: the [store.Capture] that the store keeps
// of it.
package capture

import (
	"net/netip"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// Upload is a file that came, whichever way.
type Upload struct {
	Peer                    netip.AddrPort // the zero value where nobody knows
	Local                   netip.Addr
	Filename, Mode, Options string
	Received, Completed     time.Time
	Body                    []byte
}

// Capture is what the store keeps of it: under the name that its configuration says, else that of
// its file, else its source.
func (u Upload) Capture() store.Capture {
	source := ""
	if u.Peer.IsValid() {
		source = device.Source(u.Peer.Addr())
	}
	id, print := device.Examine(u.Body)
	site, stem := device.FromFilename(u.Filename)
	name, by := id.Name, store.NamedByConfig
	if name == "" {
		name, by = stem, store.NamedByFilename
	}
	if name == "" {
		name, by = source, store.NamedBySource
	}
	c := store.Capture{
		ReceivedAt: u.Completed, Source: source, SourcePort: u.Peer.Port(),
		Filename: device.Text(u.Filename),
		Mode:     u.Mode, Options: device.Text(u.Options), Duration: u.Completed.Sub(u.Received),
		Site: site, Name: name, NamedBy: by, Platform: id.Platform, Model: id.Model,
		OSVersion: id.OSVersion,
		Build:     id.Build, Serial: id.Serial, Kind: id.Kind, Complete: id.Complete,
		ChangedBy: id.ChangedBy, ExportedBy: id.ExportedBy,
		Body: u.Body, Fingerprint: print, Rules: device.Rules,
	}
	if u.Local.IsValid() {
		c.Local = device.Source(u.Local)
	}
	return c
}

// publishedName is a name as it is published: devices put slashes in front as they like.
func PublishedName(name string) string { return device.Text(strings.TrimLeft(name, "/")) }
