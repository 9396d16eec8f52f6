package tftp

import "bytes"

// receiver is the half of a transfer that takes DATA (RFC 1350, section 2; RFC 7440, section 4): a
// server's upload, a client's download. It decides what is kept and when an ACK is due. Its owner
// sends the ACK, and may delay the last one until a commit.
type receiver struct {
	blksize int
	window  int // blocks a peer sends before it waits for an ACK

	next    uint64 // the block awaited, counted from 1 and not wrapped
	unacked int    // blocks kept since the last ACK
	hushed  bool   // a gap or a repeat was answered: silence until there is progress, or the timer

	netascii bool
	decoder  netasciiDecoder
	body     buffer
	received int64 // bytes received, as sent
}

// verdict is what a DATA packet means.
type verdict uint8

const (
	ignored   verdict = iota // nothing is to be done
	kept                     // progress, and no ACK yet
	ackDue                   // progress, and an ACK of last() is due
	again                    // no progress, but an ACK of last() is due
	lastBlock                // the last block: the body is whole
	altered                  // a block again, with other bytes: one of the two is wrong
)

func newReceiver(t terms, mode Mode) *receiver {
	return &receiver{blksize: t.blksize, window: t.windowsize, next: 1, netascii: mode == Netascii}
}

// last is the last block received in order, which is what an ACK names.
func (r *receiver) last() uint64 { return r.next - 1 }

// wants reports whether block n, with this many bytes of data, would be progress. A block longer
// than negotiated is none: it is from another transfer, or damaged.
func (r *receiver) wants(n uint16, size int) bool {
	return n == uint16(r.next) && size <= r.blksize
}

// data takes a DATA packet. Block numbers are compared modulo 65536, so a file may have any number
// of them.
func (r *receiver) data(n uint16, b []byte) verdict {
	if !r.wants(n, len(b)) {
		return r.repeat(n, b)
	}
	r.next++
	r.hushed = false
	r.unacked++
	r.received += int64(len(b))
	if r.netascii {
		r.body.decode(&r.decoder, b)
	} else {
		r.body.write(b)
	}
	switch {
	case len(b) < r.blksize:
		if r.netascii {
			r.body.flush(&r.decoder)
		}
		return lastBlock
	case r.unacked >= r.window:
		return ackDue
	}
	return kept
}

// repeat answers DATA that is not the next. In lock-step only a repeat of the last block gets its
// ACK again, since that ACK may be lost. In a window a gap or a repeat gets one ACK of the last
// block in order, which makes the peer start again after it; more would make it do so once for each
// packet still under way.
//
// A repeat is the same packet (RFC 1350, section 2). curl, when it hears a second OACK, sends its
// second block as block 1, and would leave a hole in the file that neither side notices. A client
// that restarts, and hears an old OACK, begins another file.
func (r *receiver) repeat(n uint16, b []byte) verdict {
	if len(b) > r.blksize {
		return ignored
	}
	if r.alters(n, b) {
		return altered
	}
	if r.window == 1 {
		if n != uint16(r.last()) || r.last() == 0 {
			return ignored
		}
		return again
	}
	if r.hushed {
		return ignored
	}
	r.hushed = true
	return again
}

// alters reports whether a block of the last window comes again with other bytes. Of a file that
// has used every block number it can't be told: an old packet may have the number of a new block.
func (r *receiver) alters(n uint16, b []byte) bool {
	back := uint16(r.last()) - n
	if r.netascii || r.last() >= 1<<16 || uint64(back) >= r.last() || int(back) >= r.window {
		return false
	}
	block := r.last() - uint64(back)
	return !r.body.holds(int64(block-1)*int64(r.blksize), b)
}

// acked notes that an ACK leaves: the peer starts a new window after it.
func (r *receiver) acked() { r.unacked = 0 }

// timedOut notes that the timer makes the last ACK leave again.
func (r *receiver) timedOut() { r.hushed = false }

// buffer holds a body while it grows. It consists of chunks, so that growing copies nothing; at
// most an eighth of its memory is unused.
type buffer struct {
	chunks [][]byte
	size   int64 // bytes held
	room   int64 // bytes allocated
}

const (
	minChunk = 4 << 10 // bytes: below, a chunk's own cost shows
	maxChunk = 1 << 20 // bytes: above, nothing is gained
)

// need is how much more memory n bytes will take at most.
func (b *buffer) need(n int) int64 {
	if last := len(b.chunks) - 1; last >= 0 && cap(b.chunks[last])-len(b.chunks[last]) >= n {
		return 0
	}
	return int64(b.chunk(n))
}

func (b *buffer) chunk(n int) int {
	return max(n, minChunk, min(maxChunk, int(b.size/8)))
}

// tail returns a chunk that has room for n bytes.
func (b *buffer) tail(n int) *[]byte {
	last := len(b.chunks) - 1
	if last < 0 || cap(b.chunks[last])-len(b.chunks[last]) < n {
		c := make([]byte, 0, b.chunk(n))
		b.chunks = append(b.chunks, c)
		b.room += int64(cap(c))
		last++
	}
	return &b.chunks[last]
}

func (b *buffer) write(p []byte) {
	if last := len(b.chunks) - 1; last >= 0 { // fill the last chunk to its end first
		c := &b.chunks[last]
		n := min(len(p), cap(*c)-len(*c))
		*c = append(*c, p[:n]...)
		b.size += int64(n)
		p = p[n:]
	}
	if len(p) > 0 {
		c := b.tail(len(p))
		*c = append(*c, p...)
		b.size += int64(len(p))
	}
}

// holds reports whether p was written so many bytes from the beginning. It looks from the end.
func (b *buffer) holds(at int64, p []byte) bool {
	begin := b.size
	for i := len(b.chunks) - 1; i >= 0 && len(p) > 0; i-- {
		c := b.chunks[i]
		begin -= int64(len(c))
		end := at + int64(len(p)) - begin // of p, in the chunk
		if end > int64(len(c)) {
			return false
		}
		if end <= 0 {
			continue
		}
		n := min(end, int64(len(p)))
		if !bytes.Equal(c[end-n:end], p[int64(len(p))-n:]) {
			return false
		}
		p = p[:int64(len(p))-n]
	}
	return len(p) == 0
}

// decode writes netascii p decoded: at most as many bytes, and a CR held back before.
func (b *buffer) decode(d *netasciiDecoder, p []byte) {
	c := b.tail(len(p) + 1)
	was := len(*c)
	*c = d.decode(*c, p)
	b.size += int64(len(*c) - was)
}

func (b *buffer) flush(d *netasciiDecoder) {
	c := b.tail(1)
	was := len(*c)
	*c = d.flush(*c)
	b.size += int64(len(*c) - was)
}

// take returns the whole body.
func (b *buffer) take() []byte {
	switch len(b.chunks) {
	case 0:
		return []byte{}
	case 1:
		return b.chunks[0]
	}
	return bytes.Join(b.chunks, nil)
}
