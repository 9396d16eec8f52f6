// Package web is the page: what can be asked of the captures, with a mouse, and the API.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/store"
)

// Options are what the page needs to know of the server.
type Options struct {
	// Store returns the database, nil until it is open.
	Store func() *store.Store
	// Trouble returns why captures can't be stored, "" where they can.
	Trouble func() string
	// Cure returns what to do about a reason of a failure, "" for nothing known.
	Cure func(reason string) string
	// On serves the page. Where it is false, every address says how to turn it on.
	On bool
	// Loopback says that only programs of this machine reach the address.
	Loopback bool
	// BaseURL is the page's address as browsers have it, "" where it is not known.
	BaseURL string
	// Proxies are the reverse proxies that are believed what they say of a request.
	Proxies []netip.Prefix
	// UserHeader is the header in which a proxy names the user, "" for none.
	UserHeader string
	OIDC       OIDC
	// Inbox takes uploads by HTTP.
	Inbox Inbox
	// Channels are what the settings say of all channels of alarms.
	Channels alarm.Options
	// TFTPHost is this server's address as devices have it, "" where it is not known.
	TFTPHost string
	Log      *slog.Logger
}

// Page is the page. It is an http.Handler.
type Page struct {
	Options
	mux       func() *http.ServeMux
	crossSite *http.CrossOriginProtection
	limit     *attempts
	templates func() *templates
	deltas    *cache
	room      *room
	turns     *turns
	stalled   time.Duration // after which a client is cut off that takes nothing
	uploads   uploads
	oidc      *provider // nil without OIDC
}

// New returns the page. Templates are parsed and addresses noted when the first page is asked for:
// the start of the server doesn't wait for them.
func New(o Options) *Page {
	p := &Page{Options: o, crossSite: http.NewCrossOriginProtection(),
		limit:     newAttempts(),
		templates: sync.OnceValue(parseTemplates), deltas: newCache(),
		room:  newRoom(o.Inbox.Memory),
		turns: newTurns(), stalled: stalledAfter,
	}
	p.oidc = newProvider(o)
	p.mux = sync.OnceValue(p.addresses)
	return p
}

func (p *Page) addresses() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.pattern, p.serve(r))
	}
	mux.Handle("GET /static/{file}", http.HandlerFunc(static))
	return mux
}

// A route is an address with who may ask for it.
type route struct {
	pattern string
	least   store.Role // "" for everybody, also without a login
	handle  func(*Page, *visit) error
}

// A visit is a request of somebody who is known, unless the route is for everybody.
type visit struct {
	w http.ResponseWriter
	r *http.Request
	store.Person
	store *store.Store // as the person sees it; nil without a login
	now   time.Time
	page  *Page
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/in/") && p.Inbox.Take != nil {
		p.inServes(w, r) // also where the page is off
		return
	}
	steady := newSteady(w, p.stalled)
	defer steady.move() // for what the server sends last
	w = steady
	p.headers(w, r)
	if err := p.reachable(r); err != nil {
		p.fail(w, r, nil, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	p.mux().ServeHTTP(w, r)
}

const (
	// maxForm bounds the body of a request, in bytes: a form has a few short fields.
	maxForm = 64 << 10
	// answerWithin bounds a page, which may have much to read from the database.
	answerWithin = time.Minute
)

// reachable returns an error where a request must not be answered: the page is off, secrets would
// go over the network in clear, or another site's name leads to this address.
func (p *Page) reachable(r *http.Request) error {
	switch {
	case !p.On:
		return status{http.StatusNotFound, "the page is off: PAGE=on turns it on. On an address " +
			"that others reach it needs TLS_CERT and TLS_KEY, or a proxy that speaks HTTPS " +
			"(TRUSTED_PROXIES)"}
	case p.Loopback && !p.localName(r.Host):
		return status{http.StatusMisdirectedRequest, "this page is for this machine: open it as " +
			"localhost, or set BASE_URL to the name that leads here"}
	case !p.Loopback && !p.secure(r):
		return status{http.StatusForbidden, "the page shows configurations, so it wants HTTPS: " +
			"set TLS_CERT and TLS_KEY, or let a proxy of TRUSTED_PROXIES say " +
			"X-Forwarded-Proto: https"}
	}
	return nil
}

// localName reports whether a Host header names this machine. A name of another site that leads
// here by DNS would let that site's pages read this one.
func (p *Page) localName(host string) bool {
	if u, err := url.Parse(p.BaseURL); err == nil && u.Host != "" && host == u.Host {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || err == nil && addr.IsLoopback()
}

// secure reports whether what is sent can't be read on the way.
func (p *Page) secure(r *http.Request) bool {
	return r.TLS != nil || p.fromProxy(r) && r.Header.Get("X-Forwarded-Proto") == "https"
}

// fromProxy reports whether a request comes from a proxy that is believed.
func (p *Page) fromProxy(r *http.Request) bool {
	return p.trusts(remote(r))
}

func (p *Page) trusts(addr netip.Addr) bool {
	for _, prefix := range p.Proxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// remote is the address that a request came from.
func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap().WithZone("")
}

// source is the address of the browser: what the last proxy says that isn't believed itself.
func (p *Page) source(r *http.Request) string {
	addr := remote(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap().WithZone("")
	}
	return addr.String()
}

// headers are on every answer. Nothing comes from elsewhere, and no code stands in a page.
func (p *Page) headers(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; "+
		"img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "+
		"base-uri 'none'; require-trusted-types-for 'script'; trusted-types tftpsql")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if p.secure(r) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// serve answers a route for those that may ask.
func (p *Page) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		r = r.WithContext(ctx)
		v := &visit{w: w, r: r, now: time.Now(), page: p}
		err := readForm(r)
		if err == nil {
			err = p.admit(v, rt)
		}
		if err == nil && rt.least != "" { // a login must not wait for those that are in
			var leave func()
			leave, err = p.turns.take(ctx, v.Name, rt.pattern)
			defer leave()
		}
		if err == nil {
			err = rt.handle(p, v)
		}
		if err != nil {
			p.fail(w, r, v, err)
		}
	})
}

// readForm reads the fields of a request. What is no text, or is cut off, is no field's absence.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxForm)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case err != nil && !errors.Is(err, http.ErrNotMultipart):
		return badf("the address or the form is malformed")
	}
	texts := []string{r.URL.Path}
	for name, values := range r.Form {
		texts = append(append(texts, name), values...)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return badf("the address or a field is no text in UTF-8")
		}
	}
	return nil
}

// admit finds out who asks, and returns an error where the person may not.
func (p *Page) admit(v *visit, rt route) error {
	s := p.Store()
	if s == nil {
		return status{http.StatusServiceUnavailable, "starting: the database is being opened"}
	}
	if err := p.identify(v, s); err != nil {
		return err
	}
	// Also with a token: a browser keeps what it was asked for by Basic authentication.
	if err := p.crossSite.Check(v.r); err != nil {
		return status{http.StatusForbidden, "this request comes from another site"}
	}
	switch {
	case rt.least == "":
		return nil
	case v.Name == "":
		return errLogin
	case !v.Role.Has(rt.least):
		return status{http.StatusForbidden, fmt.Sprintf(
			"this needs the role %s: you are %s", rt.least, v.Role)}
	}
	return nil
}

// errLogin asks for a login.
var errLogin = status{http.StatusUnauthorized, "log in first"}

// status is an error with its status code, and a text that everybody may read.
type status struct {
	code int
	text string
}

func (s status) Error() string { return s.text }

// errNotFound is the answer for what is not there, and for what others alone may see.
var errNotFound = status{http.StatusNotFound, "nothing here has that name"}

// asStatus makes of an error what everybody may read.
func asStatus(err error) status {
	var known status
	var ambiguous *store.AmbiguousError
	var large *http.MaxBytesError
	var mistake badRequest
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &mistake):
		return status{http.StatusBadRequest, mistake.Error()}
	case errors.Is(err, store.ErrNotFound):
		return errNotFound
	case errors.As(err, &ambiguous):
		return status{http.StatusMultipleChoices, "more than one device has that name: " +
			strings.Join(ambiguous.Candidates, ", ")}
	case errors.As(err, &large):
		return status{http.StatusRequestEntityTooLarge, fmt.Sprintf(
			"the request is too large: at most %d bytes", large.Limit)}
	case errors.Is(err, context.DeadlineExceeded):
		return status{http.StatusGatewayTimeout, "this took too long: ask for less"}
	case store.ClassOf(err) == store.Usage, store.ClassOf(err) == store.Exists:
		return status{http.StatusBadRequest, plain(err)}
	}
	return status{http.StatusServiceUnavailable, "the database can't answer now: try again; " +
		"the server's log says why"}
}

// badRequest is a mistake in what was asked.
type badRequest struct{ error }

func (b badRequest) Unwrap() error { return b.error }

func badf(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

// plain returns the mistake in a request as the store says it.
func plain(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// fail answers with an error: a page for a browser, JSON for a program.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if errors.Is(err, errCut) {
		panic(http.ErrAbortHandler) // a part was sent, so only the connection can say it
	}
	s := asStatus(err)
	if s.code == http.StatusServiceUnavailable && r.Context().Err() == nil {
		p.Log.Warn("the page could not be shown", "path", r.URL.Path, "err", err)
	}
	if isAPI(r) || p.byToken(r) {
		failProgram(w, r, s)
		return
	}
	if s == errLogin && r.Method == http.MethodGet {
		to := url.URL{Path: "/login", RawQuery: url.Values{"next": {r.URL.RequestURI()}}.Encode()}
		http.Redirect(w, r, to.String(), http.StatusSeeOther)
		return
	}
	p.showError(w, v, s)
}

// failProgram answers a program with an error.
func failProgram(w http.ResponseWriter, r *http.Request, s status) {
	if s.code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="tftpsql"`)
	}
	if strings.HasPrefix(r.URL.Path, "/oxidized/") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(s.code)
		_, _ = fmt.Fprintln(w, s.text) // the client may have gone
		return
	}
	writeJSON(w, s.code, map[string]string{"error": hinted(s).text})
}

// isAPI reports whether an address is for programs. A reader of feeds sends its token when it is
// asked for it, and can't log in.
func isAPI(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/oxidized/") ||
		r.URL.Path == "/changes.atom"
}

// byToken reports whether a program asks with a token. What a proxy hands on is no token.
func (p *Page) byToken(r *http.Request) bool {
	name, err := p.named(r)
	_, ok := token(r)
	return ok && name == "" && err == nil
}
