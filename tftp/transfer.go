package tftp

import (
	"hash/crc32"
	"net/netip"
	"time"
)

// transfer is one transfer of a server.
type transfer struct {
	id      uint64
	peer    netip.AddrPort
	local   netip.Addr // the address that was asked: answers leave from it
	state   state
	request checksum // of the request as it came: the same bytes again are a repeat
	req     *Request
	started time.Duration

	rx            *receiver
	tx            *sender
	budget        int64 // bytes that count against the engine's memory
	size          int64 // of an upload's body, when it is whole
	told          bool  // its end was reported
	advanced      bool  // the peer has sent more after an ACK of this transfer
	waits         bool  // in engine.unproven, between before and after
	lingers       bool  // counts among those of its source that have ended
	before, after *transfer

	replying  bool // reply is to be sent
	acking    bool // an ACK of rx.last() is to be sent
	repeating bool // the earlier receipt's reply is to be sent
	opening   bool // a read: the OACK is not confirmed yet
	receipt
	earlier *receipt // of the same request from the same port, a moment ago

	rto      rto
	sentAt   time.Duration // when the packet left whose answer measures the round trip; 0 for none
	repeatAt time.Duration // when the last packet is repeated
	giveUp   time.Duration // when the state ends
	timerAt  time.Duration // what the timers know; no later than wake()
	timerPos int           // position among the timers, -1 for none
	queued   bool          // in engine.ready
	repeats  int           // packets sent again
}

// receipt is what a peer can hear again.
type receipt struct {
	reply    []byte        // the OACK at first, the last ACK or an ERROR in the end
	endBlock uint16        // number of the last block that came: its repeat gets the reply again
	sum      checksum      // of the body that was stored
	stored   bool          // reply is the last ACK
	until    time.Duration // when it is forgotten
}

// checksum tells what one peer sends apart. Two polynomials make 64 bits; who forges one only fools itself.
type checksum struct {
	size int
	a, b uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(b []byte) checksum {
	return checksum{len(b), crc32.ChecksumIEEE(b), crc32.Checksum(b, castagnoli)}
}

// never is later than any deadline.
const never = time.Duration(1<<63 - 1)

// amplifies reports whether the reply, sent once more, would make three times the request's bytes, to a peer who has never answered.
func (t *transfer) amplifies() bool { return (t.rto.tries+1)*len(t.reply) >= 3*t.request.size }

func (t *transfer) wake() time.Duration { return min(t.repeatAt, t.giveUp) }

// packet appends the next datagram of t to b; nil where there is none.
func (t *transfer) packet(now time.Duration, b []byte) []byte {
	switch {
	case t.replying:
		t.replying = false
		return append(b, t.reply...)
	case t.repeating:
		t.repeating = false
		if t.earlier == nil {
			return t.packet(now, b)
		}
		return append(b, t.earlier.reply...)
	case t.acking:
		t.acking = false
		return appendACK(b, t.rx.last())
	case t.state == sending && !t.opening && t.tx.pending():
		t.repeatAt = now + t.rto.interval()
		return t.tx.append(b, now)
	}
	return nil
}

// queue is first in, first out. Its memory is used again, so that pushing doesn't allocate.
type queue struct {
	list []*transfer
	head int
}

func (q *queue) empty() bool { return q.head == len(q.list) }

func (q *queue) push(t *transfer) {
	if q.head > len(q.list)/2 && len(q.list) == cap(q.list) {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, t)
}

// pop returns nil where the queue is empty.
func (q *queue) pop() *transfer {
	if q.empty() {
		return nil
	}
	t := q.list[q.head]
	q.list[q.head] = nil
	q.head++
	if q.empty() {
		q.list, q.head = q.list[:0], 0
	}
	return t
}

// chain is a list of transfers, oldest first, from which any can be removed.
type chain struct {
	first, last *transfer
	size        int
}

func (c *chain) push(t *transfer) {
	t.waits, t.before, t.after = true, c.last, nil
	if c.last != nil {
		c.last.after = t
	} else {
		c.first = t
	}
	c.last = t
	c.size++
}

// remove does nothing where t is not in the chain.
func (c *chain) remove(t *transfer) {
	if !t.waits {
		return
	}
	if t.before != nil {
		t.before.after = t.after
	} else {
		c.first = t.after
	}
	if t.after != nil {
		t.after.before = t.before
	} else {
		c.last = t.before
	}
	t.waits, t.before, t.after = false, nil, nil
	c.size--
}

// timers are the transfers by the time of their next deadline: a heap. A deadline that moves later, which every packet
// does, leaves the heap alone until the old one has passed.
type timers struct{ heap []*transfer }

// set makes t expire at the given time, or earlier.
func (h *timers) set(t *transfer, at time.Duration) {
	if t.timerPos < 0 {
		t.timerAt, t.timerPos = at, len(h.heap)
		h.heap = append(h.heap, t)
		h.up(t.timerPos)
		return
	}
	if at < t.timerAt {
		t.timerAt = at
		h.up(t.timerPos)
	}
}

func (h *timers) remove(t *transfer) {
	i := t.timerPos
	if i < 0 {
		return
	}
	last := len(h.heap) - 1
	h.swap(i, last)
	h.heap[last] = nil
	h.heap = h.heap[:last]
	t.timerPos = -1
	if i < last {
		h.down(i)
		h.up(i)
	}
}

// expired takes out a transfer whose deadline has come; nil where there is none. Its owner sets it again.
func (h *timers) expired(now time.Duration) *transfer {
	for len(h.heap) > 0 && h.heap[0].timerAt <= now {
		t := h.heap[0]
		if wake := t.wake(); wake > now { // it has moved since it was set
			t.timerAt = wake
			h.down(0)
			continue
		}
		h.remove(t)
		return t
	}
	return nil
}

func (h *timers) first() (time.Duration, bool) {
	if len(h.heap) == 0 {
		return 0, false
	}
	return h.heap[0].timerAt, true
}

func (h *timers) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].timerPos, h.heap[j].timerPos = i, j
}

func (h *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h.heap[parent].timerAt <= h.heap[i].timerAt {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *timers) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h.heap) && h.heap[child].timerAt < h.heap[least].timerAt {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}
