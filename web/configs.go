package web

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// reveals reports whether secrets are shown: a reader has asked for them. Each time is noted, once
// for each capture.
func (v *visit) reveals(of ...store.Record) (bool, error) {
	if v.r.FormValue("reveal") != "1" {
		return false, nil
	}
	if !v.Role.Has(store.Reader) {
		return false, status{http.StatusForbidden, fmt.Sprintf(
			"secrets are for the role %s: you are %s", store.Reader, v.Role)}
	}
	return true, v.noteEach(of, "reveal", v.r.URL.Path)
}

func (v *visit) noteEach(of []store.Record, action, detail string) error {
	for _, r := range of {
		if err := v.note(v.r.Context(), action, &r.Site, v.object(r), detail); err != nil {
			return err
		}
	}
	return nil
}

// object names a capture in an audit.
func (v *visit) object(r store.Record) string {
	return fmt.Sprintf("%s @%d", deviceName(r.Site, r.Device), r.ID)
}

// configured is a configuration's page.
type configured struct {
	store.Record
	Hidden   string // why it isn't shown; "" where it is
	Revealed bool
	Outline  []outlined
	Lines    iter.Seq[lineView]
	Reveal   string // the address that reveals secrets; "" where the person may not
	Previous *store.Record
}

// outlined is a block at the outermost level.
type outlined struct {
	Line int
	Text string
}

// lineView is a line as it is shown.
type lineView struct {
	Number int
	Text   string
	Class  string
}

// outlineShown bounds the outline: more is no outline.
const outlineShown = 400

func (p *Page) config(v *visit) error {
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	page := configured{Record: r}
	if !v.Role.Has(store.Reader) { // as captureJSON, but for a size in whole KiB
		page.Size, page.SHA256 = (r.Size+1<<10-1)>>10<<10, ""
	}
	if page.Revealed, err = v.reveals(r); err != nil {
		return err
	}
	if v.Role.Has(store.Reader) {
		page.Reveal = with(v.r.URL, "reveal", "1")
	}
	body, err := v.store.Content(v.r.Context(), r)
	if err != nil {
		return err
	}
	if page.Previous, err = before(v.r.Context(), v.store, r); err != nil {
		return err
	}
	if page.Hidden = hiddenBecause(r, body, !page.Revealed); page.Hidden == "" {
		page.Lines = linesOf(body, !page.Revealed)
		page.Outline = outlineOf(body, !page.Revealed)
	}
	return p.show(v, "config", v.object(r), page)
}

// before returns the version before a capture, nil for none.
func before(ctx context.Context, s *store.Store, r store.Record) (*store.Record, error) {
	old, err := s.Before(ctx, r, 1)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &old, err
}

// hiddenBecause returns why a capture isn't shown as text, "" where it is.
func hiddenBecause(r store.Record, body []byte, redact bool) string {
	switch {
	case r.Kind == device.KindEncrypted:
		return "It is encrypted: only the device can read it."
	case !device.Readable(body):
		return "It is no text."
	}
	if _, err := history.Redacted(body); redact && err != nil {
		return secretsUnknown
	}
	return ""
}

// secretsUnknown is why a text isn't shown to everybody.
const secretsUnknown = "Where secrets stand in it is not known, since its platform isn't: " +
	"it is shown whole to those who may see secrets, and to nobody else."

// linesOf yields the lines of a configuration. A line that opens a block is known by the next one.
func linesOf(body []byte, redact bool) iter.Seq[lineView] {
	return func(yield func(lineView) bool) {
		var last lineView
		depth := 0
		for l := range device.Lines(body) {
			deeper := l.Depth()
			if last.Number > 0 {
				if deeper > depth {
					last.Class += " head"
				}
				if !yield(last) {
					return
				}
			}
			depth = deeper
			text := l.Text
			if redact {
				text = l.Redacted()
			}
			last = lineView{Number: l.Number, Text: shown(string(text))}
			switch {
			case l.Noise:
				last.Class = "noise"
			case l.Comment:
				last.Class = "comment"
			}
		}
		if last.Number > 0 {
			yield(last)
		}
	}
}

// outlineOf returns the blocks at the outermost level.
func outlineOf(body []byte, redact bool) (list []outlined) {
	var last lineView
	for l := range linesOf(body, redact) {
		if last.Number > 0 && strings.Contains(last.Class, "head") &&
			strings.TrimLeft(last.Text, " \t") == last.Text && len(list) < outlineShown {
			list = append(list, outlined{last.Number, last.Text})
		}
		last = l
	}
	return list
}

// raw hands a capture out byte for byte, as a file.
func (p *Page) raw(v *visit) error {
	r, err := v.capture(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	body, err := v.store.Content(v.r.Context(), r)
	if err != nil {
		return err
	}
	if err := v.note(v.r.Context(), "download", &r.Site, v.object(r), ""); err != nil {
		return err
	}
	name := fmt.Sprintf("%s_%s.conf", fileSafe.ReplaceAllString(r.Device, "_"),
		r.ReceivedAt.Format("20060102-150405"))
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment",
		map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = v.w.Write(body) // the browser may have gone
	return nil
}

// fileSafe is what no file system and no shell minds.
var fileSafe = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// compared is a difference's page.
type compared struct {
	Old, New                 *store.Record // Old is nil where all is new
	Split, All, Revealed     bool
	Hidden                   string
	Finding                  string // what there is to say where no lines are
	Hunks                    []hunkView
	Cut                      string // the address of all of it, where not all is shown
	Delta                    history.Delta
	Previous, Next           string // the changes before and after it; "" for none
	Inline, SplitURL, AllURL string
	Reveal, Patch            string
}

func (p *Page) diff(v *visit) error {
	from, to, ok := strings.Cut(v.r.PathValue("pair"), "..")
	if !ok {
		return errNotFound
	}
	newer, err := v.capture(to)
	if err != nil {
		return err
	}
	var older *store.Record
	if from != "0" { // 0..ID is all of the first version
		r, err := v.capture(from)
		if err != nil {
			return err
		}
		older = &r
	}
	page := compared{Old: older, New: &newer}
	if err := p.neighbours(v, &page); err != nil {
		return err
	}
	return p.compare(v, page)
}

// neighbours sets the changes before and after a difference, where it is one of a device's.
func (p *Page) neighbours(v *visit, page *compared) error {
	if page.Old == nil || page.Old.Site != page.New.Site || page.Old.Device != page.New.Device {
		return nil
	}
	ctx := v.r.Context()
	old, err := before(ctx, v.store, *page.Old)
	if err != nil {
		return err
	}
	first, err := v.store.First(ctx, *page.Old)
	if err != nil {
		return err
	}
	if old != nil {
		page.Previous = diffURL(old.ID, first.ID)
	}
	next, err := v.store.After(ctx, *page.New)
	if err == nil {
		page.Next = diffURL(page.New.ID, next.ID)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// compareDevices compares what two devices have now.
func (p *Page) compareDevices(v *visit) error {
	values := v.r.URL.Query()
	a, b := values.Get("a"), values.Get("b")
	if a == "" || b == "" {
		return p.show(v, "compare", "Compare two devices", [2]string{a, b})
	}
	older, err := v.store.Resolve(v.r.Context(), refOf(a), time.Time{})
	if err != nil {
		return err
	}
	newer, err := v.store.Resolve(v.r.Context(), refOf(b), time.Time{})
	if err != nil {
		return err
	}
	return p.compare(v, compared{Old: &older, New: &newer})
}

// refOf takes -/NAME for a device without a site, as in an address.
func refOf(ref string) string {
	if site, name, ok := strings.Cut(ref, "/"); ok && site != "" {
		return siteOfURL(site) + "/" + name
	}
	return ref
}

func (p *Page) compare(v *visit, page compared) error {
	var err error
	values := v.r.URL.Query()
	page.Split, page.All = values.Get("view") == "split", values.Get("all") == "1"
	sides := []store.Record{*page.New}
	if page.Old != nil {
		sides = append(sides, *page.Old)
	}
	if page.Revealed, err = v.reveals(sides...); err != nil {
		return err
	}
	if v.Role.Has(store.Reader) {
		page.Reveal = with(v.r.URL, "reveal", "1")
	}
	page.Inline, page.SplitURL = with(v.r.URL, "view", ""), with(v.r.URL, "view", "split")
	page.AllURL = with(v.r.URL, "all", "1")
	if page.All {
		page.AllURL = with(v.r.URL, "all", "")
	}
	var from history.Side
	if page.Old != nil {
		if from, err = history.Load(v.r.Context(), v.store, *page.Old); err != nil {
			return err
		}
	}
	to, err := history.Load(v.r.Context(), v.store, *page.New)
	if err != nil {
		return err
	}
	d, err := history.Compare(from, to,
		history.Options{Noise: page.All, Redact: !page.Revealed})
	switch {
	case errors.Is(err, history.ErrSecretsUnknown):
		page.Hidden = secretsUnknown
	case err != nil:
		return err
	}
	page.Finding, page.Delta = finding(d.Finding), d.Delta()
	first, cut := firstLines(d.Hunks, linesShown)
	page.Hunks = hunkViews(first)
	if cut {
		old := int64(0)
		if page.Old != nil {
			old = page.Old.ID
		}
		page.Cut = "/api/v1" + diffURL(old, page.New.ID)
	}
	title := "Difference"
	if page.New != nil {
		title = "Difference of " + deviceName(page.New.Site, page.New.Device)
	}
	return p.show(v, "diff", title, page)
}

// finding says how two configurations differ that have no different lines.
func finding(f history.Finding) string {
	switch f {
	case history.Same:
		return "They are the same, byte for byte."
	case history.Noise:
		return "Only what changes by itself differs: \"all\" shows it."
	case history.Form:
		return "The text is the same; its encoding differs."
	case history.Encrypted:
		return "An encrypted configuration can't be compared."
	case history.Binary:
		return "A configuration is no text, so it can't be compared by lines."
	}
	return ""
}

// found is the page of a search.
type found struct {
	Query, Site, Platform, Problem string
	History, Fixed, Reveal         bool
	MayReveal                      bool
	Groups                         iter.Seq[group] // nil before there is a question
	Outcome                        *outcome
}

// outcome is known when all is shown.
type outcome struct {
	Lines, Captures int
	Cut             bool // there are more
	Failed          bool
}

// group is what a search has found in one capture.
type group struct {
	store.Record
	Lines []around
}

// around is a line that was found, with those around it.
type around struct {
	Path   []string
	Before []lineView
	Line   lineView
	Words  []word // the line, cut where the pattern matches
	After  []lineView
}

const (
	// matchesShown bounds the lines of a search: more are no answer.
	matchesShown = 2000
	// linesAround is how many lines are shown before and after a line that was found.
	linesAround = 2
	// longestPattern bounds a pattern, in bytes.
	longestPattern = 1000
)

func (p *Page) search(v *visit) error {
	values := v.r.URL.Query()
	page := found{Query: values.Get("q"), Site: values.Get("site"),
		Platform: values.Get("platform"), History: values.Get("history") == "1",
		Fixed: values.Get("fixed") == "1", MayReveal: v.Role.Has(store.Reader)}
	if page.Query == "" {
		return p.show(v, "search", "Search", page)
	}
	f, err := filter(values)
	if err != nil {
		return err
	}
	pattern := page.Query
	if page.Fixed {
		pattern = regexp.QuoteMeta(pattern)
	}
	if len(pattern) > longestPattern {
		return badf("a pattern has at most %d bytes", longestPattern)
	}
	compiled, err := regexp.Compile("(?im)" + pattern)
	if err != nil {
		page.Problem = "This is no pattern: " + strings.TrimPrefix(err.Error(),
			"error parsing regexp: ")
		return p.show(v, "search", "Search", page)
	}
	if values.Get("reveal") == "1" && page.MayReveal {
		page.Reveal = true
		err := v.note(v.r.Context(), "search with secrets", v.searched(f), shown(page.Query), "")
		if err != nil {
			return err
		}
	}
	page.Outcome = &outcome{}
	page.Groups = p.groups(v, history.Query{Pattern: compiled, Filter: f, All: page.History,
		Redact: !page.Reveal, Around: linesAround}, page.Outcome)
	return p.show(v, "search", "Search", page)
}

// searched returns the site that a search is about, nil for more than one.
func (v *visit) searched(f history.Filter) *string {
	if f.Site == nil && len(v.Sites) == 1 {
		return &v.Sites[0]
	}
	return f.Site
}

// groups yields what a search finds, capture by capture, and sends on what is ready.
func (p *Page) groups(v *visit, q history.Query, o *outcome) iter.Seq[group] {
	return func(yield func(group) bool) {
		var g group
		flush := http.NewResponseController(v.w)
		send := func() bool {
			if len(g.Lines) == 0 {
				return true
			}
			o.Captures++
			ok := yield(g)
			_ = flush.Flush() // where it can't be, the answer comes as a whole
			g = group{}
			return ok
		}
		for m, err := range history.Search(v.r.Context(), v.store, q) {
			if err != nil {
				o.Failed = true
				p.Log.Warn("a search has failed", "err", err)
				break
			}
			if m.ID != g.ID {
				if !send() {
					return
				}
				g.Record = m.Record
			}
			if o.Lines == matchesShown {
				o.Cut = true
				break
			}
			o.Lines++
			g.Lines = append(g.Lines, around{Path: m.Path, Before: numbered(m.Before),
				Line:  lineView{Number: m.Line},
				Words: matched(q.Pattern, m.Text), After: numbered(m.After)})
		}
		send()
	}
}

// matched cuts a line where a pattern matches it.
func matched(pattern *regexp.Regexp, line string) (words []word) {
	at := 0
	for _, m := range pattern.FindAllStringIndex(line, -1) {
		if m[0] == m[1] {
			continue // it may match nothing, which is anywhere
		}
		words = add(words, shown(line[at:m[0]]), false)
		words = add(words, shown(line[m[0]:m[1]]), true)
		at = m[1]
	}
	return add(words, shown(line[at:]), false)
}

// numbered returns lines as they are shown.
func numbered(lines []history.Numbered) []lineView {
	views := make([]lineView, len(lines))
	for i, l := range lines {
		views[i] = lineView{Number: l.Number, Text: shown(l.Text)}
	}
	return views
}

// changed is the list of changes.
type changed struct {
	Changes        []*change
	Since          string
	Site, Platform string
	More           bool
	Feed           string
	Next           string
}

// changesShown is how many changes a page and a feed have.
const changesShown = 100

func (p *Page) changesPage(v *visit) error {
	q, since, err := v.changesQuery(30 * config.Day)
	if err != nil {
		return err
	}
	list, more, err := p.changes(v, q, changesShown)
	if err != nil {
		return err
	}
	values := v.r.URL.Query()
	page := changed{Changes: list, More: more, Since: since, Site: values.Get("site"),
		Platform: values.Get("platform"), Feed: strings.Replace(v.r.URL.RequestURI(), "/changes",
			"/changes.atom", 1)}
	if more {
		page.Next = with(v.r.URL, "until",
			list[len(list)-1].ReceivedAt.Format(time.RFC3339Nano))
	}
	return p.show(v, "changes", "Changes", page)
}

// changesQuery reads which changes are asked for.
func (v *visit) changesQuery(default_ time.Duration) (q history.LogQuery, since string, err error) {
	values := v.r.URL.Query()
	q = history.LogQuery{Since: v.now.Add(-default_), Changed: true}
	if q.Filter, err = filter(values); err != nil {
		return q, "", err
	}
	if since = values.Get("since"); since != "" {
		t, err := history.ParseTime(since, v.now)
		if err != nil {
			return q, since, badRequest{err}
		}
		q.Since = t.Time
	}
	if until := values.Get("until"); until != "" {
		t, err := history.ParseTime(until, v.now)
		if err != nil {
			return q, since, badRequest{err}
		}
		q.Until = t.Time
	}
	return q, since, nil
}

// changes returns the newest changes that a query picks, n at most, and whether there are more.
func (p *Page) changes(v *visit, q history.LogQuery, n int) (list []*change, more bool, err error) {
	for r, err := range history.Log(v.r.Context(), v.store, q) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == n {
			more = true
			break
		}
		list = append(list, &change{Record: r})
	}
	for _, c := range list {
		if c.Before, err = before(v.r.Context(), v.store, c.Record); err != nil {
			return nil, false, err
		}
	}
	p.deltas.fill(v.r.Context(), v.store, list)
	return list, more, nil
}
