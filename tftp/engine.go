package tftp

import (
	"net/netip"
	"time"
)

// engine is every transfer of one socket, as a state machine without IO: datagrams, the ends of the handler's calls and the
// time go in; datagrams, calls of the handler, ends of transfers and the next deadline come out. The time is an argument,
// counted from any moment. One goroutine owns an engine.
//
// What happens in which state stands in the tables of states.go.
type engine struct {
	limits         Limits
	port           uint16 // its own
	ackTimeout     time.Duration
	timeout        time.Duration
	handlerTimeout time.Duration
	accept         func(*Request) error
	option         func(r *Request, name, value string) (answer string, ok bool)
	reads          bool      // the handler serves reads
	epoch          time.Time // of the times that go in

	peers    map[netip.AddrPort]*transfer // by the peer's TID: with one port that is all there is to tell transfers apart
	sources  map[netip.Addr]source        // transfers of each source
	calls    map[uint64]*transfer         // those whose handler runs, by id; a transfer may be here and no longer in peers
	unproven chain                        // transfers whose peer has not answered yet
	loads    queue                        // reads that wait for their handler
	loading  int                          // reads whose handler runs
	timers   timers
	lastID   uint64
	memory   int64 // bytes held for bodies, in both directions
	ready    queue // transfers that have something to send
	strays   []stray
	alone    int   // calls whose peer has gone
	bound    bound // of requests and ERRORs of each source
	trains   bool  // a window's blocks may leave together
	closing  bool  // no new requests

	asked [OpWrite + 1]int64 // requests that were understood, by what they ask for

	begun []call    // handler calls to make, until taken
	ended []Outcome // transfers that ended, until taken
}

// source counts the transfers of one address: all, with those whose handler still runs though their peer has gone; those whose peers have
// never answered, and the reads among these; and those that have ended and linger.
type source struct{ all, unproven, reads, ended int }

// call is a call of the handler to be made. Joining and summing up an upload's body is left to whoever makes it: that takes longer
// than the packets of many others.
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

// datagram is one that came, or is to be sent, or a train of them. local is this host's address that it came to, or leaves from; the
// zero value for any.
type datagram struct {
	peer  netip.AddrPort
	local netip.Addr
	b     []byte
	cut   int // bytes of each packet of a train but the last, which may be shorter; 0 where b is one packet
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

// input is what happened to a transfer.
type input struct {
	local netip.Addr
	raw   []byte // the datagram, valid during the call
	block uint16 // of DATA and ACK
	body  []byte // of a read that succeeded
	err   error  // of a handler that failed
}

func newEngine(l Limits) *engine {
	return &engine{
		limits:  l.withDefaults(),
		peers:   make(map[netip.AddrPort]*transfer),
		sources: make(map[netip.Addr]source),
		calls:   make(map[uint64]*transfer),
		bound:   newRates(0),
	}
}

// packet takes a datagram that came from a peer to the address local.
func (e *engine) packet(now time.Duration, from netip.AddrPort, local netip.Addr, b []byte) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if from == netip.AddrPortFrom(local, e.port) {
		return // forged: it would talk to itself
	}
	op, block := header(b)
	t := e.peers[from]
	in := input{local: local, raw: b, block: block}
	switch op {
	case opRRQ, opWRQ:
		e.dispatch(now, t, from, onRequest, in)
	case opDATA:
		e.dispatch(now, t, from, onData, in)
	case opACK:
		e.dispatch(now, t, from, onACK, in)
	case opERROR:
		e.dispatch(now, t, from, onERROR, in)
	case 0: // too short to be anything
	default:
		e.dispatch(now, t, from, onOther, in)
	}
}

// completed takes the end of the handler's call id.
func (e *engine) completed(now time.Duration, id uint64, body []byte, err error) {
	t := e.calls[id]
	if t == nil {
		return
	}
	t.sum = t.req.sum
	delete(e.calls, id)
	if t.req.Op == OpRead {
		e.loading--
	}
	ev := onDone
	if err != nil {
		ev = onFailed
	}
	e.dispatch(now, t, t.peer, ev, input{body: body, err: err})
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
			e.dispatch(now, t, t.peer, onSilence, input{})
		default:
			e.dispatch(now, t, t.peer, onTimer, input{})
		}
	}
}

// deadline is when tick wants to be called next; ok is false where nothing waits.
func (e *engine) deadline() (at time.Duration, ok bool) { return e.timers.first() }

// send returns the next datagram to send, written into buf, which must have room for the largest. Transfers take turns, datagram by
// datagram, or train by train.
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
				e.wantSend(t)
			}
		}
		return d, true
	}
	return datagram{}, false
}

// wantsToSend reports whether send has something.
func (e *engine) wantsToSend() bool { return len(e.strays) > 0 || !e.ready.empty() }

func (e *engine) wantSend(t *transfer) {
	if !t.queued {
		t.queued = true
		e.ready.push(t)
	}
}

// drain ends the acceptance of requests. Receipts linger for a moment only.
func (e *engine) drain(now time.Duration) {
	e.closing = true
	for _, t := range e.peers {
		if t.state == lingering {
			t.giveUp = min(t.giveUp, now+lingerClosing)
			e.timers.set(t, t.wake())
		}
	}
}

// abort ends what is under way with an ERROR, but for the commits, which go on.
func (e *engine) abort() {
	for _, t := range e.peers {
		if t.state == receiving || t.state == sending || t.state == loading {
			e.end(t, errShutdown)
			e.fail(t, errShutdown)
			e.finish(t)
		}
	}
}

// idle reports whether nothing is under way: no transfer, no receipt that lingers, no call of the handler.
func (e *engine) idle() bool { return len(e.peers) == 0 && len(e.calls) == 0 }

// refuse tells a peer without a transfer that it won't have one.
func (e *engine) refuse(now time.Duration, to netip.AddrPort, local netip.Addr, err *Error) {
	if !answerable(to) || len(e.strays) == maxStrays || !e.bound.error(now, to.Addr()) {
		return
	}
	e.strays = append(e.strays, stray{to, local, err})
}

// maxStrays bounds the ERRORs that wait to be sent.
const maxStrays = 256

// answerable reports whether an answer to a source may be sent at all: never to a group, and not to port 0.
func answerable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.IsValid() && !ip.IsMulticast() && !ip.IsUnspecified() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
