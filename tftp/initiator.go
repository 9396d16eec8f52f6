package tftp

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// initiator is the side of one transfer that sends the request, as a state machine without IO, like
// engine: packets and the time go in, packets and the next deadline come out.
type initiator struct {
	req     *Request
	request []byte
	server  netip.AddrPort // where the request goes
	peer    netip.AddrPort // the TID that answered (RFC 1350, section 4); the zero value before
	maxSize int64
	patience,
	dally time.Duration

	phase phase
	rx    *receiver
	tx    *sender
	total int64 // bytes of the file as sent; -1 where the server hasn't said
	err   error // how it ended, when phase is over
	body  []byte

	asking, acking bool   // the request, an ACK is to be sent
	telling        *Error // an ERROR is to be sent to the peer
	strays         []stray

	rto      rto
	repeatAt time.Duration
	giveUp   time.Duration
	sentAt   time.Duration
}

// phase is the state of an initiator.
type phase uint8

const (
	requesting phase = iota // no answer yet
	transferring
	dallying // all is there; the last ACK may be asked for again
	over
)

var (
	errNoAnswer = errors.New("no answer")
	errSilence  = errors.New("the server fell silent")
)

// newInitiator begins a transfer. body is what a write sends, in its mode's encoding already.
func newInitiator(
	now time.Duration, r *Request, body []byte, server netip.AddrPort, c *Client,
) *initiator {
	i := &initiator{
		req: r, request: appendRequest(nil, r), body: body, maxSize: c.maxSize(), total: -1,
		server:   netip.AddrPortFrom(server.Addr().Unmap(), server.Port()),
		patience: c.patience(), dally: dallyTime,
		rto: rto{first: defaultAckTimeout, least: defaultAckTimeout / 4},
	}
	if r.Op == OpWrite {
		i.total = int64(len(body))
	}
	i.giveUp = now + i.patience
	i.ask(now)
	return i
}

// dallyTime is how long a reader stays to repeat its last ACK.
const dallyTime = 2 * time.Second

func (i *initiator) ask(now time.Duration) {
	i.asking, i.sentAt, i.repeatAt = true, now, now+i.rto.interval()
}

// packet takes a datagram. The first one from the server's address fixes the server's TID; what
// comes from another is refused and disturbs nothing.
func (i *initiator) packet(now time.Duration, from netip.AddrPort, b []byte) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	op, block := header(b)
	switch {
	case op == 0 || i.phase == over:
		return
	case i.peer.IsValid() && from != i.peer:
		if op != opERROR && len(i.strays) < maxStrays && answerable(from) {
			i.strays = append(i.strays, stray{to: from, err: errUnknownTID})
		}
		return
	case !i.peer.IsValid() && from.Addr() != i.server.Addr():
		return
	}
	switch {
	case op == opERROR:
		if i.phase != dallying {
			i.end(parseERROR(b))
		}
	case op == opOACK:
		i.oack(now, from, b)
	case op == opDATA && i.req.Op == OpRead:
		i.data(now, from, block, b[headerSize:])
	case op == opACK && i.req.Op == OpWrite:
		i.ack(now, from, block)
	}
}

// oack takes the server's answer to the options.
func (i *initiator) oack(now time.Duration, from netip.AddrPort, b []byte) {
	if i.phase != requesting {
		if i.rx != nil && i.rx.last() == 0 { // our ACK 0 got lost
			i.acking = true
		}
		return
	}
	options, ok := parseOACK(b)
	agreed, err := i.agreed(options)
	if !ok {
		err = errors.New("it is malformed")
	}
	if err != nil {
		i.peer = from
		i.tell(&Error{Code: CodeOptions, Message: "option negotiation failed"})
		i.end(fmt.Errorf("the server's answer to the options is wrong: %w", err))
		return
	}
	i.begin(now, from, agreed)
	i.req.Negotiated = options
	if i.rx != nil {
		i.acking = true
	}
}

// agreed checks an OACK: only what was asked for, and no more of it (RFC 2347, 2348, 2349, 7440).
func (i *initiator) agreed(options []Option) (terms, error) {
	t := defaultTerms()
	for _, o := range options {
		asked, ok := lookup(i.req.Options, o.Name)
		if !ok {
			return t, fmt.Errorf("option %s was not asked for", o.Name)
		}
		most, least := uint64(1<<63-1), uint64(0)
		switch o.Name {
		case "blksize", "windowsize":
			most, _ = number(asked, MaxWindowsize)
			least = 1
			if o.Name == "blksize" {
				least = minBlksize
			}
		case "timeout":
			most, _ = number(asked, maxInterval)
			least = most
		case "tsize":
		default:
			continue
		}
		n, ok := number(o.Value, 1<<63-1)
		if !ok || n < least || n > most {
			return t, fmt.Errorf("option %s=%s answers %s", o.Name, strconv.Quote(o.Value), asked)
		}
		switch o.Name {
		case "blksize":
			t.blksize = int(n)
		case "windowsize":
			t.windowsize = int(n)
		case "timeout":
			t.interval = time.Duration(n) * time.Second
		case "tsize":
			t.tsize = int64(n)
		}
	}
	return t, nil
}

// begin fixes the peer and its terms.
func (i *initiator) begin(now time.Duration, from netip.AddrPort, t terms) {
	i.peer, i.phase, i.asking = from, transferring, false
	if i.rto.tries == 0 {
		i.rto.measured(max(now-i.sentAt, 1))
	}
	i.rto.fixed = t.interval
	if i.req.Op == OpWrite {
		i.tx = newSender(t, i.body)
		i.tx.answered = true
	} else {
		i.total = t.tsize
		i.rx = newReceiver(t, i.req.Mode)
	}
	i.progress(now)
}

func (i *initiator) progress(now time.Duration) {
	i.rto.tries = 0
	i.repeatAt = now + i.rto.interval()
	i.giveUp = now + max(i.patience, silentIntervals*i.rto.fixed)
}

func (i *initiator) data(now time.Duration, from netip.AddrPort, block uint16, b []byte) {
	switch i.phase {
	case requesting:
		if block != 1 || len(b) > defaultBlksize {
			return
		}
		i.begin(now, from, defaultTerms())
	case dallying:
		if block == uint16(i.rx.last()) {
			i.acking = true
		}
		return
	}
	if i.rx.received+int64(len(b)) > i.maxSize && i.rx.wants(block, len(b)) {
		i.tell(errTooLarge)
		i.end(fmt.Errorf("the file is larger than %d bytes", i.maxSize))
		return
	}
	switch i.rx.data(block, b) {
	case ignored:
		return
	case altered:
		i.tell(errAltered)
		i.end(errAltered)
		return
	case again:
		i.acking = true
		i.rx.acked()
		return
	case ackDue:
		i.acking = true
		i.rx.acked()
	case lastBlock:
		i.acking = true
		i.body = i.rx.body.take()
		i.phase = dallying
		i.repeatAt, i.giveUp = never, now+i.dally
		return
	case kept:
	}
	i.progress(now)
}

func (i *initiator) ack(now time.Duration, from netip.AddrPort, block uint16) {
	if i.phase == requesting {
		if block == 0 {
			i.begin(now, from, defaultTerms())
		}
		return
	}
	progress, rtt := i.tx.ack(block, now)
	if i.tx.done() {
		i.end(nil)
		return
	}
	if progress {
		if rtt > 0 {
			i.rto.measured(rtt)
		}
		i.progress(now)
	}
}

// tick lets time pass.
func (i *initiator) tick(now time.Duration) {
	switch {
	case i.phase == over:
	case now >= i.giveUp:
		switch i.phase {
		case dallying:
			i.end(nil)
		case requesting:
			i.end(errNoAnswer)
		default:
			i.tell(errSilent)
			i.end(errSilence)
		}
	case now >= i.repeatAt:
		i.rto.tries++
		switch {
		case i.phase == requesting:
			i.ask(now)
		case i.tx != nil:
			i.tx.timedOut()
		default:
			i.rx.timedOut()
			i.rx.acked()
			i.acking = true
		}
		i.repeatAt = now + i.rto.interval()
	}
}

func (i *initiator) deadline() time.Duration { return min(i.repeatAt, i.giveUp) }

// send returns the next datagram to send, written into buf.
func (i *initiator) send(now time.Duration, buf []byte) (datagram, bool) {
	b := buf[:0]
	switch {
	case len(i.strays) > 0:
		s := i.strays[0]
		i.strays = i.strays[1:]
		return datagram{peer: s.to, b: appendERROR(b, s.err)}, true
	case i.telling != nil:
		b = appendERROR(b, i.telling)
		i.telling = nil
	case i.phase == over:
		return datagram{}, false
	case i.asking:
		i.asking = false
		return datagram{peer: i.server, b: append(b, i.request...)}, true
	case i.acking:
		i.acking = false
		b = appendACK(b, i.rx.last())
	case i.tx != nil && i.tx.pending():
		i.repeatAt = now + i.rto.interval()
		b = i.tx.append(b, now)
	default:
		return datagram{}, false
	}
	return datagram{peer: i.peer, b: b}, true
}

// cancel ends the transfer from this side.
func (i *initiator) cancel(err error) {
	if i.phase == transferring {
		i.tell(&Error{Code: CodeUndefined, Message: "cancelled"})
	}
	i.end(err)
}

func (i *initiator) tell(e *Error) { i.telling = e }

func (i *initiator) end(err error) {
	if i.phase != over {
		i.phase, i.err = over, err
	}
}

// done is how many bytes of the file have arrived.
func (i *initiator) done() int64 {
	switch {
	case i.tx != nil:
		return i.tx.sent()
	case i.rx != nil:
		return i.rx.received
	}
	return 0
}
