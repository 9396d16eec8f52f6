package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/outbox"
	"github.com/tftpsql/tftpsql/store"
)

// alarmed is the page of alarms.
type alarmed struct {
	Channels   []channelView
	Deliveries []store.Message
	Kinds      []alarm.Kind
	Tried      *tried // what a receiver answered just now
	Secret     string // what signs the messages of a channel that was just made
	Schemes    string
}

// channelView is a channel without what is secret in it.
type channelView struct {
	store.Channel
	URL, State string
}

// tried is what became of a test.
type tried struct {
	Name, Outcome, Reason, Answer string
	OK                            bool
}

// deliveriesShown is how many messages the page lists.
const deliveriesShown = 50

func (p *Page) alarms(v *visit) error { return p.showAlarms(v, alarmed{}) }

func (p *Page) showAlarms(v *visit, page alarmed) error {
	channels, err := v.store.Channels(v.r.Context())
	if err != nil {
		return err
	}
	for _, c := range channels {
		page.Channels = append(page.Channels,
			channelView{c, alarm.Mask(c.URL), outbox.State(c, v.now)})
	}
	page.Deliveries, err = v.store.Deliveries(v.r.Context(), deliveriesShown)
	if err != nil {
		return err
	}
	page.Kinds = slices.DeleteFunc(alarm.Kinds(), func(k alarm.Kind) bool {
		return k == alarm.Test || k == alarm.GivenUp
	})
	page.Schemes = strings.Join(alarm.Schemes(), ", ")
	return p.show(v, "alarms", "Alarms", page)
}

func (p *Page) addChannel(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return badRequest{err}
	}
	form := v.r.PostForm
	c := store.Channel{Name: strings.TrimSpace(form.Get("name")),
		URL: strings.TrimSpace(form.Get("url")), Kinds: form["kind"],
		Sites: sitesOf(form.Get("sites")), Quiet: strings.TrimSpace(form.Get("quiet")),
		Digest: form.Get("digest") == "1", FullDiff: form.Get("full_diff") == "1",
		Created: v.now}
	page := alarmed{}
	if alarm.Signed(c.URL) {
		c.Secret = alarm.NewSecret()
		page.Secret = c.Secret
	}
	if err := outbox.CheckChannel(c, p.Channels); err != nil {
		return badRequest{err}
	}
	if c.FullDiff && !v.Role.Has(store.Reader) {
		return status{http.StatusForbidden, "secrets are for the role reader"}
	}
	err := v.store.AddChannel(v.r.Context(), c)
	if err == nil {
		err = v.note(v.r.Context(), "add channel", nil, shown(c.Name), alarm.Mask(c.URL))
	}
	if err != nil {
		return err
	}
	return p.showAlarms(v, page)
}

func (p *Page) testChannel(v *visit) error {
	c, err := v.store.Channel(v.r.Context(), v.r.PostFormValue("name"))
	if err != nil {
		return err
	}
	result, err := outbox.Try(v.r.Context(), c, p.Channels, v.now)
	if err != nil {
		return badRequest{err}
	}
	return p.showAlarms(v, alarmed{Tried: &tried{Name: c.Name, Outcome: result.Outcome.String(),
		Reason: result.Reason, Answer: result.Answer, OK: result.Err() == nil}})
}

func (p *Page) pauseChannel(v *visit) error {
	name := v.r.PostFormValue("name")
	var lasts config.Age
	text := cmp.Or(strings.TrimSpace(v.r.PostFormValue("for")), "0")
	if err := lasts.UnmarshalText([]byte(text)); err != nil {
		return badRequest{err}
	}
	err := v.store.PauseChannel(v.r.Context(), name, v.now.Add(time.Duration(lasts)))
	if err == nil {
		err = v.note(v.r.Context(), "pause channel", nil, shown(name), fmt.Sprint(lasts))
	}
	if err != nil {
		return err
	}
	return v.redirect("/alarms")
}

func (p *Page) removeChannel(v *visit) error {
	name := v.r.PostFormValue("name")
	err := v.store.RemoveChannel(v.r.Context(), name)
	if err == nil {
		err = v.note(v.r.Context(), "remove channel", nil, shown(name), "")
	}
	if err != nil {
		return err
	}
	return v.redirect("/alarms")
}
