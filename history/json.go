package history

import (
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// The answers in JSON, as the commands print them and the API returns them.

// DeviceJSON is a device.
type DeviceJSON struct {
	Site       string    `json:"site"`
	Name       string    `json:"name"`
	NamedBy    string    `json:"named_by"`
	Platform   string    `json:"platform"`
	Model      string    `json:"model"`
	OSVersion  string    `json:"os_version"`
	Build      string    `json:"build"`
	Serial     string    `json:"serial"`
	Source     string    `json:"source"`
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`
	LastChange time.Time `json:"last_change"`
	Captures   int64     `json:"captures"`
	Changes    int64     `json:"changes"`
	Complete   bool      `json:"complete"`
	Retired    bool      `json:"retired"`

	// AllowedS is how long the device may be silent, seconds; 0 where nothing is expected of it.
	AllowedS float64 `json:"allowed_s"`
	// OverdueSince is null where the device isn't overdue.
	OverdueSince *time.Time `json:"overdue_since"`
}

// JSONOfDevice returns a device as it is now.
func JSONOfDevice(d store.Device, now time.Time) DeviceJSON {
	j := DeviceJSON{
		Site: d.Site, Name: d.Name, NamedBy: d.NamedBy, Platform: d.Platform, Model: d.Model,
		OSVersion: d.OSVersion, Build: d.Build, Serial: d.Serial, Source: d.Source,
		FirstSeen: d.FirstSeen, LastSeen: d.LastSeen, LastChange: d.LastChange,
		Captures: d.Captures, Changes: d.Changes, Complete: d.Complete, Retired: d.Retired,
		AllowedS: d.Allowed().Seconds(),
	}
	if since := d.OverdueSince(now); !since.IsZero() {
		j.OverdueSince = &since
	}
	return j
}

// CaptureJSON is a capture, with the names of the columns of the view
// changes.
type CaptureJSON struct {
	ID         int64     `json:"id"`
	UID        string    `json:"uid,omitempty"`
	ReceivedAt time.Time `json:"received_at"`
	Site       string    `json:"site"`
	Device     string    `json:"device"`
	Platform   string    `json:"platform"`
	Kind       string    `json:"kind"`
	Source     string    `json:"source"`
	Filename   string    `json:"filename"`
	Mode       string    `json:"mode"`
	Size       *int64    `json:"size,omitempty"`   // nil for who may not see secrets
	SHA256     string    `json:"sha256,omitempty"` // "" as well: secrets could be guessed by it
	Changed    bool      `json:"changed"`
	Complete   bool      `json:"complete"`
	ChangedBy  string    `json:"changed_by"`
	ExportedBy string    `json:"exported_by"`
	NewSource  bool      `json:"new_source"`
}

// JSONOfCapture returns a capture.
func JSONOfCapture(r store.Record) CaptureJSON {
	return CaptureJSON{
		ID: r.ID, UID: r.UID, ReceivedAt: r.ReceivedAt, Site: r.Site, Device: r.Device,
		Platform: r.Platform, Kind: r.Kind, Source: r.Source, Filename: r.Filename, Mode: r.Mode,
		Size: &r.Size, SHA256: r.SHA256, Changed: r.Changed, Complete: r.Complete,
		ChangedBy: r.ChangedBy, ExportedBy: r.ExportedBy, NewSource: r.NewSource,
	}
}

// VersionJSON is a version of a device: the capture that brought it, and how often the same came.
type VersionJSON struct {
	CaptureJSON
	Seen     int       `json:"seen"`
	Until    time.Time `json:"until"`    // when the same was last seen
	Previous *int64    `json:"previous"` // the capture that it is compared with, or null
}

// JSONOfVersion returns a version.
func JSONOfVersion(v store.Version) VersionJSON {
	j := VersionJSON{CaptureJSON: JSONOfCapture(v.Record), Seen: v.Seen, Until: v.Until}
	if v.Previous != nil {
		j.Previous = &v.Previous.ID
	}
	return j
}

// SiteJSON is what there is to count of a site.
type SiteJSON struct {
	Site     string    `json:"site"`
	Devices  int       `json:"devices"`
	Overdue  int       `json:"overdue"`
	Torn     int       `json:"torn"`
	Retired  int       `json:"retired"`
	Captures int64     `json:"captures"`
	Changes  int64     `json:"changes"`
	LastSeen time.Time `json:"last_seen"`
}

// JSONOfSite returns a site.
func JSONOfSite(s Site) SiteJSON {
	return SiteJSON{Site: s.Name, Devices: s.Devices, Overdue: s.Overdue, Torn: s.Torn,
		Retired: s.Retired, Captures: s.Captures, Changes: s.Changes, LastSeen: s.LastSeen}
}

// PublicationJSON is what may be fetched by TFTP.
type PublicationJSON struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Size        int64      `json:"size"`
	Allowed     string     `json:"allowed"` // a prefix; "" for all sources
	Once        bool       `json:"once"`
	PublishedAt time.Time  `json:"published_at"`
	ExpiresAt   *time.Time `json:"expires_at"` // null for never
	Fetches     int64      `json:"fetches"`
}

// JSONOfPublication returns a publication.
func JSONOfPublication(p store.Publication) PublicationJSON {
	j := PublicationJSON{Name: p.Name, Description: p.Description, Size: p.Size, Once: p.Once,
		PublishedAt: p.PublishedAt, Fetches: p.Fetches}
	if p.Allowed.IsValid() {
		j.Allowed = p.Allowed.String()
	}
	if !p.ExpiresAt.IsZero() {
		j.ExpiresAt = &p.ExpiresAt
	}
	return j
}

// MatchJSON is a line that a search has found.
type MatchJSON struct {
	Site   string   `json:"site"`
	Device string   `json:"device"`
	ID     int64    `json:"id"`
	Kind   string   `json:"kind"`
	Line   int      `json:"line"`
	Path   []string `json:"path"`
	Text   string   `json:"text"`
}

// JSONOfMatch returns a match.
func JSONOfMatch(m Match) MatchJSON {
	return MatchJSON{Site: m.Site, Device: m.Device, ID: m.ID, Kind: m.Kind, Line: m.Line,
		Path: append([]string{}, m.Path...), Text: m.Text}
}

// FailureJSON is what failed or was refused in an hour.
type FailureJSON struct {
	Source   string    `json:"source"`
	Reason   string    `json:"reason"`
	Filename string    `json:"filename"`
	FirstAt  time.Time `json:"first_at"`
	LastAt   time.Time `json:"last_at"`
	Times    int64     `json:"times"`
	Bytes    int64     `json:"bytes"`
	Code     int       `json:"code"`
	Detail   string    `json:"detail"`
}

// JSONOfFailure returns a failure.
func JSONOfFailure(f store.Failure) FailureJSON {
	return FailureJSON{Source: f.Source, Reason: f.Reason, Filename: f.Filename, FirstAt: f.First,
		LastAt: f.Last, Times: f.Times, Bytes: f.Bytes, Code: f.Code, Detail: f.Detail}
}

// BlamedJSON is a line of a capture and where it comes from. What is named as in CaptureJSON is of
// the capture that brought the line.
type BlamedJSON struct {
	Line       int       `json:"line"`
	Path       []string  `json:"path"`
	Text       string    `json:"text"`
	Noise      bool      `json:"noise"`
	ID         int64     `json:"id"`
	UID        string    `json:"uid,omitempty"`
	ReceivedAt time.Time `json:"received_at"`
	ChangedBy  string    `json:"changed_by"`
	ExportedBy string    `json:"exported_by"`
	Before     bool      `json:"before"`   // the line is at least as old
	Previous   *int64    `json:"previous"` // the capture that it was compared with, or null
}

// JSONOfBlamed returns lines and where they come from.
func JSONOfBlamed(lines []BlamedLine) []BlamedJSON {
	list := make([]BlamedJSON, len(lines))
	for i, l := range lines {
		o := l.Origin
		list[i] = BlamedJSON{Line: l.Number, Path: append([]string{}, l.Path...), Text: l.Text,
			Noise: l.Noise, ID: o.ID, UID: o.UID, ReceivedAt: o.ReceivedAt,
			ChangedBy: o.ChangedBy, ExportedBy: o.ExportedBy, Before: o.Before}
		if o.Previous != nil {
			list[i].Previous = &o.Previous.ID
		}
	}
	return list
}
