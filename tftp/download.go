package tftp

import "time"

// load calls the handler of the next read that waits, while there is memory for a file of the
// largest size beside those that are being read. One may always run, however small the memory is.
// What reads may need is not taken from uploads before it is there.
func (e *engine) load() {
	for e.runningReads == 0 ||
		e.memory+int64(e.runningReads+1)*e.limits.MaxRead <= e.limits.Memory {
		t := e.waitingReads.pop()
		if t == nil {
			return
		}
		if t.state != loading { // it has gone meanwhile
			continue
		}
		e.runningReads++
		e.startCall(t, buffer{})
	}
}

// loaded starts to send what the handler has read.
func (e *engine) loaded(t *transfer, in input) {
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
		t.receipt.reply, t.opening = appendOACK(nil, answer), true
		t.due |= dueReply
	}
	t.sentAt = in.now
	t.giveUp = in.now + max(e.timeout, silentIntervals*t.rto.fixed)
	t.repeatAt = in.now + t.rto.interval()
	e.enqueue(t)
}

func (e *engine) notLoaded(t *transfer, in input) {
	e.end(t, in.err)
	if e.limiter.allowError(in.now, t.peer.Addr()) { // the address may be forged
		e.fail(t, wire(in.err))
	}
	e.finish(t)
}

// requestSending takes the request again: a repeat, or of a peer that has been quiet since an ACK
// the first packet after a restart.
func (e *engine) requestSending(t *transfer, in input) {
	switch {
	case sumOf(in.raw) != t.requestSum:
		e.replace(t, in)
	case t.opening: // an OACK is no larger than what asks for it
		t.repeats++
		e.addDue(t, dueReply)
	case t.tx.answered && in.now-t.heardAt >= restartAfter:
		e.restartDownload(t, in)
	}
}

// restartDownload begins to send anew. The old state is kept until the peer's next ACK: if the
// request was a repeat that the network held back, the peer goes on where it was.
func (e *engine) restartDownload(t *transfer, in input) {
	answer, agreed := e.negotiate(t.req, int64(len(t.tx.body)))
	if t.paused == nil {
		t.paused = t.tx
	}
	t.tx = newSender(agreed, t.paused.body)
	t.tx.answered = true
	if len(answer) > 0 {
		t.receipt.reply, t.opening = appendOACK(nil, answer), true
		t.due |= dueReply
	}
	t.rto.tries, t.heardAt, t.sentAt = 0, in.now, in.now
	t.giveUp = in.now + max(e.timeout, silentIntervals*t.rto.fixed)
	t.repeatAt = in.now + t.rto.interval()
	t.repeats++
	e.enqueue(t)
}

// resumeDownload decides, by the first ACK after a restart, which of the two goes on.
func (e *engine) resumeDownload(t *transfer, in input) {
	if t.paused == nil || t.tx.acked > 0 {
		return
	}
	ofNew := t.opening && in.block == 0 || !t.opening && uint64(in.block) <= t.tx.high
	ahead := uint64(in.block - uint16(t.paused.acked))
	switch {
	case ofNew && (in.block > 0 || t.opening):
		t.paused = nil
	case !ofNew && ahead <= t.paused.high-t.paused.acked:
		t.tx, t.opening, t.paused = t.paused, false, nil
		t.due &^= dueReply
	}
}

// ack takes an ACK of a download.
func (e *engine) ack(t *transfer, in input) {
	e.resumeDownload(t, in)
	t.heardAt = in.now
	progress, rtt := false, time.Duration(0)
	if t.opening {
		if in.block != 0 {
			return
		}
		t.opening, t.tx.answered = false, true
		t.due &^= dueReply
		e.prove(t)
		progress = true
		if t.rto.tries == 0 {
			rtt = in.now - t.sentAt
		}
	} else {
		progress, rtt = t.tx.ack(in.block, in.now)
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
		t.giveUp = in.now + max(e.timeout, silentIntervals*t.rto.fixed)
		t.repeatAt = in.now + t.rto.interval()
	}
	if t.tx.pending() {
		e.enqueue(t)
	}
}

// resend is the timer of a download.
func (e *engine) resend(t *transfer, in input) {
	t.rto.tries++
	// DATA goes twice to a peer that has never answered
	if t.unproven && (t.rto.tries >= halfOpenSends || t.opening && t.amplifies() || !t.opening &&
		t.rto.tries > 1) {
		t.repeatAt = never
		return
	}
	t.repeats++
	if t.opening {
		t.due |= dueReply
	} else {
		t.tx.timedOut()
	}
	t.repeatAt = in.now + t.rto.interval()
	e.enqueue(t)
}
