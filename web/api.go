package web

import (
	"bytes"
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

// devicesAtOnce is how many devices a list holds in memory, and how many it has on a page at most.
const devicesAtOnce = 5000

func (p *Page) apiDevices(v *visit) error {
	values, err := v.asked("q", "glob", "site", "platform", "os", "state", "silent", "sort", "n",
		"after")
	if err != nil {
		return err
	}
	q, err := v.listQuery(values)
	if err != nil {
		return err
	}
	if text := values.Get("silent"); text != "" {
		var age config.Age
		if err := age.UnmarshalText([]byte(text)); err != nil {
			return badRequest{err}
		}
		q.Silent = time.Duration(age)
	}
	if values.Get("after") != "" && q.After == nil {
		return badf("there is no device %q any more: begin anew without after",
			shown(values.Get("after")))
	}
	n, err := number(values, 0)
	switch {
	case err != nil:
		return err
	case n > devicesAtOnce:
		return badf("n is at most %d; without it all are listed", devicesAtOnce)
	case n > 0:
		return p.apiDevicesPage(v, q, n)
	}
	return writeList(v.w, each(v.sorted(q), 0, v.deviceJSON))
}

func (v *visit) deviceJSON(d store.Device) any {
	return history.JSONOfDevice(d, v.now)
}

// apiDevicesPage writes n devices, with the address of those after them.
func (p *Page) apiDevicesPage(v *visit, q history.ListQuery, n int) error {
	q.N = n
	list, err := history.ListDevices(v.r.Context(), v.store, q, v.now)
	if err != nil {
		return err
	}
	if list.More {
		v.w.Header().Set("Link", "<"+with(v.r.URL, "after", list.Devices[n-1].Ref())+
			`>; rel="next"`)
	}
	return writeList(v.w, all(list.Devices, v.deviceJSON))
}

// sorted yields all devices that a query picks, in its order. It reads the list once for each
// devicesAtOnce of them.
func (v *visit) sorted(q history.ListQuery) iter.Seq2[store.Device, error] {
	q.N = devicesAtOnce
	return func(yield func(store.Device, error) bool) {
		for {
			list, err := history.ListDevices(v.r.Context(), v.store, q, v.now)
			if err != nil {
				yield(store.Device{}, err)
				return
			}
			for _, d := range list.Devices {
				if !yield(d, nil) {
					return
				}
			}
			if !list.More {
				return
			}
			q.After = &list.Devices[len(list.Devices)-1]
		}
	}
}

func (p *Page) apiDevice(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	d, err := v.device()
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, v.deviceJSON(d))
	return nil
}

func (p *Page) apiSites(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	var failed error
	sites := history.Sites(func(yield func(store.Device) bool) {
		failed = v.store.EachDevice(v.r.Context(), yield)
	}, v.now)
	if failed != nil {
		return failed
	}
	return writeList(v.w, all(sites, func(s history.Site) any { return history.JSONOfSite(s) }))
}

// capturesListed is how many captures a list has where n isn't given.
const capturesListed = 100

// apiCaptures lists captures, newest first: a device's, or those of all devices.
func (p *Page) apiCaptures(v *visit) error {
	values, err := v.asked("n", "changed", "since", "until", "before", "path", "glob", "site",
		"platform", "os")
	if err != nil {
		return err
	}
	n, err := number(values, capturesListed)
	if err != nil {
		return err
	}
	q, _, err := v.changesQuery(0)
	if err != nil {
		return err
	}
	if values.Get("since") == "" {
		q.Since = time.Time{}
	}
	if q.Changed, err = flag(values, "changed"); err != nil {
		return err
	}
	q.Path = history.ParsePath(values.Get("path"))
	if before := values.Get("before"); before != "" {
		r, err := v.capture(before)
		if err != nil {
			return err
		}
		q.Before = &r
	}
	if v.r.PathValue("name") != "" {
		d, err := v.device()
		if err != nil {
			return err
		}
		q.Device = &d
	}
	return writeList(v.w, each(history.Log(v.r.Context(), v.store, q), n,
		func(r store.Record) any { return v.captureJSON(r) }))
}

// apiVersions lists a device's versions, newest first.
func (p *Page) apiVersions(v *visit) error {
	values, err := v.asked("n", "before", "path")
	if err != nil {
		return err
	}
	n, err := number(values, capturesListed)
	if err != nil {
		return err
	}
	d, err := v.device()
	if err != nil {
		return err
	}
	list := history.Versions(v.r.Context(), v.store, d, history.ParsePath(values.Get("path")))
	if before := values.Get("before"); before != "" {
		r, err := v.capture(before)
		if err != nil {
			return err
		}
		list = behind(list, r.ID)
	}
	return writeList(v.w, each(list, n,
		func(one store.Version) any {
			j := history.JSONOfVersion(one)
			j.CaptureJSON = v.captureJSON(one.Record)
			return j
		}))
}

// behind leaves out the versions down to that of a number.
func behind(list iter.Seq2[store.Version, error], id int64) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		found := false
		for one, err := range list {
			if (found || err != nil) && !yield(one, err) {
				return
			}
			found = found || one.ID == id
		}
	}
}

func (p *Page) apiCapture(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, v.captureJSON(r))
	return nil
}

// captureJSON returns a capture. By its hash, or its exact size, somebody could try out what a
// secret is that they aren't shown.
func (v *visit) captureJSON(r store.Record) history.CaptureJSON {
	j := history.JSONOfCapture(r)
	if !v.Role.Has(store.Reader) {
		j.Size, j.SHA256, j.UID = nil, "", v.uid(j.UID)
	}
	return j
}

// uid returns a uid as the person may see it: that of an import is made of the content's hash.
func (v *visit) uid(uid string) string {
	if len(uid) == 36 && uid[14] == '5' && !v.Role.Has(store.Reader) { // a UUIDv5
		return ""
	}
	return uid
}

// apiConfig returns a configuration: its exact bytes to those that may see secrets and ask with
// reveal=1, else its text without them.
func (p *Page) apiConfig(v *visit) error {
	if _, err := v.asked("reveal"); err != nil {
		return err
	}
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.apiSend(r)
}

// apiCurrent returns a device's configuration, as of a time or so many versions back.
func (p *Page) apiCurrent(v *visit) error {
	values, err := v.asked("reveal", "at", "back")
	if err != nil {
		return err
	}
	d, err := v.device()
	if err != nil {
		return err
	}
	at, err := v.at(values.Get("at"))
	if err != nil {
		return err
	}
	r, err := v.store.Resolve(v.r.Context(), d.Ref(), at)
	if err != nil {
		return err
	}
	if text := values.Get("back"); text != "" {
		back, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return badf("back is a number of versions")
		}
		if back > 0 {
			if r, err = v.store.Before(v.r.Context(), r, int64(back)); err != nil {
				return err
			}
		}
	}
	v.w.Header().Set("Content-Location", fmt.Sprintf("/api/v1/captures/%d/config", r.ID))
	return v.apiSend(r)
}

// at reads a time as of which something is asked; "" is for now.
func (v *visit) at(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := history.ParseTime(text, v.now)
	if err != nil {
		return time.Time{}, badRequest{err}
	}
	return t.EndOfDay(), nil
}

func (v *visit) apiSend(r store.Record) error {
	if _, err := flag(v.r.URL.Query(), "reveal"); err != nil {
		return err
	}
	revealed, err := v.reveals(r)
	if err != nil {
		return err
	}
	body, kind, err := v.configOf(r, revealed)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", "attachment")
	tag := `"` + hash(body) + `"`
	v.w.Header().Set("ETag", tag)
	known := v.r.Header.Get("If-None-Match")
	if known == "*" || strings.Contains(known, tag) { // one of a list, or its weak form
		v.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	v.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = v.w.Write(body) // the client may have gone
	return nil
}

// configOf returns a configuration as it is sent, and of which type.
func (v *visit) configOf(r store.Record, revealed bool) (body []byte, kind string, err error) {
	if body, err = v.store.Content(v.r.Context(), r); err != nil || revealed {
		return body, "application/octet-stream", err
	}
	body, err = history.Redacted(body)
	return body, "text/plain; charset=utf-8", masked(err)
}

// masked makes of ErrSecretsUnknown what a program is told.
func masked(err error) error {
	if errors.Is(err, history.ErrSecretsUnknown) {
		return status{http.StatusForbidden, err.Error() +
			": a token of the role reader gets it whole"}
	}
	return err
}

// apiDiff returns the difference between two captures; 0 is for nothing.
func (p *Page) apiDiff(v *visit) error {
	from, to, ok := strings.Cut(v.r.PathValue("pair"), "..")
	if !ok {
		return badf("which two? /api/v1/diff/41..42")
	}
	newer, err := v.capture(to)
	if err != nil {
		return err
	}
	if from == "0" {
		return v.apiSendDiff(nil, newer, false)
	}
	older, err := v.capture(from)
	if err != nil {
		return err
	}
	return v.apiSendDiff(&older, newer, false)
}

// apiChange returns what a capture changed.
func (p *Page) apiChange(v *visit) error {
	newer, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	older, err := before(v.r.Context(), v.store, newer)
	if err != nil {
		return err
	}
	return v.apiSendDiff(older, newer, true)
}

// apiSendDiff writes a difference as diff prints it. version heads the older side with the capture
// that brought it.
func (v *visit) apiSendDiff(older *store.Record, newer store.Record, version bool) error {
	values, err := v.asked("all", "reveal")
	if err != nil {
		return err
	}
	noise, err := flag(values, "all")
	if err != nil {
		return err
	}
	if _, err := flag(values, "reveal"); err != nil {
		return err
	}
	sides := []store.Record{newer}
	if older != nil {
		sides = append(sides, *older)
	}
	revealed, err := v.reveals(sides...)
	if err != nil {
		return err
	}
	text, err := v.unified(older, newer, version, history.Options{Redact: !revealed, Noise: noise})
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = v.w.Write(text) // the client may have gone
	return nil
}

// unified returns a difference as patch takes it; nothing where there is none.
func (v *visit) unified(older *store.Record, newer store.Record, version bool,
	o history.Options) ([]byte, error) {
	ctx := v.r.Context()
	var a history.Side
	from := history.NoFile
	var err error
	if older != nil {
		if a, err = history.Load(ctx, v.store, *older); err != nil {
			return nil, err
		}
		if from, err = history.Head(ctx, v.store, *older, version); err != nil {
			return nil, err
		}
	}
	b, err := history.Load(ctx, v.store, newer)
	if err != nil {
		return nil, err
	}
	to, err := history.Head(ctx, v.store, newer, false)
	if err != nil {
		return nil, err
	}
	d, err := history.Compare(a, b, o)
	if err != nil {
		return nil, masked(err)
	}
	var out bytes.Buffer
	if d.Finding != history.Same && d.Finding != history.Noise {
		history.WriteUnified(&out, from, to, d)
		words := d.Finding.Words(len(a.Body), len(b.Body))
		if !v.Role.Has(store.Reader) {
			words = finding(d.Finding) // without sizes, as captureJSON
		}
		if words != "" {
			out.WriteString(words + "\n")
		}
	}
	return out.Bytes(), nil
}

func (p *Page) apiSearch(v *visit) error {
	values, err := v.asked("q", "fixed", "i", "history", "glob", "site", "platform", "os",
		"reveal")
	if err != nil {
		return err
	}
	q, err := v.searchQuery(values.Get("q"), "fixed", "i", "history", "reveal")
	if err != nil {
		return err
	}
	return writeList(v.w, each(history.Search(v.r.Context(), v.store, q), 0,
		func(m history.Match) any { return history.JSONOfMatch(m) }))
}

// searchQuery reads what is searched. A search with secrets is noted.
func (v *visit) searchQuery(pattern string, flags ...string) (q history.Query, err error) {
	values := v.r.URL.Query()
	if q.Filter, err = filter(values); err != nil {
		return q, err
	}
	if pattern == "" || len(pattern) > longestPattern {
		return q, badf("q is a pattern of 1 to %d bytes", longestPattern)
	}
	on := map[string]bool{}
	for _, name := range flags {
		if on[name], err = flag(values, name); err != nil {
			return q, err
		}
	}
	text, mode := pattern, "(?m"
	if on["fixed"] {
		text = regexp.QuoteMeta(text)
	}
	if on["i"] {
		mode += "i"
	}
	if q.Pattern, err = regexp.Compile(mode + ":" + text + ")"); err != nil {
		return q, badf("%w; fixed=1 takes it as it is", err)
	}
	q.All, q.Redact = on["history"], !on["reveal"]
	if on["reveal"] {
		err = v.searchesSecrets(q.Filter, pattern)
	}
	return q, err
}

// searchesSecrets notes a search with secrets, or returns an error where the person may not.
func (v *visit) searchesSecrets(f history.Filter, pattern string) error {
	if !v.Role.Has(store.Reader) {
		return status{http.StatusForbidden, fmt.Sprintf(
			"secrets are for the role %s: you are %s", store.Reader, v.Role)}
	}
	return v.note(v.r.Context(), "search with secrets", v.searched(f), shown(pattern), "")
}

// apiFailures lists what failed: of all, or from the addresses of a device.
func (p *Page) apiFailures(v *visit) error {
	values, err := v.asked("since")
	if err != nil {
		return err
	}
	from := v.now.Add(-config.Day)
	if since := values.Get("since"); since != "" {
		t, err := history.ParseTime(since, v.now)
		if err != nil {
			return badRequest{err}
		}
		from = t.Time
	}
	var of *store.Device
	if v.r.PathValue("name") != "" {
		d, err := v.device()
		if err != nil {
			return err
		}
		of = &d
	}
	list, err := v.store.Failures(v.r.Context(), of, from)
	if err != nil {
		return err
	}
	return writeList(v.w, all(list, func(f store.Failure) any { return history.JSONOfFailure(f) }))
}

// apiMe returns who asks.
func (p *Page) apiMe(v *visit) error {
	if _, err := v.asked(); err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, map[string]any{"name": v.Name, "role": v.Role, "sites": v.Sites,
		"time": v.now.UTC().Format(time.RFC3339)})
	return nil
}
