package web

import (
	"cmp"
	"encoding/csv"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

const (
	// devicesShown is how many devices a page lists: all of a small fleet, and what a browser draws
	// at once.
	devicesShown = 200
	// frontShown is how much of each kind the front page lists.
	frontShown = 12
	// versionsShown is how many versions a page lists.
	versionsShown = 50
)

// counted is a platform or a site, with its devices.
type counted struct {
	Name, URL string
	N         int
}

// front is what needs somebody, and what has happened.
type front struct {
	Trouble              string // why captures can't be stored
	Devices, Retired     int
	Overdue, Torn        []store.Device // the first of them
	NOverdue, NTorn      int
	Failures             []store.Failure // of the last 24 hours, the newest first
	NFailures            int64
	Changes              []*change // of the last 24 hours, the newest first
	MoreChanges          bool
	Platforms, SiteNames []counted
	Sent                 bool // a capture has come, ever
}

func (p *Page) front(v *visit) error {
	f := front{Trouble: p.Trouble()}
	platforms, sites := map[string]int{}, map[string]int{}
	overdue := history.NewBest("last_seen", frontShown, v.now)
	torn := history.NewBest("-last_seen", frontShown, v.now)
	err := v.store.EachDevice(v.r.Context(), func(d store.Device) bool {
		f.Sent = true
		if d.Retired {
			f.Retired++
			return true
		}
		f.Devices++
		platforms[d.Platform]++
		sites[d.Site]++
		if !d.OverdueSince(v.now).IsZero() {
			f.NOverdue++
			overdue.Add(d)
		}
		if !d.Complete {
			f.NTorn++
			torn.Add(d)
		}
		return true
	})
	if err != nil {
		return err
	}
	f.Platforms = countedBy(platforms, "platform", "unknown")
	f.SiteNames = countedBy(sites, "site", "no site")
	f.Overdue, f.Torn = overdue.Sorted(), torn.Sorted()
	if err := p.lately(v, &f); err != nil {
		return err
	}
	return p.show(v, "front", "Overview", f)
}

// lately sets what has failed and changed in the last 24 hours.
func (p *Page) lately(v *visit, f *front) error {
	failures, err := v.store.Failures(v.r.Context(), nil, v.now.Add(-config.Day))
	if err != nil {
		return err
	}
	slices.Reverse(failures)
	for _, one := range failures {
		f.NFailures += one.Times
	}
	f.Failures = failures[:min(len(failures), frontShown)]
	list, more, err := p.changes(v, history.LogQuery{Since: v.now.Add(-config.Day), Changed: true},
		frontShown)
	f.Changes, f.MoreChanges = list, more
	return err
}

// countedBy returns the names that are counted, the most frequent first, with links to the list.
func countedBy(of map[string]int, key, none string) []counted {
	var list []counted
	for _, name := range slices.Sorted(maps.Keys(of)) {
		value := siteInURL(name) // "-" for an unknown platform too
		list = append(list, counted{cmp.Or(name, none),
			"/devices?" + url.Values{key: {value}}.Encode(), of[name]})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].N > list[j].N })
	return list
}

// listed is the list of devices.
type listed struct {
	history.List
	Query, Site, Platform, State, Order string
	Next, First, CSV                    string // addresses; "" for none
	Sorts                               map[string]sorting
	States                              []string
	Now                                 time.Time
}

// sorting is how a column is sorted by a click.
type sorting struct{ URL, Aria string }

func (p *Page) devices(v *visit) error {
	values := v.r.URL.Query()
	q, err := v.listQuery(values)
	if err != nil {
		return err
	}
	if values.Get("format") == "csv" {
		return p.devicesCSV(v, q)
	}
	list, err := history.ListDevices(v.r.Context(), v.store, q, v.now)
	if err != nil {
		return err
	}
	page := listed{List: list, Query: q.Text, Site: values.Get("site"), Now: v.now,
		Platform: values.Get("platform"), State: q.State, Order: cmp.Or(q.Order, "name"),
		Sorts: map[string]sorting{}, States: history.States}
	if list.More {
		page.Next = with(v.r.URL, "after", list.Devices[len(list.Devices)-1].Ref())
	}
	if q.After != nil {
		page.First = with(v.r.URL, "after", "")
	}
	page.CSV = with(v.r.URL, "format", "csv")
	for _, order := range history.Orders {
		s := sorting{URL: with(v.r.URL, "sort", order, "after", "")}
		switch page.Order {
		case order:
			s.URL = with(v.r.URL, "sort", "-"+order, "after", "")
			s.Aria = "ascending"
		case "-" + order:
			s.Aria = "descending"
		}
		page.Sorts[order] = s
	}
	return p.show(v, "devices", "Devices", page)
}

// with returns an address with some of its parameters set, or left out where they are "".
func with(u *url.URL, pairs ...string) string {
	values := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		values.Del(pairs[i])
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + values.Encode()
}

// listQuery reads which devices are asked for.
func (v *visit) listQuery(values url.Values) (q history.ListQuery, err error) {
	q = history.ListQuery{Text: strings.TrimSpace(values.Get("q")), State: values.Get("state"),
		Order: values.Get("sort"), N: devicesShown}
	if q.Filter, err = filter(values); err != nil {
		return q, err
	}
	if q.State != "" && !slices.Contains(history.States, q.State) {
		return q, badf("no state is called %q: there are %s", shown(q.State),
			strings.Join(history.States, ", "))
	}
	if q.Order != "" {
		if err := history.CheckOrder(q.Order); err != nil {
			return q, badRequest{err}
		}
	}
	if after := values.Get("after"); after != "" {
		d, err := v.store.Device(v.r.Context(), after)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return q, err
		}
		if err == nil { // else the list begins anew
			q.After = &d
		}
	}
	return q, nil
}

// filter reads a filter of devices: site=- is for those without a site, platform=- for those of an
// unknown one.
func filter(values url.Values) (f history.Filter, err error) {
	if site := values.Get("site"); site != "" {
		site = siteOfURL(site)
		f.Site = &site
	}
	f.Platform, f.Glob, f.Version = values.Get("platform"), values.Get("glob"), values.Get("os")
	if err := history.CheckGlob(f.Glob); err != nil {
		return f, badRequest{err}
	}
	if f.Version != "" {
		if err := history.CheckVersion(f.Version); err != nil {
			return f, badRequest{err}
		}
	}
	return f, nil
}

func (p *Page) devicesCSV(v *visit, q history.ListQuery) error {
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="devices.csv"`)
	out := csv.NewWriter(v.w)
	_ = out.Write([]string{"site", "name", "platform", "model", "os_version", "serial", "source",
		"first_seen", "last_seen", "last_change", "captures", "changes", "complete", "state"})
	err := history.EachPicked(v.r.Context(), v.store, q, v.now, func(d store.Device) bool {
		err := out.Write([]string{cell(d.Site), cell(d.Name), cell(d.Platform), cell(d.Model),
			cell(d.OSVersion), cell(d.Serial), cell(d.Source), d.FirstSeen.Format(time.RFC3339),
			d.LastSeen.Format(time.RFC3339), d.LastChange.Format(time.RFC3339),
			strconv.FormatInt(d.Captures, 10), strconv.FormatInt(d.Changes, 10),
			strconv.FormatBool(d.Complete), history.State(d, v.now)})
		return err == nil
	})
	out.Flush()
	if err != nil || out.Error() != nil {
		return errCut
	}
	return nil
}

// errCut says that an answer ends before its end.
var errCut = errors.New("the answer was cut short")

// cell keeps a spreadsheet from taking a stranger's text for a formula, and a terminal from obeying
// it.
func cell(s string) string {
	s = shown(s)
	if first, _ := utf8.DecodeRuneInString(s); s != "" &&
		strings.ContainsRune("=+-@\t＝＋－＠", first) { // the wide ones count in Japanese
		return "'" + s
	}
	return s
}

// life is a device's page.
type life struct {
	store.Device
	Notes    history.Notes
	State    string
	Allowed  time.Duration
	Overdue  time.Time
	Due      time.Time // when it will be overdue; the zero value for never
	Versions []*version
	Next     string // the address of older versions; "" for none
	Older    bool   // this is not the first page
	Failures []store.Failure
	Torn     *store.Record // a torn capture that is newer than all that is whole
	Now      time.Time
}

// version is a line of the timeline.
type version struct {
	*change
	Seen  int
	Until time.Time
}

// What returns what it changed.
func (v *version) What() *change { return v.change }

func (p *Page) timeline(v *visit) error {
	d, err := v.device()
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	page := life{Device: d, State: history.State(d, v.now), Allowed: d.Allowed(),
		Overdue: d.OverdueSince(v.now), Now: v.now}
	if page.Allowed > 0 {
		page.Due = d.LastSeen.Add(page.Allowed)
	}
	before, _ := strconv.ParseInt(v.r.URL.Query().Get("before"), 10, 64) // 0 for the newest
	page.Older = before != 0
	skip := before != 0
	for one, err := range history.Versions(ctx, v.store, d, nil) {
		if err != nil {
			return err
		}
		if skip {
			skip = one.ID != before
			continue
		}
		if len(page.Versions) == versionsShown {
			page.Next = with(v.r.URL, "before",
				strconv.FormatInt(page.Versions[versionsShown-1].ID, 10))
			break
		}
		page.Versions = append(page.Versions,
			&version{&change{Record: one.Record, Before: one.Previous}, one.Seen, one.Until})
	}
	list := make([]*change, len(page.Versions))
	for i, one := range page.Versions {
		list[i] = one.change
	}
	p.deltas.fill(ctx, v.store, list)
	if page.Notes, err = history.Noteworthy(ctx, v.store, d); err != nil {
		return err
	}
	if page.Failures, err = v.store.Failures(ctx, &d, v.now.Add(-30*config.Day)); err != nil {
		return err
	}
	slices.Reverse(page.Failures)
	page.Failures = page.Failures[:min(len(page.Failures), frontShown)]
	return p.show(v, "device", deviceName(d.Site, d.Name), page)
}

// goTo redirects to the device of an address or a name, or to the list where there are more of it.
func (p *Page) goTo(v *visit) error {
	values := v.r.URL.Query()
	ip, name := values.Get("ip"), values.Get("name")
	switch {
	case ip != "":
		addr, ok := address(ip)
		if !ok {
			return badf("%q is no IP address", shown(ip))
		}
		list, err := v.ofAddress(addr)
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return errNotFound
		case len(list) > 1:
			return v.redirect("/devices?" + url.Values{"q": {addr}}.Encode())
		}
		return v.redirect(deviceURL(list[0].Site, list[0].Name))
	case name != "":
		d, err := v.find(name)
		var ambiguous *store.AmbiguousError
		if errors.As(err, &ambiguous) && listsAll(ambiguous.Candidates, name) {
			return v.redirect("/devices?" + url.Values{"q": {name}}.Encode())
		}
		if err != nil {
			return err
		}
		return v.redirect(deviceURL(d.Site, d.Name))
	}
	return status{http.StatusBadRequest, "go where? ip=ADDRESS or name=DEVICE"}
}

// listsAll reports whether the list shows all these devices when it is searched for a text. It
// doesn't know their other names.
func listsAll(refs []string, text string) bool {
	return !slices.ContainsFunc(refs, func(ref string) bool {
		return !strings.Contains(strings.ToLower(ref), strings.ToLower(text))
	})
}
