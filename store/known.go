package store

import (
	"crypto/sha256"
	"sync"

	"github.com/tftpsql/tftpsql/queries"
)

// knownMost is how many contents and devices are remembered, some 64 and 400 bytes each: those of the devices that one worker can have.
const knownMost = 1 << 15

// known is what this program has stored itself, and needn't send or ask again. What is full is forgotten as a whole, which costs a body
// and a question a device.
type known struct {
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
func (k *known) has(sum [sha256.Size]byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.sums[sum]
	return ok
}

// base returns what the newest capture of a device is compared by, if it is complete, of that kind, and was stored here.
func (k *known) base(d queries.LockDeviceRow, kind string) (print, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.last[Name{d.Site, d.Name}]
	return print{l.sum[:], l.fingerprint[:], l.rules}, ok && l.device.ID == d.ID && l.device.LastUID == d.LastUID && l.kind == kind
}

// device returns the device that a capture belongs to by the rules of lockDevice, as it was when this program stored its newest capture,
// if the one is to be compared with the other.
func (k *known) device(c *Capture) (queries.LockDeviceRow, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.last[Name{c.Site, c.Name}]
	if !ok || c.Filed || !newest(l.device, c) || l.kind != c.Kind || l.rules != c.Rules {
		return l.device, false
	}
	if c.NamedBy == NamedByConfig {
		return l.device, l.device.NamedBy == NamedByConfig && l.device.Owner == ""
	}
	return l.device, c.Source != "" && l.device.Owner == c.Source
}

// lose forgets a device that is not as it was.
func (k *known) lose(d queries.LockDeviceRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.last, Name{d.Site, d.Name})
}

// add notes a batch that is stored.
func (k *known) add(batch []*write, results []Stored) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sums == nil || len(k.sums) >= knownMost {
		k.sums = map[[sha256.Size]byte]struct{}{}
	}
	if k.last == nil || len(k.last) >= knownMost {
		k.last = map[Name]last{}
	}
	for i, w := range batch {
		k.sums[w.sum] = struct{}{}
		if d := results[i].device; w.c.Complete && d.ID != 0 {
			k.last[Name{d.Site, d.Name}] = last{d, w.c.Kind, w.sum, w.c.Fingerprint, w.c.Rules}
		}
	}
}

// drop forgets the contents of a batch, and reports whether there were any.
func (k *known) drop(batch []*write) (any bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range batch {
		_, ok := k.sums[w.sum]
		any = any || ok
		delete(k.sums, w.sum)
	}
	return any
}
