package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// The addresses that LibreNMS, NetXMS and others ask Oxidized. A node is a device, its group is the
// site, and an oid is the number of a capture. Secrets are masked unless the token is a reader's.
// Errors are plain text: LibreNMS takes any JSON for what it has asked for.

// node is a device as Oxidized shows it.
type node struct {
	Name     string  `json:"name"`
	FullName string  `json:"full_name"`
	IP       string  `json:"ip"`
	Group    string  `json:"group"`
	Model    string  `json:"model"`
	Last     nodeJob `json:"last"`
	MTime    oxTime  `json:"mtime"`
	Status   string  `json:"status"`
	Time     oxTime  `json:"time"`
}

// nodeJob is when Oxidized last looked at a node.
type nodeJob struct {
	Start  oxTime  `json:"start"`
	End    oxTime  `json:"end"`
	Status string  `json:"status"`
	Time   float64 `json:"time"` // seconds
}

// oxTime is a time as Oxidized writes it, in UTC: NetXMS reads no other form.
type oxTime time.Time

// MarshalJSON implements json.Marshaler.
func (t oxTime) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format("2006-01-02 15:04:05 -0700"))
}

// usualGroup is the group of a device without a site, as Oxidized has it.
const usualGroup = "default"

func nodeOf(d store.Device, now time.Time) node {
	state := "success"
	if !d.OverdueSince(now).IsZero() || !d.Complete {
		state = "no_connection"
	}
	group, seen := cmp.Or(d.Site, usualGroup), oxTime(d.LastSeen)
	return node{Name: d.Name, FullName: group + "/" + d.Name, IP: d.Source, Group: group,
		Model: cmp.Or(d.Platform, "unknown"), MTime: oxTime(d.LastChange), Status: state,
		Time: seen, Last: nodeJob{Start: seen, End: seen, Status: state}}
}

// oxNodes lists the devices: all, or those of a group or a model.
func (p *Page) oxNodes(v *visit) error {
	var q history.ListQuery
	value, _ := bareJSON(v.r.PathValue("value"))
	switch v.r.PathValue("filter") {
	case "":
	case "group":
		if value == usualGroup {
			value = ""
		}
		q.Filter.Site = &value
	case "model":
		q.Filter.Platform = value
		if value == "unknown" {
			q.Filter.Platform = "-"
		}
	default:
		return errNotFound
	}
	return writeList(v.w, v.nodes(q))
}

// nodes yields the devices of a query as nodes.
func (v *visit) nodes(q history.ListQuery) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		stopped := false
		err := history.EachPicked(v.r.Context(), v.store, q, v.now, func(d store.Device) bool {
			stopped = !d.Retired && !yield(nodeOf(d, v.now), nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// bareJSON takes the ".json" from the end of an address that wants JSON.
func bareJSON(name string) (bare string, wanted bool) {
	return strings.CutSuffix(strings.Trim(name, "/"), ".json")
}

// wantsJSON reports whether lines are wanted as an array.
func (v *visit) wantsJSON() bool {
	return strings.HasSuffix(v.r.URL.Path, ".json") || v.r.URL.Query().Get("format") == "json"
}

// oxDevice finds a device as Oxidized names it: GROUP/NODE, NODE, or its address, with or without
// ".json" behind it.
func (v *visit) oxDevice(name string) (store.Device, error) {
	name = strings.Trim(name, "/")
	d, err := v.oxNamed(name)
	if bare, ok := bareJSON(name); ok && errors.Is(err, store.ErrNotFound) {
		name = bare
		d, err = v.oxNamed(name)
	}
	if i := strings.LastIndex(name, "/"); i >= 0 && errors.Is(err, store.ErrNotFound) {
		d, err = v.oxAddressed(name[:i], name[i+1:], err)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = status{http.StatusNotFound, fmt.Sprintf("unable to find %q", shown(name))}
	}
	return d, err
}

func (v *visit) oxNamed(name string) (store.Device, error) {
	after, ok := strings.CutPrefix(name, usualGroup+"/")
	if !ok {
		return v.find(name)
	}
	bare, err := v.store.DeviceNamed(v.r.Context(), "", after)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return bare, err
	}
	ofSite, other := v.store.DeviceNamed(v.r.Context(), usualGroup, after)
	switch {
	case err == nil && other == nil:
		return bare, &store.AmbiguousError{Ref: name,
			Candidates: []string{bare.Ref(), ofSite.Ref()}}
	case err == nil:
		return bare, nil
	case errors.Is(other, store.ErrNotFound):
		return v.find("/" + after)
	}
	return ofSite, other
}

// oxAddressed finds the device of a group by its address, for who names nodes by addresses.
func (v *visit) oxAddressed(group, node string, none error) (store.Device, error) {
	if _, ok := address(node); !ok {
		return store.Device{}, none
	}
	d, err := v.find(node)
	if err == nil && cmp.Or(d.Site, usualGroup) != group {
		err = none
	}
	return d, err
}

func (p *Page) oxShow(v *visit) error {
	d, err := v.oxDevice(v.r.PathValue("node"))
	if err != nil {
		return err
	}
	writeJSON(v.w, http.StatusOK, nodeOf(d, v.now))
	return nil
}

// oxFetch returns a device's configuration as text.
func (p *Page) oxFetch(v *visit) error {
	d, err := v.oxDevice(v.r.PathValue("node"))
	if err != nil {
		return err
	}
	r, err := v.store.Resolve(v.r.Context(), d.Ref(), time.Time{})
	if errors.Is(err, store.ErrNotFound) {
		return status{http.StatusNotFound, "nothing whole of " + shown(d.Ref()) + " has come"}
	}
	if err != nil {
		return err
	}
	return v.oxSend(r)
}

// oxNext answers who asks for a new configuration.
func (p *Page) oxNext(v *visit) error {
	v.w.Header().Set("Allow", "")
	return status{http.StatusMethodNotAllowed, "devices send their configurations here by " +
		"themselves: none can be fetched"}
}

// oxReload answers who has changed a list of nodes: here nothing is to be read again.
func (p *Page) oxReload(v *visit) error {
	return v.oxText([]byte("the list of nodes is always that of the devices"))
}

// oxReveals reports whether the token's role sees secrets, and notes it.
func (v *visit) oxReveals(of ...store.Record) (bool, error) {
	if !v.Role.Has(store.Reader) {
		return false, nil
	}
	return true, v.noteEach(of, "download", "oxidized")
}

// oxSend returns a configuration as the token's role may see it.
func (v *visit) oxSend(r store.Record) error {
	revealed, err := v.oxReveals(r)
	if err != nil {
		return err
	}
	body, _, err := v.configOf(r, revealed)
	if err != nil {
		return err
	}
	return v.oxText(body)
}

// oxText writes a text, or an array of its lines with their ends.
func (v *visit) oxText(body []byte) error {
	if !v.wantsJSON() {
		v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = v.w.Write(body) // the client may have gone
		return nil
	}
	return writeList(v.w, func(yield func(any, error) bool) {
		for line := range bytes.Lines(body) {
			if !yield(string(line), nil) {
				return
			}
		}
	})
}

// nodeVersion is a version as Oxidized lists it.
type nodeVersion struct {
	Date    oxTime            `json:"date"`
	Time    oxTime            `json:"time"`
	OID     int64             `json:"oid,string"`
	Author  map[string]string `json:"author"`
	Message string            `json:"message"`
}

// oxVersionsShown bounds a list of versions: its reader draws a menu of them.
const oxVersionsShown = 1000

func (p *Page) oxVersions(v *visit) error {
	d, err := v.oxDevice(v.r.URL.Query().Get("node_full"))
	if err != nil {
		return err
	}
	list := history.Versions(v.r.Context(), v.store, d, nil)
	return writeList(v.w, each(list, oxVersionsShown, func(one store.Version) any {
		return nodeVersion{Date: oxTime(one.ReceivedAt), Time: oxTime(one.ReceivedAt),
			OID:     one.ID,
			Author:  map[string]string{"name": shown(one.ChangedBy), "email": ""},
			Message: "update " + shown(d.Name)}
	}))
}

// oxView returns a version as text.
func (p *Page) oxView(v *visit) error {
	r, err := v.oxVersion(v.r.URL.Query().Get("oid"))
	if err != nil {
		return err
	}
	return v.oxSend(r)
}

func (v *visit) oxVersion(oid string) (store.Record, error) {
	r, err := v.capture(oid)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, errNotFound) {
		err = status{http.StatusNotFound, "version not found"}
	}
	return r, err
}

// oxDiffs returns a difference as text: between oid2 and oid, or what oid changed.
func (p *Page) oxDiffs(v *visit) error {
	values := v.r.URL.Query()
	newer, err := v.oxVersion(values.Get("oid"))
	if err != nil {
		return err
	}
	sides := []store.Record{newer}
	var older *store.Record
	if other := values.Get("oid2"); other != "" {
		r, err := v.oxVersion(other)
		if err != nil {
			return err
		}
		older = &r
	} else if older, err = before(v.r.Context(), v.store, newer); err != nil {
		return err
	}
	if older != nil {
		sides = append(sides, *older)
	}
	revealed, err := v.oxReveals(sides...)
	if err != nil {
		return err
	}
	text, err := v.unified(older, newer, false, history.Options{Redact: !revealed})
	if err != nil {
		return err
	}
	if len(text) == 0 {
		text = []byte("no diffs\n")
	}
	return v.oxText(text)
}

// nodeFound is a device in whose configuration a search has found something.
type nodeFound struct {
	Node     string `json:"node"`
	FullName string `json:"full_name"`
}

// oxSearch lists the devices in whose newest configuration an expression matches.
func (p *Page) oxSearch(v *visit) error {
	q, err := v.searchQuery(v.r.PostFormValue("search_in_conf_textbox"))
	if err != nil {
		return err
	}
	if v.Role.Has(store.Reader) {
		q.Redact = false
		pattern := v.r.PostFormValue("search_in_conf_textbox")
		if err := v.searchesSecrets(q.Filter, pattern); err != nil {
			return err
		}
	}
	return writeList(v.w, func(yield func(any, error) bool) {
		var last store.Record
		for m, err := range history.Search(v.r.Context(), v.store, q) {
			if err == nil && m.Site == last.Site && m.Device == last.Device {
				continue
			}
			last = m.Record
			name := cmp.Or(m.Site, usualGroup) + "/" + m.Device
			if !yield(nodeFound{m.Device, name}, err) || err != nil {
				return
			}
		}
	})
}
