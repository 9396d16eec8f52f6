package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// FuzzPage: whatever an admin asks, the page answers, and says 500 to nothing.
func FuzzPage(f *testing.F) {
	s := serve(f, engines["sqlite"](f), nil)
	s.put(f, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan"))
	s.put(f, "acme", "fw1", gate("fw1", "05", "AAAAAAAA", "lan"))
	secret, sum := web.NewSecret()
	if err := s.store.AddToken(f.Context(), sum, store.Token{Person: store.Person{Name: "x",
		Role: store.Admin}}); err != nil {
		f.Fatal(err)
	}
	p := web.New(web.Options{Store: func() *store.Store { return s.store }, On: true,
		Loopback: true, Trouble: func() string { return "" },
		Cure: func(string) string { return "" }, Log: slog.New(slog.DiscardHandler)})
	for pattern, ask := range askedFor {
		if strings.HasPrefix(pattern, "POST /alarms") {
			continue // they reach other machines
		}
		path, query, _ := strings.Cut(strings.NewReplacer("/A", "/1", "/B", "/2", "..B", "..2",
			"=B", "=2").Replace(ask.path), "?")
		f.Add(strings.HasPrefix(pattern, "POST"), path, query, ask.form.Encode())
	}
	f.Add(false, "/devices", "q=%00&site=-&state=torn&sort=-name&after=/x", "")
	f.Add(false, "/search", "q=(%3Fi)a{2}&fixed=1&history=1&os=%3C7", "")
	f.Add(false, "/changes", "since=2026-02-31&until=friday", "")
	f.Add(false, "/d/--/%2e%2e", "before=-1", "")
	f.Fuzz(func(t *testing.T, post bool, path, query, form string) {
		if post && strings.HasPrefix(path, "/alarms") {
			return
		}
		method, body := http.MethodGet, ""
		if post {
			method, body = http.MethodPost, form
		}
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.URL = &url.URL{Path: "/" + strings.TrimPrefix(path, "/"), RawQuery: query}
		r.Host, r.RequestURI = "localhost", ""
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusGatewayTimeout {
			t.Errorf("%s %s: %d %s", method, r.URL, w.Code, short(w.Body.String()))
		}
	})
}
