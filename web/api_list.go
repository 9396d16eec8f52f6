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
func writeList[T any](w http.ResponseWriter, list iter.Seq2[T, error]) error {
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

// each makes a list of values of what list yields.
func each[T, U any](list iter.Seq2[T, error], of func(T) U) iter.Seq2[U, error] {
	return func(yield func(U, error) bool) {
		for value, err := range list {
			if err != nil {
				var none U
				yield(none, err)
				return
			}
			if !yield(of(value), nil) {
				return
			}
		}
	}
}

// all makes a list of values that are there.
func all[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, value := range list {
			if !yield(value, nil) {
				return
			}
		}
	}
}

// first ends a list after n values; 0 is for all.
func first[T any](list iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	if n == 0 {
		return list
	}
	return func(yield func(T, error) bool) {
		left := n
		for value, err := range list {
			if left--; !yield(value, err) || left == 0 {
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
