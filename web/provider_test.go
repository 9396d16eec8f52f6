package web_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// A provider is one of OpenID Connect that a test starts, with one person.
type provider struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	kid    string
	claims map[string]any                         // added to each token; nil removes one
	header map[string]any                         // of each token
	sign   func(p *provider, input string) []byte // signs each token
	broken string                                 // the path that answers 500
	moved  string                                 // the path that leads to another address
	says   map[string]any                         // added to what it says of itself
	info   map[string]any                         // what it says of the person besides

	mu    sync.Mutex
	codes map[string]url.Values // what was asked for, by the code that was given
	asked map[string]int        // requests by path
}

const (
	clientID     = "tftpsql page" // a space, since Basic authentication must escape it
	clientSecret = "swordfish&+%"
)

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{codes: map[string]url.Values{}, asked: map[string]int{},
		header: map[string]any{"alg": "ES256"}, sign: (*provider).es256,
		claims: map[string]any{"preferred_username": "ann", "groups": []string{"netops"}}}
	p.rotate(t, "first")
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// rotate gives the provider a new key.
func (p *provider) rotate(t *testing.T, kid string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.key, p.kid = key, kid
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	if r.URL.Path == p.broken {
		http.Error(w, "<b>out of order</b>", http.StatusInternalServerError)
		return
	}
	if r.URL.Path == p.moved {
		http.Redirect(w, r, "/moved"+p.moved, http.StatusTemporaryRedirect)
		return
	}
	switch strings.TrimPrefix(r.URL.Path, "/moved") {
	case "/.well-known/openid-configuration":
		says := map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize",
			"token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"scopes_supported": []string{"openid", "groups"},
			// What it may name and must never be taken.
			"id_token_signing_alg_values_supported": []string{"none", "HS256", "ES256"}}
		if p.info != nil {
			says["userinfo_endpoint"] = p.URL + "/userinfo"
		}
		for name, value := range p.says {
			says[name] = value
		}
		answerJSON(w, http.StatusOK, says)
	case "/keys":
		point, err := p.key.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		answerJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{"kty": "EC",
			"crv": "P-256", "kid": p.kid, "x": text64(point[1:33]), "y": text64(point[33:])}}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access" {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		answerJSON(w, http.StatusOK, p.info)
	default:
		http.NotFound(w, r)
	}
}

// authorize logs the person in, who is asked nothing.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	if asked.Get("client_id") != clientID || asked.Get("response_type") != "code" ||
		asked.Get("scope") != "openid profile email groups" ||
		asked.Get("code_challenge_method") != "S256" || len(asked.Get("code_challenge")) != 43 ||
		len(asked.Get("state")) != 43 || len(asked.Get("nonce")) != 43 {
		http.Error(w, "asked for "+r.URL.RawQuery, http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.codes[code] = asked
	to := asked.Get("redirect_uri") + "?" + url.Values{"code": {code},
		"state": {asked.Get("state")}}.Encode()
	http.Redirect(w, r, to, http.StatusFound)
}

// token gives a token for a code: once, to the client that proves itself, by the verifier of the
// challenge.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != url.QueryEscape(clientID) || secret != url.QueryEscape(clientSecret) {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	code := r.PostFormValue("code")
	asked, ok := p.codes[code]
	delete(p.codes, code)
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		r.PostFormValue("grant_type") != "authorization_code" ||
		text64(challenge[:]) != asked.Get("code_challenge") {
		answerJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": p.URL, "aud": clientID, "sub": "0815",
		"nonce": asked.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for name, value := range p.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	header := map[string]any{"kid": p.kid}
	for name, value := range p.header {
		header[name] = value
	}
	input := part64(header) + "." + part64(claims)
	answerJSON(w, http.StatusOK, map[string]any{"access_token": "access", "token_type": "Bearer",
		"id_token": input + "." + text64(p.sign(p, input))})
}

func (p *provider) es256(input string) []byte {
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		panic(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func text64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func part64(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text64(b)
}

func answerJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who asked may have gone
}

// requests returns how often a path was asked for.
func (p *provider) requests(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// A logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// emptyStore opens an empty database.
func emptyStore(t testing.TB) *store.Store {
	t.Helper()
	return serve(t, engines["sqlite"](t), nil).store
}

// pageWith serves the page of a database whose people log in at a provider. change changes its
// options.
func pageWith(t testing.TB, p *provider, db *store.Store,
	change func(*web.Options)) (*site, *logged) {
	t.Helper()
	log := &logged{}
	s := page(t, db, func(o *web.Options) {
		o.OIDC = web.OIDC{Issuer: p.URL, ClientID: clientID, Secret: clientSecret, Claim: "groups"}
		err := o.OIDC.Roles.UnmarshalText([]byte("admins=admin,netops=operator," +
			"acme-it=viewer@acme"))
		if err != nil {
			t.Fatal(err)
		}
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		if change != nil {
			change(o)
		}
	})
	return s, log
}
