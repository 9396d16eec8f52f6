package web

import (
	"cmp"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// The addresses that LibreNMS, NetXMS and others ask Oxidized. A node is a device, its group is the
// site, and an oid is the number of a capture. Secrets are masked unless the token is a reader's.

// node is a device as Oxidized shows it.
type node struct {
	Name     string    `json:"name"`
	FullName string    `json:"full_name"`
	IP       string    `json:"ip"`
	Group    string    `json:"group"`
	Model    string    `json:"model"`
	Last     nodeJob   `json:"last"`
	VTime    time.Time `json:"vtime"`
	MTime    time.Time `json:"mtime"`
	Status   string    `json:"status"`
	Time     time.Time `json:"time"`
}

// nodeJob is when Oxidized last looked at a node.
type nodeJob struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Status string    `json:"status"`
	Time   float64   `json:"time"`
}

// usualGroup is the group of a device without a site, as Oxidized has it.
const usualGroup = "default"

func nodeOf(d store.Device, now time.Time) node {
	state := "success"
	if !d.OverdueSince(now).IsZero() || !d.Complete {
		state = "no_connection"
	}
	group := cmp.Or(d.Site, usualGroup)
	return node{Name: d.Name, FullName: group + "/" + d.Name, IP: d.Source, Group: group,
		Model: cmp.Or(d.Platform, "unknown"), VTime: d.LastSeen, MTime: d.LastChange,
		Status: state, Time: d.LastSeen,
		Last: nodeJob{Start: d.LastSeen, End: d.LastSeen, Status: state}}
}

// nodes yields the devices of a query as nodes.
func (v *visit) nodes(q history.ListQuery) iter.Seq2[node, error] {
	return func(yield func(node, error) bool) {
		stopped := false
		err := history.EachPicked(v.r.Context(), v.store, q, v.now, func(d store.Device) bool {
			stopped = !d.Retired && !yield(nodeOf(d, v.now), nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(node{}, err)
		}
	}
}

func (p *Page) oxNodes(v *visit) error { return writeList(v.w, v.nodes(history.ListQuery{})) }

// oxDevice finds a device as Oxidized names it: GROUP/NODE, NODE, or its address.
func (v *visit) oxDevice(name string) (store.Device, error) {
	name = strings.TrimSuffix(strings.Trim(name, "/"), ".json")
	if after, ok := strings.CutPrefix(name, usualGroup+"/"); ok {
		if d, err := v.store.Device(v.r.Context(), "/"+after); err == nil {
			return d, nil
		}
	}
	d, err := v.store.Device(v.r.Context(), name)
	if !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	list, listErr := v.store.DevicesOfSource(v.r.Context(), name)
	if listErr != nil || len(list) != 1 {
		return d, cmp.Or(listErr, err)
	}
	return list[0], nil
}

func (p *Page) oxShow(v *visit) error {
	d, err := v.oxDevice(v.r.PathValue("node"))
	if err != nil {
		return err
	}
	if d, err = v.store.Rhythm(v.r.Context(), d); err != nil {
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
	if err != nil {
		return err
	}
	return v.oxSend(r)
}

// oxSend returns a configuration as the token's role may see it.
func (v *visit) oxSend(r store.Record) error {
	revealed := v.Role.Has(store.Reader)
	if revealed {
		err := v.note(v.r.Context(), "download", &r.Site, v.object(r), "oxidized")
		if err != nil {
			return err
		}
	}
	return v.sendConfig(r, revealed)
}

// nodeVersion is a version as Oxidized lists it.
type nodeVersion struct {
	Date    time.Time         `json:"date"`
	Time    time.Time         `json:"time"`
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
	n := 0
	return writeList(v.w, func(yield func(nodeVersion, error) bool) {
		for one, err := range history.Versions(v.r.Context(), v.store, d, nil) {
			if n++; n > oxVersionsShown || !yield(nodeVersion{Date: one.ReceivedAt,
				Time: one.ReceivedAt, OID: one.ID,
				Author:  map[string]string{"name": one.ChangedBy, "email": ""},
				Message: "update " + d.Name}, err) {
				return
			}
		}
	})
}

// oxView returns a version as text.
func (p *Page) oxView(v *visit) error {
	r, err := v.capture(v.r.URL.Query().Get("oid"))
	if err != nil {
		return err
	}
	return v.oxSend(r)
}

// oxDiffs returns a difference as text: between oid2 and oid, or what oid changed.
func (p *Page) oxDiffs(v *visit) error {
	values := v.r.URL.Query()
	newer, err := v.capture(values.Get("oid"))
	if err != nil {
		return err
	}
	var older store.Record
	if other := values.Get("oid2"); other != "" {
		older, err = v.capture(other)
	} else {
		older, err = v.store.Before(v.r.Context(), newer, 1)
	}
	if err != nil {
		return err
	}
	revealed := v.Role.Has(store.Reader)
	if revealed {
		err := v.noteEach([]store.Record{newer, older}, "download", "oxidized")
		if err != nil {
			return err
		}
	}
	return v.sendDiff(older, newer, revealed)
}
