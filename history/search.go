package history

import (
	"bytes"
	"context"
	"iter"
	"regexp"
	"runtime"
	"slices"
	"sync"

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
		records, err := q.records(ctx, s)
		if err != nil {
			yield(Match{}, err)
			return
		}
		inOrder(records, func(r store.Record) ([]Match, error) {
			body, err := s.Content(ctx, r)
			if err != nil {
				return nil, err
			}
			return q.matches(r, body), nil
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

// records returns what is searched: each device's newest configuration, or all versions, the newest
// first.
func (q Query) records(ctx context.Context, s *store.Store) (records []store.Record, err error) {
	if !q.All {
		all, err := s.Current(ctx)
		for _, r := range all {
			if q.Filter.picksRecord(r) {
				records = append(records, r)
			}
		}
		return records, err
	}
	devices, err := s.Devices(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if !q.Filter.Picks(d) {
			continue
		}
		err := s.Versions(ctx, d, func(v store.Version) bool {
			records = append(records, v.Record)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

// inOrder works on a list with all cores and hands the results on in its order, until done returns
// false.
func inOrder(list []store.Record, work func(store.Record) ([]Match, error),
	done func([]Match, error) bool) {
	type result struct {
		found []Match
		err   error
	}
	results := make([]chan result, len(list))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	var workers sync.WaitGroup // ends when the list is done, or given up
	defer workers.Wait()
	next := make(chan int)
	quit := make(chan struct{})
	defer close(quit)
	for range max(runtime.GOMAXPROCS(0), 2) { // one waits for the database while another reads
		workers.Go(func() {
			for i := range next {
				found, err := work(list[i])
				results[i] <- result{found, err}
			}
		})
	}
	workers.Go(func() {
		defer close(next)
		for i := range list {
			select {
			case next <- i:
			case <-quit:
				return
			}
		}
	})
	for i := range list {
		if got := <-results[i]; !done(got.found, got.err) {
			return
		}
	}
}

// matches returns the lines of a configuration that match. Where its text has no match, its lines
// are not looked at. The blocks are those of the configuration itself, since what hides a secret
// may look like one of its tags.
func (q Query) matches(r store.Record, body []byte) (found []Match) {
	whole := device.Decode(body)
	lines := device.Outline
	if q.Redact {
		var err error
		if whole, err = Redacted(body); err != nil {
			return nil // what can't be shown isn't found
		}
		lines = device.Lines
	}
	if !q.Pattern.Match(bytes.ReplaceAll(whole, []byte("\r\n"), []byte("\n"))) {
		return nil
	}
	var last []Numbered
	for l := range lines(body) {
		shown := l.Text
		if q.Redact {
			shown = l.Redacted()
		}
		if q.Around > 0 {
			for i := len(found) - 1; i >= 0 && l.Number <= found[i].Line+q.Around; i-- {
				found[i].After = append(found[i].After, Numbered{l.Number, string(shown)})
			}
		}
		if q.Pattern.Match(shown) {
			found = append(found, Match{Record: r, Line: l.Number, Path: l.Path(),
				Text: string(shown), Before: slices.Clone(last)})
		}
		if q.Around > 0 {
			if len(last) == q.Around {
				last = slices.Delete(last, 0, 1)
			}
			last = append(last, Numbered{l.Number, string(shown)})
		}
	}
	return found
}
