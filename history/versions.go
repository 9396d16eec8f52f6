package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// Versions yields the versions of a device, the newest first; with a path only those that changed
// something there. It ends after an error.
func Versions(ctx context.Context, s *store.Store, d store.Device,
	path []string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		sections := sections{store: s, path: path, sums: sums{}}
		var failed error
		err := s.Versions(ctx, d, func(v store.Version) bool {
			wanted := true
			if len(path) > 0 {
				if wanted, failed = sections.changed(ctx, v); failed != nil {
					return false
				}
			}
			return !wanted || yield(v, nil)
		})
		if failed == nil {
			failed = err
		}
		if failed != nil {
			yield(store.Version{}, failed)
		}
	}
}

// sums are hashes of what is significant in a path, by capture.
type sums map[int64][sha256.Size]byte

// sections are the parts of captures that stand in a path.
type sections struct {
	store *store.Store
	path  []string
	sums  sums
}

// changed reports whether a version differs in the path from the one before it. One that is torn
// where the one before is whole doesn't: what it lacks at its end was not deleted.
func (s sections) changed(ctx context.Context, v store.Version) (bool, error) {
	if !v.Complete {
		before, err := s.store.Before(ctx, v.Record, 1)
		switch {
		case err == nil && before.Complete:
			return false, nil
		case err == nil:
			v.Previous = &before
		case !errors.Is(err, store.ErrNotFound):
			return false, err
		}
	}
	this, err := s.sum(ctx, v.Record)
	if err != nil {
		return false, err
	}
	before := sha256.Sum256(nil)
	if v.Previous != nil {
		if before, err = s.sum(ctx, *v.Previous); err != nil {
			return false, err
		}
	}
	return this != before, nil
}

func (s sections) sum(ctx context.Context, r store.Record) (sum [sha256.Size]byte, err error) {
	if sum, ok := s.sums[r.ID]; ok {
		return sum, nil
	}
	body, err := s.store.Content(ctx, r)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	for l := range device.Lines(body) {
		if l.Noise || !within(l.Path(), string(l.Text), s.path) {
			continue
		}
		_, _ = h.Write(append(l.Significant(), '\n')) // a hash takes everything
	}
	h.Sum(sum[:0])
	s.sums[r.ID] = sum
	return sum, nil
}

// within reports whether a line in these blocks stands in a path, or opens it.
func within(blocks []string, line string, path []string) bool {
	blocks = append(slices.Clip(blocks), strings.Join(strings.Fields(line), " "))
	for i := 0; i+len(path) <= len(blocks); i++ {
		found := true
		for j, p := range path {
			found = found && abbreviates(p, blocks[i+j])
		}
		if found {
			return true
		}
	}
	return false
}

// ParsePath splits a block path as a person types it: "config firewall policy > edit 12".
func ParsePath(text string) (path []string) {
	for part := range strings.SplitSeq(text, ">") {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			path = append(path, part)
		}
	}
	return path
}

// abbreviates reports whether a person may mean a block's header by given: its last words, each
// perhaps cut short before its number, without quotes and in any case. "interface gi1/0/1" is
// "interface GigabitEthernet1/0/1", "firewall policy" is "config firewall policy".
func abbreviates(given, header string) bool {
	g, h := strings.Fields(strings.ToLower(given)), strings.Fields(strings.ToLower(header))
	if len(g) > len(h) {
		return false
	}
	h = h[len(h)-len(g):]
	for i := range g {
		a, b := strings.Trim(g[i], `"'`), strings.Trim(h[i], `"'`)
		x, y := letters(a), letters(b)
		if x == 0 && y > 0 || !strings.HasPrefix(b[:y], a[:x]) || a[x:] != b[y:] {
			return false
		}
	}
	return true
}

// letters returns how many letters and signs a word has before its first digit.
func letters(word string) int {
	if i := strings.IndexAny(word, "0123456789"); i >= 0 {
		return i
	}
	return len(word)
}
