package sftp

import (
	"fmt"
	"math/bits"
	"slices"
)

const (
	pieceSize = 64 << 10 // of which a body is made
	leastSize = 4 << 10  // of a piece's memory: most configurations fit into two
	// parts that a body may come in before they join. Clients that send ahead write in order, or
	// swap a few of some dozens
	maxSpans = 256
)

// body is a file that arrives, in any order. The zero value of the fields after memory and limit is
// an empty one.
type body struct {
	memory *memory
	limit  int64 // bytes of the file
	pieces map[int64][]byte
	have   []span // what has come: in order, apart from each other
	end    int64  // where the file ends, as far as is known
	held   int64  // bytes taken of memory
}

// span is a part of a file.
type span struct{ from, to int64 }

func (b *body) writeAt(p []byte, at int64) error {
	if at < 0 || at > b.limit-int64(len(p)) {
		return tooLarge(b.limit)
	}
	from := at
	for len(p) > 0 {
		n := int(min(int64(len(p)), pieceSize-at%pieceSize))
		piece, err := b.piece(at/pieceSize, int(at%pieceSize)+n)
		if err != nil {
			return err
		}
		copy(piece[at%pieceSize:], p[:n])
		p, at = p[n:], at+int64(n)
	}
	if at == from {
		return nil
	}
	return b.cover(span{from, at})
}

// piece returns a piece that has size bytes at least.
func (b *body) piece(number int64, size int) ([]byte, error) {
	old := b.pieces[number]
	if len(old) >= size {
		return old, nil
	}
	grown := max(leastSize, 1<<bits.Len(uint(size-1)))
	if !b.take(int64(grown - len(old))) {
		return nil, errMemory
	}
	piece := make([]byte, grown)
	copy(piece, old)
	if b.pieces == nil {
		b.pieces = map[int64][]byte{}
	}
	b.pieces[number] = piece
	return piece, nil
}

func (b *body) take(n int64) bool {
	if !b.memory.take(n) {
		return false
	}
	b.held += n
	return true
}

// cover notes what has come.
func (b *body) cover(s span) error {
	b.end = max(b.end, s.to)
	i, _ := slices.BinarySearchFunc(b.have, s.from, func(h span, from int64) int {
		if h.to < from {
			return -1
		}
		return 1
	})
	j := i
	for j < len(b.have) && b.have[j].from <= s.to {
		s = span{min(s.from, b.have[j].from), max(s.to, b.have[j].to)}
		j++
	}
	if i == j && len(b.have) == maxSpans {
		return errScattered
	}
	b.have = slices.Replace(b.have, i, j, s)
	return nil
}

// cut makes the file as long as the client says. What it adds must still come.
func (b *body) cut(size uint64) error {
	if size > uint64(b.limit) {
		return tooLarge(b.limit)
	}
	b.end = int64(size)
	for i, s := range b.have {
		if s.to > b.end {
			b.have = slices.Delete(b.have, i, len(b.have))
			if s.from < b.end {
				b.have = append(b.have, span{s.from, b.end})
			}
			break
		}
	}
	return nil
}

// hole returns where the first byte is missing; false where all of the file has come.
func (b *body) hole() (at int64, ok bool) {
	if len(b.have) == 0 || b.have[0].from > 0 {
		return 0, b.end > 0
	}
	return b.have[0].to, b.have[0].to < b.end
}

// whole returns all of the file, and an error where some of it is missing. The body can't be
// written to afterwards.
func (b *body) whole() ([]byte, error) {
	if at, ok := b.hole(); ok {
		return nil, &Error{Message: fmt.Sprintf("the file is torn: byte %d never came, "+
			"send the whole file", at)}
	}
	if b.end <= pieceSize {
		return b.pieces[0][:b.end:b.end], nil
	}
	joined := b.held
	if !b.take(b.end) {
		return nil, errMemory
	}
	all := make([]byte, b.end)
	for number, piece := range b.pieces {
		copy(all[min(number*pieceSize, b.end):], piece)
	}
	b.pieces = nil
	b.memory.give(joined)
	b.held -= joined
	return all, nil
}

func (b *body) release() {
	b.memory.give(b.held)
	b.held, b.pieces = 0, nil
}
