package tftp

import (
	"net/netip"
	"time"
)

// load calls the handler of the next read that waits, while there is memory for a file of the largest size beside those that are
// being read. One may always run, however small the memory is. What reads may need is not taken from uploads before it is there.
func (e *engine) load() {
	for e.loading == 0 || e.memory+int64(e.loading+1)*e.limits.MaxRead <= e.limits.Memory {
		t := e.loads.pop()
		if t == nil {
			return
		}
		if t.state != loading { // it has gone meanwhile
			continue
		}
		e.loading++
		e.call(t, buffer{})
	}
}

// loaded starts to send what the handler has read.
func (e *engine) loaded(now time.Duration, t *transfer, _ netip.AddrPort, in input) {
	body := in.body
	size := int64(len(body))
	if t.req.Mode == Netascii {
		size *= 2 // at most
	}
	if e.memory+size > e.limits.Memory {
		e.end(t, errMemory)
		e.fail(t, errMemory)
		e.finish(t)
		return
	}
	if t.req.Mode == Netascii {
		body = encodeNetascii(body)
	}
	e.hold(t, int64(len(body)))
	answer, agreed := e.negotiate(t.req, int64(len(body)))
	t.req.Negotiated = answer
	t.state = sending
	t.tx = newSender(agreed, body)
	t.rto = rto{first: e.ackTimeout, least: e.ackTimeout / 4, fixed: agreed.interval}
	if len(answer) > 0 {
		t.reply, t.opening, t.replying = appendOACK(nil, answer), true, true
	}
	t.sentAt = now
	t.giveUp = now + max(halfOpen, 3*t.rto.fixed)
	t.repeatAt = now + t.rto.interval()
	e.wantSend(t)
}

func (e *engine) notLoaded(now time.Duration, t *transfer, _ netip.AddrPort, in input) {
	e.end(t, in.err)
	if e.bound.error(now, t.peer.Addr()) { // the address may be forged
		e.fail(t, wire(in.err))
	}
	e.finish(t)
}

func (e *engine) requestSending(now time.Duration, t *transfer, from netip.AddrPort, in input) {
	switch {
	case sumOf(in.raw) != t.request:
		e.replace(now, t, from, in)
	case t.opening: // an OACK is no larger than what asks for it
		t.replying = true
		t.repeats++
		e.wantSend(t)
	}
}

// ack takes an ACK of a download.
func (e *engine) ack(now time.Duration, t *transfer, _ netip.AddrPort, in input) {
	progress, rtt := false, time.Duration(0)
	if t.opening {
		if in.block != 0 {
			return
		}
		t.opening, t.replying, t.tx.answered = false, false, true
		e.prove(t)
		progress = true
		if t.rto.tries == 0 {
			rtt = now - t.sentAt
		}
	} else {
		progress, rtt = t.tx.ack(in.block, now)
		if progress {
			e.prove(t)
		}
	}
	if t.tx.done() {
		e.end(t, nil)
		e.finish(t)
		return
	}
	if progress {
		if rtt > 0 {
			t.rto.measured(rtt)
		}
		t.rto.tries = 0
		t.giveUp = now + max(e.timeout, silentIntervals*t.rto.fixed)
		t.repeatAt = now + t.rto.interval()
	}
	if t.tx.pending() {
		e.wantSend(t)
	}
}

// resend is the timer of a download.
func (e *engine) resend(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	t.rto.tries++
	if t.waits && (t.rto.tries >= halfOpenSends || t.opening && t.amplifies() || !t.opening && t.rto.tries > 1) { // DATA goes twice to who has never answered
		t.repeatAt = never
		return
	}
	t.repeats++
	if t.opening {
		t.replying = true
	} else {
		t.tx.timeout()
	}
	t.repeatAt = now + t.rto.interval()
	e.wantSend(t)
}
