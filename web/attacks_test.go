package web_test

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// send asks with headers "Name: value"; one named Host is the request's.
func (s *site) send(t testing.TB, c *http.Client, method, path, body string,
	headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// TestCrossSite: what another site makes a browser send is refused, with a cookie, with a token
// that the browser keeps, and without a login. Programs that send no such header are not concerned.
func TestCrossSite(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	addUser(t, s, store.Person{Name: "ann", Role: store.Viewer})
	c := s.browser(t, store.Admin, nil)
	c.CheckRedirect = s.still(t).CheckRedirect
	secret, sum := web.NewSecret()
	err := s.store.AddToken(t.Context(), sum, store.Token{Person: store.Person{Name: "nms",
		Role: store.Admin}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("x", secret)
	basic := "Authorization: " + r.Header.Get("Authorization")
	for _, origin := range []string{"Origin: https://evil.example", "Origin: null",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Origin: " + strings.Replace(s.URL, "http:", "ftp:", 1) + "x"} {
		for _, path := range []string{"/users/remove", "/users", "/tokens", "/published",
			"/d/acme/fw1/forget", "/logout", "/login", "/link/x"} {
			for who, header := range map[string]string{"cookie": "X: y", "token": basic} {
				got := s.send(t, c, http.MethodPost, path, "name=ann", origin, header)
				if got.StatusCode != http.StatusForbidden {
					t.Errorf("%s by %s with %s: %s", path, who, origin, got.Status)
				}
			}
		}
	}
	for _, path := range []string{"/login", "/link/x"} {
		if got := s.send(t, s.still(t), http.MethodPost, path, "name=ann",
			"Sec-Fetch-Site: cross-site"); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s of a stranger: %s", path, got.Status)
		}
	}
	if _, _, err := s.store.User(t.Context(), "ann"); err != nil {
		t.Fatalf("a form of another site has removed a user: %v", err)
	}
	if got := s.send(t, c, http.MethodPost, "/users/remove", "name=ann", "Origin: "+s.URL,
		"Sec-Fetch-Site: same-origin"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the page's own form: %s", got.Status)
	}
	if got := s.send(t, s.still(t), http.MethodPost, "/tokens/remove", "name=nms",
		basic); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a program's own form: %s", got.Status)
	}
}

// TestHostHeader: a page of this machine answers to its own names alone: a name of another site
// that leads here would let that site read it.
func TestHostHeader(t *testing.T) {
	s := serve(t, engines["sqlite"](t), func(o *web.Options) {
		o.BaseURL = "http://tftpsql.example:8080"
	})
	c := s.still(t)
	for host, want := range map[string]int{"localhost": 303, "LOCALHOST:1": 303,
		"127.0.0.1": 303, "127.0.0.1:65535": 303, "127.9.9.9": 303, "[::1]": 303, "[::1]:80": 303,
		"[::ffff:127.0.0.1]": 303, "tftpsql.example:8080": 303, "tftpsql.example": 421,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"localhost.": 421, "127.0.0.1.": 421, "192.0.2.1": 421, "0.0.0.0": 421, "[::]": 421,
		"evil@localhost": 421, "localhost@evil.example": 421, "2130706433": 421, "127.1": 421,
		"0x7f.0.0.1": 421, "localhost:80:80": 421} {
		for _, path := range []string{"/devices", "/api/v1/devices", "/login", "/static/app.js"} {
			got := s.send(t, c, http.MethodGet, path, "", "Host: "+host)
			if code := got.StatusCode; code != want && (want != 303 || code == 421) {
				t.Errorf("%s of %q: %d, want %d", path, host, code, want)
			}
		}
	}
}

// TestForwarded: what a request says of its way counts if a proxy that is believed says it, and
// then only what the last one says that isn't believed.
func TestForwarded(t *testing.T) {
	for proxies, elsewhere := range map[string]bool{"127.0.0.0/8": false, "192.0.2.0/24": true} {
		s := serve(t, engines["sqlite"](t), func(o *web.Options) {
			o.Proxies = []netip.Prefix{netip.MustParsePrefix(proxies),
				netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("10.0.0.0/8")}
		})
		c := s.browser(t, store.Reader, nil)
		of := id(s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan")))
		for _, one := range []struct {
			headers []string
			source  string
		}{
			{nil, "127.0.0.1"},
			{[]string{"203.0.113.9"}, "203.0.113.9"},
			{[]string{"203.0.113.9, 10.1.1.1"}, "203.0.113.9"},
			{[]string{"198.51.100.1, 203.0.113.9, 10.1.1.1 , 10.2.2.2"}, "203.0.113.9"},
			{[]string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
			{[]string{"198.51.100.1", "10.1.1.1"}, "198.51.100.1"},
			{[]string{"2001:db8::7, 2001:db8:1::1"}, "2001:db8::7"},
			{[]string{"::ffff:203.0.113.9"}, "203.0.113.9"},
			{[]string{"fe80::1%eth0"}, "fe80::1"},
			{[]string{"garbage"}, "127.0.0.1"}, {[]string{""}, "127.0.0.1"},
			{[]string{"203.0.113.9, garbage, 10.1.1.1"}, "10.1.1.1"},
			{[]string{"<script>, 203.0.113.9:80"}, "127.0.0.1"},
		} {
			var headers []string
			for _, h := range one.headers {
				headers = append(headers, "X-Forwarded-For: "+h)
			}
			if elsewhere {
				one.source = "127.0.0.1"
			}
			s.send(t, c, http.MethodGet, "/c/"+of+"/raw", "", headers...)
			audits, err := s.store.Audits(t.Context(), 0, 1)
			if err != nil || len(audits) != 1 || audits[0].Source != one.source {
				t.Errorf("%s believed, %q: %v %v", proxies, one.headers, audits, err)
			}
		}
		got := s.send(t, c, http.MethodGet, "/login", "", "X-Forwarded-Proto: https")
		if hsts := got.Header.Get("Strict-Transport-Security"); (hsts == "") != elsewhere {
			t.Errorf("%s believed: HSTS %q", proxies, hsts)
		}
	}
}

// TestTwoUsers: a proxy that adds a name to the one that the browser sends names nobody.
func TestTwoUsers(t *testing.T) {
	s := serve(t, engines["sqlite"](t), byProxy("127.0.0.0/8"))
	addUser(t, s, store.Person{Name: "ann", Role: store.Admin})
	addUser(t, s, store.Person{Name: "bob", Role: store.Viewer})
	for _, names := range [][]string{{"ann", "bob"}, {"", "ann"}, {"ann", "ann"}} {
		got := s.send(t, s.still(t), http.MethodGet, "/users", "", "Remote-User: "+names[0],
			"Remote-User: "+names[1])
		if got.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %s", names, got.Status)
		}
	}
	got := s.send(t, s.still(t), http.MethodGet, "/users", "", "Remote-User: ann",
		"Authorization: Basic YW5uOnNlY3JldA==") // as nginx hands it on
	if got.StatusCode != http.StatusOK {
		t.Errorf("a proxy that asks for a password itself: %s", got.Status)
	}
}

// TestLocal: a login goes on to an address of this page, and to no other.
func TestLocal(t *testing.T) {
	for next, want := range map[string]string{"/devices?q=a%26b": "/devices?q=a%26b", "": "/",
		"//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/",
		"https://evil.example": "/", "https:evil.example": "/", "javascript:alert(1)": "/",
		"evil.example": "/", "/\t/evil.example": "/", "/\n/evil.example": "/",
		"\t//evil.example": "/", " //evil.example": "/", "/%zz": "/", "/a\r\nSet-Cookie: x=y": "/",
		"/%2f%2fevil.example": "/%2f%2fevil.example", "/%5cevil.example": "/%5cevil.example",
		"//user@evil.example/": "/", "/devices#x": "/devices", "/@evil.example": "/@evil.example"} {
		if got := web.Local(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
	s := serve(t, engines["sqlite"](t), nil)
	member(t, s, "ann", store.Viewer)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []string{"//evil.example", `/\evil.example`, "/%2f%2fevil.example",
		"/..//evil.example", "/./%2fevil.example", "https://evil.example",
		"/a/../..//evil.example"} {
		form := url.Values{"name": {"ann"}, "password": {"correct horse"}, "next": {next}}
		got := s.send(t, s.still(t), http.MethodPost, "/login", form.Encode())
		to, err := base.Parse(got.Header.Get("Location"))
		if err != nil || got.StatusCode != http.StatusSeeOther || to.Host != base.Host {
			t.Errorf("%q: %s to %s, %v", next, got.Status, to, err)
		}
	}
}

// TestHeaders: every answer tells the browser what it may do, whoever asks and whatever
// is answered.
func TestHeaders(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	of := id(s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan")))
	c := s.browser(t, store.Admin, nil)
	for _, path := range []string{"/", "/login", "/nowhere", "/c/" + of, "/c/" + of + "/raw",
		"/c/99", "/devices?format=csv", "/changes.atom", "/api/v1/devices", "/api/v1/captures/99",
		"/oxidized/nodes.json", "/api/v1/captures/" + of + "/config", "/static/none", "//x",
		"/search?q=x", "/users"} {
		for _, who := range []*http.Client{c, s.still(t)} {
			h := s.send(t, who, http.MethodGet, path, "").Header
			csp := h.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'",
				"base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'"} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s: no %s in %q", path, part, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") !=
				"no-store" || h.Get("Referrer-Policy") != "same-origin" ||
				h.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s: %v", path, h)
			}
		}
	}
}

// TestForms: forms that are too large, cut, or no text are refused with words, and never taken for
// forms without fields.
func TestForms(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		c := s.browser(t, store.Admin, nil)
		before := s.state(t)
		large := strings.Repeat("a", 70<<10)
		for name, one := range map[string]struct {
			path, body, kind string
			code             int
		}{
			"large":         {"/users", "name=x&password=" + large, "", 413},
			"large, chosen": {"/d/acme/fw1/expect", "every=1d&x=" + large, "", 413},
			"multipart": {"/users", "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n" +
				large + "\r\n--b--\r\n", "multipart/form-data; boundary=b", 413},
			"broken multipart": {"/users", "--b\r\nnonsense",
				"multipart/form-data; boundary=b", 400},
			"malformed":        {"/users", "name=%zz", "", 400},
			"no UTF-8":         {"/users", "name=%ff&role=viewer&password=0123456789", "", 400},
			"NUL in a name":    {"/users/remove", "name=a%00b", "", 400},
			"NUL in a query":   {"/devices?q=a%00b", "", "", 400},
			"no UTF-8 query":   {"/search?q=%c3%28", "", "", 400},
			"malformed query":  {"/devices?site=%zz", "", "", 400},
			"NUL in a path":    {"/d/acme/a%00b", "", "", 400},
			"no UTF-8 path":    {"/d/acme/%ff", "", "", 400},
			"number too large": {"/c/99999999999999999999", "", "", 404},
			"negative number":  {"/c/-1", "", "", 404},
			"half a pair":      {"/diff/1", "", "", 404},
			"a large address":  {"/search?q=" + strings.Repeat("a", 15<<10), "", "", 400},
			"a hostile pattern": {"/search?q=" + url.QueryEscape("((a{100}){100}){100}"), "", "",
				200},
		} {
			method := http.MethodPost
			if one.body == "" {
				method = http.MethodGet
			}
			kind := one.kind
			r, err := http.NewRequest(method, s.URL+one.path, strings.NewReader(one.body))
			if err != nil {
				t.Fatal(err)
			}
			if kind == "" {
				kind = "application/x-www-form-urlencoded"
			}
			if one.body != "" {
				r.Header.Set("Content-Type", kind)
			}
			if code, body := answer(t)(c.Do(r)); code != one.code {
				t.Errorf("%s: %d, want %d: %s", name, code, one.code, short(body))
			}
		}
		if after := s.state(t); after != before {
			t.Errorf("%s\nbecame\n%s", before, after)
		}
	})
}

// hostile are texts of a stranger's that a page, a terminal or a program could take for more.
var hostile = []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`,
	"' onmouseover='alert(1)", "{{.}}", "{{template \"page\"}}", "a\r\nSet-Cookie: x=y\r\n\r\n",
	"\x1b[2J\x1b]0;owned\x07", "\u202egpj.exe", "\u2028\u2029", "]]>", "<!--", "-->", "</title>",
	"=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(1)", "\t=1", "＝1", strings.Repeat("long", 60),
	"javascript:alert(1)", "\\", "%0d%0a", "&lt;b&gt;", "\u200b", "\ufeff"}

// TestHostile: names and lines of strangers stay what they are in every page and file: text.
func TestHostile(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		for _, text := range hostile {
			plain := strings.NewReplacer("\r", "", "\n", "").Replace(text)
			s.put(t, "site", text, gate("fw", "04", "AAAAAAAA", plain))
			s.put(t, text, "in-site", gate("fw", "04", "AAAAAAAA", plain+"2"))
		}
		c := s.browser(t, store.Admin, nil)
		paths := []string{"/", "/devices", "/changes", "/search?q=set+name",
			"/search?q=" + url.QueryEscape(hostile[0]), "/devices?q=" + url.QueryEscape(hostile[1]),
			"/login?next=" + url.QueryEscape(hostile[1]), "/go?name=" + url.QueryEscape(hostile[0]),
			"/nowhere" + url.PathEscape(hostile[0]), "/search?q=" + url.QueryEscape("("+hostile[1]),
			"/compare?a=" + url.QueryEscape(hostile[1]), "/audit", "/published",
			"/changes?since=" + url.QueryEscape(hostile[1])}
		_, list := s.get(t, c, "/devices")
		paths = append(paths, links(list, "/d/")...)
		for n := range 2 * len(hostile) {
			of := id(store.Stored{ID: int64(n + 1)})
			paths = append(paths, "/c/"+of, "/diff/0.."+of, "/c/"+of+"/blame")
			got := s.send(t, c, http.MethodGet, "/c/"+of+"/raw", "")
			kind, file, err := mime.ParseMediaType(got.Header.Get("Content-Disposition"))
			if err != nil || kind != "attachment" || strings.ContainsAny(file["filename"],
				"/\\\"'\r\n<>%") || got.Header.Get("Content-Type") != "application/octet-stream" ||
				got.Header.Get("Set-Cookie") != "" {
				t.Errorf("the download of @%s: %v, %v", of, got.Header, err)
			}
		}
		for _, path := range paths {
			r := s.send(t, c, http.MethodGet, path, "")
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			s.isTame(t, path, string(body))
		}
		s.filesAreTame(t, c)
	})
}

var hiddenValue = regexp.MustCompile(
	`<(input type="hidden" name="\w+"|option) value="[^"]*"[^>]*>`)

// isTame fails the test where a page holds what its templates have not written.
func (s *site) isTame(t testing.TB, path, body string) {
	t.Helper()
	for _, tag := range []string{"<script>", "<img", "onerror=alert(1)>", "' onmouseover='",
		"<!--", "ZgotmplZ", `href="javascript`} {
		if strings.Contains(body, tag) {
			t.Errorf("%s holds %q", path, tag)
		}
	}
	body = hiddenValue.ReplaceAllString(body, "") // what a form sends back is what it is
	if i := strings.IndexFunc(body, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\t' || r == utf8.RuneError
	}); i >= 0 {
		t.Errorf("%s holds %q", path, body[max(0, i-40):min(len(body), i+40)])
	}
	if n := strings.Count(body, "<title>"); n != 1 || strings.Count(body, "</title>") != 1 {
		t.Errorf("%s has %d titles", path, n)
	}
}

// filesAreTame checks what other programs read: CSV, Atom and JSON.
func (s *site) filesAreTame(t testing.TB, c *http.Client) {
	t.Helper()
	_, text := s.get(t, c, "/devices?format=csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2*len(hostile)+1 {
		t.Errorf("CSV: %d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && slices.Contains([]rune("=+-@\t\r\n＝"), []rune(cell)[0]) ||
				strings.ContainsAny(cell, "\x1b\r\n\u202e") {
				t.Errorf("a cell is %q", cell)
			}
		}
	}
	_, text = s.get(t, c, "/changes.atom")
	d := xml.NewDecoder(strings.NewReader(text))
	for err = error(nil); err == nil; {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) || strings.Contains(text, "\u202e") {
		t.Errorf("the feed: %v", err)
	}
	for _, path := range []string{"/api/v1/devices", "/api/v1/captures", "/oxidized/nodes.json",
		"/api/v1/search?q=name"} {
		var list []map[string]any
		_, text := s.get(t, c, path)
		if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) < len(hostile) {
			t.Errorf("%s: %d, %v", path, len(list), err)
		}
		r := s.send(t, c, http.MethodGet, path, "") // a tag is none in what is no page
		_ = r.Body.Close()
		if strings.ContainsAny(text, "\x1b\u202e") ||
			r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: an escape, or it may be taken for a page: %v", path, r.Header)
		}
	}
}
