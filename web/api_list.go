package web

import (
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/history"
)

// The API returns the objects that the commands print with --json, one a line in an array, so that
// a list needs no memory.

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = history.NewEncoder(w).Encode(value) // the client may have gone
}

// sentEvery is how long what is ready waits for more of it.
const sentEvery = 200 * time.Millisecond

// writeList writes an array as its values come. An error after the first of them cuts the answer
// short.
func writeList(w http.ResponseWriter, list iter.Seq2[any, error]) error {
	begun := false
	sent := time.Now()
	encoder, flush := history.NewEncoder(w), http.NewResponseController(w)
	for value, err := range list {
		switch {
		case err != nil && !begun:
			return err
		case err != nil:
			return errCut
		}
		separator := ","
		if !begun {
			w.Header().Set("Content-Type", "application/json")
			separator, begun = "[", true
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return errCut
		}
		if err := encoder.Encode(value); err != nil {
			return errCut
		}
		if time.Since(sent) > sentEvery {
			_ = flush.Flush() // where it can't be, the answer comes as a whole
			sent = time.Now()
		}
	}
	if !begun {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[")
	}
	_, _ = io.WriteString(w, "]\n") // the client may have gone
	return nil
}

// each makes a list of what becomes of the values that list yields, n at most; 0 is for all.
func each[T any](list iter.Seq2[T, error], n int, of func(T) any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		left := n
		list(func(value T, err error) bool {
			if err != nil {
				yield(nil, err)
				return false
			}
			left--
			return yield(of(value), nil) && left != 0
		})
	}
}

// all makes a list of values that are there.
func all[T any](list []T, of func(T) any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for i := range list {
			if !yield(of(list[i]), nil) {
				return
			}
		}
	}
}

// asked returns the parameters of a request, and an error where one is unknown: a filter that is
// misspelt would filter nothing.
func (v *visit) asked(known ...string) (url.Values, error) {
	values := v.r.URL.Query()
	for name := range values {
		if !slices.Contains(known, name) {
			return nil, badf("no parameter is called %q: there are %s", shown(name),
				strings.Join(known, ", "))
		}
	}
	return values, nil
}

// number reads the parameter n, how many are wanted at most; 0 is for all.
func number(values url.Values, usual int) (int, error) {
	text := values.Get("n")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, badf("n is how many at most, such as 100; 0 is for all")
	}
	return int(n), nil
}

// flag reads a parameter that is 1, or 0 as if it weren't there.
func flag(values url.Values, name string) (bool, error) {
	switch values.Get(name) {
	case "1":
		return true, nil
	case "", "0":
		return false, nil
	}
	return false, badf("%s is 1 or 0", name)
}
