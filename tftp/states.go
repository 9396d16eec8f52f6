package tftp

import (
	"errors"
	"time"
)

// state is the state of a server's transfer. An upload goes through receiving, committing and
// lingering; a download through loading and sending. A transfer is alone when its peer has left
// while the handler runs.
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
	do   func(e *engine, t *transfer, in input)
}

// rules are the state tables of uploads and downloads. An event without rule is ignored.
var rules = [numStates][numEvents]rule{
	gone: {
		onRequest: {"admit and negotiate: OACK or ACK 0 -> receiving; a read -> loading",
			(*engine).begin},
		onData:  {"code 5, rate-limited", (*engine).unknownTID},
		onACK:   {"code 5, rate-limited", (*engine).unknownTID},
		onOther: {"code 4, rate-limited", (*engine).illegal},
	},
	receiving: {
		onRequest: {"same bytes: repeat the last reply before the first block; later, " +
			"once the peer was quiet for a second, begin anew; other: it replaces this",
			(*engine).requestReceiving},
		onData: {"next: keep, ACK at the end of a window, short block -> committing without ACK; " +
			"a block of the last window again with other bytes: code 0; other: lock-step: a " +
			"repeat of the last block gets its ACK again, window: one ACK of the last in order " +
			"for a gap or a repeat, then none until progress or timer", (*engine).data},
		onERROR:   {"gone", (*engine).peerFailed},
		onTimer:   {"repeat the last reply, back off", (*engine).repeatReply},
		onSilence: {"code 0 -> gone", (*engine).silent},
	},
	committing: {
		onRequest: {"same bytes: drop; other: the commit goes on alone, the new one starts",
			(*engine).requestCalling},
		onERROR:   {"the commit goes on alone, its end is logged", (*engine).leaveAlone},
		onSilence: {"code 0 -> lingering; a later \"stored\" changes nothing", (*engine).late},
		onDone:    {"ACK -> lingering", (*engine).stored},
		onFailed:  {"ERROR -> lingering", (*engine).notStored},
	},
	lingering: {
		onRequest: {"starts anew; the same bytes again may be a late repeat: the receipt is kept " +
			"beside it, and the same body is not given to the handler twice",
			(*engine).requestLingering},
		onData: {"the last block again: repeat the ACK or ERROR; an empty block 1 after a last " +
			"block 0: ACK; a block of octet after the last, within a window: code 0, once",
			(*engine).repeatReceipt},
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
		onRequest: {"same bytes: repeat an unanswered OACK, and leave DATA to the timer, " +
			"since the address may be forged; after the first ACK, " +
			"once the peer was quiet for a second, begin anew; other: it replaces this",
			(*engine).requestSending},
		onACK: {"progress: the next window; inside the window: it starts there; never sent: " +
			"ignore; the last block's: gone", (*engine).ack},
		onERROR: {"gone", (*engine).peerFailed},
		onTimer: {"send again from the last ACK, one block only while the peer has never " +
			"answered, back off", (*engine).resend},
		onSilence: {"code 0 -> gone", (*engine).silent},
	},
	alone: {
		onDone:   {"logged", (*engine).logged},
		onFailed: {"logged", (*engine).logged},
	},
}

// Times of the states.
const (
	// The answer to a request is sent this many times to a peer that has never answered, since its
	// address may be forged.
	halfOpenSends = 3
	// A client that has restarted sends its request again after this time without another packet. A
	// repeat that the network held back comes earlier, or into a transfer that goes on.
	restartAfter = time.Second
	// At most this many blocks after the last one count as data beyond the end, however large the
	// window is: after a roll-over, an old block that the network held back has such a number, too.
	maxBeyond = 4096
	// An upload's receipt is repeated on demand for this long, or for two negotiated intervals if
	// that is longer: tftp-hpa and atftp ask again after 5 s, and their second packet may be lost,
	// too.
	lingerTime = 12 * time.Second
	// While the server shuts down receipts linger for this long.
	lingerDraining = time.Second
	// One address has at most this many reads at once whose peers have never answered. Each sends
	// up to two blocks of 512 bytes to an address that may be forged: half a megabyte in all within
	// Timeout.
	unprovenReads = 500
	// A transfer may be silent for this many negotiated intervals, if that is longer than Timeout.
	silentIntervals = 5
)

// dispatch applies the rule of an event in a transfer's state; t is nil where the peer has none.
func (e *engine) dispatch(t *transfer, ev event, in input) {
	s := gone
	if t != nil {
		s = t.state
	}
	if do := rules[s][ev].do; do != nil {
		do(e, t, in)
	}
	if t != nil && t.state != gone && t.state != alone {
		e.timers.set(t, t.wake())
	}
}

// begin admits a request, or refuses it.
func (e *engine) begin(_ *transfer, in input) {
	if e.draining || !answerable(in.from) {
		return
	}
	r, refusal := parseRequest(in.raw)
	r.Peer, r.Local, r.Received = in.from, in.local, e.epoch.Add(in.now)
	if refusal != nil {
		e.refuseRequest(in.now, r, refusal)
		return
	}
	e.asked[r.Op]++
	if r.Op == OpRead && e.sources[in.from.Addr()].reads >= unprovenReads {
		return // as if lost: an honest client asks again
	}
	if !e.limiter.allowRequest(in.now, in.from.Addr()) {
		refusal = errFlood
	} else {
		refusal = e.admit(in.now, r)
	}
	if refusal != nil {
		e.refuseRequest(in.now, r, refusal)
		return
	}
	e.lastID++
	t := &transfer{
		id: e.lastID, peer: in.from, local: in.local, requestSum: sumOf(in.raw), req: r,
		started: in.now, timerPos: -1,
		repeatAt: never, giveUp: in.now + e.timeout,
		rto: rto{first: e.ackTimeout, least: e.ackTimeout},
	}
	if r.Op == OpRead {
		t.state = loading
		t.giveUp = in.now + e.handlerTimeout
		e.enter(in.now, t)
		e.waitingReads.push(t)
		e.load()
		e.timers.set(t, t.wake())
		return
	}
	answer, agreed := e.negotiate(r, 0)
	if agreed.tsize > e.limits.MaxSize {
		e.refuseRequest(in.now, r, errTooLarge)
		return
	}
	r.Negotiated = answer
	t.state = receiving
	t.filename = r.Filename
	if r.Mode == Octet { // netascii has other sizes on the wire
		t.beyond = uint16(min(agreed.windowsize, maxBeyond))
		r.Announced = max(agreed.tsize, 0)
	}
	t.rx = newReceiver(agreed, r.Mode)
	t.rto.fixed = agreed.interval
	if len(answer) > 0 {
		t.receipt.reply = appendOACK(nil, answer)
	}
	e.enter(in.now, t)
	t.giveUp = in.now + max(e.timeout, silentIntervals*t.rto.fixed)
	e.sendReply(in.now, t)
	e.timers.set(t, t.wake())
}

// admissible reports whether a request would be admitted.
func (e *engine) admissible(in input) bool {
	r, refusal := parseRequest(in.raw)
	if refusal != nil {
		return false
	}
	r.Peer, r.Local, r.Received = in.from, in.local, e.epoch.Add(in.now)
	return e.unwelcome(r) == nil // what it would replace has made room
}

// admit returns why a request is refused, or nil. Where the table is full it makes room.
func (e *engine) admit(now time.Duration, r *Request) *Error {
	if err := e.unwelcome(r); err != nil {
		return err
	}
	source := e.sources[r.Peer.Addr()]
	full := len(e.peers)+e.aloneCalls >= e.limits.Transfers
	if full && !e.makeRoom(now, source.all-source.lingering) {
		return errBusy
	}
	return nil
}

// unwelcome returns why a request would be refused though there is room, or nil.
func (e *engine) unwelcome(r *Request) *Error {
	if e.accept != nil {
		if err := e.accept(r); err != nil {
			return wire(err)
		}
	}
	source := e.sources[r.Peer.Addr()]
	switch {
	case r.Op == OpRead && !e.reads:
		return errNoReading
	case source.all >= max(1, e.limits.Transfers/2),
		source.unproven >= max(1, e.limits.Transfers*3/8):
		return errBusy
	case r.Op == OpWrite && e.memory > e.limits.Memory/10*9:
		// the rest is for the transfers that have begun
		return errMemory
	}
	return nil
}

// enter makes t the transfer of its peer.
func (e *engine) enter(now time.Duration, t *transfer) {
	e.peers[t.peer] = t
	source := e.sources[t.peer.Addr()]
	source.all++
	source.unproven++
	if t.req.Op == OpRead {
		source.reads++
	}
	e.sources[t.peer.Addr()] = source
	e.unproven.push(t)
	if e.unproven.size > max(1, e.limits.Transfers/2) {
		e.makeUnproven(now)
	}
}

// prove notes that a peer has answered, or no longer has to.
func (e *engine) prove(t *transfer) {
	if !t.unproven {
		return
	}
	e.unproven.remove(t)
	source := e.sources[t.peer.Addr()]
	source.unproven--
	if t.req.Op == OpRead {
		source.reads--
	}
	e.sources[t.peer.Addr()] = source
}

func (e *engine) refuseRequest(now time.Duration, r *Request, err *Error) {
	before := len(e.strays)
	e.refuse(now, r.Peer, r.Local, err)
	if len(e.strays) > before { // what isn't answered isn't logged either: both are bounded alike
		e.outcomes = append(e.outcomes, Outcome{Request: r, Err: err, Refused: true})
	}
}

func (e *engine) unknownTID(_ *transfer, in input) {
	e.refuse(in.now, in.from, in.local, errUnknownTID)
}

func (e *engine) illegal(_ *transfer, in input) {
	e.refuse(in.now, in.from, in.local, errOperation)
}

func (e *engine) startCall(t *transfer, body buffer) {
	e.calls[t.id] = t
	e.begun = append(e.begun, call{t.id, t.req, body})
}

func (e *engine) requestCalling(t *transfer, in input) {
	if sumOf(in.raw) != t.requestSum {
		e.replace(t, in)
	}
}

// replace ends a transfer because its peer asks for another: a client that took the same port
// again, or gave up.
func (e *engine) replace(t *transfer, in input) {
	if e.draining {
		return
	}
	if t.state == receiving || t.state == sending {
		e.end(t, errReplaced)
	}
	t.due &^= dueReply
	e.finish(t)
	e.begin(nil, in)
}

var (
	errReplaced = errors.New("the peer began another transfer")
	errNoReport = errors.New("done, but the peer had gone")
	errCrowded  = errors.New("dropped for another: too many transfers, and this peer had never " +
		"answered")
)

func (e *engine) peerFailed(t *transfer, in input) {
	e.end(t, parseERROR(in.raw))
	t.due &^= dueReply
	e.finish(t)
}

func (e *engine) leaveAlone(t *transfer, in input) {
	if e.calls[t.id] != t { // a read that waits for memory
		e.end(t, parseERROR(in.raw))
	}
	e.finish(t)
}

// logged takes the end of a handler after its peer has left, or has got an ERROR.
func (e *engine) logged(t *transfer, in input) {
	err := in.err
	if err == nil {
		err = errNoReport
	}
	e.end(t, err)
	e.release(t)
	if t.state == alone {
		t.state = gone
		e.aloneCalls--
		e.leave(t)
	}
}

// fail tells the peer that a transfer has failed.
func (e *engine) fail(t *transfer, err *Error) {
	t.receipt.reply = appendERROR(nil, err)
	t.opening = false
	t.due &^= dueACK
	e.addDue(t, dueReply)
}

// end notes how a transfer ended.
func (e *engine) end(t *transfer, err error) {
	o := Outcome{Request: t.req, Err: err, Repeats: t.repeats, Again: t.told}
	t.told = true
	switch {
	case t.rx != nil:
		o.Bytes = t.rx.received
	case t.tx != nil:
		o.Bytes = t.tx.sent()
	case t.req.Op == OpWrite:
		o.Bytes = t.size
	}
	e.outcomes = append(e.outcomes, o)
}

// finish forgets a transfer; one whose handler runs is alone until that has ended.
func (e *engine) finish(t *transfer) {
	if t.state == gone {
		return
	}
	if e.peers[t.peer] == t {
		delete(e.peers, t.peer)
		e.prove(t)
	}
	e.timers.remove(t)
	e.setLingering(t, false)
	if e.calls[t.id] == t {
		t.state = alone
		e.aloneCalls++
		return
	}
	t.state = gone
	e.leave(t)
	e.release(t)
}

// setLingering sets whether a transfer counts among those of its source that linger.
func (e *engine) setLingering(t *transfer, yes bool) {
	if t.lingers == yes {
		return
	}
	t.lingers = yes
	source := e.sources[t.peer.Addr()]
	if yes {
		source.lingering++
	} else {
		source.lingering--
	}
	e.sources[t.peer.Addr()] = source
}

// leave takes a transfer from those of its source.
func (e *engine) leave(t *transfer) {
	source := e.sources[t.peer.Addr()]
	if source.all--; source.all > 0 {
		e.sources[t.peer.Addr()] = source
	} else {
		delete(e.sources, t.peer.Addr())
	}
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
	t.due &^= dueACK | dueEarlier
	t.rx, t.tx, t.req, t.paused = nil, nil, nil, nil
}
