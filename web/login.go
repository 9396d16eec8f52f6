package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/store"
)

const (
	// sessionLasts is how long a login lasts at most; the store ends it before if it is not used.
	sessionLasts = 7 * 24 * time.Hour
	// LinkLasts is how long the link of tftpsql page can be used: the time to click it.
	LinkLasts = 5 * time.Minute
	// agentKept bounds what is kept of a browser's name, in bytes.
	agentKept = 200
)

// NewSecret returns a secret of 32 random bytes, and the hash that is stored of it.
func NewSecret() (secret string, sum [sha256.Size]byte) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	secret = base64.RawURLEncoding.EncodeToString(b)
	return secret, sumOf(secret)
}

func sumOf(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

// cookie is the name of the cookie of a login. Under TLS a browser holds it to this host alone.
func (p *Page) cookie(r *http.Request) string {
	if p.secure(r) {
		return "__Host-tftpsql"
	}
	return "tftpsql"
}

// identify sets who asks: by a proxy's header, by a token, or by a login's cookie. The header comes
// first, since a proxy that asks for a password hands that on too.
func (p *Page) identify(v *visit, s *store.Store) error {
	ctx := v.r.Context()
	name, err := p.named(v.r)
	if err != nil {
		return err
	}
	if name != "" {
		u, _, err := s.User(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			return status{http.StatusForbidden, "the proxy names a user that is not known here: " +
				"an admin adds users with tftpsql user add"}
		}
		return v.is(u.Person, s, err)
	}
	if secret, ok := token(v.r); ok {
		return p.identifyToken(v, s, secret)
	}
	c, err := v.r.Cookie(p.cookie(v.r))
	if err != nil {
		return nil
	}
	who, _, err := s.SessionPerson(ctx, sumOf(c.Value), v.now)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it has ended
	}
	return v.is(who, s, err)
}

// named returns the user that a proxy names, "" for none.
func (p *Page) named(r *http.Request) (string, error) {
	if p.UserHeader == "" || !p.fromProxy(r) {
		return "", nil
	}
	names := r.Header.Values(p.UserHeader)
	switch {
	case len(names) == 0:
		return "", nil
	case len(names) > 1: // one of them may be the browser's
		return "", status{http.StatusForbidden, "more than one header names the user: the proxy " +
			"must replace what the browser sends"}
	case !utf8.ValidString(names[0]):
		return "", badf("the name of the user is no text in UTF-8")
	}
	return names[0], nil
}

// identifyToken never refuses a token that is right: nobody finds one by guessing, and programs
// behind one address must not pay for the mistake of another.
func (p *Page) identifyToken(v *visit, s *store.Store, secret string) error {
	who, err := s.TokenPerson(v.r.Context(), sumOf(secret), v.now)
	if errors.Is(err, store.ErrNotFound) {
		source := p.source(v.r)
		if err := p.limit.take("token", source, v.now); err != nil {
			return err
		}
		p.Log.Warn("a token was refused", "source", source)
		return status{http.StatusUnauthorized, "this token is unknown, or has expired"}
	}
	return v.is(who, s, err)
}

func (v *visit) is(who store.Person, s *store.Store, err error) error {
	if err == nil {
		v.Person, v.store = who, s.For(who)
	}
	return err
}

// token returns the secret of a program that asks: a bearer token, or the password of Basic
// authentication, whose user name doesn't matter.
func token(r *http.Request) (string, bool) {
	if secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(secret), true
	}
	_, password, ok := r.BasicAuth()
	return password, ok
}

// start logs somebody in: a new session, whatever cookie the browser had.
func (p *Page) start(v *visit, login store.Session) error {
	s := p.Store()
	if old, err := v.r.Cookie(p.cookie(v.r)); err == nil {
		if err := s.EndSession(v.r.Context(), sumOf(old.Value)); err != nil {
			return err
		}
	}
	secret, sum := NewSecret()
	agent := v.r.UserAgent()
	login.Created, login.Expires = v.now, v.now.Add(sessionLasts)
	login.Source = p.source(v.r)
	login.Agent = strings.ToValidUTF8(agent[:min(len(agent), agentKept)], "")
	if err := s.AddSession(v.r.Context(), sum, login); err != nil {
		return err
	}
	http.SetCookie(v.w, &http.Cookie{Name: p.cookie(v.r), Value: secret, Path: "/",
		MaxAge: int(sessionLasts.Seconds()), HttpOnly: true, Secure: p.secure(v.r),
		SameSite: http.SameSiteLaxMode})
	p.Log.Info("login", "user", login.Name, "role", string(login.Role), "source", login.Source)
	return nil
}

// loginForm is the page that asks for a name and a password.
type loginForm struct {
	Name, Next, Error string
	OIDC              bool
}

func (p *Page) login(v *visit) error {
	if v.Name != "" {
		return v.redirect(local(v.r.FormValue("next")))
	}
	return p.show(v, "login", "Log in",
		loginForm{Next: local(v.r.FormValue("next")), OIDC: p.oidc != nil})
}

// enter checks a name and a password. An unknown name takes as long as a wrong password.
func (p *Page) enter(v *visit) error {
	name, password := v.r.PostFormValue("name"), v.r.PostFormValue("password")
	source := p.source(v.r)
	keys := []string{"source", "name " + name} // a source that is refused makes no key of a name
	for _, key := range keys {
		if err := p.limit.take(key, source, v.now); err != nil {
			return err
		}
	}
	u, stored, err := p.Store().User(v.r.Context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	right, err := PasswordIs(v.r.Context(), password, stored)
	if err != nil {
		return err
	}
	if right {
		err = p.start(v, store.Session{Person: u.Person, User: u.Name, Proof: stored})
	}
	if !right || errors.Is(err, store.ErrNotFound) { // removed, or changed meanwhile
		p.Log.Warn("a login was refused", "user", shown(name), "source", source)
		v.w.WriteHeader(http.StatusUnauthorized)
		return p.show(v, "login", "Log in", loginForm{Name: name,
			Next: local(v.r.PostFormValue("next")), OIDC: p.oidc != nil,
			Error: "This name and this password don't go together."})
	}
	if err != nil {
		return err
	}
	for _, key := range keys {
		p.limit.give(key, source)
	}
	return v.redirect(local(v.r.PostFormValue("next")))
}

// link asks before it uses a link: a program that looks at links must not use it up.
func (p *Page) link(v *visit) error {
	return p.show(v, "link", "Log in", v.r.PathValue("secret"))
}

func (p *Page) useLink(v *visit) error {
	who, err := p.Store().UseLink(v.r.Context(), sumOf(v.r.PathValue("secret")), v.now)
	if errors.Is(err, store.ErrNotFound) {
		if err := p.limit.take("link", p.source(v.r), v.now); err != nil {
			return err
		}
		return status{http.StatusForbidden, "this link was used, or is older than " +
			LinkLasts.String() + ": tftpsql page prints a new one"}
	}
	if err != nil {
		return err
	}
	if err := p.start(v, store.Session{Person: who}); err != nil {
		return err
	}
	return v.redirect("/")
}

func (p *Page) logout(v *visit) error {
	if c, err := v.r.Cookie(p.cookie(v.r)); err == nil {
		if err := p.Store().EndSession(v.r.Context(), sumOf(c.Value)); err != nil {
			return err
		}
	}
	http.SetCookie(v.w, &http.Cookie{Name: p.cookie(v.r), Path: "/", MaxAge: -1, HttpOnly: true,
		Secure: p.secure(v.r), SameSite: http.SameSiteLaxMode})
	return v.redirect("/login")
}

// local returns where to go after a login: an address of this page, "/" for any other.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return u.RequestURI()
}

func (v *visit) redirect(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// note keeps what the person did or saw.
func (v *visit) note(ctx context.Context, action string, site *string, object,
	detail string) error {
	return v.store.NoteAudit(ctx, store.Audit{At: v.now, Name: v.Name, Role: v.Role,
		Source: v.page.source(v.r), Action: action, Site: site, Object: object, Detail: detail})
}
