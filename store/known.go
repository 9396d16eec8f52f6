package store

import (
	"crypto/sha256"
	"sync"
)

// knownMost is how many contents and devices are remembered, some 64 and 150 bytes each: those of the devices that one worker can have.
const knownMost = 1 << 15

// known is what this program has stored itself, and needn't send or ask again. What is full is forgotten as a whole, which costs a body
// and a question a device.
type known struct {
	mu   sync.Mutex // guards what follows
	sums map[[sha256.Size]byte]struct{}
	last map[int64]last
}

// last is the capture of a device that was stored last. It holds copies, so that the body can go.
type last struct {
	uid, kind        string
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

// base returns what the capture of that UID is compared by, if it is the last complete one of its device and kind that was stored here.
func (k *known) base(device int64, uid, kind string) (print, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.last[device]
	return print{l.sum[:], l.fingerprint[:], l.rules}, ok && l.uid == uid && l.kind == kind
}

// add notes a batch that is stored.
func (k *known) add(batch []*write, results []Stored) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sums == nil || len(k.sums) >= knownMost {
		k.sums = map[[sha256.Size]byte]struct{}{}
	}
	if k.last == nil || len(k.last) >= knownMost {
		k.last = map[int64]last{}
	}
	for i, w := range batch {
		k.sums[w.sum] = struct{}{}
		if r := results[i]; w.c.Complete && !r.Known {
			k.last[r.device] = last{w.c.UID, w.c.Kind, w.sum, w.c.Fingerprint, w.c.Rules}
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
