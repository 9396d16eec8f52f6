package tftp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	// requestRate and requestBurst bound the requests of one source: a site behind NAT may begin as many transfers at once as one
	// source can have, and then as many a second as a worker stores of small files. A flood from one address costs no more than that.
	requestRate  = 1000
	requestBurst = 10000

	// errorRate bounds the ERRORs a second to peers without a transfer: a few bytes each, and enough for every honest mistake.
	// sourceErrorRate is what one source gets of it, so that a flood leaves room for others' mistakes.
	errorRate       = 200
	sourceErrorRate = 50

	// rateSlots is how many sources are told apart by their rates. Two that share a slot share its allowance, at which an attacker
	// who doesn't know the seed can't aim.
	rateSlots = 1 << rateBits
	rateBits  = 12
)

// allowance bounds how often something is done: rate times a second, and burst times at once.
type allowance struct {
	rate, burst float64
	used        float64
	since       time.Duration
}

func (a *allowance) take(now time.Duration) bool {
	a.used = max(0, a.used-a.rate*(now-a.since).Seconds())
	a.since = now
	if a.used+1 > a.burst {
		return false
	}
	a.used++
	return true
}

// rates are the allowances of sources, in a table of fixed size.
type rates [rateSlots]struct{ requests, errors allowance }

func newRates() *rates {
	var r rates
	for i := range r {
		r[i].requests = allowance{rate: requestRate, burst: requestBurst}
		r[i].errors = allowance{rate: sourceErrorRate, burst: sourceErrorRate}
	}
	return &r
}

func (r *rates) of(a netip.Addr, seed uint64) *struct{ requests, errors allowance } {
	b := a.As16()
	h := seed
	for _, part := range [2]uint64{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])} {
		h = (h ^ part) * 0x9e3779b97f4a7c15 // Fibonacci hashing: the high bits depend on all
		h ^= h >> 32
	}
	return &r[h*0x9e3779b97f4a7c15>>(64-rateBits)]
}

// makeMemory makes room for n more bytes of t's body where the memory is spent: the source that holds most is refused first, with
// the largest of its uploads, and that may be t itself. It returns the refusal of t, or nil.
func (e *engine) makeMemory(now time.Duration, t *transfer, n int64) *Error {
	for e.memory+n > e.limits.Memory {
		v := e.heaviest(t)
		if v == t {
			return errMemory
		}
		v.endBlock = uint16(v.rx.last()) + 1 // what it sends next gets the ERROR again
		e.end(v, errMemory)
		e.fail(v, errMemory)
		e.linger(now, v)
		e.timers.set(v, v.wake())
	}
	return nil
}

// heaviest returns the largest upload under way of the source that holds most memory; t where no source holds more than its own.
func (e *engine) heaviest(t *transfer) *transfer {
	type holder struct {
		bytes   int64
		largest *transfer
	}
	held := make(map[netip.Addr]holder, len(e.sources))
	for _, p := range e.peers {
		h := held[p.peer.Addr()]
		h.bytes += p.budget
		if p.state == receiving && p.budget > 0 && (h.largest == nil || p.budget > h.largest.budget) {
			h.largest = p
		}
		held[p.peer.Addr()] = h
	}
	own, most := held[t.peer.Addr()], holder{}
	for _, h := range held {
		if h.largest != nil && h.bytes > most.bytes {
			most = h
		}
	}
	if most.largest == nil || most.bytes <= own.bytes {
		return t
	}
	return most.largest
}
