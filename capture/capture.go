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
	Peer                    netip.AddrPort // the zero value where it is unknown
	Local                   netip.Addr
	Filename, Mode, Options string
	Received, Completed     time.Time
	Body                    []byte
	Announced               int64 // its size as the sender announced it; 0 for unknown
	Log                     bool  // an operator has said that such a file is no configuration
}

// Cut reports whether the upload brought another number of bytes than the sender announced.
func (u Upload) Cut() bool { return u.Announced > 0 && u.Announced != int64(len(u.Body)) }

// Capture is what the store keeps of it: under the name that its configuration says, else that of
// its file, else its source.
func (u Upload) Capture() store.Capture {
	source := ""
	if u.Peer.IsValid() {
		source = device.Source(u.Peer.Addr())
	}
	id, fingerprint := device.Examine(u.Body)
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
		Filename: device.Text(u.Filename), Mode: u.Mode, Options: device.Text(u.Options),
		Duration: u.Completed.Sub(u.Received), Site: site, Name: name, NamedBy: by,
		Platform: id.Platform, Model: id.Model, OSVersion: id.OSVersion, Build: id.Build,
		Serial: id.Serial, Kind: u.kind(id), Complete: id.Complete && !u.Cut() && len(u.Body) > 0,
		ChangedBy: id.ChangedBy, ExportedBy: id.ExportedBy, Body: u.Body, Cut: u.Cut(),
		Fingerprint: fingerprint, Rules: device.Rules,
	}
	if u.Local.IsValid() {
		c.Local = device.Source(u.Local)
	}
	return c
}

// The kinds of configurations whose file's name says which one it is, where their text doesn't.
// Each is compared with its own kind. One of a known platform is taken for the running one.
const (
	kindRunning = "running"
	kindStartup = "startup"
)

func (u Upload) kind(id device.Identity) string {
	filename := strings.ToLower(u.Filename)
	switch {
	case len(u.Body) == 0:
		return store.KindEmpty
	case id.Platform == "" && (u.Log || !device.IsConfiguration(u.Filename, u.Body)):
		return store.KindLog
	case id.Kind != device.KindFull && id.Kind != device.KindOther:
	case strings.Contains(filename, "startup"):
		return kindStartup
	case id.Kind == device.KindOther && strings.Contains(filename, "running"):
		return kindRunning
	}
	return id.Kind
}

// PublishedName is a name as it is published: devices put slashes in front as they like.
func PublishedName(name string) string { return device.Text(strings.TrimLeft(name, "/")) }
