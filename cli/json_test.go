package cli

import "time"

// What the commands print as JSON, as a program that reads it knows it: these types are not the
// program's, so a field that is renamed there fails here.

type wireCapture struct {
	ID         int64     `json:"id"`
	UID        string    `json:"uid"`
	ReceivedAt time.Time `json:"received_at"`
	Site       string    `json:"site"`
	Device     string    `json:"device"`
	Platform   string    `json:"platform"`
	Kind       string    `json:"kind"`
	Source     string    `json:"source"`
	Filename   string    `json:"filename"`
	Mode       string    `json:"mode"`
	Size       int64     `json:"size"`
	SHA256     string    `json:"sha256"`
	Changed    bool      `json:"changed"`
	Complete   bool      `json:"complete"`
	ChangedBy  string    `json:"changed_by"`
	ExportedBy string    `json:"exported_by"`
	NewSource  bool      `json:"new_source"`
}

type wireDevice struct {
	Site         string     `json:"site"`
	Name         string     `json:"name"`
	NamedBy      string     `json:"named_by"`
	Platform     string     `json:"platform"`
	Model        string     `json:"model"`
	OSVersion    string     `json:"os_version"`
	Build        string     `json:"build"`
	Serial       string     `json:"serial"`
	Source       string     `json:"source"`
	FirstSeen    time.Time  `json:"first_seen"`
	LastSeen     time.Time  `json:"last_seen"`
	LastChange   time.Time  `json:"last_change"`
	Captures     int64      `json:"captures"`
	Changes      int64      `json:"changes"`
	Complete     bool       `json:"complete"`
	Retired      bool       `json:"retired"`
	AllowedS     float64    `json:"allowed_s"`
	OverdueSince *time.Time `json:"overdue_since"`
}

type wireMatch struct {
	Site   string   `json:"site"`
	Device string   `json:"device"`
	ID     int64    `json:"id"`
	Kind   string   `json:"kind"`
	Line   int      `json:"line"`
	Path   []string `json:"path"`
	Text   string   `json:"text"`
}

type wireWaiting struct {
	UID        string    `json:"uid"`
	ReceivedAt time.Time `json:"received_at"`
	Site       string    `json:"site"`
	Name       string    `json:"name"`
	Source     string    `json:"source"`
	Filename   string    `json:"filename"`
	Size       int64     `json:"size"`
	Refused    string    `json:"refused"`
}

type wireFailure struct {
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
