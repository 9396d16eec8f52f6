package web_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// asked is how a test asks for a route, and what somebody who may is answered. A form with the
// field json alone is sent as that.
type asked struct {
	path string
	form url.Values
	code int
}

func object(text string) url.Values { return url.Values{"json": {text}} }

// askedFor has a row for each route. A and B stand for the numbers of two captures of acme/fw1.
var askedFor = map[string]asked{
	"GET /{$}":                       {"/", nil, 200},
	"GET /devices":                   {"/devices", nil, 200},
	"GET /d/{site}/{name}":           {"/d/acme/fw1", nil, 200},
	"POST /d/{site}/{name}/{action}": {"/d/acme/fw1/expect", url.Values{"every": {"3d"}}, 303},
	"GET /c/{id}":                    {"/c/B", nil, 200},
	"GET /c/{id}/raw":                {"/c/B/raw", nil, 200},
	"GET /c/{id}/blame":              {"/c/B/blame", nil, 200},
	"GET /diff/{pair}":               {"/diff/A..B", nil, 200},
	"GET /compare":                   {"/compare?a=acme/fw1&b=globex/fw2", nil, 200},
	"GET /search":                    {"/search?q=timezone", nil, 200},
	"GET /changes":                   {"/changes", nil, 200},
	"GET /changes.atom":              {"/changes.atom", nil, 200},
	"GET /failures":                  {"/failures", nil, 200},
	"GET /published":                 {"/published", nil, 200},
	"POST /published":                {"/published", url.Values{"id": {"B"}}, 200},
	"POST /published/end":            {"/published/end", url.Values{"name": {"there"}}, 303},
	"GET /alarms":                    {"/alarms", nil, 200},
	"POST /alarms": {"/alarms", url.Values{"name": {"hook"},
		"url": {"https://192.0.2.1/"}}, 200},
	"POST /alarms/test":                {"/alarms/test", nil, 404},
	"POST /alarms/pause":               {"/alarms/pause", nil, 404},
	"POST /alarms/remove":              {"/alarms/remove", nil, 404},
	"GET /audit":                       {"/audit", nil, 200},
	"GET /users":                       {"/users", nil, 200},
	"POST /users":                      {"/users", newcomer("bob"), 303},
	"POST /users/remove":               {"/users/remove", url.Values{"name": {"ann"}}, 303},
	"GET /tokens":                      {"/tokens", nil, 200},
	"POST /tokens":                     {"/tokens", newcomer("nms"), 200},
	"POST /tokens/remove":              {"/tokens/remove", url.Values{"name": {"there"}}, 303},
	"GET /go":                          {"/go?name=fw1", nil, 303},
	"GET /login":                       {"/login", nil, 200},
	"POST /login":                      {"/login", newcomer("nobody"), 401},
	"GET /login/oidc":                  {"/login/oidc", nil, 404},
	"GET /login/oidc/callback":         {"/login/oidc/callback", nil, 404},
	"GET /link/{secret}":               {"/link/x", nil, 200},
	"POST /link/{secret}":              {"/link/x", nil, 403},
	"POST /logout":                     {"/logout", nil, 303},
	"/":                                {"/nowhere", nil, 404},
	"GET /api/v1/me":                   {"/api/v1/me", nil, 200},
	"GET /api/v1/devices":              {"/api/v1/devices", nil, 200},
	"GET /api/v1/captures":             {"/api/v1/captures", nil, 200},
	"GET /api/v1/captures/{id}":        {"/api/v1/captures/B", nil, 200},
	"GET /api/v1/captures/{id}/config": {"/api/v1/captures/B/config", nil, 200},
	"GET /api/v1/captures/{id}/blame":  {"/api/v1/captures/B/blame", nil, 200},
	"GET /api/v1/diff/{pair}":          {"/api/v1/diff/A..B", nil, 200},
	"GET /api/v1/search":               {"/api/v1/search?q=timezone", nil, 200},
	"GET /api/v1/failures":             {"/api/v1/failures", nil, 200},
	"GET /api/v1/sites":                {"/api/v1/sites", nil, 200},
	"GET /api/v1/captures/{id}/diff":   {"/api/v1/captures/B/diff", nil, 200},
	"GET /api/v1/published":            {"/api/v1/published", nil, 200},
	"POST /api/v1/published":           {"/api/v1/published", object(`{"ref": "@B"}`), 201},
	"DELETE /api/v1/published/{name}":  {"/api/v1/published/here", nil, 200},
	"POST /api/v1/devices/{site}/{name}/{action}": {"/api/v1/devices/acme/fw1/expect",
		object(`{"every": "3d"}`), 200},
	"DELETE /api/v1/devices/{site}/{name}":       {"/api/v1/devices/acme/doomed", nil, 200},
	"GET /api/v1/devices/{site}/{name}/versions": {"/api/v1/devices/acme/fw1/versions", nil, 200},
	"GET /api/v1/devices/{site}/{name}/config":   {"/api/v1/devices/acme/fw1/config", nil, 200},
	"GET /api/v1/devices/{site}/{name}/failures": {"/api/v1/devices/acme/fw1/failures", nil, 200},
	"GET /oxidized/nodes":                        {"/oxidized/nodes", nil, 200},
	"GET /oxidized/nodes/{filter}/{value...}":    {"/oxidized/nodes/group/acme.json", nil, 200},
	"POST /oxidized/nodes/conf_search": {"/oxidized/nodes/conf_search?format=json",
		url.Values{"search_in_conf_textbox": {"timezone"}}, 200},
	"POST /oxidized/nodes/conf_search.json": {"/oxidized/nodes/conf_search.json",
		url.Values{"search_in_conf_textbox": {"timezone"}}, 200},
	"GET /oxidized/reload":              {"/oxidized/reload", nil, 200},
	"GET /oxidized/reload.json":         {"/oxidized/reload.json", nil, 200},
	"GET /oxidized/node/next/{node...}": {"/oxidized/node/next/acme/fw1", nil, 405},
	"PUT /oxidized/node/next/{node...}": {"/oxidized/node/next/acme/fw1", nil, 405},
	"GET /oxidized/node/version.json":   {"/oxidized/node/version.json?node_full=fw1", nil, 200},
	"GET /oxidized/node/version/view.json": {"/oxidized/node/version/view.json?oid=B", nil,
		200},
	"GET /oxidized/node/version/view.text": {"/oxidized/node/version/view.text?oid=B", nil, 200},
	"GET /oxidized/nodes.json":             {"/oxidized/nodes.json", nil, 200},
	"GET /oxidized/node/version":           {"/oxidized/node/version?node_full=acme/fw1", nil, 200},
	"GET /oxidized/node/version/view":      {"/oxidized/node/version/view?oid=B", nil, 200},
	"GET /oxidized/node/version/diffs":     {"/oxidized/node/version/diffs?oid=B", nil, 200},
	"GET /oxidized/node/show/{node...}": {"/oxidized/node/show/acme/fw1?format=json",
		nil, 200},
	"GET /oxidized/node/fetch/{node...}": {"/oxidized/node/fetch/acme/fw1", nil, 200},
	"GET /api/v1/devices/{site}/{name}":  {"/api/v1/devices/acme/fw1", nil, 200},
	"GET /api/v1/devices/{site}/{name}/captures": {"/api/v1/devices/acme/fw1/captures",
		nil, 200},
}

func newcomer(name string) url.Values {
	return url.Values{"name": {name}, "role": {"viewer"}, "password": {"correct horse"}}
}

// TestRoles: each route is for its least role and those above it. What is refused changes nothing.
func TestRoles(t *testing.T) {
	routes := web.Routes()
	for pattern := range askedFor {
		if _, ok := routes[pattern]; !ok {
			t.Errorf("no route is %s", pattern)
		}
	}
	onEngines(t, func(t *testing.T, s *site) {
		first := s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		second := s.put(t, "acme", "fw1", gate("fw1", "26", "AAAAAAAA", "lan-out"))
		s.put(t, "globex", "fw2", gate("fw2", "04", "BBBBBBBB", "dmz"))
		s.put(t, "acme", "doomed", gate("doomed", "04", "BBBBBBBB", "dmz"))
		s.people(t, nil, second)
		numbers := strings.NewReplacer("@B", "@"+id(second), "/A", "/"+id(first),
			"/B", "/"+id(second),
			"..B", ".."+id(second), "=B", "="+id(second))
		roles := append([]store.Role{""}, store.Roles...)
		clients := map[store.Role]*http.Client{"": s.stranger(t)}
		for _, role := range store.Roles {
			clients[role] = s.browser(t, role, nil)
		}
		for _, c := range clients {
			c.CheckRedirect = func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			}
		}
		before := s.state(t)
		for pattern, least := range routes {
			ask, ok := askedFor[pattern]
			if !ok {
				t.Errorf("%s is not in the table of this test", pattern)
				continue
			}
			for _, role := range roles {
				if least == "" || role.Has(least) {
					continue
				}
				code, to, body := s.ask(t, clients[role], pattern, ask, numbers)
				want := http.StatusForbidden
				switch {
				case role == "" && (web.IsAPI(ask.path) || !strings.HasPrefix(pattern, "GET")):
					want = http.StatusUnauthorized
				case role == "":
					want = http.StatusSeeOther
				}
				if code != want || code == http.StatusSeeOther &&
					!strings.HasPrefix(to, "/login?next=%2F") {
					t.Errorf("%q, %s: %d %s %s", role, pattern, code, to, short(body))
				}
				if strings.Contains(body, "fortinet") && role == "" {
					t.Errorf("%s tells a stranger of a device: %s", pattern, short(body))
				}
			}
		}
		if after := s.state(t); after != before {
			t.Errorf("what was refused has changed\n%s\nto\n%s", before, after)
		}
		for pattern, ask := range askedFor {
			least := routes[pattern]
			c := clients[least]
			if pattern == "POST /logout" {
				c = s.browser(t, store.Viewer, nil)
				c.CheckRedirect = clients[""].CheckRedirect
			}
			if code, _, body := s.ask(t, c, pattern, ask, numbers); code != ask.code {
				t.Errorf("%q, %s: %d, want %d: %s", least, pattern, code, ask.code, short(body))
			}
		}
	})
}

// TestReadsChangeNothing: no GET and no HEAD of any address changes anything, and other methods
// are no way to a page that has none of them.
func TestReadsChangeNothing(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	second := s.put(t, "acme", "fw1", gate("fw1", "26", "AAAAAAAA", "lan-out"))
	s.people(t, nil, second)
	c := s.browser(t, store.Admin, nil)
	secret, sum := web.NewSecret()
	s.link(t, sum, store.Viewer)
	before, _, _ := strings.Cut(s.state(t), "\naudits")
	for pattern, ask := range askedFor {
		path := strings.NewReplacer("/A", "/"+id(second), "B", id(second)).Replace(ask.path)
		if strings.Contains(path, "/link/") {
			path = "/link/" + secret
		}
		if strings.Contains(path, "?") {
			path += "&" + ask.form.Encode()
		} else {
			path += "?" + ask.form.Encode()
		}
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if method == "DELETE" && (strings.HasPrefix(pattern, "DELETE") ||
				deletable[ask.path]) {
				continue
			}
			r, err := http.NewRequest(method, s.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			code, body := answer(t)(c.Do(r))
			if method != "GET" && method != "HEAD" && code != http.StatusNotFound &&
				code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d %s", method, path, code, body)
			}
		}
	}
	if after, _, _ := strings.Cut(s.state(t), "\naudits"); after != before {
		t.Errorf("what was read has changed\n%s\nto\n%s", before, after)
	}
	if code, _ := s.post(t, s.stranger(t), "/link/"+secret, nil); code != http.StatusOK {
		t.Errorf("the link was used up by looking at it: %d", code)
	}
}

// deletable are the addresses of what can be deleted.
var deletable = map[string]bool{"/api/v1/devices/acme/fw1": true}

// ask asks for a route as its row says.
func (s *site) ask(t testing.TB, c *http.Client, pattern string, ask asked,
	numbers *strings.Replacer) (code int, location, body string) {
	t.Helper()
	form := url.Values{}
	for name, values := range ask.form {
		for _, value := range values {
			form.Add(name, strings.TrimPrefix(numbers.Replace("="+value), "="))
		}
	}
	method, _, ok := strings.Cut(pattern, " ")
	if !ok {
		method = http.MethodGet
	}
	body, kind := form.Encode(), "application/x-www-form-urlencoded"
	if form.Has("json") {
		body, kind = numbers.Replace(form.Get("json")), "application/json"
	}
	r, err := http.NewRequest(method, s.URL+numbers.Replace(ask.path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", kind)
	}
	response, err := c.Do(r)
	code, body = answer(t)(response, err)
	return code, response.Header.Get("Location"), body
}

// people adds a user, a token and a publication that the tests' requests name.
func (s *site) people(t testing.TB, sites []string, published store.Stored) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	addUser(t, s, store.Person{Name: "ann", Role: store.Viewer, Sites: sites})
	_, sum := web.NewSecret()
	who := store.Person{Name: "there", Role: store.Viewer, Sites: sites}
	if err := s.store.AddToken(ctx, sum, store.Token{Person: who, Created: now}); err != nil {
		t.Fatal(err)
	}
	r, err := s.store.CaptureByID(ctx, published.ID)
	for _, name := range []string{"there", "here"} {
		if err == nil {
			err = s.store.Publish(ctx, store.Publication{Name: name, PublishedAt: now}, r)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// link keeps a link that logs in with a role.
func (s *site) link(t testing.TB, sum [sha256.Size]byte, role store.Role) {
	t.Helper()
	now := time.Now()
	err := s.store.AddLink(t.Context(), sum, store.Session{Person: store.Person{Name: "test",
		Role: role}, Created: now, Expires: now.Add(time.Minute), Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
}

// state is all that the page's actions may change.
func (s *site) state(t testing.TB) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	devices, err := s.store.Devices(ctx)
	text := fmt.Sprintf("devices %+v\n", devices)
	for _, d := range devices {
		aliases, e := s.store.Aliases(ctx, d)
		text += fmt.Sprintf("%s %q\n", d.Ref(), aliases)
		err = firstError(err, e)
	}
	log, e := s.store.Log(ctx, nil, 0)
	err = firstError(err, e)
	published, e := s.store.Published(ctx, time.Now())
	err = firstError(err, e)
	users, e := s.store.Users(ctx)
	err = firstError(err, e)
	tokens, e := s.store.Tokens(ctx)
	err = firstError(err, e)
	channels, e := s.store.Channels(ctx)
	err = firstError(err, e)
	audits, e := s.store.Audits(ctx, 0, 1000)
	if err = firstError(err, e); err != nil {
		t.Fatal(err)
	}
	for i := range audits {
		audits[i].Site = nil // an address that differs each time
	}
	return text + fmt.Sprintf("log %+v\npublished %+v\nusers %+v\ntokens %+v\nchannels %+v\n"+
		"audits %+v\n", log, published, users, tokens, channels, audits)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
