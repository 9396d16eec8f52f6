package tftp

import (
	"errors"
	"net/netip"
	"time"
)

// state is where a transfer of a server stands. An upload goes receiving, committing, lingering; a download loading,
// sending. A transfer whose peer has left while the handler runs is alone.
type state uint8

const (
	gone state = iota
	receiving
	committing
	lingering
	loading
	sending
	alone
	numStates
)

// event is what can happen to a transfer.
type event uint8

const (
	onRequest event = iota
	onData
	onACK
	onERROR
	onOther
	onTimer
	onSilence
	onDone
	onFailed
	numEvents
)

// rule is what an event does in a state. says is the same in words, for people.
type rule struct {
	says string
	do   func(e *engine, now time.Duration, t *transfer, from netip.AddrPort, in input)
}

// rules are the state tables of uploads and downloads. An event without rule is ignored.
var rules = [numStates][numEvents]rule{
	gone: {
		onRequest: {"admit and negotiate: OACK or ACK 0 -> receiving; a read -> loading", (*engine).begin},
		onData:    {"code 5, rate-limited", (*engine).unknownTID},
		onACK:     {"code 5, rate-limited", (*engine).unknownTID},
		onOther:   {"code 4, rate-limited", (*engine).illegal},
	},
	receiving: {
		onRequest: {"same bytes: repeat the last reply; other: it replaces this", (*engine).requestReceiving},
		onData:    {"next: keep, ACK at the end of a window, short block -> committing without ACK; other: lock-step: a repeat of the last block gets its ACK again, window: one ACK of the last in order for a gap or a repeat, then none until progress or timer", (*engine).data},
		onERROR:   {"gone", (*engine).peerFailed},
		onTimer:   {"repeat the last reply, back off", (*engine).repeatReply},
		onSilence: {"code 0 -> gone", (*engine).silent},
	},
	committing: {
		onRequest: {"same bytes: drop; other: the commit goes on alone, the new one starts", (*engine).requestCalling},
		onERROR:   {"the commit goes on alone, its end is logged", (*engine).leaveAlone},
		onSilence: {"code 0 -> lingering; a later \"stored\" changes nothing", (*engine).late},
		onDone:    {"ACK -> lingering", (*engine).stored},
		onFailed:  {"ERROR -> lingering", (*engine).notStored},
	},
	lingering: {
		onRequest: {"starts anew; the same bytes again may be a late repeat: the receipt is kept beside it, and the same body is not given to the handler twice", (*engine).requestLingering},
		onData:    {"the last block again: repeat the ACK or ERROR; an empty block 1 after a last block 0: ACK", (*engine).repeatReceipt},
		onSilence: {"gone", (*engine).forget},
		onDone:    {"logged", (*engine).logged},
		onFailed:  {"logged", (*engine).logged},
	},
	loading: {
		onRequest: {"same bytes: drop; other: it replaces this", (*engine).requestCalling},
		onERROR:   {"gone; the handler's end is logged", (*engine).leaveAlone},
		onSilence: {"code 0 -> gone", (*engine).late},
		onDone:    {"OACK or DATA 1 -> sending", (*engine).loaded},
		onFailed:  {"ERROR -> gone", (*engine).notLoaded},
	},
	sending: {
		onRequest: {"same bytes: repeat an unanswered OACK, and leave DATA to the timer, since the address may be forged; other: it replaces this", (*engine).requestSending},
		onACK:     {"progress: the next window; inside the window: it starts there; never sent: ignore; the last block's: gone", (*engine).ack},
		onERROR:   {"gone", (*engine).peerFailed},
		onTimer:   {"send again from the last ACK, one block only while the peer has never answered, back off", (*engine).resend},
		onSilence: {"code 0 -> gone", (*engine).silent},
	},
	alone: {
		onDone:   {"logged", (*engine).logged},
		onFailed: {"logged", (*engine).logged},
	},
}

// Times of the states.
const (
	// A request that nobody follows up is dropped after this, or three of its own intervals: its source may be forged.
	halfOpen = 3 * time.Second
	// The receipt of an upload is repeated on demand for this long, or two negotiated intervals: tftp-hpa and atftp ask
	// again after 5 s, and the second question may be lost too.
	lingerTime = 12 * time.Second
	// While the server shuts down receipts linger for this long.
	lingerClosing = time.Second
	// A negotiated interval makes silence as long as this many of it.
	silentIntervals = 5
)

func (e *engine) dispatch(now time.Duration, t *transfer, from netip.AddrPort, ev event, in input) {
	s := gone
	if t != nil {
		s = t.state
	}
	if do := rules[s][ev].do; do != nil {
		do(e, now, t, from, in)
	}
	if t != nil && t.state != gone && t.state != alone {
		e.timers.set(t, t.wake())
	}
}

// begin admits a request, or refuses it.
func (e *engine) begin(now time.Duration, _ *transfer, from netip.AddrPort, in input) {
	if e.closing || !answerable(from) {
		return
	}
	r, refusal := parseRequest(in.raw)
	if r == nil {
		e.refuse(now, from, in.local, refusal)
		return
	}
	r.Peer, r.Local, r.Received = from, in.local, e.epoch.Add(now)
	if refusal = e.admit(r); refusal != nil {
		e.refuseRequest(now, r, refusal)
		return
	}
	e.lastID++
	t := &transfer{
		id: e.lastID, peer: from, local: in.local, request: sumOf(in.raw), req: r, started: now, timerPos: -1,
		repeatAt: never, giveUp: now + e.timeout,
		rto: rto{first: e.ackTimeout, least: e.ackTimeout},
	}
	if r.Op == OpRead {
		t.state = loading
		t.giveUp = now + e.handlerTimeout
		e.enter(t)
		e.loads.push(t)
		e.load()
		e.timers.set(t, t.wake())
		return
	}
	answer, agreed := e.negotiate(r, 0)
	if agreed.tsize > e.limits.MaxSize {
		e.refuseRequest(now, r, errTooLarge)
		return
	}
	r.Negotiated = answer
	t.state = receiving
	t.rx = newReceiver(agreed, r.Mode)
	t.rto.fixed = agreed.interval
	if len(answer) > 0 {
		t.reply = appendOACK(nil, answer)
	}
	e.enter(t)
	t.giveUp = now + max(halfOpen, 3*t.rto.fixed)
	e.sendReply(now, t)
	e.timers.set(t, t.wake())
}

// admit returns why a request is refused, or nil.
func (e *engine) admit(r *Request) *Error {
	if e.accept != nil {
		if err := e.accept(r); err != nil {
			return wire(err)
		}
	}
	switch {
	case r.Op == OpRead && !e.reads:
		return errNoReading
	case e.sources[r.Peer.Addr()] >= max(1, e.limits.Transfers/2):
		return errBusy
	case len(e.peers) >= e.limits.Transfers && !e.makeRoom():
		return errBusy
	case r.Op == OpWrite && e.memory > e.limits.Memory/10*9: // what is under way shall have room to end
		return errMemory
	}
	return nil
}

// enter makes t the transfer of its peer.
func (e *engine) enter(t *transfer) {
	e.peers[t.peer] = t
	e.sources[t.peer.Addr()]++
	e.unproven.push(t)
	if e.unproven.size > max(1, e.limits.Transfers/2) {
		e.makeRoom()
	}
}

// makeRoom drops the oldest transfer whose peer has never answered, and reports whether there was one.
func (e *engine) makeRoom() bool {
	t := e.unproven.first
	if t == nil {
		return false
	}
	e.end(t, errCrowded)
	t.replying = false
	e.finish(t)
	return true
}

// load calls the handler of the next read that waits, while there is memory for a file of the largest size. One may always
// run, however small the memory is.
func (e *engine) load() {
	for e.loading == 0 || e.memory+e.limits.MaxSize <= e.limits.Memory {
		t := e.loads.pop()
		if t == nil {
			return
		}
		if t.state != loading { // it has gone meanwhile
			continue
		}
		e.loading++
		e.hold(t, e.limits.MaxSize)
		e.call(t)
	}
}

func (e *engine) refuseRequest(now time.Duration, r *Request, err *Error) {
	before := len(e.strays)
	e.refuse(now, r.Peer, r.Local, err)
	if len(e.strays) > before { // what isn't answered isn't logged either: both are bounded alike
		e.ended = append(e.ended, Outcome{Request: r, Err: err, Refused: true})
	}
}

func (e *engine) unknownTID(now time.Duration, _ *transfer, from netip.AddrPort, in input) {
	e.refuse(now, from, in.local, errUnknownTID)
}

func (e *engine) illegal(now time.Duration, _ *transfer, from netip.AddrPort, in input) {
	e.refuse(now, from, in.local, errOperation)
}

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
		if err := e.room(t, len(b)); err != nil {
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
	e.unproven.remove(t)
	t.sentAt = 0
	t.rto.tries = 0
	t.giveUp = now + max(e.timeout, silentIntervals*t.rto.fixed)
	t.repeatAt = now + t.rto.interval()
	switch v {
	case ackDue:
		e.sendReply(now, t)
	case final:
		e.commit(now, t, in.block)
	}
}

// room returns why n more bytes of a body can't be taken, or nil.
func (e *engine) room(t *transfer, n int) *Error {
	switch {
	case t.rx.wire+int64(n) > e.limits.MaxSize:
		return errTooLarge
	case e.memory+t.rx.body.need(n+1) > e.limits.Memory: // netascii may hold back a byte
		return errMemory
	}
	return nil
}

// commit gives an upload to the handler. The last block gets no ACK: that is the receipt.
func (e *engine) commit(now time.Duration, t *transfer, block uint16) {
	t.state = committing
	t.endBlock = block
	t.acking = false
	t.req.Body = t.rx.body.take()
	t.sum = sumOf(t.req.Body)
	if t.earlier != nil && t.earlier.sum == t.sum {
		e.sendReceipt(now, t)
		return
	}
	t.req.Completed = e.epoch.Add(now)
	e.hold(t, int64(len(t.req.Body))-t.budget)
	t.rx = nil
	t.repeatAt = never
	t.giveUp = now + e.handlerTimeout
	e.call(t)
}

func (e *engine) call(t *transfer) {
	e.calls[t.id] = t
	e.begun = append(e.begun, call{t.id, t.req})
}

func (e *engine) repeatReply(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	t.rto.tries++
	t.repeats++
	t.rx.timeout()
	e.sendReply(now, t)
}

func (e *engine) requestCalling(now time.Duration, t *transfer, from netip.AddrPort, in input) {
	if sumOf(in.raw) != t.request {
		e.replace(now, t, from, in)
	}
}

// replace ends a transfer because its peer asks for another: a client that took the same port again, or gave up.
func (e *engine) replace(now time.Duration, t *transfer, from netip.AddrPort, in input) {
	if e.closing {
		return
	}
	if t.state == receiving || t.state == sending {
		e.end(t, errReplaced)
	}
	t.replying = false
	e.finish(t)
	e.begin(now, nil, from, in)
}

// requestLingering begins another transfer. The same request again is mostly that, from a client that takes one port for
// all, but it may also be a repeat that the network held back: then the client still waits for its receipt, or has gone.
func (e *engine) requestLingering(now time.Duration, t *transfer, from netip.AddrPort, in input) {
	receipt := t.receipt
	same := receipt.stored && sumOf(in.raw) == t.request
	e.replace(now, t, from, in)
	if again := e.peers[from]; same && again != nil && again != t {
		again.earlier = &receipt
	}
}

// repeatEarlier answers the last block of an earlier transfer, whose client still waits for its receipt, while this one has
// not begun to receive. Where that block is the first, and so the one that is awaited, this transfer takes it.
func (e *engine) repeatEarlier(t *transfer, in input) bool {
	if t.earlier == nil || t.rx.last() != 0 || in.block != t.earlier.endBlock || t.rx.wants(in.block, len(in.raw)-headerSize) {
		return false
	}
	t.repeating = true
	e.wantSend(t)
	return true
}

var (
	errReplaced = errors.New("the peer began another transfer")
	errNoReport = errors.New("done, but the peer had gone")
	errCrowded  = errors.New("dropped for another: too many transfers, and this peer had never answered")
)

func (e *engine) peerFailed(_ time.Duration, t *transfer, _ netip.AddrPort, in input) {
	e.end(t, parseERROR(in.raw))
	t.replying = false
	e.finish(t)
}

func (e *engine) silent(now time.Duration, t *transfer, _ netip.AddrPort, _ input) {
	if t.earlier != nil && t.rx.last() == 0 && now < t.earlier.until { // it was a late repeat: the receipt lingers on
		e.unproven.remove(t)
		t.receipt, t.earlier = *t.earlier, nil
		t.state, t.repeatAt, t.giveUp = lingering, never, t.until
		e.release(t)
		return
	}
	e.end(t, errSilent)
	e.fail(t, errSilent)
	e.finish(t)
}

func (e *engine) leaveAlone(_ time.Duration, t *transfer, _ netip.AddrPort, in input) {
	if e.calls[t.id] != t { // a read that waits for memory
		e.end(t, parseERROR(in.raw))
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
	e.unproven.remove(t)
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

// logged notes the end of a handler whose peer has left, or was told something else.
func (e *engine) logged(_ time.Duration, t *transfer, _ netip.AddrPort, in input) {
	err := in.err
	if err == nil {
		err = errNoReport
	}
	e.end(t, err)
	e.release(t)
	if t.state == alone {
		t.state = gone
	}
}

// loaded starts to send what the handler has read.
func (e *engine) loaded(now time.Duration, t *transfer, _ netip.AddrPort, in input) {
	body := in.body
	e.hold(t, -t.budget)
	if t.req.Mode == Netascii {
		body = encodeNetascii(body)
	}
	if e.memory+int64(len(body)) > e.limits.Memory {
		e.end(t, errMemory)
		e.fail(t, errMemory)
		e.finish(t)
		return
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

func (e *engine) notLoaded(_ time.Duration, t *transfer, _ netip.AddrPort, in input) {
	e.end(t, in.err)
	e.fail(t, wire(in.err))
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
		e.unproven.remove(t)
		progress = true
		if t.rto.tries == 0 {
			rtt = now - t.sentAt
		}
	} else {
		progress, rtt = t.tx.ack(in.block, now)
		if progress {
			e.unproven.remove(t)
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
	t.repeats++
	if t.opening {
		t.replying = true
	} else {
		t.tx.timeout()
	}
	t.repeatAt = now + t.rto.interval()
	e.wantSend(t)
}

// fail tells the peer that a transfer has failed.
func (e *engine) fail(t *transfer, err *Error) {
	t.reply = appendERROR(nil, err)
	t.replying, t.acking, t.opening = true, false, false
	e.wantSend(t)
}

// end notes how a transfer ended.
func (e *engine) end(t *transfer, err error) {
	o := Outcome{Request: t.req, Err: err, Repeats: t.repeats, Again: t.told}
	t.told = true
	switch {
	case t.rx != nil:
		o.Bytes = t.rx.wire
	case t.tx != nil:
		o.Bytes = t.tx.sent()
	case t.req.Op == OpWrite:
		o.Bytes = t.budget
	}
	e.ended = append(e.ended, o)
}

// finish forgets a transfer; one whose handler runs is alone until that has ended.
func (e *engine) finish(t *transfer) {
	if e.peers[t.peer] == t {
		delete(e.peers, t.peer)
		e.unproven.remove(t)
		if source := t.peer.Addr(); e.sources[source] > 1 {
			e.sources[source]--
		} else {
			delete(e.sources, source)
		}
	}
	e.timers.remove(t)
	if e.calls[t.id] == t {
		t.state = alone
		return
	}
	t.state = gone
	e.release(t)
}

// hold counts n more bytes of bodies for t.
func (e *engine) hold(t *transfer, n int64) {
	t.budget += n
	e.memory += n
}

// release lets go of a transfer's body. While the handler has it, it still counts.
func (e *engine) release(t *transfer) {
	if e.calls[t.id] == t {
		return
	}
	e.hold(t, -t.budget)
	t.acking, t.repeating = false, false
	t.rx, t.tx, t.req = nil, nil, nil
}
