package store

import (
	"crypto/sha256"
	"sync"

	"github.com/tftpsql/tftpsql/queries"
)

// recentMost bounds the contents and devices that are remembered, at about 64 and 400 bytes each.
// One worker can't serve more devices than that.
const recentMost = 1 << 15

// recent remembers what this program has stored itself and so needn't send or ask again. A full map
// is emptied, which costs one body and one question for each device.
type recent struct {
	mu   sync.Mutex // guards what follows
	sums map[[sha256.Size]byte]struct{}
	last map[Name]last
}

// last is a device's newest capture, stored here, and the device row after it. It holds copies, so
// that the body can be freed. The capture has its platform's end: whether one without is whole may
// change when a late one comes, through another program, too.
type last struct {
	device           queries.LockDeviceRow
	kind             string
	sum, fingerprint [sha256.Size]byte
	rules            int64
}

// has reports whether a content is in the database. If another program has deleted it meanwhile,
// the foreign key says so, and the content is sent again.
func (r *recent) has(sum [sha256.Size]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.sums[sum]
	return ok
}

// base returns what the device's newest capture is compared by, if this program stored it, it is
// complete and it is of that kind.
func (r *recent) base(d queries.LockDeviceRow, kind string) (digest, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.last[Name{d.Site, d.Name}]
	return digest{l.sum[:], l.fingerprint[:], l.rules, "", true}, ok && l.device.ID == d.ID &&
		l.device.LastUID == d.LastUID && l.kind == kind
}

// device returns the device that a capture belongs to by the rules of lockDevice, as this program's
// last capture left it. ok is false if the two captures can't be compared without asking the
// database.
func (r *recent) device(c *Capture) (queries.LockDeviceRow, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.last[Name{c.Site, c.Name}]
	if !ok || c.Filed || c.aside() || !newest(l.device, c) || l.kind != c.Kind ||
		l.rules != c.Rules {
		return l.device, false
	}
	if c.NamedBy == NamedByConfig {
		return l.device, l.device.NamedBy == NamedByConfig && l.device.Owner == ""
	}
	return l.device, c.Source != "" && l.device.Owner == c.Source
}

// lose forgets a device whose row has changed.
func (r *recent) lose(d queries.LockDeviceRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, Name{d.Site, d.Name})
}

// add notes a batch that is stored.
func (r *recent) add(batch []*write, results []Stored) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sums == nil || len(r.sums) >= recentMost {
		r.sums = map[[sha256.Size]byte]struct{}{}
	}
	if r.last == nil || len(r.last) >= recentMost {
		r.last = map[Name]last{}
	}
	for i, w := range batch {
		r.sums[w.sum] = struct{}{}
		if d := results[i].device; w.c.Complete && w.ending == "" && d.ID != 0 {
			r.last[Name{d.Site, d.Name}] = last{d, w.c.Kind, w.sum, w.c.Fingerprint, w.c.Rules}
		}
	}
}

// drop forgets the contents of a batch, and reports whether any were known.
func (r *recent) drop(batch []*write) (any bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range batch {
		_, ok := r.sums[w.sum]
		any = any || ok
		delete(r.sums, w.sum)
	}
	return any
}
