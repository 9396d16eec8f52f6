package web_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	browserlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// theBrowser is one browser for all tests of this package.
var theBrowser = sync.OnceValues(func() (context.Context, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox,
		chromedp.ExecPath(program), chromedp.WindowSize(1280, 900))
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator) // ends with the tests
	return ctx, chromedp.Do(ctx)
})

// missing skips a test for want of a program, or fails it in CI.
func missing(t *testing.T, why any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// A window is one of the browser, with logins of its own.
type window struct {
	t    *testing.T
	ctx  context.Context
	site *site

	mu     sync.Mutex // guards what follows
	errors []string   // what the console and the policy have reported
}

// patience bounds each step in the browser.
const patience = 20 * time.Second

// newWindow opens a window without a login.
func newWindow(t *testing.T, s *site) *window {
	t.Helper()
	browser, err := theBrowser()
	if err != nil {
		missing(t, err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &window{t: t, ctx: ctx, site: s}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	return b
}

// heard notes errors of a page.
func (b *window) heard(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text + " " + e.ExceptionDetails.URL
	case *browserlog.EventEntryAdded:
		if e.Entry.Level == browserlog.EntryLevelError {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if text != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.errors = append(b.errors, text)
	}
}

// clean reports what was heard since it was called last.
func (b *window) clean(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.errors {
		b.t.Errorf("%s: the browser reports: %s", where, text)
	}
	b.errors = nil
}

func (b *window) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *window) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site.URL + path))
}

// until waits until an expression is true.
func (b *window) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for ctx.Err() == nil { // a poll doesn't survive a new page
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		if err == nil {
			return
		}
	}
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	b.t.Fatalf("never true: %s\n%s", expression, text)
}

// is fails unless an expression is true now.
func (b *window) is(expression string) {
	b.t.Helper()
	ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
	if err != nil || !ok {
		b.t.Errorf("not true: %s (%v)", expression, err)
	}
}

func (b *window) click(css string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(css)))
}

func (b *window) keys(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// shows is an expression: the page shows a text.
func shows(text string) string {
	return fmt.Sprintf("document.body && document.body.innerText.includes(%q)", text)
}

// login opens the page by a link of a role.
func (b *window) login(role store.Role, sites []string) {
	b.t.Helper()
	secret, sum := web.NewSecret()
	now := time.Now()
	err := b.site.store.AddLink(b.t.Context(), sum, store.Session{
		Person:  store.Person{Name: "test", Role: role, Sites: sites},
		Created: now, Expires: now.Add(time.Minute), Source: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.open("/link/" + secret) // the script sends the form
	b.until(shows("Overview"))
}

// fleet is a page with a few devices, and the captures of one of them.
func fleet(t *testing.T) (s *site, first, second store.Stored) {
	t.Helper()
	s = serve(t, engines["sqlite"](t), nil)
	first = s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
	second = s.put(t, "acme", "fw1", gate("fw1", "26", "BBBBBBBB", "lan-out"))
	for i := range 30 {
		s.put(t, "globex", fmt.Sprintf("sw%02d", i), gate(fmt.Sprintf("sw%02d", i), "04",
			"CCCCCCCC", fmt.Sprintf("policy-%d", i)))
	}
	return s, first, second
}

// TestBrowser is what an engineer does with a mouse and keys, in a real browser.
func TestBrowser(t *testing.T) {
	s, first, second := fleet(t)
	b := newWindow(t, s)
	b.login(store.Admin, nil)

	b.open("/devices") // filter while typing, without a new page
	b.do(chromedp.Evaluate[chromedp.Void](`window.same = true`))
	b.do(chromedp.SendKeys(chromedp.CSS(`input[data-filter]`), "sw07"))
	b.until(`document.querySelectorAll("#rows tbody tr").length === 1`)
	b.is(`window.same === true && location.search.includes("q=sw07")`)
	b.is(shows("globex/sw07"))

	b.open("/devices?q=sw0") // sort
	b.click(`thead th:first-child a`)
	b.until(`document.querySelector("th[aria-sort=descending]") !== null`)
	b.is(`document.querySelector("tbody th").innerText === "globex/sw09"`)

	b.open("/d/acme/fw1") // from the timeline to two columns
	b.click(`tbody tr:first-child td:nth-child(2) a`)
	b.until(`location.pathname === "/diff/` + id(first) + ".." + id(second) + `"`)
	b.is(`[...document.querySelectorAll("mark")].map(e => e.innerText).join() === "04,26"`)
	b.click(`.links a`)
	b.until(`document.querySelector("table.split") !== null`)
	b.is(`document.querySelectorAll("table.split col").length === 6`)
	b.is(`document.documentElement.scrollWidth <= innerWidth`)

	b.open("/search?q=timezone+26") // from a search to the line
	b.click(`.hit a`)
	b.until(`location.pathname === "/c/` + id(second) + `" && location.hash === "#L4"`)
	b.is(`document.querySelector(":target").innerText.includes("set timezone 26")`)

	b.open("/c/" + id(second) + "/blame") // since when
	b.is(`document.querySelectorAll("tbody[class^=age]").length === 3`)
	b.click(`a.earlier`)
	b.until(`location.pathname === "/c/` + id(first) + `/blame"`)

	b.open("/c/" + id(second)) // publish, and what to type
	b.click(`form.inline button`)
	b.until(shows("execute restore config tftp"))
	b.clean("the way of an engineer")
}

// TestBrowserKeys: everything can be done without a mouse.
func TestBrowserKeys(t *testing.T) {
	s, first, second := fleet(t)
	b := newWindow(t, s)
	b.login(store.Viewer, nil)
	b.open("/devices")
	b.keys("j", "j")
	b.until(`document.querySelectorAll("tr.here").length === 1 &&
		document.activeElement.closest("tr") === document.querySelectorAll("tbody tr")[1]`)
	b.keys("k", kb.Enter)
	b.until(`location.pathname === "/d/acme/fw1"`)
	b.keys("/")
	b.until(`document.activeElement.id === "find"`)
	b.keys("timezone", kb.Enter)
	b.until(`location.pathname === "/search"`)
	b.open("/diff/" + id(first) + ".." + id(second))
	b.keys("n")
	b.until(`document.activeElement.closest("[data-hunk]") !== null`)
	b.keys("?")
	b.until(`document.querySelector("#help").open`)
	b.keys(kb.Escape)
	b.until(`!document.querySelector("#help").open`)
	b.open("/devices")
	b.keys(kb.Tab)
	b.is(`document.activeElement.className === "skip"`)
	b.keys(kb.Enter)
	b.until(`location.hash === "#main"`)
	b.clean("keys")
}

// TestBrowserPlain: the page works without JavaScript.
func TestBrowserPlain(t *testing.T) {
	s, first, second := fleet(t)
	err := s.store.AddUser(t.Context(), store.User{Person: store.Person{Name: "ann",
		Role: store.Operator}, Created: time.Now()}, web.HashPassword("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	b := newWindow(t, s)
	b.open("/devices") // it asks for a login, and leads there then
	_, err = chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		t.Fatal(err)
	}
	visible := func(css string) { t.Helper(); b.do(chromedp.WaitVisible(chromedp.CSS(css))) }
	b.open("/devices")
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "ann"),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), "correct horse"),
		chromedp.Click(chromedp.CSS(`.card button`)))
	visible(`#rows`)
	b.do(chromedp.SendKeys(chromedp.CSS(`input[data-filter]`), "fw1"),
		chromedp.Click(chromedp.CSS(`form.filter button`)))
	visible(`a[href*="q=fw1"]`)
	b.open("/diff/" + id(first) + ".." + id(second))
	visible(`mark`)
	b.open("/c/" + id(second))
	b.click(`form.inline button`)
	visible(`#type`)
	b.click(`.who button`) // log out
	visible(`input[name=password]`)
}

// everyPage are addresses of all pages of a fleet.
func everyPage(first, second store.Stored) []string {
	a, b := id(first), id(second)
	return []string{"/", "/devices", "/d/acme/fw1", "/c/" + b, "/c/" + b + "?reveal=1",
		"/c/" + b + "/blame", "/diff/" + a + ".." + b, "/diff/" + a + ".." + b + "?view=split",
		"/diff/0.." + a, "/compare", "/compare?a=acme/fw1&b=globex/sw01&view=split", "/search",
		"/search?q=timezone", "/search?q=(", "/changes", "/failures", "/published", "/audit",
		"/alarms", "/users", "/tokens"}
}

// TestBrowserPages: no page of any role makes the browser report an error or breach the policy, is
// wider than a phone, or fails an audit of accessibility, in light and dark.
func TestBrowserPages(t *testing.T) {
	axe, err := os.ReadFile(filepath.Join("..", ".deps", "axe", "axe.min.js"))
	if err != nil {
		t.Log("accessibility is not audited: make deps fetches axe:", err)
	}
	s, first, second := fleet(t)
	for _, theme := range []string{"light", "dark"} {
		b := newWindow(t, s)
		b.login(store.Admin, nil)
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range everyPage(first, second) {
			b.open(path)
			b.clean(theme + " " + path)
			rules := ""
			if theme == "dark" {
				rules = `{runOnly: ["color-contrast"]}` // all else is as in light
			}
			b.audit(string(axe), rules, theme+" "+path)
			b.do(chromedp.EmulateViewport(390, 800))
			b.is(`document.documentElement.scrollWidth <= 390 ||
				"wider than a phone: ` + path + `" === ""`)
			b.do(chromedp.EmulateViewport(1280, 900))
		}
	}
	for _, role := range []store.Role{store.Viewer, store.Reader, store.Operator} {
		b := newWindow(t, s)
		b.login(role, []string{"acme"})
		for _, path := range []string{"/", "/devices", "/d/acme/fw1", "/c/" + id(second),
			"/diff/" + id(first) + ".." + id(second), "/search?q=timezone", "/changes"} {
			b.open(path)
			b.clean(string(role) + " " + path)
		}
	}
}

// audit runs axe on a page, with all rules or some. It isn't the page's own code, so it runs beside
// its policy.
func (b *window) audit(axe, rules, where string) {
	b.t.Helper()
	if axe == "" {
		return
	}
	b.do(chromedp.Evaluate[chromedp.Void](axe))
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](
		`axe.run(`+rules+`).then(r => r.passes.length === 0 ? ["nothing was looked at"] :
			r.violations.map(v => v.id + ": " + v.help + ": " +
			v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(" | ")))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", where, err)
	}
	for _, text := range found {
		b.t.Errorf("%s: %s", where, text)
	}
}

// TestBrowserHostile: what a stranger has named is shown as text, and a script in a page with our
// policy doesn't run.
func TestBrowserHostile(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	const name = `<script>document.title="owned"</script><img src=x onerror=document.title="owned">`
	stored := s.put(t, `acme"><script>`, name, gate(name, "04", "AAAA", `"><svg onload=alert(1)>`))
	b := newWindow(t, s)
	b.login(store.Admin, nil)
	for _, path := range []string{"/", "/devices", "/changes", "/c/" + id(stored),
		"/c/" + id(stored) + "/blame", "/diff/0.." + id(stored), "/search?q=svg",
		"/d/" + url.PathEscape(`acme"><script>`) + "/" + url.PathEscape(name)} {
		b.open(path)
		b.is(`document.title !== "owned" &&
			document.querySelector("main script, main svg, main img") === null`)
		b.clean(path)
	}
	b.open("/devices")
	b.do(chromedp.Evaluate[chromedp.Void](`(() => {
		const s = document.createElement("script");
		try { s.text = "window.ran = true"; document.body.append(s) }
		catch (e) { window.caught = e.name }
	})()`))
	b.is(`window.ran === undefined`)
}
