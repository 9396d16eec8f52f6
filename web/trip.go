package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A trip is one login at a provider, from the page to the provider and back. The browser keeps it
// in a cookie: a browser that has begun no trip can't be logged in by somebody else's link.
type trip struct {
	secret string
	begun  time.Time
	next   string // where to go after it
}

const (
	// tripLasts bounds a trip: the time to type a password and a second factor.
	tripLasts = 10 * time.Minute
	// tripsKept is how many tabs may log in at once, and nextKept bounds their addresses, in bytes:
	// a cookie has 4096.
	tripsKept = 4
	nextKept  = 512
)

func newTrip(v *visit) trip {
	secret, _ := NewSecret()
	next := local(v.r.FormValue("next"))
	if len(next) > nextKept {
		next = "/"
	}
	return trip{secret, v.now, next}
}

// derive returns a value of the trip: its state, its nonce, or its verifier. One tells nothing of
// another.
func (t trip) derive(what string) string {
	h := hmac.New(sha256.New, []byte(t.secret))
	h.Write([]byte(what))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// tripCookie is the cookie of a browser's trips.
func (p *Page) tripCookie(v *visit) string { return p.cookie(v.r) + "-oidc" }

// trips returns the browser's trips that haven't ended, the oldest first.
func (p *Page) trips(v *visit) (list []trip) {
	c, err := v.r.Cookie(p.tripCookie(v))
	if err != nil {
		return nil
	}
	for _, text := range strings.SplitN(c.Value, ".", tripsKept+1) {
		parts := strings.Split(text, "~")
		if len(parts) != 3 {
			continue
		}
		begun, errBegun := strconv.ParseInt(parts[1], 10, 64)
		next, errNext := base64.RawURLEncoding.DecodeString(parts[2])
		age := v.now.Sub(time.Unix(begun, 0))
		if errBegun == nil && errNext == nil && age >= 0 && age < tripLasts {
			list = append(list, trip{parts[0], time.Unix(begun, 0), string(next)})
		}
	}
	return list
}

// keepTrips gives the browser its trips, the newest of them.
func (p *Page) keepTrips(v *visit, list []trip) {
	var texts []string
	for _, t := range list[max(0, len(list)-tripsKept):] {
		texts = append(texts, t.secret+"~"+strconv.FormatInt(t.begun.Unix(), 10)+"~"+
			base64.RawURLEncoding.EncodeToString([]byte(t.next)))
	}
	lasts := int(tripLasts.Seconds())
	if len(texts) == 0 {
		lasts = -1
	}
	// Lax, since the provider sends the browser back: Strict would keep the cookie from it.
	http.SetCookie(v.w, &http.Cookie{Name: p.tripCookie(v), Value: strings.Join(texts, "."),
		Path: "/", MaxAge: lasts, HttpOnly: true, Secure: p.secure(v.r),
		SameSite: http.SameSiteLaxMode})
}

// takeTrip returns the browser's trip of a state, and ends it.
func (p *Page) takeTrip(v *visit, state string) (t trip, ok bool) {
	list := p.trips(v)
	i := slices.IndexFunc(list, func(t trip) bool {
		return subtle.ConstantTimeCompare([]byte(t.derive("state")), []byte(state)) == 1
	})
	if i < 0 {
		return t, false
	}
	t = list[i]
	p.keepTrips(v, slices.Delete(list, i, i+1))
	return t, true
}
