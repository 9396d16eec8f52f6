package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// A program is a client with a token, as the password of Basic authentication.
type program struct {
	*site
	secret string
}

func (s *site) program(t testing.TB, role store.Role, sites []string) program {
	t.Helper()
	secret, sum := web.NewSecret()
	who := store.Person{Name: "by-" + secret[:8], Role: role, Sites: sites}
	err := s.store.AddToken(context.WithoutCancel(t.Context()), sum,
		store.Token{Person: who, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return program{s, secret}
}

// ask sends a request with a body of a type, and follows no redirect.
func (p program) ask(t testing.TB, method, path, kind, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if p.secret != "" {
		r.SetBasicAuth("any", p.secret)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	c := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	response, err := c.Do(r)
	_, text := answer(t)(response, err)
	return response, text
}

func (p program) get(t testing.TB, path string) (int, string) {
	t.Helper()
	r, body := p.ask(t, http.MethodGet, path, "", "")
	return r.StatusCode, body
}

// send sends an object.
func (p program) send(t testing.TB, method, path, object string) (int, string) {
	t.Helper()
	r, body := p.ask(t, method, path, "application/json", object)
	return r.StatusCode, body
}

// TestAPIActions: what an operator's program does is done, and stands in the audit.
func TestAPIActions(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		s.put(t, "acme", "fw1", gate("fw1", "26", "AAAAAAAA", "lan-out"))
		s.put(t, "acme", "old", gate("old", "04", "BBBBBBBB", "dmz"))
		p := s.program(t, store.Admin, nil)
		for _, step := range []struct {
			method, path, object string
			code                 int
			want                 string
		}{
			{"POST", "/devices/acme/fw1/expect", `{"every": "1d"}`, 200, `"allowed_s":86400,`},
			{"POST", "/devices/acme/fw1/expect", `{"every": "1s"}`, 400, "a minute at least"},
			{"POST", "/devices/acme/fw1/expect", `{"evry": "1d"}`, 400, `no field \"evry\"`},
			{"POST", "/devices/acme/fw1/expect", `{}`, 400, `needs the field \"every\"`},
			{"POST", "/devices/acme/fw1/expect", ``, 400, "send an object"},
			{"POST", "/devices/acme/fw1/expect", `{"every": "1d"} {}`, 400, "one object"},
			{"POST", "/devices/acme/fw1/expect", `{"every": 1}`, 400, "can't be read"},
			{"POST", "/devices/acme/fw1/explode", `{}`, 404, "/api/v1/devices"},
			{"POST", "/devices/acme/old/merge", `{"into": "acme/fw1"}`, 200, `"captures":3,`},
			{"POST", "/devices/acme/fw1/rename", `{"name": "@1"}`, 400, "is no name"},
			{"POST", "/devices/acme/fw1/rename", `{"name": "edge"}`, 200, `"name":"edge"`},
			{"POST", "/devices/acme/fw1/retire", `{}`, 200, `"retired":true`},
			{"POST", "/published", `{"ref": "acme/edge~1", "for": "2h", "once": true,
				"to": "192.0.2.1"}`, 201, `"fetch":"execute restore config tftp `},
			{"POST", "/published", `{"ref": "acme/edge", "for": "10y"}`, 400, "for how long?"},
			{"POST", "/published", `{"ref": "acme/none"}`, 404, "/api/v1/devices"},
			{"POST", "/published", `{"as": "x"}`, 400, "unknown field"},
			{"POST", "/published", `{}`, 400, "publish what?"},
			{"DELETE", "/published/none", "", 404, "/api/v1"},
			{"DELETE", "/devices/acme/fw1", "", 409, "another name of acme/edge"},
			{"DELETE", "/devices/acme/edge", "", 200, `{"forgotten":"acme/edge","captures":3}`},
			{"GET", "/devices/acme/edge", "", 404, `{"error":"nothing here`},
			{"PUT", "/devices/acme/edge", "{}", 405, "doesn't take PUT"},
			{"GET", "/captures?chnaged=1", "", 400, `no parameter is called \"chnaged\"`},
			{"GET", "/captures?changed=yes", "", 400, "changed is 1 or 0"},
			{"GET", "/captures?n=-1", "", 400, "n is how many"},
			{"GET", "/captures?since=never", "", 400, "is no time"},
			{"GET", "/captures?before=99", "", 404, "nothing here"},
			{"GET", "/devices?n=1&after=acme/none", "", 400, "begin anew"},
			{"GET", "/devices?state=odd", "", 400, "there are ok"},
			{"GET", "/search?q=(", "", 400, "fixed=1"},
			{"GET", "/search", "", 400, "q is a pattern"},
			{"GET", "/diff/1", "", 400, "which two?"},
			{"GET", "/nowhere", "", 404, `{"error":`},
		} {
			code, body := p.send(t, step.method, "/api/v1"+step.path, step.object)
			if code != step.code || !strings.Contains(body, step.want) {
				t.Errorf("%s %s %s: %d %s", step.method, step.path, step.object, code, body)
			}
			var object struct{ Error string }
			if err := json.Unmarshal([]byte(body), &object); err != nil ||
				(object.Error != "") != (code >= 400) {
				t.Errorf("%s %s: %v in %s", step.method, step.path, err, body)
			}
		}
		r, body := p.ask(t, "POST", "/api/v1/published", "application/x-www-form-urlencoded",
			"ref=acme/edge")
		if r.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(body, "--json") {
			t.Errorf("a form: %d %s", r.StatusCode, body)
		}
		_, audit := s.get(t, s.browser(t, store.Admin, nil), "/audit")
		for _, want := range []string{"publish", "expect", "merge", "rename", "retire", "forget"} {
			if n := strings.Count(audit, "<td>"+want+"</td>"); n != 1 {
				t.Errorf("the audit has %q %d times", want, n)
			}
		}
	})
}

// TestAPIPublished: what is published is listed, fetched by nobody of another site, and ended.
func TestAPIPublished(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		acme, globex := s.program(t, store.Operator, []string{"acme"}), s.program(t,
			store.Operator, []string{"globex"})
		_, body := acme.send(t, "POST", "/api/v1/published", `{"ref": "fw1"}`)
		var made struct{ Name, Description string }
		if err := json.Unmarshal([]byte(body), &made); err != nil || made.Name == "" {
			t.Fatal(err, body)
		}
		if code, body := globex.get(t, "/api/v1/published"); code != 200 ||
			strings.TrimSpace(body) != "[]" {
			t.Errorf("globex sees %d %s", code, body)
		}
		path := "/api/v1/published/" + made.Name
		if code, body := globex.send(t, "DELETE", path, ""); code != http.StatusNotFound {
			t.Errorf("globex ends it: %d %s", code, body)
		}
		if code, body := globex.send(t, "POST", "/api/v1/published",
			`{"ref": "acme/fw1"}`); code != http.StatusNotFound {
			t.Errorf("globex publishes it: %d %s", code, body)
		}
		if code, body := acme.send(t, "DELETE", path, ""); code != http.StatusOK ||
			!strings.Contains(body, made.Name) {
			t.Errorf("acme ends it: %d %s", code, body)
		}
		if code, body := acme.send(t, "DELETE", path, ""); code != http.StatusNotFound {
			t.Errorf("twice: %d %s", code, body)
		}
	})
}

// TestGo: a link by an address in any spelling, or by a name in any case, leads to the device;
// where several devices are meant it leads to the list.
func TestGo(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.from = "2001:db8::7"
		s.put(t, "acme", "FW1", gate("FW1", "04", "AAAAAAAA", "lan"))
		s.from = "192.0.2.8"
		s.put(t, "acme", "sw 1/x", gate("sw", "04", "AAAAAAAA", "lan"))
		s.put(t, "globex", "sw2", gate("sw2", "04", "AAAAAAAA", "lan"))
		s.from = "192.0.2.9"
		s.put(t, "globex", "twin", gate("twin", "04", "AAAAAAAA", "lan"))
		s.from = "192.0.2.10"
		s.put(t, "", "bare", gate("bare", "05", "AAAAAAAA", "lan"))
		s.from = "192.0.2.11"
		s.put(t, "acme", "twin", gate("twin", "04", "AAAAAAAA", "lan"))
		p := s.program(t, store.Operator, nil)
		for _, name := range []string{"acme/FW1", "globex/sw2"} {
			if code, body := p.send(t, "POST", "/api/v1/devices/"+name+"/rename",
				`{"name": "new`+name[:1]+`"}`); code != 200 {
				t.Fatal(body)
			}
		}
		for path, want := range map[string]string{
			"ip=2001:db8::7":                        "/d/acme/newa",
			"ip=2001:0DB8:0:0:0:0:0:7":              "/d/acme/newa",
			"ip=%5B2001:db8::7%5D":                  "/d/acme/newa",
			"ip=192.0.2.10":                         "/d/-/bare",
			"ip=::ffff:192.0.2.10":                  "/d/-/bare",
			"ip=::ffff:c000:20a":                    "/d/-/bare",
			"ip=192.0.2.8":                          "/devices?q=192.0.2.8",
			"ip=::ffff:192.0.2.8":                   "/devices?q=192.0.2.8",
			"name=newa":                             "/d/acme/newa",
			"name=FW1":                              "/d/acme/newa",
			"name=NEWA":                             "/d/acme/newa",
			"name=acme/NEWA":                        "/d/acme/newa",
			"name=acme/FW1":                         "/d/acme/newa",
			"name=2001:db8::7":                      "/d/acme/newa",
			"name=sw2":                              "/d/globex/newg",
			"name=" + url.QueryEscape("sw 1/x"):     "/d/acme/sw%201%2Fx",
			"name=twin":                             "/devices?q=twin",
			"name=bare":                             "/d/-/bare",
			"ip=192.0.2.99":                         "404",
			"name=none":                             "404",
			"ip=none":                               "400",
			"":                                      "400",
			"ip=" + url.QueryEscape("fe80::1%eth0"): "404",
		} {
			r, body := p.ask(t, http.MethodGet, "/go?"+path, "", "")
			got := r.Header.Get("Location")
			if r.StatusCode != http.StatusSeeOther {
				got = r.Status[:3]
			}
			if got != want {
				t.Errorf("%s: %s, want %s: %s", path, got, want, short(body))
			}
		}
		for _, path := range []string{"/go?name=newa", "/devices?format=csv", "/changes.atom"} {
			wrong := program{s, "wrong"}
			r, _ := wrong.ask(t, http.MethodGet, path, "", "")
			if r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with a wrong token: %s", path, r.Status)
			}
			if r, body := p.ask(t, http.MethodGet, path, "", ""); r.StatusCode >= 400 {
				t.Errorf("%s with a token: %s %s", path, r.Status, body)
			}
		}
	})
}
