package tftp

import "time"

// sender is the half of a transfer that sends DATA (RFC 1350, section 2; RFC 7440, section 4): a
// server's download, a client's upload. It knows which block goes next and what an ACK means; its
// owner asks for packets and keeps the timer.
type sender struct {
	body    []byte // as it goes over the wire
	blksize int
	window  uint64

	final uint64 // number of the last block, the first that is shorter than blksize
	acked uint64 // every block up to this one is acknowledged; numbers are not wrapped
	next  uint64 // the block to send next
	high  uint64 // the highest block ever sent
	until uint64 // the last block to send before waiting
	// a repeated ACK made the window start again: once is enough until there is progress
	rewound bool

	answered bool // the peer has answered: its address is its own

	timed   uint64        // the block whose ACK is waited for to measure the round trip; 0 for none
	timedAt time.Duration // when it was sent
}

func newSender(t terms, body []byte) *sender {
	s := &sender{body: body, blksize: t.blksize, window: uint64(t.windowsize), next: 1}
	s.final = uint64(len(body)/t.blksize) + 1
	s.open()
	return s
}

// open lets a window leave after the last ACK.
func (s *sender) open() { s.until = min(s.acked+s.window, s.final) }

// pending reports whether a block waits to be sent.
func (s *sender) pending() bool { return s.next <= s.until }

// append appends the next DATA packet to b.
func (s *sender) append(b []byte, now time.Duration) []byte {
	n := s.next
	s.next++
	if n > s.high {
		s.high = n
		if n == s.until && s.timed == 0 {
			s.timed, s.timedAt = n, now
		}
	}
	start := min((n-1)*uint64(s.blksize), uint64(len(s.body)))
	end := min(start+uint64(s.blksize), uint64(len(s.body)))
	return append(appendHeader(b, opDATA, uint16(n)), s.body[start:end]...)
}

// Bounds of a train: what a system cuts one send into, and what it takes as one.
const (
	maxCuts  = 64
	maxTrain = 65000 // bytes, a little less than the largest UDP payload
)

// train appends the blocks that may follow the one in b, and returns how long each is but the last.
func (s *sender) train(b []byte, now time.Duration) (all []byte, cut int) {
	size := len(b)
	for n := 1; n < maxCuts && s.pending() && len(b)+size <= maxTrain; n++ {
		b, cut = s.append(b, now), size
	}
	return b, cut
}

// ack takes an ACK of block n. It reports progress, and a measured round trip where it has one (0
// where not: a block that was sent twice can't be measured, since its ACK may be for either).
//
// An ACK of what was never sent is ignored. One inside the window moves its start (RFC 7440,
// section 4). One that was there before is no progress: in lock-step it changes nothing (RFC 1123,
// section 4.2.3.1); in a window it says that the first block is missing, and starts the window
// again, once.
func (s *sender) ack(n uint16, now time.Duration) (progress bool, rtt time.Duration) {
	ahead := uint64(n - uint16(s.acked))
	switch {
	case ahead > s.high-s.acked, ahead > 1<<15 && s.acked+ahead != s.until:
		// of windows over 32768 only the end is taken: an old ACK would look like one ahead
		return false, 0
	case ahead == 0:
		if s.window > 1 && !s.rewound && s.high > s.acked {
			s.rewind()
			s.rewound = true
		}
		return false, 0
	}
	s.acked += ahead
	s.rewound = false
	s.answered = true
	if s.timed != 0 && s.acked >= s.timed {
		rtt = max(now-s.timedAt, 1)
		s.timed = 0
	}
	if s.acked < s.high {
		s.timed = 0
	}
	s.next = s.acked + 1
	s.open()
	return true, rtt
}

// rewind starts again after the last ACK.
func (s *sender) rewind() {
	s.next = s.acked + 1
	s.timed = 0
}

// timedOut starts again after the last ACK because none came: with one block while the peer has
// never answered, since its address may not be its own.
func (s *sender) timedOut() {
	s.rewind()
	s.open()
	if !s.answered {
		s.until = min(s.until, s.acked+1)
	}
}

// done reports whether every block is acknowledged.
func (s *sender) done() bool { return s.acked == s.final }

// sent is how many bytes of the body the peer has.
func (s *sender) sent() int64 { return min(int64(s.acked)*int64(s.blksize), int64(len(s.body))) }
