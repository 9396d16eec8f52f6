package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// The API returns the objects that the commands print with --json, one a line in an array, so that
// a list needs no memory.

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // the client may have gone
}

// writeList writes an array as its values come. An error after the first of them cuts the answer
// short.
func writeList[T any](w http.ResponseWriter, list iter.Seq2[T, error]) error {
	begun := false
	begin := func() {
		if !begun {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("["))
			begun = true
		}
	}
	encoder := json.NewEncoder(w)
	first := true
	for value, err := range list {
		if err != nil && !begun {
			return err
		}
		if err != nil {
			return errCut
		}
		begin()
		if !first {
			_, _ = w.Write([]byte(","))
		}
		first = false
		if err := encoder.Encode(value); err != nil {
			return errCut
		}
	}
	begin()
	_, _ = w.Write([]byte("]\n"))
	return nil
}

func (p *Page) apiDevices(v *visit) error {
	q, err := v.listQuery(v.r.URL.Query())
	if err != nil {
		return err
	}
	return writeList(v.w, func(yield func(history.DeviceJSON, error) bool) {
		stopped := false
		err := history.EachPicked(v.r.Context(), v.store, q, v.now, func(d store.Device) bool {
			stopped = !yield(history.JSONOfDevice(d, v.now), nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(history.DeviceJSON{}, err)
		}
	})
}

func (p *Page) apiDevice(v *visit) error {
	d, err := v.device()
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, history.JSONOfDevice(d, v.now))
	return nil
}

// bound reads the parameter n, how many are wanted at most.
func (v *visit) bound(usual, most int) (int, error) {
	text := v.r.URL.Query().Get("n")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badf("n is 1 to %d", most)
	}
	return n, nil
}

// apiCaptures lists captures: a device's, or those of all devices since a time, newest first.
func (p *Page) apiCaptures(v *visit) error {
	n, err := v.bound(100, 10000)
	if err != nil {
		return err
	}
	if v.r.PathValue("name") != "" {
		d, err := v.device()
		if err != nil {
			return err
		}
		list, err := v.store.Log(v.r.Context(), &d, n)
		if err != nil {
			return err
		}
		return writeList(v.w, func(yield func(history.CaptureJSON, error) bool) {
			for _, r := range list {
				if !yield(history.JSONOfCapture(r), nil) {
					return
				}
			}
		})
	}
	q, _, err := v.changesQuery(config.Day)
	if err != nil {
		return err
	}
	q.Changed = v.r.URL.Query().Get("changed") == "1"
	return writeList(v.w, func(yield func(history.CaptureJSON, error) bool) {
		for r, err := range history.Log(v.r.Context(), v.store, q) {
			if n--; n < 0 || !yield(history.JSONOfCapture(r), err) {
				return
			}
		}
	})
}

func (p *Page) apiCapture(v *visit) error {
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, history.JSONOfCapture(r))
	return nil
}

// apiConfig returns a configuration: its exact bytes to those that may see secrets and ask with
// reveal=1, else its text without them.
func (p *Page) apiConfig(v *visit) error {
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	revealed, err := v.reveals(r)
	if err != nil {
		return err
	}
	return v.sendConfig(r, revealed)
}

func (v *visit) sendConfig(r store.Record, revealed bool) error {
	body, err := v.store.Content(v.r.Context(), r)
	if err != nil {
		return err
	}
	kind := "application/octet-stream"
	if !revealed {
		kind = "text/plain; charset=utf-8"
		if body, err = history.Redacted(body); err != nil {
			return masked(err)
		}
	}
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", "attachment")
	v.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = v.w.Write(body) // the client may have gone
	return nil
}

// masked makes of ErrSecretsUnknown what a program is told.
func masked(err error) error {
	if errors.Is(err, history.ErrSecretsUnknown) {
		return status{http.StatusForbidden, err.Error()}
	}
	return err
}

// apiDiff returns a difference as patch takes it.
func (p *Page) apiDiff(v *visit) error {
	from, to, ok := strings.Cut(v.r.PathValue("pair"), "..")
	if !ok {
		return errNotFound
	}
	older, err := v.capture(from)
	if err != nil {
		return err
	}
	newer, err := v.capture(to)
	if err != nil {
		return err
	}
	revealed, err := v.reveals(newer, older)
	if err != nil {
		return err
	}
	return v.sendDiff(older, newer, revealed)
}

func (v *visit) sendDiff(older, newer store.Record, revealed bool) error {
	a, err := history.Load(v.r.Context(), v.store, older)
	if err != nil {
		return err
	}
	b, err := history.Load(v.r.Context(), v.store, newer)
	if err != nil {
		return err
	}
	d, err := history.Compare(a, b, history.Options{Redact: !revealed,
		Noise: v.r.URL.Query().Get("all") == "1"})
	if err != nil {
		return masked(err)
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, h := range d.Hunks {
		_, _ = fmt.Fprintf(v.w, "@@ -%s +%s @@ %s\n", h.Old, h.New,
			shown(strings.Join(h.Path, " > ")))
		for _, l := range h.Lines {
			_, _ = fmt.Fprintf(v.w, "%c%s\n", l.Op, l.Text)
		}
	}
	return nil
}

func (p *Page) apiSearch(v *visit) error {
	values := v.r.URL.Query()
	f, err := filter(values)
	if err != nil {
		return err
	}
	pattern := values.Get("q")
	if pattern == "" || len(pattern) > longestPattern {
		return badf("q is a pattern of 1 to %d bytes", longestPattern)
	}
	compiled, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return badRequest{err}
	}
	reveal := values.Get("reveal") == "1"
	if reveal && !v.Role.Has(store.Reader) {
		return status{http.StatusForbidden, "secrets are for the role reader"}
	}
	if reveal {
		err := v.note(v.r.Context(), "search with secrets", v.searched(f), shown(pattern), "")
		if err != nil {
			return err
		}
	}
	q := history.Query{Pattern: compiled, Filter: f, All: values.Get("history") == "1",
		Redact: !reveal}
	return writeList(v.w, func(yield func(history.MatchJSON, error) bool) {
		for m, err := range history.Search(v.r.Context(), v.store, q) {
			if !yield(history.JSONOfMatch(m), err) {
				return
			}
		}
	})
}

func (p *Page) apiFailures(v *visit) error {
	from := v.now.Add(-config.Day)
	if since := v.r.URL.Query().Get("since"); since != "" {
		t, err := history.ParseTime(since, v.now)
		if err != nil {
			return badRequest{err}
		}
		from = t.Time
	}
	list, err := v.store.Failures(v.r.Context(), nil, from)
	if err != nil {
		return err
	}
	return writeList(v.w, func(yield func(history.FailureJSON, error) bool) {
		for _, f := range list {
			if !yield(history.JSONOfFailure(f), nil) {
				return
			}
		}
	})
}

// apiMe returns who asks.
func (p *Page) apiMe(v *visit) error {
	writeJSON(v.w, http.StatusOK, map[string]any{"name": v.Name, "role": v.Role, "sites": v.Sites,
		"time": v.now.UTC().Format(time.RFC3339)})
	return nil
}
