// Package alarm is what is told, and by which channel: messages, the receivers' forms of them, and
// what a receiver said. It knows no database.
//
// A Message goes out by a Channel, which is parsed from a URL. Send makes one attempt; its Result
// says whether to try again, and Next when. Quiet hours hold a message back. Whoever keeps the
// messages gives each one ID and sends it under that ID until it is taken or given up, so a
// receiver can tell a repeated message from a new one.
package alarm

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Kind is what a message tells.
type Kind string

const (
	Changed   Kind = "changed"    // a configuration has changed
	First     Kind = "first"      // the first configuration of a device
	Overdue   Kind = "overdue"    // a device is silent for longer than its rhythm
	Back      Kind = "back"       // a device that was overdue has sent again
	Torn      Kind = "torn"       // a configuration is incomplete
	NewSource Kind = "new_source" // a device has sent from an address that is new for it
	Failing   Kind = "failing"    // transfers of a device or a source fail
	Fetched   Kind = "fetched"    // a device has fetched a published file
	Storage   Kind = "storage"    // captures can't be stored as they should
	Digest    Kind = "digest"     // what has happened in a week
	Test      Kind = "test"       // somebody tries a channel
	GivenUp   Kind = "given_up"   // a message that no attempt could deliver
)

// A severity is how much a kind matters, in the words of PagerDuty.
type severity string

const (
	info     severity = "info"
	warning  severity = "warning"
	bad      severity = "error"
	critical severity = "critical"
)

// kinds are all kinds: how much each matters, and the words for many devices, after their number.
var kinds = map[Kind]struct {
	severity severity
	many     string
}{
	Changed: {info, "devices changed"}, First: {info, "new devices"},
	Overdue: {warning, "devices overdue"}, Back: {info, "devices back"},
	Torn:      {warning, "incomplete configurations"},
	NewSource: {warning, "devices with a new address"}, Failing: {bad, "devices failing"},
	Fetched: {info, "files fetched"}, Storage: {critical, "devices not stored"},
	Digest: {info, "devices"}, Test: {info, "devices"}, GivenUp: {bad, "messages given up"},
}

// Kinds returns the names of all kinds in order.
func Kinds() []Kind {
	var list []Kind
	for k := range kinds {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// A Message is what is to be told. Its texts may hold any bytes: Send shows what isn't printable as
// \xNN and cuts what is longer than a receiver takes.
type Message struct {
	// ID names the message, the same at each attempt: webhook-id, Message-ID, dedup_key.
	ID string
	// Alarm names what is wrong from its beginning to its end, so that back closes what overdue has
	// opened; empty for the ID. PagerDuty alone needs it.
	Alarm string
	Kind  Kind
	When  time.Time // when it happened; times are shown in its zone
	Site  string    // that of all the devices; empty for none, or for several
	// Devices are what the message is about. There may be none: storage, digest, test.
	Devices []Device
	// More is how many devices there are besides: of 3,000 not all need to be looked up.
	More int
	// Title is the message in a line, without "[tftpsql]"; empty to have it made of kind and
	// devices.
	Title string
	// Text is what there is to say besides the devices, in lines.
	Text string
	// Diff is what has changed, as diff -u writes it, with secrets or without, as the caller wants.
	Diff     string
	Link     string // the page about it, http or https; empty for none
	Resolved bool   // what was wrong no longer is
	// Only are the recipients of a mailto: channel that haven't got the message yet (Result.Left);
	// empty for all. The Result is about these alone: Refused then means that they refuse what
	// others may have taken before.
	Only []string
}

// A Device is what a message says of one device. What isn't known or doesn't matter is left zero.
type Device struct {
	Ref            string // as commands name it: acme/fw1
	Platform       string
	Added, Removed int       // changed lines
	Blocks         []string  // the blocks that they stand in, as paths: "firewall policy / edit 7"
	By             string    // who has changed it
	From, To       int64     // the captures before and after; 0 for none
	Since          time.Time // since when it is so: last heard of, first failed
	Silent         time.Duration
	Missed         int    // uploads that didn't come meanwhile
	Source         string // the address that it sent from
	Detail         string // more, in a line: why it fails, which file was fetched
	Link           string // its page, http or https
}

const (
	// maxID is above a UUID, and short enough for every receiver's key (PagerDuty takes 255).
	maxID = 128
	// listed is how many devices a chat shows; beyond, "and 35 more".
	listed = 20
	// listedInFull is the same for a mail and a webhook, which have room.
	listedInFull = 200
)

// Check returns what is wrong with a message: an ID that can't be part of a header or of what a
// webhook signs (A-Z, a-z, 0-9, - and _, up to 128), or a kind that isn't one.
func (m Message) Check() error {
	if _, ok := kinds[m.Kind]; !ok {
		return fmt.Errorf("%q is no kind of message", m.Kind)
	}
	if !plainID(m.ID) {
		return fmt.Errorf("%q is no ID of a message: 1 to %d of A-Z a-z 0-9 - _", m.ID, maxID)
	}
	if m.Alarm != "" && !plainID(m.Alarm) {
		return fmt.Errorf("%q is no ID of an alarm: 1 to %d of A-Z a-z 0-9 - _", m.Alarm, maxID)
	}
	if m.When.IsZero() {
		return errors.New("a message has no time")
	}
	return nil
}

func plainID(s string) bool {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			r == '-' || r == '_') {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}
