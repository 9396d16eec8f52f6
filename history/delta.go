package history

import (
	"context"
	"slices"

	"github.com/tftpsql/tftpsql/store"
)

// A Delta is a difference in a few words.
type Delta struct {
	Finding        Finding
	Added, Removed int        // lines
	Blocks         [][]string // the paths of the first blocks that differ, blocksNamed at most
	More           int        // further blocks that differ
}

// blocksNamed bounds the blocks that a Delta names: a list of them has one line.
const blocksNamed = 3

// DeltaOf returns what a capture changed, in a few words. With redact it holds no secret.
func DeltaOf(ctx context.Context, s *store.Store, r store.Record, redact bool) (Delta, error) {
	_, from, to, err := Change(ctx, s, r)
	if err != nil {
		return Delta{}, err
	}
	d, err := Compare(from, to, Options{Redact: redact})
	return d.Delta(), err
}

// Delta returns a difference in a few words.
func (d Diff) Delta() Delta {
	out := Delta{Finding: d.Finding}
	var last []string
	for _, h := range d.Hunks {
		for _, l := range h.Lines {
			switch l.Op {
			case '+':
				out.Added++
			case '-':
				out.Removed++
			}
		}
		switch {
		case len(h.Path) == 0 || slices.Equal(h.Path, last):
		case len(out.Blocks) < blocksNamed:
			out.Blocks = append(out.Blocks, h.Path)
		default:
			out.More++
		}
		last = h.Path
	}
	return out
}
