package web_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// TestProxyUser: a proxy that is believed names the user, whose role and sites are those of the
// table of users. No login is made of it.
func TestProxyUser(t *testing.T) {
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			s := serve(t, database(t), byProxy("127.0.0.0/8"))
			addUser(t, s, store.Person{Name: "ann", Role: store.Viewer, Sites: []string{"acme"}})
			s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
			s.put(t, "globex", "fw2", gate("fw2", "04", "BBBBBBBB", "dmz"))
			for _, c := range []struct {
				name, path string
				code       int
				want, not  string
			}{
				{"ann", "/devices", http.StatusOK, "acme/fw1", "fw2"},
				{"ann", "/users", http.StatusForbidden, "you are viewer", ""},
				{"ann", "/login?next=/devices", http.StatusSeeOther, "", ""},
				{"bob", "/devices", http.StatusForbidden, "tftpsql user add", "fw1"},
				{"ANN", "/devices", http.StatusForbidden, "tftpsql user add", "fw1"},
				{"", "/devices", http.StatusSeeOther, "", "fw1"},
			} {
				b := s.tab(t)
				r := b.named(t, http.MethodGet, c.path, c.name, nil)
				code, body := answer(t)(r, nil)
				if code != c.code || !strings.Contains(body, c.want) ||
					c.not != "" && strings.Contains(body, c.not) {
					t.Errorf("%q asks for %s: %d %s", c.name, c.path, code, body)
				}
				if cookies := r.Header.Values("Set-Cookie"); len(cookies) > 0 {
					t.Errorf("%q has the cookies %q", c.name, cookies)
				}
				if code, to, _ := b.open(t, s.URL+"/devices"); code != http.StatusSeeOther ||
					!strings.HasPrefix(to, "/login") {
					t.Errorf("%q is still known without the header: %d", c.name, code)
				}
			}
			if err := s.store.RemoveUser(context.WithoutCancel(t.Context()), "ann"); err != nil {
				t.Fatal(err)
			}
			r := s.tab(t).named(t, http.MethodGet, "/devices", "ann", nil)
			if code, _ := answer(t)(r, nil); code != http.StatusForbidden {
				t.Errorf("a user that was removed: %d", code)
			}
		})
	}
}

// TestProxyElsewhere: the header of an address that isn't believed says nothing.
func TestProxyElsewhere(t *testing.T) {
	for _, proxies := range []string{"192.0.2.0/24", ""} {
		s := serve(t, engines["sqlite"](t), byProxy(proxies))
		addUser(t, s, store.Person{Name: "ann", Role: store.Admin})
		for _, forwarded := range []string{"", "192.0.2.1"} {
			header := http.Header{"X-Forwarded-For": {forwarded}}
			r := s.tab(t).named(t, http.MethodGet, "/devices", "ann", header)
			if code, _ := answer(t)(r, nil); code != http.StatusSeeOther {
				t.Errorf("TRUSTED_PROXIES=%s, for %q: %d", proxies, forwarded, code)
			}
		}
	}
}

// TestProxyCrossSite: the proxy knows the user also when another site sends the form.
func TestProxyCrossSite(t *testing.T) {
	s := serve(t, engines["sqlite"](t), byProxy("127.0.0.0/8"))
	addUser(t, s, store.Person{Name: "ann", Role: store.Admin})
	for from, want := range map[string]int{"cross-site": http.StatusForbidden,
		"same-site": http.StatusForbidden, "same-origin": http.StatusNotFound} {
		r := s.tab(t).named(t, http.MethodPost, "/users/remove", "ann",
			http.Header{"Sec-Fetch-Site": {from}})
		if code, body := answer(t)(r, nil); code != want {
			t.Errorf("%s: %d, want %d: %s", from, code, want, body)
		}
	}
}

// byProxy has proxies name the user in Remote-User.
func byProxy(proxies string) func(*web.Options) {
	return func(o *web.Options) {
		o.UserHeader = "Remote-User"
		if proxies != "" {
			o.Proxies = []netip.Prefix{netip.MustParsePrefix(proxies)}
		}
	}
}

func addUser(t testing.TB, s *site, who store.Person) {
	t.Helper()
	u := store.User{Person: who, Created: time.Now()}
	if err := s.store.AddUser(context.WithoutCancel(t.Context()), u, ""); err != nil {
		t.Fatal(err)
	}
}

// named asks as a proxy that names a user.
func (b tab) named(t testing.TB, method, path, user string, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, b.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Remote-User", user)
	r, err := b.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
