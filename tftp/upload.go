package tftp

import "time"

// sendReply sends what answers the peer's last packet: the OACK before any DATA, else an ACK. A new
// window starts after it.
func (e *engine) sendReply(now time.Duration, t *transfer) {
	if t.rx.last() == 0 && t.receipt.reply != nil {
		t.due |= dueReply
	} else {
		t.due |= dueACK
	}
	t.rx.acked()
	t.sentAt = now
	t.repeatAt = now + t.rto.interval()
	e.enqueue(t)
}

// requestReceiving takes the request again. Before the first block it is a repeat, since the answer
// may be lost. After it, a peer that has sent nothing else for a while has restarted. Until then it
// gets no answer: an ACK of a later block would make it go on in the middle of its file.
func (e *engine) requestReceiving(t *transfer, in input) {
	switch {
	case sumOf(in.raw) != t.requestSum:
		e.replace(t, in)
	case t.rx.last() == 0:
		repeatAt := t.repeatAt // a repeated request is no progress
		e.sendReply(in.now, t)
		t.repeatAt = repeatAt
		t.sentAt = 0
		t.repeats++
	case in.now-t.heardAt >= restartAfter:
		e.restartUpload(t, in)
	default:
		t.due &^= dueACK
		t.repeatAt = never // until its next DATA
	}
}

// restartUpload begins an upload anew, and forgets what was received. Some clients take an old ACK
// that crosses their request for an answer to it, and go on in the middle of their file. Their next
// block can't be told from one of the old transfer, so the old transfer must not go on.
func (e *engine) restartUpload(t *transfer, in input) {
	answer, agreed := e.negotiate(t.req, 0)
	e.hold(t, -t.rx.body.room)
	t.rx = newReceiver(agreed, t.req.Mode)
	if t.receipt.reply = nil; len(answer) > 0 {
		t.receipt.reply = appendOACK(nil, answer)
	}
	t.due, t.earlier = 0, nil
	t.rto.tries, t.heardAt = 0, in.now
	t.giveUp = in.now + max(e.timeout, silentIntervals*t.rto.fixed)
	t.repeats++
	e.sendReply(in.now, t)
}

// data takes a DATA packet of an upload.
func (e *engine) data(t *transfer, in input) {
	b := in.raw[headerSize:]
	t.heardAt = in.now
	if t.rx.wants(in.block, len(b)) {
		if err := e.reserve(in.now, t, len(b)); err != nil {
			t.receipt.endBlock = in.block
			e.end(t, err)
			e.fail(t, err)
			e.linger(in.now, t)
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
		t.receipt.endBlock = in.block
		e.end(t, errAltered)
		e.fail(t, errAltered)
		e.linger(in.now, t)
		return
	case again:
		t.rx.acked()
		t.repeats++
		t.sentAt = 0
		e.addDue(t, dueACK)
		return
	case ackDue, kept, lastBlock:
	}
	if t.sentAt != 0 && t.rto.tries == 0 {
		t.rto.measured(in.now - t.sentAt)
	}
	e.prove(t)
	t.sentAt = 0
	t.rto.tries = 0
	t.giveUp = in.now + max(e.timeout, silentIntervals*t.rto.fixed)
	t.repeatAt = in.now + t.rto.interval()
	switch v {
	case ackDue:
		t.advanced = true
		e.sendReply(in.now, t)
	case lastBlock:
		e.commit(in.now, t, in.block)
	}
}

// reserve makes room for n more bytes of a body, or returns why they can't be taken.
func (e *engine) reserve(now time.Duration, t *transfer, n int) *Error {
	if t.rx.received+int64(n) > e.limits.MaxSize {
		return errTooLarge
	}
	return e.makeMemory(now, t, t.rx.body.need(n+1)) // netascii may hold back a byte
}

// commit gives an upload to the handler. The last block gets no ACK: that is the receipt.
func (e *engine) commit(now time.Duration, t *transfer, block uint16) {
	t.state = committing
	t.receipt.endBlock = block
	t.due &^= dueACK
	body := t.rx.body
	// all in one window: perhaps a repeat that the network held back
	if t.earlier != nil && !t.advanced {
		if t.receipt.sum = sumOf(body.take()); t.earlier.sum == t.receipt.sum {
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
	e.startCall(t, body)
}

func (e *engine) repeatReply(t *transfer, in input) {
	t.rto.tries++
	if t.unproven && (t.rto.tries >= halfOpenSends || t.amplifies()) {
		t.repeatAt = never
		return
	}
	t.repeats++
	t.rx.timedOut()
	e.sendReply(in.now, t)
}

// requestLingering begins another transfer. The same request again mostly means that: some clients
// use one port for all transfers. It may also be a repeat that the network held back; then the
// client still waits for its receipt, or has gone.
func (e *engine) requestLingering(t *transfer, in input) {
	old := t.receipt
	same := old.stored && sumOf(in.raw) == t.requestSum
	if same && !e.admissible(in) {
		return // a client that waits for its receipt would take the refusal for it
	}
	e.replace(t, in)
	if begun := e.peers[in.from]; same && begun != nil && begun != t {
		begun.earlier = &old
	}
}

// repeatEarlier answers the last block of an earlier transfer, whose client still waits for its
// receipt, while this one has not begun to receive.
func (e *engine) repeatEarlier(t *transfer, in input) bool {
	if t.earlier == nil || t.rx.last() != 0 || in.block != t.earlier.endBlock {
		return false
	}
	// this transfer's own first window may hold it
	if in.block > 0 && int(in.block) <= t.rx.window {
		return false
	}
	e.addDue(t, dueEarlier)
	return true
}

func (e *engine) silent(t *transfer, in input) {
	// it was a late repeat: the receipt lingers on
	if t.earlier != nil && t.rx.last() == 0 && in.now < t.earlier.until {
		e.prove(t)
		t.receipt, t.earlier = *t.earlier, nil
		t.state, t.repeatAt, t.giveUp = lingering, never, t.receipt.until
		e.setLingering(t, true)
		e.release(t)
		return
	}
	e.end(t, errSilent)
	if !t.unproven { // a peer that has never answered may not have asked
		e.fail(t, errSilent)
	}
	e.finish(t)
}

// late gives up waiting for the handler.
func (e *engine) late(t *transfer, in input) {
	e.end(t, errLate)
	e.fail(t, errLate)
	if t.state == loading {
		e.finish(t)
		return
	}
	e.linger(in.now, t)
}

// stored sends the receipt.
func (e *engine) stored(t *transfer, in input) {
	e.end(t, nil)
	e.sendReceipt(in.now, t)
}

func (e *engine) sendReceipt(now time.Duration, t *transfer) {
	t.receipt.reply, t.receipt.stored = appendACK(nil, uint64(t.receipt.endBlock)), true
	e.addDue(t, dueReply)
	e.linger(now, t)
}

func (e *engine) notStored(t *transfer, in input) {
	e.end(t, in.err)
	e.fail(t, wire(in.err))
	e.linger(in.now, t)
}

// linger keeps what the peer must be able to hear again, and lets go of the rest.
func (e *engine) linger(now time.Duration, t *transfer) {
	t.state = lingering
	e.setLingering(t, true)
	e.prove(t)
	t.repeatAt = never
	t.giveUp = now + max(lingerTime, 2*t.rto.fixed)
	if e.draining {
		t.giveUp = now + lingerDraining
	}
	t.receipt.until, t.earlier = t.giveUp, nil
	e.release(t)
}

// repeatReceipt answers the last block again.
//
// A file whose last block has number 0, after a roll-over, makes tftp-hpa and curl send an empty
// block 1 behind it: both count blocks to see whether they are at the first. They take the file for
// failed unless that is acknowledged too, and it holds nothing.
//
// A block after the last one is from a peer that sends shorter blocks than it was granted: its file
// ended with the first of them here. The peer must not take the receipt for that of the whole file,
// and its upload is reported once more, as failed.
func (e *engine) repeatReceipt(t *transfer, in input) {
	if t.receipt.endBlock == 0 && in.block == 1 && len(in.raw) == headerSize &&
		opcode(t.receipt.reply[1]) == opACK {
		t.receipt.endBlock = 1
		t.receipt.reply = appendACK(nil, 1)
	}
	switch {
	case in.block == t.receipt.endBlock:
		e.addDue(t, dueReply)
	case t.receipt.stored && in.block-t.receipt.endBlock <= t.beyond:
		t.receipt.stored = false
		e.outcomes = append(e.outcomes, Outcome{Err: errBeyond, Bytes: t.size, Request: &Request{
			Op: OpWrite, Peer: t.peer, Local: t.local, Filename: t.filename, Mode: Octet,
			Received: e.epoch.Add(t.started),
		}})
		e.fail(t, errBeyond)
	}
}

func (e *engine) forget(t *transfer, _ input) { e.finish(t) }
