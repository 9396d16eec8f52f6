package history

import (
	"bytes"
	"context"
	"iter"
	"regexp"
	"regexp/syntax"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// A Query is what a search looks for, and where.
type Query struct {
	Pattern *regexp.Regexp // compiled with (?m): ^ and $ match at a line's ends
	Filter  Filter
	All     bool // all versions, and not each device's newest configuration alone
	Around  int  // how many lines before and after one that matches are told too
	// hide secrets; what is hidden isn't found either, and unknown platforms are left out
	Redact bool
}

// A Match is a line that matches.
type Match struct {
	store.Record          // the capture
	Line         int      // the line's number in it
	Path         []string // the blocks that the line stands in, the outermost first
	Text         string   // without secrets where the query says so
	// Before and After are the lines around it, as the query asks for them.
	Before, After []Numbered
}

// Numbered is a line with its number.
type Numbered struct {
	Number int
	Text   string
}

// Search yields the lines that match, capture by capture as the store lists them. It reads with all
// cores. It ends after an error.
func Search(ctx context.Context, s *store.Store, q Query) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		f := newFinder(q)
		inOrder(q.records(ctx, s), func(r store.Record, send func([]Match) bool) error {
			return f.search(ctx, s, r, send)
		}, func(found []Match, err error) bool {
			if err != nil {
				yield(Match{}, err)
				return false
			}
			for _, m := range found {
				if !yield(m, nil) {
					return false
				}
			}
			return true
		})
	}
}

// records yields what is searched: each device's newest configuration, or all versions, the newest
// first.
func (q Query) records(ctx context.Context, s *store.Store) iter.Seq2[store.Record, error] {
	if q.All {
		return q.versions(ctx, s)
	}
	return func(yield func(store.Record, error) bool) {
		err := q.Filter.eachCurrent(ctx, s, func(r store.Record) bool {
			return !q.Filter.picksRecord(r) || yield(r, nil)
		})
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

func (q Query) versions(ctx context.Context, s *store.Store) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var devices []store.Device
		err := s.EachDevice(ctx, func(d store.Device) bool {
			devices = append(devices, d)
			return true
		})
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		Sort(devices, "name", time.Time{})
		for _, d := range devices {
			if !q.Filter.Picks(d) {
				continue
			}
			more := true
			err := s.Versions(ctx, d, func(v store.Version) bool {
				more = yield(v.Record, nil)
				return more
			})
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// found is a part of what was found in a capture.
type found struct {
	matches []Match
	err     error
}

// matchesAtOnce bounds the matches of a capture that wait in memory: each line may be one.
const matchesAtOnce = 500

// inOrder works on a list with all cores and hands the results on in its order, until done returns
// false. Where done is slow the work waits for it: some parts of a result for each core are in
// memory, and as many wait.
func inOrder(list iter.Seq2[store.Record, error],
	work func(r store.Record, send func([]Match) bool) error, done func([]Match, error) bool) {
	type job struct {
		record store.Record
		result chan found
	}
	cores := max(runtime.GOMAXPROCS(0), 2) // one waits for the database while another reads
	jobs, results := make(chan job), make(chan chan found, cores)
	var workers sync.WaitGroup // ends when the list is done, or given up
	defer workers.Wait()
	quit := make(chan struct{})
	defer close(quit)
	for range cores {
		workers.Go(func() {
			for j := range jobs {
				send := func(part found) bool {
					select {
					case j.result <- part:
						return true
					case <-quit:
						return false
					}
				}
				err := work(j.record, func(m []Match) bool { return send(found{m, nil}) })
				if err != nil {
					send(found{nil, err})
				}
				close(j.result)
			}
		})
	}
	workers.Go(func() {
		defer close(jobs)
		defer close(results)
		for r, err := range list {
			result := make(chan found, 1)
			select {
			case results <- result:
			case <-quit:
				return
			}
			if err != nil {
				result <- found{nil, err}
				close(result)
				return
			}
			select {
			case jobs <- job{r, result}:
			case <-quit:
				return
			}
		}
	})
	for result := range results {
		for got := range result {
			if !done(got.matches, got.err) {
				return
			}
		}
	}
}

// A finder is a query with what is to be known of its pattern.
type finder struct {
	Query
	sieve sieve
	// edges says that the pattern asks for the beginning or the end of a text, which a line has
	// and its configuration has elsewhere.
	edges bool
}

func newFinder(q Query) finder {
	f := finder{Query: q, edges: true}
	if re, err := syntax.Parse(q.Pattern.String(), syntax.Perl); err == nil {
		f.sieve, f.edges = newSieve(re, q.Redact), edges(re)
	}
	return f
}

// edges reports whether an expression asks for the beginning or the end of a text.
func edges(re *syntax.Regexp) bool {
	for _, sub := range re.Sub { // slices.ContainsFunc would link the printing of expressions
		if edges(sub) {
			return true
		}
	}
	return re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText
}

// search sends the lines of a capture that match, until send returns false. Where its text has no
// match, there are none.
func (f finder) search(ctx context.Context, s *store.Store, r store.Record,
	send func([]Match) bool) error {
	body, err := s.ContentIf(ctx, r, func(body []byte) bool {
		return f.sieve.passes(device.Decode(body))
	})
	if err == nil && body != nil {
		f.matches(r, body, send)
	}
	return err
}

// matches sends the lines of a configuration that match, until send returns false. The blocks are
// those of the configuration itself, since what hides a secret may look like one of its tags.
func (f finder) matches(r store.Record, body []byte, send func([]Match) bool) {
	text := device.Decode(body)
	numbers, all := f.sieve.lines(text)
	lines := device.Outline
	if f.Redact {
		if !device.Known(body) {
			return // what can't be shown isn't found
		}
		lines = device.Lines
	}
	// A line that matches is a match of the text, as a rule.
	if f.edges || !f.Redact && (all || !evenly(text)) {
		if f.Redact {
			text, _ = Redacted(body)
		}
		if !f.Pattern.Match(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))) {
			return
		}
	}
	var last []Numbered
	var found []Match
	for l := range lines(body) {
		for len(numbers) > 0 && numbers[0]+f.Around < l.Number {
			numbers = numbers[1:]
		}
		if !all && len(numbers) == 0 {
			break
		}
		if !all && l.Number < numbers[0]-f.Around {
			continue
		}
		shown := l.Text
		if f.Redact {
			shown = l.Redacted()
		}
		if f.Around > 0 {
			for i := len(found) - 1; i >= 0 && l.Number <= found[i].Line+f.Around; i-- {
				found[i].After = append(found[i].After, Numbered{l.Number, string(shown)})
			}
		}
		if f.Pattern.Match(shown) {
			found = append(found, Match{Record: r, Line: l.Number, Path: l.Path(),
				Text: string(shown), Before: slices.Clone(last)})
			if len(found) == matchesAtOnce+f.Around { // the last ones want lines after them
				if !send(found[:matchesAtOnce]) {
					return
				}
				found = slices.Clone(found[matchesAtOnce:])
			}
		}
		if f.Around > 0 {
			if len(last) == f.Around {
				last = slices.Delete(last, 0, 1)
			}
			last = append(last, Numbered{l.Number, string(shown)})
		}
	}
	if len(found) > 0 {
		send(found)
	}
}

// evenly reports whether the lines of a text end as those of [device.Lines] do, with LF or CRLF,
// and nothing fills it up.
func evenly(text []byte) bool {
	end := text[len(bytes.TrimRight(text, "\x00\x1a\r\n")):]
	return bytes.Count(text, []byte("\r")) == bytes.Count(text, []byte("\r\n")) &&
		!bytes.ContainsAny(end, "\x00\x1a")
}
