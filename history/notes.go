package history

import (
	"bytes"
	"context"
	"strings"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// Notes are what is noteworthy about a device's life.
type Notes struct {
	Aliases []string // references of its other names
	Former  *Former  // the device that it may have been before; nil for none
	// model and serial of the boxes that take turns under its name; none where they don't
	Boxes []string
}

// A Former is a device that has gone silent and may go on under another name.
type Former struct {
	store.Former
	Likeness float64 // the part of the text that is the same, 0 to 1
}

const (
	// alike is how much of two texts must be the same for one to be the other's successor under a
	// new name. When a device is renamed its name changes, and what is changed on the same day.
	alike = 0.8
	// alternating is how often the hardware must come back to what it was before to be pointed out.
	// A spare that was put in and taken out again is one return.
	alternating = 2
	// boxesShown bounds the boxes that are named: more say nothing more.
	boxesShown = 4
)

// Noteworthy returns what is noteworthy about a device.
func Noteworthy(ctx context.Context, s *store.Store, d store.Device) (n Notes, err error) {
	if n.Aliases, err = s.Aliases(ctx, d); err != nil {
		return n, err
	}
	if n.Former, err = former(ctx, s, d); err != nil {
		return n, err
	}
	boxes, err := s.Boxes(ctx, d)
	n.Boxes = alternate(boxes)
	return n, err
}

// former returns the device that d may have been before, or nil.
func former(ctx context.Context, s *store.Store, d store.Device) (*Former, error) {
	first, formers, err := s.Formers(ctx, d)
	if err != nil {
		return nil, err
	}
	var mine map[string]int
	for _, f := range formers {
		if f.Last.Kind != first.Kind {
			continue
		}
		if mine == nil {
			body, err := s.Content(ctx, first)
			if err != nil {
				return nil, err
			}
			mine = lineCounts(body)
		}
		body, err := s.Content(ctx, f.Last)
		if err != nil {
			return nil, err
		}
		if part := likeness(mine, lineCounts(body)); part >= alike {
			return &Former{f, part}, nil
		}
	}
	return nil, nil
}

// alternate returns the boxes that take turns.
func alternate(boxes []store.Box) []string {
	seen := map[store.Box]bool{}
	returns := 0
	var names []string
	for _, b := range boxes {
		if seen[b] {
			returns++
			continue
		}
		seen[b] = true
		names = append(names, strings.TrimSpace(b.Model+" "+b.Serial))
	}
	if returns < alternating || len(names) < 2 {
		return nil
	}
	return names[:min(len(names), boxesShown)]
}

// lineCounts counts the significant lines of a configuration.
func lineCounts(body []byte) map[string]int {
	counts := map[string]int{}
	for l := range device.Outline(body) {
		if !l.Noise {
			counts[string(bytes.TrimSpace(l.Significant()))]++
		}
	}
	return counts
}

// likeness is the part of the larger text that is in the other one too, by lines.
func likeness(a, b map[string]int) float64 {
	sizeA, sizeB, shared := 0, 0, 0
	for line, n := range a {
		sizeA += n
		shared += min(n, b[line])
	}
	for _, n := range b {
		sizeB += n
	}
	if sizeA == 0 || sizeB == 0 {
		return 0
	}
	return float64(shared) / float64(max(sizeA, sizeB))
}
