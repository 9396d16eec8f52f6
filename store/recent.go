package store

import (
	"crypto/sha256"
	"sync"

	"github.com/tftpsql/tftpsql/queries"
)

// recentMost is how many contents and devices are remembered, some 64 and 400 bytes each: those of the devices that one worker can have.
const recentMost = 1 << 15

// recent is what this program has stored itself, and needn't send or ask again. What is full is forgotten as a whole, which costs a body
// and a question a device.
type recent struct {
	mu   sync.Mutex // guards what follows
	sums map[[sha256.Size]byte]struct{}
	last map[Name]last
}

// last is the capture of a device that was stored last, and was the newest, and the device as it was then. It holds copies, so that the
// body can go.
type last struct {
	device           queries.LockDeviceRow
	kind             string
	sum, fingerprint [sha256.Size]byte
	rules            int64
}

// has reports whether a content is there. It may have gone: then the foreign key says so, and it is sent after all.
func (r *recent) has(sum [sha256.Size]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.sums[sum]
	return ok
}

// base returns what the newest capture of a device is compared by, if it is complete, of that kind, and was stored here.
func (r *recent) base(d queries.LockDeviceRow, kind string) (digest, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.last[Name{d.Site, d.Name}]
	return digest{l.sum[:], l.fingerprint[:], l.rules}, ok && l.device.ID == d.ID && l.device.LastUID == d.LastUID && l.kind == kind
}

// device returns the device that a capture belongs to by the rules of lockDevice, as it was when this program stored its newest capture,
// if the one is to be compared with the other.
func (r *recent) device(c *Capture) (queries.LockDeviceRow, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.last[Name{c.Site, c.Name}]
	if !ok || c.Filed || !newest(l.device, c) || l.kind != c.Kind || l.rules != c.Rules {
		return l.device, false
	}
	if c.NamedBy == NamedByConfig {
		return l.device, l.device.NamedBy == NamedByConfig && l.device.Owner == ""
	}
	return l.device, c.Source != "" && l.device.Owner == c.Source
}

// lose forgets a device that is not as it was.
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
		if d := results[i].device; w.c.Complete && d.ID != 0 {
			r.last[Name{d.Site, d.Name}] = last{d, w.c.Kind, w.sum, w.c.Fingerprint, w.c.Rules}
		}
	}
}

// drop forgets the contents of a batch, and reports whether there were any.
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
