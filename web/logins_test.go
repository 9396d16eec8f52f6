package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// member adds a user with a password.
func member(t testing.TB, s *site, name string, role store.Role) {
	t.Helper()
	err := s.store.AddUser(t.Context(), store.User{Person: store.Person{Name: name, Role: role},
		Created: time.Now()}, web.HashPassword("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
}

// still returns a stranger that follows no redirect.
func (s *site) still(t testing.TB) *http.Client {
	c := s.stranger(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return c
}

func (s *site) login(t testing.TB, c *http.Client, name, password string) int {
	t.Helper()
	code, _ := s.post(t, c, "/login", url.Values{"name": {name}, "password": {password}})
	return code
}

// cookieOf returns the cookie of a login.
func (s *site) cookieOf(t testing.TB, c *http.Client) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(u) {
		return cookie.Value
	}
	return ""
}

// withCookie asks with a cookie of a login.
func (s *site) withCookie(t testing.TB, value, path string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "tftpsql", Value: value})
	code, _ := answer(t)(s.still(t).Do(r))
	return code
}

// TestLoginEnds: a login is another one than the cookie that came with it, and ends on the server:
// at logout, and with the user, the password and the role that it was made for.
func TestLoginEnds(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		ctx := t.Context()
		member(t, s, "ann", store.Admin)
		c := s.still(t)
		u, _ := url.Parse(s.URL)
		c.Jar.SetCookies(u, []*http.Cookie{{Name: "tftpsql", Value: "chosen"}})
		if code := s.login(t, c, "ann", "correct horse"); code != http.StatusSeeOther {
			t.Fatalf("the login: %d", code)
		}
		first := s.cookieOf(t, c)
		if first == "chosen" || len(first) < 43 || s.withCookie(t, "chosen", "/users") != 303 {
			t.Errorf("the cookie is %q", first)
		}
		if code := s.login(t, c, "ann", "correct horse"); code != http.StatusSeeOther ||
			s.cookieOf(t, c) == first || s.withCookie(t, first, "/users") != 303 {
			t.Errorf("after another login of the same browser the one before is there: %d", code)
		}
		last := s.cookieOf(t, c)
		if code := s.withCookie(t, last, "/users"); code != http.StatusOK {
			t.Errorf("the login: %d", code)
		}
		if code, _ := s.post(t, c, "/logout", nil); code != 303 || s.cookieOf(t, c) != "" ||
			s.withCookie(t, last, "/users") != 303 {
			t.Errorf("after the logout the login is there: %d", code)
		}
		for what, change := range map[string]func() error{
			"another password": func() error {
				return s.store.SetPassword(ctx, "ann", web.HashPassword("correct horse"))
			},
			"no user": func() error { return s.store.RemoveUser(ctx, "ann") },
			"less of a role": func() error {
				if err := s.store.RemoveUser(ctx, "ann"); err != nil {
					return err
				}
				member(t, s, "ann", store.Viewer)
				return nil
			},
		} {
			_ = s.store.RemoveUser(ctx, "ann") // who may not be there
			member(t, s, "ann", store.Admin)
			if code := s.login(t, c, "ann", "correct horse"); code != http.StatusSeeOther {
				t.Fatalf("%s: the login before: %d", what, code)
			}
			cookie := s.cookieOf(t, c)
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if code := s.withCookie(t, cookie, "/users"); code == http.StatusOK {
				t.Errorf("%s: the login goes on", what)
			}
		}
	})
}

// TestLoginTimes: a login ends when it isn't used for twelve hours, and after its time; so do links
// and tokens.
func TestLoginTimes(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		ctx, now := t.Context(), time.Now()
		who := store.Person{Name: "x", Role: store.Viewer}
		for name, one := range map[string]struct {
			made, ends time.Time
			code       int
		}{
			"used 11 h ago": {now.Add(-11 * time.Hour), now.Add(time.Hour), 200},
			"used 13 h ago": {now.Add(-13 * time.Hour), now.Add(time.Hour), 303},
			"at its end":    {now.Add(-time.Hour), now.Add(-time.Second), 303},
		} {
			secret, sum := web.NewSecret()
			if err := s.store.AddSession(ctx, sum, store.Session{Person: who, Created: one.made,
				Expires: one.ends}); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the first look makes it one that was used now
				if code := s.withCookie(t, secret, "/devices"); code != one.code {
					t.Errorf("a login %s: %d, want %d", name, code, one.code)
				}
			}
		}
		secret, sum := web.NewSecret()
		err := s.store.AddLink(ctx, sum, store.Session{Person: who,
			Created: now.Add(-web.LinkLasts - time.Second), Expires: now.Add(-time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := s.post(t, s.still(t), "/link/"+secret, nil); code != 403 {
			t.Errorf("a link that is too old: %d", code)
		}
		if code := s.withCookie(t, secret, "/devices"); code != 303 {
			t.Errorf("a link as a cookie: %d", code)
		}
		for left, want := range map[time.Duration]int{time.Hour: 200, -time.Second: 401} {
			secret, sum := web.NewSecret()
			who.Name = fmt.Sprint(left)
			if err := s.store.AddToken(ctx, sum, store.Token{Person: who, Created: now,
				Expires: now.Add(left)}); err != nil {
				t.Fatal(err)
			}
			if code, _ := s.byToken(t, secret, "/api/v1/me"); code != want {
				t.Errorf("a token with %s left: %d", left, code)
			}
		}
	})
}

func (s *site) byToken(t testing.TB, secret, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	return answer(t)(s.still(t).Do(r))
}

// TestLateLogin: a login by a password that was changed, or of a user who was removed, while it was
// looked at is none.
func TestLateLogin(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		ctx := t.Context()
		for what, change := range map[string]func() error{
			"changed": func() error {
				return s.store.SetPassword(ctx, "ann", web.HashPassword("battery staple"))
			},
			"removed": func() error { return s.store.RemoveUser(ctx, "ann") },
		} {
			member(t, s, "ann", store.Admin)
			u, proof, err := s.store.User(ctx, "ann")
			if err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Fatal(err)
			}
			secret, sum := web.NewSecret()
			err = s.store.AddSession(ctx, sum, store.Session{Person: u.Person, User: "ann",
				Proof: proof, Created: time.Now(), Expires: time.Now().Add(time.Hour)})
			if store.ClassOf(err) != store.NotFound {
				t.Errorf("%s: %v", what, err)
			}
			if code := s.withCookie(t, secret, "/devices"); code != http.StatusSeeOther {
				t.Errorf("%s: the login is one: %d", what, code)
			}
			_ = s.store.RemoveUser(ctx, "ann") // who may be gone
		}
	})
}

// TestReadOnlyLogin: while the database takes no writes a login that was made before still reads.
func TestReadOnlyLogin(t *testing.T) {
	database := engines["postgresql"](t)
	s := serve(t, database, nil)
	s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan"))
	secret, sum := web.NewSecret()
	now := time.Now()
	err := s.store.AddSession(t.Context(), sum, store.Session{Person: store.Person{Name: "x",
		Role: store.Viewer}, Created: now.Add(-time.Hour), Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	sign := "?"
	if strings.Contains(database, "?") {
		sign = "&"
	}
	reading, err := store.Open(database+sign+"default_transaction_read_only=on", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := reading.Close(); err != nil {
			t.Error(err)
		}
	}()
	if code := page(t, reading, nil).withCookie(t, secret, "/devices"); code != http.StatusOK {
		t.Errorf("%d", code)
	}
}

// TestGuessing: a source gets ten wrong answers looked at, whatever it does at once, and makes
// nobody else wait. What is right by itself is never refused.
func TestGuessing(t *testing.T) {
	var mu sync.Mutex // guards codes
	codes := map[int]int{}
	s := serve(t, engines["sqlite"](t), byProxy("127.0.0.0/8"))
	member(t, s, "ann", store.Viewer)
	guess := func(source, name, password string) int {
		form := url.Values{"name": {name}, "password": {password}}
		r, err := http.NewRequest(http.MethodPost, s.URL+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Error(err)
			return 0
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", source)
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return 0
		}
		response.Body.Close()
		return response.StatusCode
	}
	release := web.Hold() // nothing is computed until all have asked
	var all sync.WaitGroup
	asked := make(chan struct{}, 200)
	for i := range 200 {
		all.Go(func() {
			code := guess("192.0.2.1", fmt.Sprintf("name%d", i%3), "wrong password")
			mu.Lock()
			codes[code]++
			mu.Unlock()
			asked <- struct{}{}
		})
	}
	for range 190 { // those that are refused need no computing
		<-asked
	}
	release()
	all.Wait()
	if codes[http.StatusUnauthorized] != 10 || codes[http.StatusTooManyRequests] != 190 {
		t.Errorf("200 at once were answered %v", codes)
	}
	if code := guess("192.0.2.1", "ann", "correct horse"); code != 429 {
		t.Errorf("the right password after ten guesses: %d", code)
	}
	if code := guess("192.0.2.2", "ann", "correct horse"); code != 303 {
		t.Errorf("the same name from elsewhere: %d", code)
	}
	for i := range 10 {
		guess(fmt.Sprintf("2001:db8::%x", i), "ann", "wrong password")
	}
	for source, want := range map[string]int{"2001:db8::ffff:1": 429, "2001:db8:0:1::1": 401} {
		if code := guess(source, "ann", "wrong password"); code != want {
			t.Errorf("from %s: %d, want %d", source, code, want)
		}
	}
}

// TestUnknownName: a name that is not there costs as much computing as one that is.
func TestUnknownName(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	member(t, s, "ann", store.Viewer)
	addUser(t, s, store.Person{Name: "nopassword", Role: store.Viewer})
	for _, name := range []string{"ann", "nobody", "nopassword", ""} {
		release := web.Hold()
		done := make(chan int, 1)
		go func() { done <- s.login(t, s.still(t), name, "wrong password") }()
		select {
		case code := <-done:
			t.Errorf("%q was answered %d without computing", name, code)
		case <-time.After(300 * time.Millisecond):
		}
		release()
		if code := <-done; code != http.StatusUnauthorized {
			t.Errorf("%q: %d", name, code)
		}
	}
}

// TestRightToken: a token and a link that are right are taken whatever others guess from the same
// address; wrong ones are refused after ten.
func TestRightToken(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	secret, sum := web.NewSecret()
	err := s.store.AddToken(context.WithoutCancel(t.Context()), sum, store.Token{
		Person: store.Person{Name: "nms", Role: store.Viewer}, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	link, linkSum := web.NewSecret()
	s.link(t, linkSum, store.Viewer)
	for i := range 12 {
		want := http.StatusUnauthorized
		if i >= 10 {
			want = http.StatusTooManyRequests
		}
		if code, _ := s.byToken(t, "wrong", "/api/v1/me"); code != want {
			t.Errorf("wrong token %d: %d", i, code)
		}
		if want == http.StatusUnauthorized {
			want = http.StatusForbidden
		}
		if code, _ := s.post(t, s.still(t), "/link/wrong", nil); code != want {
			t.Errorf("wrong link %d: %d", i, code)
		}
	}
	if code, _ := s.byToken(t, secret, "/api/v1/me"); code != http.StatusOK {
		t.Errorf("the right token: %d", code)
	}
	if code, _ := s.post(t, s.still(t), "/link/"+link, nil); code != http.StatusSeeOther {
		t.Errorf("the right link: %d", code)
	}
}

// TestAttemptsKept: what is remembered of guesses is bounded, and who guesses can't be forgotten by
// guessing more.
func TestAttemptsKept(t *testing.T) {
	p := web.New(web.Options{})
	now := time.Now()
	for range 11 {
		p.Wrong("source", "192.0.2.1", now)
	}
	for i := range 30_000 {
		p.Wrong("source", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
	}
	if n := p.SourceKeys(); n > 10_000 {
		t.Errorf("%d are remembered", n)
	}
	if !p.Wrong("source", "192.0.2.1", now) {
		t.Error("a source that has used up its attempts was forgotten")
	}
	if p.Wrong("source", "192.0.2.1", now.Add(time.Hour)) {
		t.Error("a source is refused for ever")
	}
}
