package history

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// The bounds of a Blame that sets none. A device that changes every working day has 500 versions in
// two years. A page waits for its answer: after a second it says "before" of the rest.
const (
	BlameVersions = 500
	BlameWithin   = time.Second
)

// BlameOptions bound a Blame and say what it shows.
type BlameOptions struct {
	Redact   bool          // hide secrets in what is shown
	Versions int           // how many it looks at; 0 for the default, -1 for all
	Within   time.Duration // when it goes no further back; 0 for the default
}

// Blamed says which version brought each line of a capture.
type Blamed struct {
	Lines    []BlamedLine
	Versions int // how many were looked at, the capture's own among them
}

// A BlamedLine is a line of a capture and where it comes from. Neighbours of one version have the
// same Origin, so pages can show them as a group.
type BlamedLine struct {
	Number  int      // from 1 on
	Text    string   // without its end; without secrets where the options say so
	Path    []string // the blocks that the line stands in, the outermost first
	Noise   bool     // it changes by itself
	Comment bool     // its platform takes it for a comment
	Origin  *Origin
}

// Within reports whether the line stands in a path as [ParsePath] returns it, or opens it.
func (l BlamedLine) Within(path []string) bool { return within(l.Path, l.Text, path) }

// An Origin is the version that brought lines.
type Origin struct {
	store.Record               // its first capture: the one that brought the lines
	Previous     *store.Record // the newest capture of the version before it, or nil
	// Before says that the lines are at least as old: the version is the oldest that was looked at,
	// and there are older ones.
	Before bool
}

// ErrNoLines is why a capture's lines have no origin.
var ErrNoLines = errors.New("this capture is encrypted or no text: it has no lines to compare")

// ErrNoVersions is why a log's lines have no origin.
var ErrNoVersions = errors.New("logs and dumps have no versions")

// Blame returns for each line of a capture which version of its device brought it. It looks at the
// whole versions of the capture's kind, from the capture's own back to the oldest, until all lines
// have an origin or a bound is reached. Torn captures between them bring nothing: what a torn one
// lacks was not deleted. Where nothing whole came before a torn capture, torn ones are versions.
//
// A line is as old as its significant part, as [Compare] has it. A line that is all noise was
// brought by the version that first had noise in its place. A line that was deleted and came back
// was brought by its return, as in git blame.
//
// Besides the capture itself it holds the texts of two versions, and of those that are read ahead.
// It returns ErrNoLines or ErrNoVersions where no line can have an origin, and with Redact
// ErrSecretsUnknown where secrets can't be found.
func Blame(ctx context.Context, s *store.Store, r store.Record, o BlameOptions) (Blamed, error) {
	if o.Versions == 0 {
		o.Versions = BlameVersions
	}
	if o.Within == 0 {
		o.Within = BlameWithin
	}
	deadline := time.Now().Add(o.Within)
	body, err := s.Content(ctx, r)
	if err != nil {
		return Blamed{}, err
	}
	b, err := newBlamer(r, body, o)
	if err != nil || len(b.out.Lines) == 0 {
		return b.out, err
	}
	own := formOf(body)
	for v, err := range versionsOf(ctx, s, r, own) {
		if err != nil {
			return Blamed{}, err
		}
		enough := b.out.Versions > 1 && time.Now().After(deadline) ||
			o.Versions > 0 && b.out.Versions >= o.Versions
		if !b.goBack(v, enough) {
			return b.out, nil
		}
	}
	b.end()
	return b.out, nil
}

// blamer carries the lines of a capture back through its versions.
type blamer struct {
	out    Blamed
	origin *Origin // the version that was looked at last
	form   *form   // its text
	lines  []open  // the significant lines without an origin, in order
	noise  []open  // the noise lines without one
}

// open is a line without an origin: where it stands in the version that was looked at last.
type open struct {
	at   int // among the significant lines, or among those of noise
	line int // its index in Blamed.Lines
}

func newBlamer(r store.Record, body []byte, o BlameOptions) (*blamer, error) {
	b := &blamer{}
	switch {
	case r.Kind == store.KindLog:
		return b, ErrNoVersions
	case len(body) == 0:
		return b, nil
	case r.Kind == device.KindEncrypted || !device.Readable(body):
		return b, ErrNoLines
	case o.Redact && device.Identify(body).Platform == "":
		return b, ErrSecretsUnknown
	}
	lines := device.Outline
	if o.Redact {
		lines = device.Lines
	}
	var path []string
	for l := range lines(body) {
		shown := l.Text
		if o.Redact {
			shown = l.Redacted()
		}
		if p := l.Path(); !slices.Equal(p, path) {
			path = p
		}
		i := len(b.out.Lines)
		b.out.Lines = append(b.out.Lines, BlamedLine{Number: l.Number, Text: string(shown),
			Path: path, Noise: l.Noise, Comment: l.Comment})
		if l.Noise {
			b.noise = append(b.noise, open{len(b.noise), i})
		} else {
			b.lines = append(b.lines, open{len(b.lines), i})
		}
	}
	return b, nil
}

// goBack looks at an older version. It reports whether lines without an origin are left. With
// enough there is an older version, but it is not looked at.
func (b *blamer) goBack(v *dated, enough bool) bool {
	if b.origin == nil { // the capture's own version
		b.origin, b.form, b.out.Versions = v.origin(), v.form, 1
		return true
	}
	if b.origin.Previous == nil {
		b.origin.Previous = &v.Record
	}
	if enough {
		b.origin.Before = true
		b.end()
		return false
	}
	hunks := changes(&v.form.lined, &b.form.lined)
	b.carryNoise(hunks, v.form)
	b.carryLines(hunks)
	forms.Put(b.form)
	b.origin, b.form = v.origin(), v.form
	b.out.Versions++
	return len(b.lines)+len(b.noise) > 0
}

// end gives the lines that are left the version that was looked at last.
func (b *blamer) end() {
	for _, l := range append(b.lines, b.noise...) {
		b.out.Lines[l.line].Origin = b.origin
	}
	b.lines, b.noise = nil, nil
}

// carryLines finds the significant lines in an older version. Those that it lacks have their
// origin.
func (b *blamer) carryLines(hunks []change) {
	left, shift := b.lines[:0], 0
	for _, l := range b.lines {
		for len(hunks) > 0 && hunks[0].newEnd <= l.at {
			shift = hunks[0].oldEnd - hunks[0].newEnd
			hunks = hunks[1:]
		}
		if len(hunks) > 0 && hunks[0].newAt <= l.at {
			b.out.Lines[l.line].Origin = b.origin
			continue
		}
		left = append(left, open{l.at + shift, l.line})
	}
	b.lines = left
}

// carryNoise finds the lines of noise in an older version. Their text says nothing, so they are
// found by their place: between two significant lines that both versions have, noise is paired in
// order. Around a changed piece that is what follows the line before it, and then what stands
// before the line after it.
func (b *blamer) carryNoise(hunks []change, old *form) {
	left, shift := b.noise[:0], 0
	for _, l := range b.noise {
		gap := b.form.noise[l.at]
		for len(hunks) > 0 && hunks[0].newEnd < gap {
			shift = hunks[0].oldEnd - hunks[0].newEnd
			hunks = hunks[1:]
		}
		at, ok := 0, false
		if len(hunks) > 0 && hunks[0].newAt <= gap {
			at, ok = aroundChange(hunks[0], b.form, old, l.at)
		} else {
			rank := l.at - b.form.first(gap)
			at, ok = old.first(gap+shift)+rank, rank < old.count(gap+shift)
		}
		if !ok {
			b.out.Lines[l.line].Origin = b.origin
			continue
		}
		left = append(left, open{at, l.line})
	}
	b.noise = left
}

// aroundChange finds a line of noise, given by its number, that stands at or in a changed piece.
func aroundChange(c change, new, old *form, number int) (at int, ok bool) {
	gap := new.noise[number]
	paired := 0 // of the noise after the line before the piece
	if gap == c.newAt || c.oldAt == c.oldEnd {
		paired = min(new.count(c.newAt), old.count(c.oldAt))
	}
	if rank := number - new.first(gap); gap == c.newAt && rank < paired {
		return old.first(c.oldAt) + rank, true
	}
	if gap != c.newEnd {
		return 0, false
	}
	if c.oldAt != c.oldEnd {
		paired = 0 // of the noise before the line after the piece
	}
	fromEnd := new.first(gap+1) - number
	return old.first(c.oldEnd+1) - fromEnd, fromEnd <= old.count(c.oldEnd)-paired
}

// form is what a version is compared by. A gap is what stands before a significant line, or after
// the last one; it has that line's number.
type form struct {
	lined       // the significant lines
	noise []int // the gaps of the lines of noise
	// firsts are for each gap, and for one more, how many lines of noise stand before it.
	firsts []int
}

// forms are no longer needed. Each is as large as a configuration, and to make one for each of 500
// versions would take the collector more time than the comparison.
var forms = sync.Pool{New: func() any { return new(form) }}

func formOf(body []byte) *form {
	f := forms.Get().(*form)
	f.clear(len(body))
	f.noise = f.noise[:0]
	f.firsts = append(slices.Grow(f.firsts[:0], len(body)/usualLine), 0)
	for l := range device.Outline(body) {
		if l.Noise {
			f.noise = append(f.noise, len(f.firsts)-1)
			continue
		}
		f.text = append(l.AppendSignificant(f.text), '\n')
		f.endLine()
		f.firsts = append(f.firsts, len(f.noise))
	}
	f.firsts = append(f.firsts, len(f.noise))
	return f
}

// first returns the number of the first line of noise in a gap, or after it.
func (f *form) first(gap int) int { return f.firsts[gap] }

// count returns how many lines of noise are in a gap.
func (f *form) count(gap int) int { return f.firsts[gap+1] - f.firsts[gap] }

// dated is a version, and its text once it was read.
type dated struct {
	store.Version
	form *form
	err  error
	read chan struct{} // closed when form or err is there
}

func (d *dated) origin() *Origin { return &Origin{Record: d.Record, Previous: d.Previous} }

// readAhead is how many versions are read while others are compared: reading one takes longer.
const readAhead = 2

// versionsOf yields the versions that a capture's lines may come from, newest first, the capture's
// own with the capture's text. It ends after an error.
func versionsOf(ctx context.Context, s *store.Store, r store.Record,
	own *form) iter.Seq2[*dated, error] {
	return func(yield func(*dated, error) bool) {
		list, quit := make(chan *dated, readAhead), make(chan struct{})
		var readers sync.WaitGroup // end when all is read, or after quit
		defer readers.Wait()
		defer close(quit)
		var failed error
		readers.Go(func() {
			defer close(list)
			failed = eachVersion(ctx, s, r, func(v store.Version) bool {
				d := &dated{Version: v, read: make(chan struct{})}
				select {
				case list <- d:
				case <-quit:
					return false
				}
				if own != nil {
					d.form, own = own, nil
					close(d.read)
					return true
				}
				readers.Go(func() {
					defer close(d.read)
					d.err = s.Read(ctx, v.Record, func(body []byte) { d.form = formOf(body) })
				})
				return true
			})
		})
		for d := range list {
			if <-d.read; !yield(d, d.err) || d.err != nil {
				return
			}
		}
		if failed != nil {
			yield(nil, failed)
		}
	}
}

// eachVersion calls yield with each version of a capture, its own first, until it returns false.
func eachVersion(ctx context.Context, s *store.Store, r store.Record,
	yield func(store.Version) bool) error {
	whole := r.Complete
	if !r.Complete {
		before, err := s.Before(ctx, r, 1)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if whole = err == nil && before.Complete; whole {
			own, err := s.First(ctx, r)
			if err != nil || !yield(store.Version{Record: own, Previous: &before}) {
				return err
			}
		}
	}
	return s.VersionsFrom(ctx, r, func(v store.Version) bool {
		return v.Complete != whole || yield(v)
	})
}
