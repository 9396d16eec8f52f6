package tftp

import (
	"hash/crc32"
	"net/netip"
	"time"
)

// transfer is one transfer of a server.
type transfer struct {
	id         uint64
	peer       netip.AddrPort
	local      netip.Addr // the address that was asked: answers leave from it
	state      state
	requestSum checksum // of the request as it came: the same bytes again are a repeat
	req        *Request
	started    time.Duration

	filename string        // of an upload, for what is logged when req has gone
	beyond   uint16        // blocks after an upload's last one that mean it ended too early
	heardAt  time.Duration // when the peer last sent DATA or an ACK

	rx            *receiver
	tx            *sender
	paused        *sender // of a download before its restart, until its first ACK does
	budget        int64   // bytes that count against the engine's memory
	size          int64   // of an upload's body, when it is whole
	told          bool    // its end was reported
	advanced      bool    // the peer has sent more after an ACK of this transfer
	unproven      bool    // in engine.unproven, between before and after
	lingers       bool    // counts among those of its source that linger
	before, after *transfer

	due     sends
	opening bool // a read: the OACK is not confirmed yet
	receipt receipt
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

// sends are the packets that a transfer is to send, besides the DATA that its sender knows of.
type sends uint8

const (
	dueReply   sends = 1 << iota // the receipt's reply
	dueEarlier                   // the earlier receipt's reply
	dueACK                       // an ACK of rx.last()
)

// receipt is what a peer can hear again.
type receipt struct {
	reply    []byte        // the OACK at first, the last ACK or an ERROR in the end
	endBlock uint16        // number of the last block that came: its repeat gets the reply again
	sum      checksum      // of the body that was stored
	stored   bool          // reply is the last ACK
	until    time.Duration // when it is forgotten
}

// checksum tells what one peer sends apart. Two polynomials make 64 bits; a peer that forges one
// only fools itself.
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

// amplifies reports whether the reply, sent once more, would make three times the request's bytes,
// to a peer that has never answered.
func (t *transfer) amplifies() bool {
	return (t.rto.tries+1)*len(t.receipt.reply) >= 3*t.requestSum.size
}

func (t *transfer) wake() time.Duration { return min(t.repeatAt, t.giveUp) }

// packet appends the next datagram of t to b; nil where there is none.
func (t *transfer) packet(now time.Duration, b []byte) []byte {
	switch {
	case t.due&dueReply != 0:
		t.due &^= dueReply
		return append(b, t.receipt.reply...)
	case t.due&dueEarlier != 0:
		t.due &^= dueEarlier
		if t.earlier == nil {
			return t.packet(now, b)
		}
		return append(b, t.earlier.reply...)
	case t.due&dueACK != 0:
		t.due &^= dueACK
		return appendACK(b, t.rx.last())
	case t.state == sending && !t.opening && t.tx.pending():
		t.repeatAt = now + t.rto.interval()
		return t.tx.append(b, now)
	}
	return nil
}
