package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/store"
)

// OIDC is how people log in at a provider of OpenID Connect.
type OIDC struct {
	Issuer   string // "" for no provider
	ClientID string
	Secret   config.Secret // "" for a client that has none
	Claim    string        // what Roles goes by; dots lead into it
	Roles    config.Grants
}

const (
	// providerWithin bounds each question to the provider: a person waits for the answer.
	providerWithin = 10 * time.Second
	// providerAnswer bounds an answer of the provider, bytes: tokens with many groups have some
	// 50 KB.
	providerAnswer = 1 << 20
	// providerRests is how long a provider that is away isn't asked again, so that strangers can't
	// make the server ask without end.
	providerRests = 5 * time.Second
	// causeKept bounds what the log and the page take of the provider's words, in bytes.
	causeKept = 500

	callbackPath = "/login/oidc/callback"
)

// provider is a provider of OpenID Connect. It is asked for its addresses at the first login.
type provider struct {
	OIDC
	callback string
	client   *http.Client
	turn     chan struct{} // held by who reads or sets what follows
	found    *discovered
	away     error // why it was not found
	awayAt   time.Time
}

// discovered is what a provider says of itself.
type discovered struct {
	oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func newProvider(o Options) *provider {
	if o.OIDC.Issuer == "" {
		return nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	return &provider{OIDC: o.OIDC, callback: o.BaseURL + callbackPath,
		turn: make(chan struct{}, 1),
		client: &http.Client{Transport: bounded{transport}, Timeout: providerWithin,
			// A provider that has moved must be set anew: secrets don't follow it.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			}}}
}

// bounded bounds the answers of a provider.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, providerAnswer), answer.Body}
	}
	return answer, err
}

// errAway is the answer where the provider gives none.
var errAway = status{http.StatusServiceUnavailable, "the login provider can't be reached: try " +
	"again, or open the page by the link of tftpsql page; the server's log says why"}

// discover returns what the provider says of itself. It is asked once.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.found != nil {
		return p.found, nil
	}
	if p.away != nil && time.Since(p.awayAt) < providerRests {
		return nil, p.away
	}
	// Others wait for the answer too, so it is not given up with the one who asks.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerWithin)
	defer cancel()
	found, err := p.ask(oidc.ClientContext(ctx, p.client))
	if err != nil {
		p.away, p.awayAt = because(errAway, err), time.Now()
		return nil, p.away
	}
	p.found, p.away = found, nil
	return found, nil
}

func (p *provider) ask(ctx context.Context) (*discovered, error) {
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		Keys    string   `json:"jwks_uri"`
		Scopes  []string `json:"scopes_supported"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, err
	}
	end := found.Endpoint()
	addresses := []string{end.AuthURL, end.TokenURL, more.Keys}
	if info := found.UserInfoEndpoint(); info != "" {
		addresses = append(addresses, info)
	}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" &&
			(u.Scheme != "http" || strings.HasPrefix(p.Issuer, "https:")) {
			return nil, fmt.Errorf("the provider names %q, which is no address of HTTPS", address)
		}
	}
	end.AuthStyle = oauth2.AuthStyleInHeader
	if p.Secret == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods,
		"client_secret_basic") {
		end.AuthStyle = oauth2.AuthStyleInParams
	}
	scopes := []string{oidc.ScopeOpenID, "profile", "email"}
	if slices.Contains(more.Scopes, p.Claim) && !slices.Contains(scopes, p.Claim) {
		scopes = append(scopes, p.Claim) // groups, of Authelia, Dex and Okta
	}
	return &discovered{
		Config: oauth2.Config{ClientID: p.ClientID, ClientSecret: string(p.Secret),
			Endpoint: end, RedirectURL: p.callback, Scopes: scopes},
		provider: found,
		verifier: found.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID}),
	}, nil
}

// because is an answer with its cause, which the log alone has.
func because(s status, cause error) error {
	return fmt.Errorf("%w: %s", s, brief(cause.Error()))
}

// brief bounds what comes from a stranger, and shows it as it is.
func brief(text string) string { return shown(text[:min(len(text), causeKept)]) }

// askProvider sends the browser to the provider. It is a link and no form, since browsers hold a
// form's redirects to the policy of the page, and a provider may redirect to others. It changes
// nothing but the browser's cookie of attempts.
func (p *Page) askProvider(v *visit) error {
	if p.oidc == nil {
		return errNoProvider
	}
	found, err := p.oidc.discover(v.r.Context())
	if err != nil {
		return err
	}
	a := newTrip(v)
	p.keepTrips(v, append(p.trips(v), a))
	return v.redirect(found.AuthCodeURL(a.derive("state"), oidc.Nonce(a.derive("nonce")),
		oauth2.S256ChallengeOption(a.derive("verifier"))))
}

var errNoProvider = status{http.StatusNotFound, "no login provider is set: OIDC_ISSUER sets one"}

// fromProvider logs in who comes back from the provider.
func (p *Page) fromProvider(v *visit) error {
	if p.oidc == nil {
		return errNoProvider
	}
	a, ok := p.takeTrip(v, v.r.FormValue("state"))
	if !ok {
		return status{http.StatusForbidden, fmt.Sprintf("this login was not begun in this "+
			"browser, or was used, or is older than %s: begin again at %s/login", tripLasts,
			p.BaseURL)}
	}
	who, err := p.whoComes(v, a)
	if err != nil {
		if s := asStatus(err); s.code == http.StatusForbidden {
			p.Log.Warn("a login was refused", "provider", p.oidc.Issuer, "source", p.source(v.r),
				"err", err)
		}
		return err
	}
	if err := p.start(v, store.Session{Person: who}); err != nil {
		return err
	}
	return v.redirect(local(a.next))
}

// whoComes returns who the provider says a person is.
func (p *Page) whoComes(v *visit, a trip) (who store.Person, err error) {
	if code := v.r.FormValue("error"); code != "" {
		return who, status{http.StatusForbidden, "the login provider refused: " +
			brief(strings.TrimSpace(code+" "+v.r.FormValue("error_description")))}
	}
	found, err := p.oidc.discover(v.r.Context())
	if err != nil {
		return who, err
	}
	source := p.source(v.r)
	if err := p.limit.take("oidc", source, v.now); err != nil {
		return who, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(v.r.Context(), p.oidc.client),
		2*providerWithin) // a token, and perhaps new keys
	defer cancel()
	token, err := found.Exchange(ctx, v.r.FormValue("code"),
		oauth2.VerifierOption(a.derive("verifier")))
	if err != nil {
		return who, exchangeError(err)
	}
	claims, err := found.verify(ctx, token, a.derive("nonce"))
	if err != nil {
		return who, because(errInvalid, err)
	}
	p.limit.give("oidc", source)
	if claimed(claims, p.oidc.Claim) == nil {
		if err := found.askMore(ctx, token, claims); err != nil {
			p.Log.Warn("the login provider doesn't say more than its token", "provider",
				p.oidc.Issuer, "err", brief(err.Error()))
		}
	}
	return p.oidc.person(claims)
}

// verify returns the claims of an ID token that was made for this login.
func (d *discovered) verify(ctx context.Context, token *oauth2.Token,
	nonce string) (claims map[string]any, err error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, errors.New("the nonce is another login's")
	}
	if err := id.Claims(&claims); err != nil {
		return nil, err
	}
	if to, ok := claims["azp"].(string); ok && to != d.ClientID {
		return nil, fmt.Errorf("the token was made for %q", to)
	}
	return claims, nil
}

// askMore adds the claims that a token doesn't have: some providers keep tokens short.
func (d *discovered) askMore(ctx context.Context, token *oauth2.Token,
	claims map[string]any) error {
	if d.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := d.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return err
	}
	if info.Subject != claims["sub"] {
		return errors.New("it speaks of another person")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return err
	}
	for name, value := range more {
		if _, ok := claims[name]; !ok {
			claims[name] = value
		}
	}
	return nil
}

// errInvalid is the answer to a token that proves nothing.
var errInvalid = status{http.StatusForbidden, "what the login provider says can't be verified: " +
	"begin again; the server's log says why"}

// exchangeError tells a code that the provider refuses from a provider that is away.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
		return because(status{http.StatusForbidden, "the login provider doesn't take this login " +
			"back: begin again; the server's log says why"}, err)
	}
	return because(errAway, err)
}

// person returns who the claims of a token describe.
func (p *provider) person(claims map[string]any) (who store.Person, err error) {
	if fmt.Sprint(claims["email_verified"]) == "false" {
		delete(claims, "email") // anybody's
	}
	grant, ok := p.Roles.Of(claimed(claims, p.Claim))
	who = store.Person{Role: store.Role(grant.Role), Sites: grant.Sites}
	for _, claim := range []string{"preferred_username", "email", "sub"} {
		name, _ := claims[claim].(string)
		if who.Name = strings.TrimSpace(name); who.Name != "" {
			break
		}
	}
	if !ok {
		return who, because(status{http.StatusForbidden, "your account has no role here: " +
			"OIDC_ROLES maps the values of the provider's claim " + p.Claim + " to roles"},
			fmt.Errorf("user %q", who.Name))
	}
	if err := CheckPerson(who); err != nil {
		return who, status{http.StatusForbidden, "the login provider gives you no name that can " +
			"be used here: " + err.Error()}
	}
	return who, nil
}

// claimed returns the values of a claim: a text, or a list of texts. A dot in its name is its own
// or leads into an object, as in realm_access.roles.
func claimed(claims map[string]any, name string) (values []string) {
	switch value := claims[name].(type) {
	case string:
		return []string{value}
	case []any:
		for _, one := range value {
			if text, ok := one.(string); ok {
				values = append(values, text)
			}
		}
		return values
	}
	for i, c := range name {
		inner, ok := claims[name[:i]].(map[string]any)
		if c == '.' && ok {
			if values = claimed(inner, name[i+1:]); values != nil {
				return values
			}
		}
	}
	return nil
}
