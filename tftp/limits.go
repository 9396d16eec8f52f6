package tftp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	// requestRate (a second) and requestBurst bound the requests of one source. A site behind NAT
	// may begin as many transfers at once as one source can have, and then as many a second as a
	// worker stores of small files. A flood from one address gets no more than that.
	requestRate  = 1000
	requestBurst = 10000

	// errorRate bounds the ERRORs a second to peers without a transfer: a few bytes each, and
	// enough for every honest mistake. sourceErrorRate is what one source gets of it, so that a
	// flood leaves room for others' mistakes.
	errorRate       = 200
	sourceErrorRate = 50

	// rateSlots is how many sources are told apart by their rates. Two that share a slot share its
	// allowance. An attacker doesn't know the seed, and so can't aim at a slot.
	rateSlots = 1 << rateBits
	rateBits  = 12
)

// allowance bounds how often something is done: rate times a second, and burst times at once. The
// zero value is one of which nothing was used.
type allowance struct {
	used  float64
	since time.Duration
}

func (a *allowance) take(now time.Duration, rate, burst float64) bool {
	a.used = max(0, a.used-rate*(now-a.since).Seconds())
	a.since = now
	if a.used+1 > burst {
		return false
	}
	a.used++
	return true
}

// A limiter bounds the requests of a source and the ERRORs to it. Engines that share a port share
// one limiter.
type limiter interface {
	allowRequest(now time.Duration, source netip.Addr) bool
	// for an ERROR to a peer that has no transfer, or that has never answered in it
	allowError(now time.Duration, to netip.Addr) bool
}

// rates are the allowances of sources, in a table of fixed size, and of ERRORs in all.
type rates struct {
	// zeros at first, as the system gives memory: a start doesn't wait for the pages of all slots
	slots        [rateSlots]struct{ requests, errorPackets allowance }
	errorPackets allowance
	seed         uint64 // by which sources are spread over the slots
}

func newRates(seed uint64) *rates { return &rates{seed: seed} }

func (r *rates) allowRequest(now time.Duration, source netip.Addr) bool {
	return r.slots[r.slot(source)].requests.take(now, requestRate, requestBurst)
}

func (r *rates) allowError(now time.Duration, to netip.Addr) bool {
	return r.slots[r.slot(to)].errorPackets.take(now, sourceErrorRate, sourceErrorRate) &&
		r.errorPackets.take(now, errorRate, errorRate)
}

func (r *rates) slot(a netip.Addr) uint64 {
	b := a.As16()
	h := r.seed
	for _, part := range [2]uint64{binary.LittleEndian.Uint64(b[:8]),
		binary.LittleEndian.Uint64(b[8:])} {
		h = (h ^ part) * 0x9e3779b97f4a7c15 // Fibonacci hashing: the high bits depend on all
		h ^= h >> 32
	}
	return h * 0x9e3779b97f4a7c15 >> (64 - rateBits)
}

// callCost is what a running handler costs besides its upload's body, in bytes, measured with the
// whole program while its database stood still: it counts as memory held, or empty uploads would
// cost nothing.
const callCost = 16 << 10

// When the table is full, the engine looks at some transfers to find one to drop: enough that one
// of a flood's is among them, and few enough to do so for each request.
const (
	oldest  = 32 // of those whose peers have never answered
	sampled = 64 // of all
	// After this silence a transfer may make room for another: devices pause for 4 s, and ask for a
	// receipt again after 5 s.
	silentFor = 6 * time.Second
)

// makeRoom drops a transfer for one of a source that has `asker` of them, and reports whether it
// found one that may yield. It takes one of the source that has most, and of these the one that has
// been silent for longest. So a flood pays for itself, also where blind DATA follows its requests,
// and a device that sends doesn't pay.
func (e *engine) makeRoom(now time.Duration, asker int) bool {
	var worst *transfer
	most, longest := 0, time.Duration(0)
	look := func(t *transfer) {
		silent, n := now-e.progressAt(t), e.ofSource(t)
		if !e.mayYield(t, silent, n, asker) {
			return
		}
		if n > most || n == most && silent > longest {
			worst, most, longest = t, n, silent
		}
	}
	for i, t := 0, e.unproven.first; i < oldest && t != nil; i, t = i+1, t.after {
		look(t)
	}
	heap := e.timers.heap
	for i := range uint64(min(sampled, len(heap))) {
		// Here and there, and the same when a simulation runs again.
		at := (e.lastID*sampled + i) * 0x9e3779b97f4a7c15 >> 32
		switch t := heap[at%uint64(len(heap))]; t.state {
		case receiving, sending, lingering:
			look(t)
		}
	}
	if worst == nil {
		return false
	}
	e.drop(now, worst)
	return true
}

// ofSource returns how many transfers the source of t has: those that linger if t does, else the
// others.
func (e *engine) ofSource(t *transfer) int {
	source := e.sources[t.peer.Addr()]
	if t.lingers {
		return source.lingering
	}
	return source.all - source.lingering
}

// mayYield reports whether t may make room for a transfer of another source. n is how many
// transfers the source of t has, and asker how many the other source has.
func (e *engine) mayYield(t *transfer, silent time.Duration, n, asker int) bool {
	handlerRuns := e.calls[t.id] == t
	if handlerRuns {
		return false // it would go on alone
	}
	if silent > silentFor {
		return true
	}
	if t.unproven && n >= asker {
		return true
	}
	sourceHasMore := n > asker+1
	return sourceHasMore && !t.lingers
}

// progressAt is when a transfer last made progress.
func (e *engine) progressAt(t *transfer) time.Duration {
	switch {
	case t.state == lingering:
		return t.giveUp - max(lingerTime, 2*t.rto.fixed)
	case t.unproven:
		return t.started
	}
	return t.giveUp - max(e.timeout, silentIntervals*t.rto.fixed)
}

// makeUnproven is makeRoom among the transfers whose peers have never answered.
func (e *engine) makeUnproven(now time.Duration) {
	t, most := e.unproven.first, 0
	for i, old := 0, t; i < oldest && old != nil; i, old = i+1, old.after {
		if n := e.sources[old.peer.Addr()].unproven; n > most {
			t, most = old, n
		}
	}
	e.drop(now, t)
}

// drop ends a transfer to make room for another. A peer that has never answered gets no ERROR: its
// address may be forged. Nor does a peer that has its receipt.
func (e *engine) drop(now time.Duration, t *transfer) {
	t.due &^= dueReply
	switch {
	case t.unproven:
		e.end(t, errCrowded)
	case t.state != lingering:
		e.end(t, errBusy)
		if e.limiter.allowError(now, t.peer.Addr()) {
			e.fail(t, errBusy)
		}
	}
	e.finish(t)
}

// makeMemory makes room for n more bytes of t's body where the memory is spent: the source that
// holds most is refused first, with the largest of its uploads, and that may be t itself. It
// returns the refusal of t, or nil.
func (e *engine) makeMemory(now time.Duration, t *transfer, n int64) *Error {
	for e.memory+n > e.limits.Memory {
		v := e.heaviest(t)
		if v == t {
			return errMemory
		}
		v.receipt.endBlock = uint16(v.rx.last()) + 1 // what it sends next gets the ERROR again
		e.end(v, errMemory)
		e.fail(v, errMemory)
		e.linger(now, v)
		e.timers.set(v, v.wake())
	}
	return nil
}

// heaviest returns the largest upload under way of the source that holds most memory; t where no
// source holds more than its own.
func (e *engine) heaviest(t *transfer) *transfer {
	type holder struct {
		bytes   int64
		largest *transfer
	}
	held := make(map[netip.Addr]holder, len(e.sources))
	for _, p := range e.peers {
		h := held[p.peer.Addr()]
		h.bytes += p.budget
		if p.state == receiving && p.budget > 0 &&
			(h.largest == nil || p.budget > h.largest.budget) {
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
