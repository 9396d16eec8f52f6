package web

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/history"
	"github.com/tftpsql/tftpsql/store"
)

// failed is the list of failures.
type failed struct {
	Failures []failureView
	Since    string
}

// failureView is a failure with what to do about it.
type failureView struct {
	store.Failure
	Cure string
}

// failuresShown bounds a list of failures.
const failuresShown = 500

func (p *Page) failures(v *visit) error {
	page := failed{Since: v.r.URL.Query().Get("since")}
	from := v.now.Add(-7 * config.Day)
	if page.Since != "" {
		t, err := history.ParseTime(page.Since, v.now)
		if err != nil {
			return badRequest{err}
		}
		from = t.Time
	}
	list, err := v.store.Failures(v.r.Context(), nil, from)
	if err != nil {
		return err
	}
	slices.Reverse(list)
	for _, f := range list[:min(len(list), failuresShown)] {
		page.Failures = append(page.Failures, failureView{f, p.Cure(f.Reason)})
	}
	return p.show(v, "failures", "Failures", page)
}

// publications is the list of what is published.
type publications struct {
	List []store.Publication
	New  *publishedNow // what was just published
	Now  time.Time
}

// publishedNow is what to type on a device.
type publishedNow struct {
	store.Publication
	Fetch, Then string
	NoHost      bool // SERVER stands for an address that isn't known
}

func (p *Page) published(v *visit) error { return p.listPublished(v, nil) }

func (p *Page) listPublished(v *visit, now *publishedNow) error {
	list, err := v.store.Published(v.r.Context(), v.now)
	if err != nil {
		return err
	}
	return p.show(v, "published", "Published", publications{list, now, v.now})
}

// longestPublication bounds how long a publication of the page lasts; the command has no bound.
const longestPublication = 7 * config.Day

// publish lets a version be fetched by TFTP.
func (p *Page) publish(v *visit) error {
	r, err := v.capture(v.r.PostFormValue("id"))
	if err != nil {
		return err
	}
	now, err := p.publishNow(v, r, v.r.PostFormValue("for"), v.r.PostFormValue("to"),
		v.r.PostFormValue("once") == "1")
	if err != nil {
		return err
	}
	return p.listPublished(v, now)
}

// publishNow publishes a version under a name that can't be guessed: a name that is chosen might be
// that of another site's publication.
func (p *Page) publishNow(v *visit, r store.Record, lasting, to string, once bool) (*publishedNow,
	error) {
	var lasts config.Duration
	err := lasts.UnmarshalText([]byte(cmp.Or(lasting, "1h")))
	if err != nil || lasts <= 0 || time.Duration(lasts) > longestPublication {
		return nil, badf("for how long? 10m to %s", config.Age(longestPublication))
	}
	now := v.now.UTC().Truncate(time.Microsecond) // as it is stored
	pub := store.Publication{Name: rand.Text() + ".conf", PublishedAt: now, Size: r.Size,
		ExpiresAt: now.Add(time.Duration(lasts)), Once: once,
		Description: fmt.Sprintf("%s @%d of %s", store.Device{Site: r.Site, Name: r.Device}.Ref(),
			r.ID, store.LocalTime(r.ReceivedAt))}
	if to = strings.TrimSpace(to); to != "" {
		if pub.Allowed, err = config.ParsePrefix(to); err != nil {
			return nil, badRequest{err}
		}
	}
	if err := v.store.Publish(v.r.Context(), pub, r); err != nil {
		return nil, err
	}
	if err := v.note(v.r.Context(), "publish", &r.Site, v.object(r), pub.Name); err != nil {
		return nil, err
	}
	done := &publishedNow{Publication: pub, NoHost: p.TFTPHost == ""}
	done.Fetch, done.Then = device.RestoreLines(r.Platform, pub.Name, p.TFTPHost)
	return done, nil
}

func (p *Page) unpublish(v *visit) error {
	if err := v.unpublish(v.r.PostFormValue("name")); err != nil {
		return err
	}
	return v.redirect("/published")
}

func (v *visit) unpublish(name string) error {
	if err := v.store.Unpublish(v.r.Context(), name); err != nil {
		return err
	}
	return v.note(v.r.Context(), "unpublish", nil, shown(name), "")
}

// manage does what an operator asks of a device.
func (p *Page) manage(v *visit) error {
	d, err := v.device()
	if err != nil {
		return err
	}
	action := v.r.PathValue("action")
	if action == "forget" {
		if err := v.confirmForget(d); err != nil {
			return err
		}
		if _, err := v.forget(d); err != nil {
			return err
		}
		return v.redirect("/devices")
	}
	field, ok := actions[action]
	if !ok {
		return errNotFound
	}
	d, err = v.act(d, action, v.r.PostFormValue(field))
	if err != nil {
		return err
	}
	return v.redirect(deviceURL(d.Site, d.Name))
}

// actions are what an operator does with a device, each with the field that it needs.
var actions = map[string]string{"expect": "every", "retire": "", "rename": "name", "merge": "into"}

// expectedAtLeast is the shortest time that a device may be expected in, as the command has it.
const expectedAtLeast = time.Minute

// act does one of actions, and returns the site and the name that the device has then.
func (v *visit) act(d store.Device, action, text string) (now store.Device, err error) {
	ctx := v.r.Context()
	now, text = store.Device{Site: d.Site, Name: d.Name}, strings.TrimSpace(text)
	detail := text
	switch action {
	case "expect":
		var every config.Age
		if err := every.UnmarshalText([]byte(text)); err != nil {
			return now, badRequest{err}
		}
		if every != 0 && time.Duration(every) < expectedAtLeast {
			return now, badf("%s is too short: a minute at least, or 0 for its own rhythm", text)
		}
		err = v.store.Expect(ctx, d, time.Duration(every))
	case "retire":
		err = v.store.Retire(ctx, d)
	case "rename":
		if err := history.CheckName(text); err != nil {
			return now, badRequest{err}
		}
		now.Name = text
		err = v.store.Rename(ctx, d, text)
	case "merge":
		var into store.Device
		if into, err = v.store.Device(ctx, refOf(text)); err == nil {
			now.Site, now.Name = into.Site, into.Name
			detail = deviceName(into.Site, into.Name)
			err = v.store.Merge(ctx, d, into)
		}
	}
	if err == nil {
		err = v.note(ctx, action, &d.Site, deviceName(d.Site, d.Name), detail)
	}
	return now, err
}

// confirmForget returns an error where a person may not forget a device, or hasn't typed its name.
func (v *visit) confirmForget(d store.Device) error {
	if !v.Role.Has(store.Admin) {
		return status{http.StatusForbidden, fmt.Sprintf(
			"this needs the role %s: you are %s", store.Admin, v.Role)}
	}
	if v.r.PostFormValue("confirm") != d.Name {
		return badf("to forget a device, type its name: %s", d.Name)
	}
	return nil
}

// forget deletes a device, and returns how many captures it had.
func (v *visit) forget(d store.Device) (captures int, err error) {
	if captures, err = v.store.Forget(v.r.Context(), d); err == nil {
		err = v.note(v.r.Context(), "forget", &d.Site, deviceName(d.Site, d.Name), "")
	}
	return captures, err
}

// audited is a page of what was done.
type audited struct {
	Audits []store.Audit
	Next   string
}

// auditsShown is how much of it a page lists.
const auditsShown = 200

func (p *Page) audit(v *visit) error {
	before, _ := strconv.ParseInt(v.r.URL.Query().Get("before"), 10, 64) // 0 for the newest
	list, err := v.store.Audits(v.r.Context(), before, auditsShown+1)
	if err != nil {
		return err
	}
	page := audited{Audits: list[:min(len(list), auditsShown)]}
	if len(list) > auditsShown {
		page.Next = with(v.r.URL, "before", strconv.FormatInt(list[auditsShown-1].ID, 10))
	}
	return p.show(v, "audit", "Audit", page)
}

// people is the page of users.
type people struct {
	Users []store.User
	Roles []store.Role
}

func (p *Page) users(v *visit) error {
	list, err := v.store.Users(v.r.Context())
	if err != nil {
		return err
	}
	return p.show(v, "users", "Users", people{list, store.Roles})
}

func (p *Page) addUser(v *visit) error {
	who, err := v.newPerson(CheckPerson)
	if err != nil {
		return err
	}
	password := v.r.PostFormValue("password")
	if err := CheckPassword(password); err != nil {
		return badRequest{err}
	}
	err = v.store.AddUser(v.r.Context(), store.User{Person: who, Created: v.now},
		HashPassword(password))
	if err == nil {
		err = v.note(v.r.Context(), "add user", nil, who.Name, describe(who))
	}
	if err != nil {
		return err
	}
	return v.redirect("/users")
}

// newPerson reads who is to be added.
func (v *visit) newPerson(check func(store.Person) error) (who store.Person, err error) {
	who = store.Person{Name: strings.TrimSpace(v.r.PostFormValue("name")),
		Role: store.Role(v.r.PostFormValue("role")), Sites: sitesOf(v.r.PostFormValue("sites"))}
	if err := check(who); err != nil {
		return who, badRequest{err}
	}
	if !v.Role.Has(who.Role) {
		return who, status{http.StatusForbidden, "nobody gives a role that he doesn't have"}
	}
	return who, nil
}

// sitesOf reads sites that are separated by commas; nil for all.
func sitesOf(text string) (sites []string) {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for _, site := range strings.Split(text, ",") {
		sites = append(sites, siteOfURL(strings.TrimSpace(site)))
	}
	return sites
}

// CheckPerson returns an error where a name or a role is none.
func CheckPerson(who store.Person) error {
	switch {
	case who.Name == "" || len(who.Name) > nameKept || shown(who.Name) != who.Name:
		return fmt.Errorf("a name has 1 to %d printable bytes", nameKept)
	case !slices.Contains(store.Roles, who.Role):
		return fmt.Errorf("%q is no role: there are viewer, reader, operator, admin",
			shown(string(who.Role)))
	}
	return nil
}

// CheckToken returns an error where a name or a role is none of a token.
func CheckToken(who store.Person) error {
	if who.Role == store.Uploader {
		who.Role = store.Viewer
	}
	return CheckPerson(who)
}

// describe says what a person may.
func describe(who store.Person) string {
	if who.Sites == nil {
		return string(who.Role)
	}
	return fmt.Sprintf("%s of %q", who.Role, who.Sites)
}

func (p *Page) removeUser(v *visit) error {
	name := v.r.PostFormValue("name")
	err := v.store.RemoveUser(v.r.Context(), name)
	if err == nil {
		err = v.note(v.r.Context(), "remove user", nil, shown(name), "")
	}
	if err != nil {
		return err
	}
	return v.redirect("/users")
}

// tokens is the page of tokens.
type tokens struct {
	Tokens []store.Token
	Roles  []store.Role
	Secret string // of the token that was just made; "" for none
	Name   string
}

func (p *Page) tokens(v *visit) error { return p.listTokens(v, "", "") }

func (p *Page) listTokens(v *visit, name, secret string) error {
	list, err := v.store.Tokens(v.r.Context())
	if err != nil {
		return err
	}
	return p.show(v, "tokens", "Tokens", tokens{list,
		append([]store.Role{store.Uploader}, store.Roles...),
		secret, name})
}

func (p *Page) addToken(v *visit) error {
	who, err := v.newPerson(CheckToken)
	if err != nil {
		return err
	}
	t := store.Token{Person: who, CreatedBy: v.Name, Created: v.now}
	if text := v.r.PostFormValue("for"); text != "" {
		var lasts config.Age
		if err := lasts.UnmarshalText([]byte(text)); err != nil {
			return badRequest{err}
		}
		t.Expires = v.now.Add(time.Duration(lasts))
	}
	secret, sum := NewSecret()
	err = v.store.AddToken(v.r.Context(), sum, t)
	if err == nil {
		err = v.note(v.r.Context(), "add token", nil, who.Name, describe(who))
	}
	if err != nil {
		return err
	}
	return p.listTokens(v, who.Name, secret)
}

func (p *Page) removeToken(v *visit) error {
	name := v.r.PostFormValue("name")
	err := v.store.RemoveToken(v.r.Context(), name)
	if err == nil {
		err = v.note(v.r.Context(), "remove token", nil, shown(name), "")
	}
	if err != nil {
		return err
	}
	return v.redirect("/tokens")
}
