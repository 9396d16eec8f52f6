package tftp

import (
	"net/netip"
	"time"
)

// engineConfig is what an engine is made with, and keeps.
type engineConfig struct {
	limits         Limits
	port           uint16        // of its socket
	ackTimeout     time.Duration // 0 for the default, as the other times
	timeout        time.Duration
	handlerTimeout time.Duration
	accept         func(*Request) error
	option         func(r *Request, name, value string) (answer string, ok bool)
	reads          bool      // the handler serves reads
	epoch          time.Time // of the times that go in
	limiter        limiter   // of requests and ERRORs of each source; nil for one of its own
	trains         bool      // a window's blocks may leave together
}

// engine is every transfer of one socket, as a state machine without IO, clock or lock. One
// goroutine owns it. The table in states.go, drawn in states.md, says what happens in which state.
// Each transcript in testdata shows one rule, of an RFC where its name says so. make sim plays
// seeded worlds against one invariant: a client that saw the final ACK finds its exact bytes
// stored, once.
//
// The caller owes it:
//   - packet for each datagram as it comes, and completed once for each call that take handed out;
//   - tick at the deadline or soon after it, with a time that never runs backwards;
//   - after any of these: send until it has nothing, and take.
//
// The engine owes the caller:
//   - each request that was understood ends in exactly one Outcome, except repeats, which Again
//     marks, and an upload whose peer goes on after the last block, which then fails too;
//   - a call is handed out once, and its body is whole; no receipt leaves before completed(nil);
//   - deadline is right until the next call of a method; send never waits for a peer;
//   - it holds no more memory and no more transfers than its limits say.
type engine struct {
	engineConfig

	// By the peer's TID: with one port nothing else tells transfers apart.
	peers        map[netip.AddrPort]*transfer
	sources      map[netip.Addr]counts // transfers of each source
	calls        map[uint64]*transfer  // those whose handler runs, by id; their peer may have gone
	unproven     chain                 // transfers whose peer has not answered yet
	waitingReads queue                 // reads that wait for their handler
	runningReads int                   // reads whose handler runs
	timers       timers
	lastID       uint64
	memory       int64 // bytes held for bodies, in both directions
	ready        queue // transfers that have something to send
	strays       []stray
	aloneCalls   int  // calls whose peer has gone
	draining     bool // no new requests

	asked [OpWrite + 1]int64 // requests that were understood, by what they ask for

	begun    []call    // handler calls to make, until taken
	outcomes []Outcome // transfers that ended, until taken
}

// counts are how many transfers one address has: all, with those whose handler still runs though
// their peer has gone; those whose peers have never answered, and the reads among these; and those
// that linger.
type counts struct{ all, unproven, reads, lingering int }

// call is a call of the handler to be made. The caller joins the upload's body and computes its
// checksum (see prepare): in the engine that would delay the packets of other transfers.
type call struct {
	id   uint64
	req  *Request
	body buffer // of an upload
}

// prepare makes an upload's body.
func (c *call) prepare() {
	if c.req.Op == OpWrite {
		c.req.Body = c.body.take()
		c.req.sum = sumOf(c.req.Body)
		c.body = buffer{}
	}
}

// stray is an ERROR for a peer that has no transfer.
type stray struct {
	to    netip.AddrPort
	local netip.Addr
	err   *Error
}

// datagram is one that came, or is to be sent, or a train of them. local is this host's address
// that it came to, or leaves from; the zero value for any.
type datagram struct {
	peer  netip.AddrPort
	local netip.Addr
	b     []byte
	// bytes of each packet of a train but the last, which may be shorter; 0 where b is one packet
	cut int
}

// packets yields the packets of d.
func (d datagram) packets(yield func([]byte) bool) {
	b := d.b
	for d.cut > 0 && len(b) > d.cut {
		if !yield(b[:d.cut]) {
			return
		}
		b = b[d.cut:]
	}
	yield(b)
}

// input is what happened to a transfer, or to a peer that has none.
type input struct {
	now   time.Duration
	from  netip.AddrPort // the peer
	local netip.Addr
	raw   []byte // the datagram, valid during the call
	block uint16 // of DATA and ACK
	body  []byte // of a read that succeeded
	err   error  // of a handler that failed
}

func newEngine(c engineConfig) *engine {
	c.limits = c.limits.withDefaults()
	if c.ackTimeout <= 0 {
		c.ackTimeout = defaultAckTimeout
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.handlerTimeout <= 0 {
		c.handlerTimeout = defaultTimeout
	}
	if c.limiter == nil {
		c.limiter = newRates(0)
	}
	return &engine{
		engineConfig: c,
		peers:        make(map[netip.AddrPort]*transfer),
		sources:      make(map[netip.Addr]counts),
		calls:        make(map[uint64]*transfer),
	}
}

// take hands out the handler calls to make and the transfers that ended. Both slices are valid
// until the next call of a method.
func (e *engine) take() (begun []call, outcomes []Outcome) {
	begun, outcomes = e.begun, e.outcomes
	e.begun, e.outcomes = e.begun[:0], e.outcomes[:0]
	return begun, outcomes
}

// busy reports whether a handler runs.
func (e *engine) busy() bool { return len(e.calls) > 0 }

// stats returns the number of requests so far, and what is under way.
func (e *engine) stats() (n Stats) {
	n.Reads, n.Writes, n.Held = e.asked[OpRead], e.asked[OpWrite], e.memory
	for _, t := range e.peers {
		switch {
		case t.state == lingering:
			n.Receipts++
		case t.state == loading || t.state == sending:
			n.Downloads++
		default:
			n.Uploads++
		}
	}
	for _, t := range e.calls {
		switch {
		case t.state != alone:
		case t.req.Op == OpRead:
			n.Downloads++
		default:
			n.Uploads++
		}
	}
	return n
}

// packet takes a datagram that came from a peer to the address local.
func (e *engine) packet(now time.Duration, from netip.AddrPort, local netip.Addr, b []byte) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if from == netip.AddrPortFrom(local, e.port) {
		return // forged: it would talk to itself
	}
	op, block := header(b)
	t := e.peers[from]
	in := input{now: now, from: from, local: local, raw: b, block: block}
	switch op {
	case opRRQ, opWRQ:
		e.dispatch(t, onRequest, in)
	case opDATA:
		e.dispatch(t, onData, in)
	case opACK:
		e.dispatch(t, onACK, in)
	case opERROR:
		e.dispatch(t, onERROR, in)
	case 0: // too short to be anything
	default:
		e.dispatch(t, onOther, in)
	}
}

// completed takes the end of the handler's call id.
func (e *engine) completed(now time.Duration, id uint64, body []byte, err error) {
	t := e.calls[id]
	if t == nil {
		return
	}
	t.receipt.sum = t.req.sum
	delete(e.calls, id)
	if t.req.Op == OpRead {
		e.runningReads--
	}
	ev := onDone
	if err != nil {
		ev = onFailed
	}
	e.dispatch(t, ev, input{now: now, from: t.peer, body: body, err: err})
	e.load()
}

// tick lets time pass.
func (e *engine) tick(now time.Duration) {
	for {
		t := e.timers.expired(now)
		if t == nil {
			return
		}
		switch {
		case now >= t.giveUp:
			e.dispatch(t, onSilence, input{now: now, from: t.peer})
		default:
			e.dispatch(t, onTimer, input{now: now, from: t.peer})
		}
	}
}

// deadline is when tick wants to be called next; ok is false where nothing waits.
func (e *engine) deadline() (at time.Duration, ok bool) { return e.timers.first() }

// send returns the next datagram to send, written into buf, which must have room for the largest.
// Transfers take turns, datagram by datagram, or train by train.
func (e *engine) send(now time.Duration, buf []byte) (d datagram, ok bool) {
	if last := len(e.strays) - 1; last >= 0 {
		s := e.strays[last]
		e.strays = e.strays[:last]
		return datagram{peer: s.to, local: s.local, b: appendERROR(buf[:0], s.err)}, true
	}
	for t := e.ready.pop(); t != nil; t = e.ready.pop() {
		t.queued = false
		d := datagram{peer: t.peer, local: t.local, b: t.packet(now, buf[:0])}
		if d.b == nil {
			continue
		}
		if t.state == sending && t.tx.pending() {
			if e.trains && !t.opening {
				d.b, d.cut = t.tx.train(d.b, now)
			}
			if t.tx.pending() {
				e.enqueue(t)
			}
		}
		return d, true
	}
	return datagram{}, false
}

// canSend reports whether send has something.
func (e *engine) canSend() bool { return len(e.strays) > 0 || !e.ready.empty() }

// addDue notes packets that t is to send.
func (e *engine) addDue(t *transfer, due sends) {
	t.due |= due
	e.enqueue(t)
}

// enqueue has send look at t.
func (e *engine) enqueue(t *transfer) {
	if !t.queued {
		t.queued = true
		e.ready.push(t)
	}
}

// drain stops taking requests. Receipts now linger for lingerDraining only.
func (e *engine) drain(now time.Duration) {
	e.draining = true
	for _, t := range e.peers {
		if t.state == lingering {
			t.giveUp = min(t.giveUp, now+lingerDraining)
			e.timers.set(t, t.wake())
		}
	}
}

// abort ends all transfers with an ERROR, except those whose commit runs.
func (e *engine) abort() {
	for _, t := range e.peers {
		if t.state == receiving || t.state == sending || t.state == loading {
			e.end(t, errShutdown)
			e.fail(t, errShutdown)
			e.finish(t)
		}
	}
}

// idle reports whether nothing is under way: no transfer, no receipt that lingers, no call of the
// handler.
func (e *engine) idle() bool { return len(e.peers) == 0 && len(e.calls) == 0 }

// refuse tells a peer without a transfer that it won't have one.
func (e *engine) refuse(now time.Duration, to netip.AddrPort, local netip.Addr, err *Error) {
	if !answerable(to) || len(e.strays) == maxStrays || !e.limiter.allowError(now, to.Addr()) {
		return
	}
	e.strays = append(e.strays, stray{to, local, err})
}

// maxStrays bounds the ERRORs that wait to be sent.
const maxStrays = 256

// answerable reports whether an answer to a source may be sent at all: never to a group, and not to
// port 0.
func answerable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.IsValid() && !ip.IsMulticast() && !ip.IsUnspecified() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
