package tftp

import (
	"net/netip"
	"time"
)

// sendReply sends what answers the peer's last packet: the OACK before any DATA, else an ACK. A new window starts after it.
func (e *engine) sendReply(now time.Duration, t *transfer) {
	if t.rx.last() == 0 && t.reply != nil {
		t.replying = true
	} else {
		t.acking = true
	}
	t.rx.acked()
	t.sentAt = now
	t.repeatAt = now + t.rto.interval()
	e.wantSend(t)
}

func (e *engine) requestReceiving(now time.Duration, t *transfer, from netip.AddrPort, in input) {
	if sumOf(in.raw) != t.request {
		e.replace(now, t, from, in)
		return
	}
	repeatAt := t.repeatAt // a repeated request is no progress
	e.sendReply(now, t)
	t.repeatAt = repeatAt
	t.sentAt = 0
	t.repeats++
}

// data takes a DATA packet of an upload.
func (e *engine) data(now time.Duration, t *transfer, _ netip.AddrPort, in input) {
	b := in.raw[headerSize:]
	if t.rx.wants(in.block, len(b)) {
		if err := e.room(now, t, len(b)); err != nil {
			t.endBlock = in.block
			e.end(t, err)
			e.fail(t, err)
			e.linger(now, t)
			return
		}
	}
	if e.repeatEarlier(t, in) {
		return
	}
	held := t.rx.body.room
	v := t.rx.data(in.block, b)
	e.hold(t, t.rx.body.room-held)
	switch v {
	case ignored:
		return
	case altered:
		t.endBlock = in.block
		e.end(t, errAltered)
		e.fail(t, errAltered)
		e.linger(now, t)
		return
	case again:
		t.acking = true
		t.rx.acked()
		t.repeats++
		t.sentAt = 0
		e.wantSend(t)
		return
	case ackDue, kept, final:
	}
	if t.sentAt != 0 && t.rto.tries == 0 {
		t.rto.measured(now - t.sentAt)
	}
	e.prove(t)
	t.sentAt = 0
	t.rto.tries = 0
	t.giveUp = now + max(e.timeout, silentIntervals*t.rto.fixed)
	t.repeatAt = now + t.rto.interval()
	switch v {
	case ackDue:
		t.advanced = true
		e.sendReply(now, t)
	case final:
		e.commit(now, t, in.block)
	}
}

// room returns why n more bytes of a body can't be taken, or nil.
func (e *engine) room(now time.Duration, t *transfer, n int) *Error {
	if t.rx.wire+int64(n) > e.limits.MaxSize {
		return errTooLarge
	}
	return e.makeMemory(now, t, t.rx.body.need(n+1)) // netascii may hold back a byte
}

// commit gives an upload to the handler. The last block gets no ACK: that is the receipt.
func (e *engine) commit(now time.Duration, t *transfer, block uint16) {
	t.state = committing
	t.endBlock = block
	t.acking = false
	body := t.rx.body
	if t.earlier != nil && !t.advanced { // all in one window: perhaps a repeat that the network held back
		if t.sum = sumOf(body.take()); t.earlier.sum == t.sum {
			e.end(t, nil)
			e.sendReceipt(now, t)
			return
		}
	}
	if err := e.makeMemory(now, t, callCost); err != nil {
		e.end(t, err)
		e.fail(t, err)
		e.linger(now, t)
		return
	}
	e.hold(t, callCost)
	t.req.Completed = e.epoch.Add(now)
	t.size = body.size
	t.rx = nil
	t.repeatAt = never
	t.giveUp = now + e.handlerTimeout
	e.call(t, body)
}

func (e *engine) repeatReply(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	t.rto.tries++
	if t.waits && (t.rto.tries >= halfOpenSends || t.amplifies()) {
		t.repeatAt = never
		return
	}
	t.repeats++
	t.rx.timeout()
	e.sendReply(now, t)
}

// requestLingering begins another transfer. The same request again is mostly that, from a client that takes one port for
// all, but it may also be a repeat that the network held back: then the client still waits for its receipt, or has gone.
func (e *engine) requestLingering(now time.Duration, t *transfer, from netip.AddrPort, in input) {
	receipt := t.receipt
	same := receipt.stored && sumOf(in.raw) == t.request
	if same && !e.admissible(now, from, in) {
		return // a client that waits for its receipt would take the refusal for it
	}
	e.replace(now, t, from, in)
	if again := e.peers[from]; same && again != nil && again != t {
		again.earlier = &receipt
	}
}

// repeatEarlier answers the last block of an earlier transfer, whose client still waits for its receipt, while this one has
// not begun to receive.
func (e *engine) repeatEarlier(t *transfer, in input) bool {
	if t.earlier == nil || t.rx.last() != 0 || in.block != t.earlier.endBlock {
		return false
	}
	if in.block > 0 && int(in.block) <= t.rx.window { // this transfer's own first window may hold it
		return false
	}
	t.repeating = true
	e.wantSend(t)
	return true
}

func (e *engine) silent(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	if t.earlier != nil && t.rx.last() == 0 && now < t.earlier.until { // it was a late repeat: the receipt lingers on
		e.prove(t)
		t.receipt, t.earlier = *t.earlier, nil
		t.state, t.repeatAt, t.giveUp = lingering, never, t.until
		e.lingers(t, true)
		e.release(t)
		return
	}
	e.end(t, errSilent)
	if !t.waits { // who has never answered may not be who asked
		e.fail(t, errSilent)
	}
	e.finish(t)
}

// late gives up waiting for the handler.
func (e *engine) late(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	e.end(t, errLate)
	e.fail(t, errLate)
	if t.state == loading {
		e.finish(t)
		return
	}
	e.linger(now, t)
}

// stored sends the receipt.
func (e *engine) stored(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	e.end(t, nil)
	e.sendReceipt(now, t)
}

func (e *engine) sendReceipt(now time.Duration, t *transfer) {
	t.reply, t.stored = appendACK(nil, uint64(t.endBlock)), true
	t.replying = true
	e.wantSend(t)
	e.linger(now, t)
}

func (e *engine) notStored(now time.Duration, t *transfer, _ netip.AddrPort, in input) {
	e.end(t, in.err)
	e.fail(t, wire(in.err))
	e.linger(now, t)
}

// linger keeps what the peer must be able to hear again, and lets go of the rest.
func (e *engine) linger(now time.Duration, t *transfer) {
	t.state = lingering
	e.lingers(t, true)
	e.prove(t)
	t.repeatAt = never
	t.giveUp = now + max(lingerTime, 2*t.rto.fixed)
	if e.closing {
		t.giveUp = now + lingerClosing
	}
	t.until, t.earlier = t.giveUp, nil
	e.release(t)
}

// repeatReceipt answers the last block again.
//
// A file whose last block has number 0, after a roll-over, makes tftp-hpa and curl send an empty block 1 behind it: both
// count blocks to see whether they are at the first. They take the file for failed unless that is acknowledged too, and
// it holds nothing.
func (e *engine) repeatReceipt(_ time.Duration, t *transfer, _ netip.AddrPort, in input) {
	if t.endBlock == 0 && in.block == 1 && len(in.raw) == headerSize && opcode(t.reply[1]) == opACK {
		t.endBlock = 1
		t.reply = appendACK(nil, 1)
	}
	if in.block == t.endBlock {
		t.replying = true
		e.wantSend(t)
	}
}

func (e *engine) forget(_ time.Duration, t *transfer, _ netip.AddrPort, _ input) { e.finish(t) }
