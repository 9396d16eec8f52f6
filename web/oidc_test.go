package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// A tab is a browser that shows where it is sent, and follows only when it is told to.
type tab struct {
	*http.Client
	*site
}

func (s *site) tab(t testing.TB) tab {
	c := s.stranger(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return tab{c, s}
}

// open returns what an address answers, and where it leads.
func (b tab) open(t testing.TB, address string) (code int, to, body string) {
	t.Helper()
	r, err := b.Client.Get(address)
	code, body = answer(t)(r, err)
	return code, r.Header.Get("Location"), body
}

// begin goes to the provider, logs in there, and returns the address that leads back.
func (b tab) begin(t testing.TB, next string) (back string) {
	t.Helper()
	code, to, body := b.open(t, b.URL+"/login/oidc?"+url.Values{"next": {next}}.Encode())
	if code != http.StatusSeeOther {
		t.Fatalf("the login begins with %d: %s", code, body)
	}
	code, back, body = b.open(t, to)
	if code != http.StatusFound || !strings.HasPrefix(back, b.URL+"/login/oidc/callback?") {
		t.Fatalf("the provider says %d, leads to %q: %s", code, back, body)
	}
	return back
}

// refused opens an address that must log nobody in.
func (b tab) refused(t testing.TB, address string, want int, words string) {
	t.Helper()
	code, _, body := b.open(t, address)
	if code != want || !strings.Contains(body, words) {
		t.Errorf("%d, want %d and %q in\n%s", code, want, words, body)
	}
	if me := b.me(t); me != "" {
		t.Errorf("logged in as %s", me)
	}
}

// me returns who is logged in, "" for nobody.
func (b tab) me(t testing.TB) string {
	t.Helper()
	code, _, body := b.open(t, b.URL+"/api/v1/me")
	if code == http.StatusUnauthorized {
		return ""
	}
	return strings.Join(strings.Fields(body), "")
}

// with returns an address with another value of a parameter.
func with(t testing.TB, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestSingleSignOn: a browser that follows its redirects is logged in with the role and the sites
// of its group, and comes where it wanted to go.
func TestSingleSignOn(t *testing.T) {
	p := startProvider(t)
	p.claims["groups"] = []string{"staff", "acme-it"}
	s, log := pageWith(t, p, emptyStore(t), nil)
	s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
	s.put(t, "globex", "fw2", gate("fw2", "04", "BBBBBBBB", "dmz"))
	c := s.stranger(t)
	_, body := s.get(t, c, "/devices?q=fw&sort=name")
	link := `<a href="/login/oidc?next=%2fdevices%3fq%3dfw%26sort%3dname">`
	if !strings.Contains(body, link) {
		t.Fatalf("no %s in\n%s", link, body)
	}
	code, body := s.get(t, c, "/login/oidc?next=%2fdevices%3fq%3dfw%26sort%3dname")
	if code != http.StatusOK || !strings.Contains(body, "acme/fw1") ||
		strings.Contains(body, "fw2") || !strings.Contains(body, `value="fw"`) {
		t.Errorf("after the login: %d %s", code, body)
	}
	if code, _ := s.get(t, c, "/published"); code != http.StatusForbidden {
		t.Errorf("a viewer has %d of what operators see", code)
	}
	if line := log.String(); !strings.Contains(line, "msg=login user=ann role=viewer source=") {
		t.Errorf("the log has %q", line)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token"} {
		if n := p.requests(path); n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

// TestClaims: name, role and sites are what the token says.
func TestClaims(t *testing.T) {
	p, db := startProvider(t), emptyStore(t)
	for _, c := range []struct {
		claim  string
		claims map[string]any
		want   string // of /api/v1/me, or of the refusal
	}{
		{"groups", nil, `{"name":"ann","role":"operator","sites":null,`},
		{"groups", map[string]any{"groups": "admins"}, `{"name":"ann","role":"admin"`},
		{"groups", map[string]any{"groups": []any{7, nil, "acme-it"}}, `"viewer","sites":["acme"]`},
		{"groups", map[string]any{"groups": []any{"netops", "admins"}}, `"role":"admin"`},
		{"realm_access.roles", map[string]any{"realm_access": map[string]any{
			"roles": []string{"netops"}}}, `"role":"operator"`},
		{"resource_access.a.b.roles", map[string]any{"resource_access": map[string]any{
			"a": "x", "a.b": map[string]any{"roles": []string{"netops"}}}}, `"role":"operator"`},
		{"https://x.example/g", map[string]any{"https://x.example/g": "netops"},
			`"role":"operator"`},
		{"groups", map[string]any{"preferred_username": nil, "email": "ann@x.example"},
			`"name":"ann@x.example"`},
		{"groups", map[string]any{"preferred_username": "", "email": "ann@x.example",
			"email_verified": true}, `"name":"ann@x.example"`},
		{"groups", map[string]any{"preferred_username": nil, "email": "ann@x.example",
			"email_verified": false}, `"name":"0815"`},
		{"groups", map[string]any{"preferred_username": nil, "email": "ann@x.example",
			"email_verified": "false"}, `"name":"0815"`},
		{"email", map[string]any{"email": "netops"}, `"role":"operator"`},
		{"email", map[string]any{"email": "netops", "email_verified": false}, "has no role here"},
		{"groups", map[string]any{"preferred_username": "a\x1b[31m"}, "1 to 200 printable"},
		{"groups", map[string]any{"preferred_username": strings.Repeat("a", 201)}, "1 to 200"},
		{"groups", map[string]any{"groups": []string{"staff-7", "Netops"}}, "has no role here"},
		{"groups", map[string]any{"groups": nil}, "has no role here"},
		{"groups", map[string]any{"groups": map[string]any{"netops": "netops"}},
			"has no role here"},
		{"realm_access.roles", nil, "has no role here"},
	} {
		s, log := pageWith(t, p, db, func(o *web.Options) { o.OIDC.Claim = c.claim })
		p.claims = map[string]any{"preferred_username": "ann", "groups": []string{"netops"}}
		for name, value := range c.claims {
			p.claims[name] = value
		}
		p.says = map[string]any{"scopes_supported": []string{"groups", c.claim}}
		if c.claim != "groups" {
			p.says = nil
		}
		b := s.tab(t)
		code, to, body := b.open(t, s.URL+"/login/oidc")
		if c.claim != "groups" { // which is no scope, so it isn't asked for
			if scope := mustParse(t, to).Query().Get("scope"); scope != "openid profile email" {
				t.Errorf("%s: the scope is %q", c.claim, scope)
			}
			to = with(t, to, "scope", "openid profile email groups")
		}
		if code != http.StatusSeeOther {
			t.Fatal(code, body)
		}
		_, back, _ := b.open(t, to)
		_, _, body = b.open(t, back)
		if got := b.me(t) + body; !strings.Contains(got, c.want) {
			t.Errorf("%s %q: want %s in %s", c.claim, c.claims, c.want, got)
		}
		if text := log.String(); strings.Contains(body+text, "staff-7") ||
			strings.Contains(text, "\x1b") {
			t.Errorf("the groups, or bytes of a stranger, are shown: %s %s", body, text)
		}
	}
}

// TestUserInfo: what a token doesn't say is asked for; what it says counts.
func TestUserInfo(t *testing.T) {
	db := emptyStore(t)
	for _, c := range []struct {
		groups any // of the token
		info   map[string]any
		asked  int
		want   string
	}{
		{nil, map[string]any{"sub": "0815", "groups": []string{"netops"}, "email": "x",
			"preferred_username": "eve"}, 1, `"name":"ann","role":"operator"`},
		{[]string{"netops"}, map[string]any{"sub": "0815", "groups": []string{"admins"}}, 0,
			`"role":"operator"`},
		{[]string{}, map[string]any{"sub": "0815", "groups": []string{"admins"}}, 1,
			"has no role here"},
		{nil, map[string]any{"sub": "0816", "groups": []string{"netops"}}, 1, "has no role here"},
		{nil, map[string]any{"groups": []string{"netops"}}, 1, "has no role here"},
	} {
		p := startProvider(t)
		p.claims["groups"], p.info = c.groups, c.info
		s, log := pageWith(t, p, db, nil)
		b := s.tab(t)
		_, _, body := b.open(t, b.begin(t, "/"))
		if got := b.me(t) + body; !strings.Contains(got, c.want) ||
			p.requests("/userinfo") != c.asked {
			t.Errorf("%v %v: asked %d times: %s\n%s", c.groups, c.info,
				p.requests("/userinfo"), got, log)
		}
		if strings.Contains(log.String(), "another person") != (c.info["sub"] != "0815") {
			t.Errorf("%v: the log has %s", c.info, log)
		}
	}
}

// TestFalseTokens: what proves nothing logs nobody in. The log says why, the page doesn't.
func TestFalseTokens(t *testing.T) {
	db := emptyStore(t)
	claim := func(name string, value any) func(*provider) {
		return func(p *provider) { p.claims[name] = value }
	}
	for name, c := range map[string]struct {
		change func(*provider)
		cause  string
	}{
		"nonce":    {claim("nonce", "another"), "nonce"},
		"no nonce": {claim("nonce", nil), "nonce"},
		"audience": {claim("aud", "another"), "audience"},
		"party":    {claim("azp", "another"), "made for"},
		"issuer":   {claim("iss", "https://evil.example"), "different provider"},
		"expired":  {claim("exp", time.Now().Add(-time.Minute).Unix()), "expired"},
		"not yet":  {claim("nbf", time.Now().Add(time.Hour).Unix()), "before the nbf"},
		"alg none": {func(p *provider) {
			p.header["alg"] = "none"
			p.sign = func(*provider, string) []byte { return nil }
		}, "unexpected signature algorithm"},
		"HS256 with the public key": {func(p *provider) {
			p.header["alg"] = "HS256"
			p.sign = func(p *provider, input string) []byte {
				der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
				if err != nil {
					panic(err)
				}
				h := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY",
					Bytes: der}))
				h.Write([]byte(input))
				return h.Sum(nil)
			}
		}, "unexpected signature algorithm"},
		"another's key": {func(p *provider) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				panic(err)
			}
			p.sign = func(_ *provider, input string) []byte {
				return (&provider{key: key}).es256(input)
			}
		}, "failed to verify"},
		"unknown key": {func(p *provider) { p.header["kid"] = "x" }, "failed to verify"},
		"no keys":     {func(p *provider) { p.broken = "/keys" }, "out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProvider(t)
			s, log := pageWith(t, p, db, nil)
			b := s.tab(t)
			c.change(p)
			b.refused(t, b.begin(t, "/"), http.StatusForbidden, "can&#39;t be verified")
			if text := log.String(); !strings.Contains(text, c.cause) ||
				!strings.Contains(text, `msg="a login was refused"`) {
				t.Errorf("no %q in the log: %s", c.cause, text)
			}
		})
	}
}

// TestTrips: a login ends in the browser that has begun it, once.
func TestTrips(t *testing.T) {
	p := startProvider(t)
	s, log := pageWith(t, p, emptyStore(t), nil)
	const not = "was not begun in this browser"
	victim, attacker := s.tab(t), s.tab(t)
	theirs := attacker.begin(t, "/")

	victim.refused(t, theirs, http.StatusForbidden, not) // login CSRF, without a trip
	mine := victim.begin(t, "/")
	victim.refused(t, theirs, http.StatusForbidden, not) // and with one
	victim.refused(t, with(t, mine, "state", ""), http.StatusForbidden, not)
	victim.refused(t, with(t, mine, "state", "x"), http.StatusForbidden, not)
	victim.refused(t, s.URL+"/login/oidc/callback", http.StatusForbidden, s.URL+"/login")
	if n := p.requests("/token"); n != 0 {
		t.Fatalf("%d codes went to the provider", n)
	}

	// The attacker's code with the victim's state: the challenge is another's.
	code := mustParse(t, theirs).Query().Get("code")
	victim.refused(t, with(t, mine, "code", code), http.StatusForbidden,
		"doesn&#39;t take this login back")
	victim.refused(t, mine, http.StatusForbidden, not) // that trip has ended
	if text := log.String(); !strings.Contains(text, "invalid_grant") {
		t.Errorf("the log has %s", text)
	}

	// A code is good once.
	mine = victim.begin(t, "/")
	if status, to, _ := victim.open(t, mine); status != http.StatusSeeOther || to != "/" {
		t.Fatalf("the right login: %d to %q", status, to)
	}
	if me := victim.me(t); !strings.Contains(me, `"ann"`) {
		t.Error(me)
	}
	other := s.tab(t)
	other.refused(t, mine, http.StatusForbidden, not)
	other.refused(t, with(t, other.begin(t, "/"), "code", mustParse(t, mine).Query().Get("code")),
		http.StatusForbidden, "doesn&#39;t take this login back")
	if text := log.String(); strings.Contains(text, "swordfish") || strings.Contains(text, code) {
		t.Errorf("secrets are in the log: %s", text)
	}
}

func mustParse(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestTabs: four tabs may log in at once, in any order; a fifth takes the place of the oldest.
func TestTabs(t *testing.T) {
	s, _ := pageWith(t, startProvider(t), emptyStore(t), nil)
	b := s.tab(t)
	var backs []string
	for i := range 5 {
		backs = append(backs, b.begin(t, "/devices?q="+strconv.Itoa(i)))
	}
	for _, i := range []int{4, 2, 1, 3} {
		if _, to, _ := b.open(t, backs[i]); to != "/devices?q="+strconv.Itoa(i) {
			t.Errorf("tab %d leads to %q", i, to)
		}
	}
	if code, _, _ := b.open(t, backs[0]); code != http.StatusForbidden {
		t.Errorf("the oldest of five: %d", code)
	}
}

// TestOldTrip: a trip is good for ten minutes, whatever the browser keeps.
func TestOldTrip(t *testing.T) {
	s, _ := pageWith(t, startProvider(t), emptyStore(t), nil)
	for age, want := range map[time.Duration]int{9 * time.Minute: http.StatusSeeOther,
		11 * time.Minute: http.StatusForbidden, -time.Hour: http.StatusForbidden} {
		b := s.tab(t)
		back := b.begin(t, "/")
		parts := b.trip(t)
		parts[1] = strconv.FormatInt(time.Now().Add(-age).Unix(), 10)
		b.setTrip(t, parts)
		if code, _, body := b.open(t, back); code != want {
			t.Errorf("after %s: %d, want %d: %s", age, code, want, body)
		}
	}
}

// trip returns what the browser's cookie has of its one trip: secret, time, where to.
func (b tab) trip(t testing.TB) []string {
	t.Helper()
	for _, c := range b.Jar.Cookies(mustParse(t, b.URL)) {
		if c.Name == "tftpsql-oidc" {
			return strings.Split(c.Value, "~")
		}
	}
	t.Fatal("the browser has no cookie of a trip")
	return nil
}

func (b tab) setTrip(t testing.TB, parts []string) {
	b.Jar.SetCookies(mustParse(t, b.URL), []*http.Cookie{{Name: "tftpsql-oidc",
		Value: strings.Join(parts, "~"), Path: "/"}})
}

// TestNext: a login leads to where its browser wanted to go on this page, and never elsewhere.
func TestNext(t *testing.T) {
	s, _ := pageWith(t, startProvider(t), emptyStore(t), nil)
	for next, want := range map[string]string{
		"/devices?q=a%26b&site=-": "/devices?q=a%26b&site=-", "": "/",
		"https://evil.example/": "/", "//evil.example/": "/", `/\evil.example/`: "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "evil.example": "/",
		"/search?q=" + strings.Repeat("a", 600): "/",
	} {
		b := s.tab(t)
		if _, to, _ := b.open(t, b.begin(t, next)); to != want {
			t.Errorf("%q leads to %q, want %q", next, to, want)
		}
		if len(next) > 500 {
			continue // the cookie has less
		}
		b = s.tab(t)
		back := b.begin(t, "/")
		parts := b.trip(t)
		parts[2] = base64.RawURLEncoding.EncodeToString([]byte(next))
		b.setTrip(t, parts)
		if _, to, _ := b.open(t, back); to != want {
			t.Errorf("%q in the cookie leads to %q, want %q", next, to, want)
		}
	}
}

// TestDenied: what the provider says is shown as text, to the browser that has asked alone.
func TestDenied(t *testing.T) {
	p := startProvider(t)
	s, log := pageWith(t, p, emptyStore(t), nil)
	b := s.tab(t)
	back := mustParse(t, b.begin(t, "/"))
	q := back.Query()
	back.RawQuery = url.Values{"error": {"access_denied"}, "state": {q.Get("state")},
		"error_description": {"<b>no</b>\x1b[31m\u202e" + strings.Repeat("x", 900)}}.Encode()
	s.tab(t).refused(t, back.String(), http.StatusForbidden, "was not begun in this browser")
	b.refused(t, back.String(), http.StatusForbidden,
		`the login provider refused: access_denied &lt;b&gt;no&lt;/b&gt;\x1b[31m\u{202e}xxx`)
	if text := log.String(); len(text) > 1200 || !strings.Contains(text, "access_denied") ||
		strings.Contains(text, "\x1b") {
		t.Errorf("the log has %q", text)
	}
}

// TestProviderAway: the page says what else there is, the log says why, and the provider isn't
// asked again at once.
func TestProviderAway(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	db := emptyStore(t)
	for name, c := range map[string]struct {
		change func(*provider)
		cause  string
	}{
		"no answer":      {func(p *provider) { p.Close() }, "refused"},
		"an error":       {func(p *provider) { p.broken = discovery }, "out of order"},
		"another issuer": {func(p *provider) { p.says = map[string]any{"issuer": "x"} }, "issuer"},
		"no address": {func(p *provider) {
			p.says = map[string]any{"token_endpoint": "file:///x"}
		}, "no address of HTTPS"},
		"too much": {func(p *provider) {
			p.says = map[string]any{"x": strings.Repeat("x", 1<<20)}
		}, "unexpected end"},
		"moved": {func(p *provider) { p.moved = discovery }, "307 Temporary Redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProvider(t)
			c.change(p)
			s, log := pageWith(t, p, db, nil)
			for range 3 {
				b := s.tab(t)
				b.refused(t, s.URL+"/login/oidc", http.StatusServiceUnavailable, "tftpsql page")
				_, _, body := b.open(t, s.URL+"/login/oidc")
				if strings.Contains(body, "out of order") || strings.Contains(body, p.URL) {
					t.Errorf("the cause is on the page: %s", body)
				}
			}
			if n := p.requests(discovery); n > 1 {
				t.Errorf("the provider was asked %d times", n)
			}
			if text := log.String(); !strings.Contains(text, c.cause) ||
				strings.Contains(text, "swordfish") {
				t.Errorf("no %q in the log: %s", c.cause, text)
			}
		})
	}
	t.Run("away in between", func(t *testing.T) {
		p := startProvider(t)
		s, _ := pageWith(t, p, emptyStore(t), nil)
		b := s.tab(t)
		back := b.begin(t, "/")
		p.broken = "/token"
		b.refused(t, back, http.StatusServiceUnavailable, "can&#39;t be reached")
		p.broken = ""
		if code, _, _ := b.open(t, b.begin(t, "/")); code != http.StatusSeeOther {
			t.Errorf("it is back: %d", code)
		}
	})
}

// TestNewKeys: a provider's new keys are taken without a restart.
func TestNewKeys(t *testing.T) {
	p := startProvider(t)
	s, _ := pageWith(t, p, emptyStore(t), nil)
	for _, kid := range []string{"second", "third"} {
		b := s.tab(t)
		if code, _, body := b.open(t, b.begin(t, "/")); code != http.StatusSeeOther {
			t.Fatalf("%d: %s", code, body)
		}
		p.rotate(t, kid)
	}
}

// TestGuesses: who sends wrong codes is stopped before the provider hears of each.
func TestGuesses(t *testing.T) {
	p := startProvider(t)
	s, _ := pageWith(t, p, emptyStore(t), nil)
	b := s.tab(t)
	last := 0
	for range 12 {
		last, _, _ = b.open(t, with(t, b.begin(t, "/"), "code", "guess"))
	}
	if n := p.requests("/token"); last != http.StatusTooManyRequests || n != 10 {
		t.Errorf("the last of 12 guesses: %d; %d went to the provider", last, n)
	}
}

// TestTripCookie: under TLS a browser holds the cookie of a trip to this host, and never shows it
// to scripts. The policy of the page stays what it is.
func TestTripCookie(t *testing.T) {
	p := startProvider(t)
	s, _ := pageWith(t, p, emptyStore(t), func(o *web.Options) {
		o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	for scheme, want := range map[string]string{"http": "tftpsql-oidc=",
		"https": "__Host-tftpsql-oidc="} {
		request, err := http.NewRequest(http.MethodGet, s.URL+"/login/oidc", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-Proto", scheme)
		request.Header.Set("Sec-Fetch-Site", "same-origin")
		r, err := s.tab(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		cookie := r.Header.Get("Set-Cookie")
		if !strings.HasPrefix(cookie, want) || strings.Contains(cookie, "; Secure") !=
			(scheme == "https") || !strings.Contains(cookie, "; Path=/; Max-Age=600; HttpOnly") ||
			!strings.Contains(cookie, "SameSite=Lax") || strings.Contains(cookie, "Domain") {
			t.Errorf("%s: %s", scheme, cookie)
		}
		if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy,
			"form-action 'self';") {
			t.Errorf("the policy is %s", policy)
		}
	}
}

// TestNoProvider: without a provider there is no link to one.
func TestNoProvider(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	c := s.stranger(t)
	if _, body := s.get(t, c, "/login"); strings.Contains(body, "oidc") {
		t.Error(body)
	}
	for _, path := range []string{"/login/oidc", "/login/oidc/callback?code=a&state=b"} {
		if code, body := s.get(t, c, path); code != http.StatusNotFound ||
			!strings.Contains(body, "OIDC_ISSUER") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// TestGrantedRoles: the roles that OIDC_ROLES takes are the store's.
func TestGrantedRoles(t *testing.T) {
	for _, role := range store.Roles {
		var o web.OIDC
		if err := o.Roles.UnmarshalText([]byte("x=" + string(role))); err != nil {
			t.Error(err)
		}
	}
}
