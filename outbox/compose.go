package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// compose makes a message of its events.
func (b *Outbox) compose(ctx context.Context, c store.Channel, d *store.Delivery) (alarm.Message,
	error) {
	m := alarm.Message{ID: d.Message, Kind: alarm.Kind(d.Kind), When: b.Now(), More: d.More,
		Resolved: d.Kind == store.EventBack || d.Kind == store.EventOver}
	if d.Recipients != "" {
		m.Only = strings.Split(d.Recipients, ",")
	}
	if m.Kind == alarm.Digest {
		return m, b.composeDigest(ctx, c, d.Events, &m)
	}
	var diff bytes.Buffer
	for i, e := range d.Events {
		if i == 0 {
			m.When, m.Site = e.At.Local(), e.Site
		}
		if e.Site != m.Site {
			m.Site = ""
		}
		about, err := b.about(ctx, c, e, &diff)
		if err != nil {
			return m, err
		}
		m.Devices = append(m.Devices, about)
	}
	if len(d.Events) == 1 {
		if of := alarmOf(d.Events[0]); of != "" {
			m.Alarm = fmt.Sprintf("%s-%d-%d", of, d.Events[0].Device,
				d.Events[0].Since.UnixMicro())
			if d.Kind == store.EventOver {
				m.Kind = alarm.Kind(of)
			}
		}
	}
	m.Diff = diff.String()
	if len(m.Devices) == 1 {
		m.Link = m.Devices[0].Link
	} else if b.BaseURL != "" {
		m.Link = b.BaseURL + "/"
	}
	return m, nil
}

// alarmOf returns the kind of the alarm that an event opens or ends, "" for none.
func alarmOf(e store.Event) string {
	switch e.Kind {
	case store.EventOverdue, store.EventFailing:
		return e.Kind
	case store.EventBack, store.EventOver:
		return e.Detail
	}
	return ""
}

// about says what an event is about. A device or a capture that is gone leaves its traces alone.
func (b *Outbox) about(ctx context.Context, c store.Channel, e store.Event,
	diff *bytes.Buffer) (alarm.Device, error) {
	a := alarm.Device{Ref: e.Site, Detail: e.Detail}
	if e.Capture != 0 {
		r, err := b.seenBy(c).CaptureByID(ctx, e.Capture)
		if err == nil {
			return b.aboutCapture(ctx, c, e, r, diff)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return a, err
		}
		a.Ref, a.Detail = "@"+strconv.FormatInt(e.Capture, 10), "the capture was deleted since"
	}
	if e.Device == 0 {
		return a, nil
	}
	d, err := b.Store.DeviceByID(ctx, e.Device)
	if err == nil && c.Sites != nil && !slices.Contains(c.Sites, d.Site) {
		err = store.ErrNotFound // it was merged into one of another site
	}
	if errors.Is(err, store.ErrNotFound) {
		if e.Capture == 0 {
			a.Ref = "a device"
		}
		a.Detail = "the device was merged or forgotten since"
		return a, nil
	}
	if err != nil {
		return a, err
	}
	if e.Capture != 0 { // which is gone
		a.Ref, a.Platform, a.Link = refOf(d.Site, d.Name), d.Platform, b.link(d.Site, d.Name)
		return a, nil
	}
	a = alarm.Device{Ref: refOf(d.Site, d.Name), Platform: d.Platform, Source: d.Source,
		Since: e.Since, Detail: e.Detail, Link: b.link(d.Site, d.Name)}
	switch e.Kind {
	case store.EventOverdue:
		a.Silent = e.At.Sub(e.Since)
		if d.LongestGap > 0 {
			a.Missed = int(a.Silent / d.LongestGap)
		}
		a.Detail = "" // a reminder says how long
	case store.EventBack:
		a.Silent, a.Detail = max(d.LastSeen.Sub(e.Since), 0), ""
	case store.EventOver:
		a.Since, a.Detail = time.Time{}, "it is over"
	}
	return a, nil
}

// seenBy is the store as a channel's readers may see it.
func (b *Outbox) seenBy(c store.Channel) *store.Store {
	if c.Sites == nil {
		return b.Store
	}
	return b.Store.For(store.Person{Sites: c.Sites})
}

// aboutCapture says what a capture means, with its difference.
func (b *Outbox) aboutCapture(ctx context.Context, c store.Channel, e store.Event, r store.Record,
	diff *bytes.Buffer) (alarm.Device, error) {
	a := alarm.Device{Ref: refOf(r.Site, r.Device), Platform: r.Platform, Source: r.Source,
		To: r.ID, By: r.ChangedBy, Link: b.link(r.Site, r.Device)}
	if e.Kind != store.EventChanged {
		return a, nil
	}
	old, from, to, err := history.Change(ctx, b.Store, r)
	if err != nil {
		return a, err
	}
	if old != nil {
		a.From = old.ID
		if b.BaseURL != "" {
			a.Link = fmt.Sprintf("%s/diff/%d..%d", b.BaseURL, old.ID, r.ID)
		}
	}
	d, err := history.Compare(from, to, history.Options{Redact: !c.FullDiff})
	if errors.Is(err, history.ErrSecretsUnknown) {
		a.Detail = "what has changed isn't shown: where its secrets stand is not known"
		return a, nil
	}
	if err != nil {
		return a, err
	}
	delta := d.Delta()
	a.Added, a.Removed = delta.Added, delta.Removed
	for _, path := range delta.Blocks {
		a.Blocks = append(a.Blocks, strings.Join(path, " / "))
	}
	switch d.Finding {
	case history.Lines:
		if diff.Len() < alarm.MaxAttached {
			history.WriteUnified(diff, versionName(a.Ref, a.From), versionName(a.Ref, r.ID), d)
		}
	case history.Encrypted:
		a.Detail = "encrypted, so it can't be compared"
	case history.Binary:
		a.Detail = "no text, so it can't be compared by lines"
	}
	return a, nil
}

func versionName(ref string, id int64) string {
	if id == 0 {
		return "/dev/null"
	}
	return fmt.Sprintf("%s@%d", ref, id)
}

// refOf is how commands name a device.
func refOf(site, name string) string {
	if site == "" {
		return name
	}
	return site + "/" + name
}

// link is the address of a device's page, "" where the page's address isn't known.
func (b *Outbox) link(site, name string) string {
	if b.BaseURL == "" {
		return ""
	}
	return b.BaseURL + "/go?" + url.Values{"name": {site + "/" + name}}.Encode()
}

// composeDigest says what has happened since the last digest, also when nothing has. Several that
// had to wait are one.
func (b *Outbox) composeDigest(ctx context.Context, c store.Channel, digests []store.Event,
	m *alarm.Message) error {
	since, upto := m.When, m.When
	for i, e := range digests {
		if i == 0 {
			since = e.Since
		}
		upto = e.At
	}
	seen := b.seenBy(c)
	counts, err := seen.CountEvents(ctx, since, upto)
	if err != nil {
		return err
	}
	downtimes, err := b.downtimes(ctx, m.When)
	if err != nil {
		return err
	}
	var devices, overdue, torn, retired int
	var list []alarm.Device
	err = seen.EachDevice(ctx, func(d store.Device) bool {
		switch {
		case d.Retired:
			retired++
			return true
		case isOverdue(d, downtimes, m.When):
			overdue++
			if len(list) < 50 {
				list = append(list, alarm.Device{Ref: refOf(d.Site, d.Name),
					Platform: d.Platform, Since: d.LastSeen, Source: d.Source,
					Detail: "overdue", Link: b.link(d.Site, d.Name)})
			}
		}
		devices++
		if !d.Complete {
			torn++
		}
		return true
	})
	if err != nil {
		return err
	}
	channel := c.Name
	if c.Sites == nil {
		channel = "" // who hears of all sites hears of all channels
	}
	givenUp, err := b.Store.CountGivenUp(ctx, channel, since, upto)
	if err != nil {
		return err
	}
	m.Devices = list
	period := "the week"
	if n := upto.Sub(since) / digestEvery; n > 1 {
		period = fmt.Sprintf("%d weeks", n)
	}
	m.Title = fmt.Sprintf("%s: %d changes, %d of %d devices overdue", period,
		counts[store.EventChanged], overdue, devices)
	lines := []string{fmt.Sprintf("devices: %d, overdue %d, torn %d, retired %d", devices, overdue,
		torn, retired)}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if kind != string(alarm.Digest) && kind != store.EventOver {
			lines = append(lines, fmt.Sprintf("%s: %d", kind, counts[kind]))
		}
	}
	if givenUp > 0 {
		lines = append(lines,
			fmt.Sprintf("messages given up: %d; tftpsql deliveries lists them", givenUp))
	}
	m.Text = strings.Join(lines, "\n")
	return nil
}
