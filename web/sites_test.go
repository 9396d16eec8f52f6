package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

// mark stands in everything that a person of acme must not see.
const mark = "globex"

// two is a page of two sites, of which one is a stranger's, and of devices without one.
type two struct {
	*site
	own, ownNew, other, otherNew, bare store.Stored
	uid                                string // of other
}

func twoSites(t testing.TB, s *site) two {
	t.Helper()
	w := two{site: s}
	s.from = "192.0.2.8"
	w.own = s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan"))
	w.ownNew = s.put(t, "acme", "fw1", gate("fw1", "05", "AAAAAAAA", "lan"))
	s.from = "192.0.2.7" // of all others, and of one device of acme
	s.put(t, "acme", "nat", gate("nat", "04", "CCCCCCCC", "lan"))
	w.other = s.put(t, mark, "fw-globex", gate("fw-globex", "04", "BBBBBBBB", "in-globex"))
	w.otherNew = s.put(t, mark, "fw-globex", gate("fw-globex", "05", "BBBBBBBB", "in-globex"))
	w.bare = s.put(t, "", "bare-globex", gate("bare-globex", "04", "DDDDDDDD", "in-globex"))
	ctx, now := t.Context(), time.Now()
	addUser(t, s, store.Person{Name: "ann", Role: store.Viewer, Sites: []string{"acme"}})
	addUser(t, s, store.Person{Name: "both-globex", Role: store.Viewer,
		Sites: []string{"acme", mark}})
	addUser(t, s, store.Person{Name: "all-globex", Role: store.Viewer})
	addUser(t, s, store.Person{Name: "bare-globex", Role: store.Viewer, Sites: []string{""}})
	for name, sites := range map[string][]string{"all-globex": nil, "his-globex": {mark}} {
		_, sum := web.NewSecret()
		who := store.Person{Name: name, Role: store.Viewer, Sites: sites}
		if err := s.store.AddToken(ctx, sum, store.Token{Person: who, Created: now}); err != nil {
			t.Fatal(err)
		}
		if err := s.store.AddChannel(ctx, store.Channel{Name: name, URL: "https://192.0.2.1/",
			Sites: sites, Created: now}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.AddChannel(ctx, store.Channel{Name: "own", URL: "https://192.0.2.1/",
		Sites: []string{"acme"}, Created: now}); err != nil {
		t.Fatal(err)
	}
	s.put(t, "acme", "nat", gate("nat", "05", "CCCCCCCC", "lan")) // of which each channel tells
	if n, err := s.store.HandEvents(ctx, func(store.Event) (routes []store.Route) {
		for _, name := range []string{"own", "all-globex", "his-globex"} {
			routes = append(routes, store.Route{Channel: name, At: now})
		}
		return routes
	}); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	r, err := s.store.CaptureByID(ctx, w.other.ID)
	w.uid = r.UID
	if err == nil {
		err = s.store.Publish(ctx, store.Publication{Name: "his-globex", PublishedAt: now,
			ExpiresAt: now.Add(time.Hour)}, r)
	}
	if err == nil {
		err = s.store.PublishFile(ctx, store.Publication{Name: "file-globex", PublishedAt: now,
			ExpiresAt: now.Add(time.Hour)}, []byte("x"))
	}
	his := mark
	if err == nil {
		err = s.store.NoteAudit(ctx, store.Audit{At: now, Name: "x", Action: "reveal", Site: &his,
			Object: "globex/fw-globex"})
	}
	if err == nil {
		err = s.store.NoteFailures(ctx, []store.Failure{
			{Source: "192.0.2.7", Reason: "torn", Filename: "globex.conf", First: now, Last: now,
				Times: 1},
			{Source: "192.0.2.8", Reason: "torn", Filename: "own.conf", First: now, Last: now,
				Times: 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestSites: for a person of one site nothing else is there, by whichever way in.
func TestSites(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		w := twoSites(t, s)
		c := s.browser(t, store.Admin, []string{"acme"})
		a, a2, b, b2 := id(w.own), id(w.ownNew), id(w.other), id(w.otherNew)
		for _, path := range []string{"/d/globex/fw-globex", "/d/-/bare-globex",
			"/d/acme/fw-globex", "/c/" + b, "/c/" + b + "?reveal=1", "/c/" + id(w.bare),
			"/c/" + b + "/raw", "/c/" + b + "/blame", "/c/" + b + "/blame?reveal=1",
			"/diff/" + b + ".." + b2, "/diff/" + a + ".." + b, "/diff/" + b + ".." + a,
			"/diff/0.." + b, "/compare?a=acme/fw1&b=globex/fw-globex",
			"/compare?a=globex/fw-globex&b=acme/fw1", "/compare?a=acme/fw1&b=@" + b,
			"/compare?a=acme/fw1&b=fw-globex", "/compare?a=acme/fw1&b=-/bare-globex",
			"/compare?a=acme/fw1&b=" + w.uid, "/compare?a=acme/fw1&b=fw-globex~1",
			"/go?name=fw-globex", "/go?name=globex/fw-globex", "/go?ip=192.0.2.99",
			"/api/v1/devices/globex/fw-globex", "/api/v1/devices/globex/fw-globex/captures",
			"/api/v1/captures/" + b, "/api/v1/captures/" + b + "/config",
			"/api/v1/captures/" + b + "/config?reveal=1", "/api/v1/captures/" + b + "/blame",
			"/api/v1/diff/" + a + ".." + b, "/api/v1/diff/" + b + ".." + a,
			"/oxidized/node/show/globex/fw-globex", "/oxidized/node/show/fw-globex",
			"/oxidized/node/fetch/globex/fw-globex", "/oxidized/node/fetch/fw-globex",
			"/oxidized/node/fetch/default/bare-globex",
			"/oxidized/node/version?node_full=globex/fw-globex",
			"/oxidized/node/version/view?node=x&oid=" + b,
			"/oxidized/node/version/diffs?oid=" + b, "/oxidized/node/version/diffs?oid=" + a2 +
				"&oid2=" + b, "/oxidized/node/version/diffs?oid=" + b + "&oid2=" + a} {
			code, body := s.get(t, c, path)
			if code != http.StatusNotFound || strings.Contains(body, "timezone") {
				t.Errorf("%s: %d %s", path, code, short(body))
			}
		}
		for path, own := range map[string]string{"/": "fw1", "/devices": "fw1",
			"/devices?q=fw": "fw1", "/devices?format=csv": "fw1", "/devices?site=acme": "fw1",
			"/devices?site=globex": "No device", "/devices?after=globex/fw-globex": "fw1",
			"/search?q=hostname": "fw1", "/search?q=in-&history=1": "0 lines in 0",
			"/search?q=hostname&site=globex": "0 lines in 0",
			"/search?q=hostname&reveal=1":    "fw1", "/changes": "fw1", "/changes?site=globex": "",
			"/changes.atom": "fw1", "/failures?since=2d": "own.conf", "/d/acme/nat": "nat",
			"/d/acme/fw1": "own.conf", "/published": "Nothing is published", "/users": "ann",
			"/tokens": "No tokens", "/alarms": `own</th><td>changed`, "/audit": "Audit",
			"/go?ip=192.0.2.7": "nat", "/api/v1/devices": "fw1", "/api/v1/captures": "fw1",
			"/api/v1/search?q=hostname": "fw1", "/api/v1/search?q=hostname&reveal=1": "fw1",
			"/api/v1/failures": "own.conf", "/oxidized/nodes": "fw1", "/oxidized/nodes.json": "fw1",
			"/diff/" + a + ".." + a2: "timezone", "/c/" + a2 + "/blame": "timezone",
		} {
			code, body := s.get(t, c, path)
			if code != http.StatusOK || !strings.Contains(body, own) {
				t.Errorf("%s: %d, no %q in %s", path, code, own, short(body))
			}
			banned := mark
			if strings.Contains(path, mark) { // a page repeats what it was asked for
				banned = "bare-globex"
			}
			if strings.Contains(strings.ReplaceAll(body, "acme, globex", ""), banned) {
				t.Errorf("%s shows what is of another site: %s", path, short(body))
			}
		}
		if _, body := s.get(t, c, "/audit"); !strings.Contains(body, "search with secrets") {
			t.Errorf("an admin of a site doesn't see who searched secrets in it: %s", short(body))
		}
	})
}

// TestSiteActions: who is bound to a site changes nothing elsewhere, and gives nobody more.
func TestSiteActions(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		w := twoSites(t, s)
		c := s.browser(t, store.Admin, []string{"acme"})
		his, before := "/d/globex/fw-globex", s.state(t)
		for i, ask := range []struct {
			path string
			form string
			code int
		}{
			{his + "/expect", "every=1d", 404}, {his + "/retire", "", 404},
			{his + "/rename", "name=mine", 404}, {his + "/merge", "into=acme/fw1", 404},
			{his + "/forget", "confirm=fw-globex", 404},
			{"/d/-/bare-globex/forget", "confirm=bare-globex", 404},
			{"/d/acme/fw1/merge", "into=globex/fw-globex", 404},
			{"/d/acme/fw1/merge", "into=fw-globex", 404},
			{"/d/acme/fw1/merge", "into=-/bare-globex", 404},
			{"/d/acme/fw1/rename", "name=nat", 400}, {"/d/acme/fw1/rename", "name=..", 400},
			{"/d/acme/fw1/nothing", "", 404}, {"/d/acme/fw1/forget", "confirm=fw", 400},
			{"/published", "id=" + id(w.other), 404}, {"/published", "id=" + id(w.bare), 404},
			{"/published", "id=-1", 404}, {"/published", "id=" + id(w.own) + "&for=400d", 400},
			{"/published/end", "name=his-globex", 404}, {"/published/end", "name=file-globex", 404},
			{"/users", "name=x&role=admin&password=0123456789&sites=", 400},
			{"/users", "name=x&role=admin&password=0123456789&sites=globex", 400},
			{"/users", "name=x&role=viewer&password=0123456789&sites=acme,globex", 400},
			{"/users", "name=x&role=viewer&password=0123456789&sites=-", 400},
			{"/users", "name=ann&role=viewer&password=0123456789&sites=acme", 400},
			{"/users", "name=x&role=root&password=0123456789&sites=acme", 400},
			{"/users", "name=x&role=viewer&password=short&sites=acme", 400},
			{"/users/remove", "name=both-globex", 404}, {"/users/remove", "name=all-globex", 404},
			{"/users/remove", "name=bare-globex", 404}, {"/users/remove", "name=nobody", 404},
			{"/tokens", "name=x&role=admin", 400},
			{"/tokens", "name=x&role=admin&sites=globex", 400},
			{"/tokens", "name=x&role=admin&sites=acme,-", 400},
			{"/tokens/remove", "name=all-globex", 404}, {"/tokens/remove", "name=his-globex", 404},
			{"/alarms", "name=x&url=https://192.0.2.1/", 400},
			{"/alarms", "name=x&url=https://192.0.2.1/&sites=acme,globex", 400},
			{"/alarms/pause", "name=all-globex&for=2h", 404},
			{"/alarms/remove", "name=his-globex", 404}, {"/alarms/test", "name=all-globex", 404},
		} {
			form, err := url.ParseQuery(ask.form)
			if err != nil {
				t.Fatal(err)
			}
			if code, body := s.post(t, c, ask.path, form); code != ask.code {
				t.Errorf("%d. %s %s: %d, want %d: %s", i, ask.path, ask.form, code,
					ask.code, short(body))
			}
		}
		if after := s.state(t); after != before {
			t.Errorf("%s\nhas changed to\n%s", before, after)
		}
		for path, form := range map[string]url.Values{
			"/users": {"name": {"x"}, "role": {"admin"}, "password": {"correct horse"},
				"sites": {"acme"}}, "/users/remove": {"name": {"ann"}},
			"/tokens": {"name": {"x"}, "role": {"admin"}, "sites": {"acme"}}} {
			if code, body := s.post(t, c, path, form); code != http.StatusOK {
				t.Errorf("%s of the own site: %d %s", path, code, short(body))
			}
		}
	})
}

// TestMerged: the other names of a device that two sites have sent are shown to each site as far
// as they are its own.
func TestMerged(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.put(t, "globex", "old", gate("x", "04", "AAAAAAAA", "lan"))
		s.put(t, "acme", "gone", gate("y", "04", "AAAAAAAA", "lan"))
		s.put(t, "acme", "fw1", gate("z", "04", "AAAAAAAA", "lan"))
		all := s.browser(t, store.Admin, nil)
		for _, path := range []string{"/d/globex/old/merge", "/d/acme/gone/merge"} {
			if code, body := s.post(t, all, path, url.Values{"into": {"acme/fw1"}}); code != 200 {
				t.Fatalf("%s: %d %s", path, code, short(body))
			}
		}
		c := s.browser(t, store.Viewer, []string{"acme"})
		if code, body := s.get(t, c, "/d/acme/gone"); code != 200 ||
			strings.Contains(body, "globex") || !strings.Contains(body, "acme/gone") {
			t.Errorf("%d %s", code, short(body))
		}
		if code, _ := s.get(t, s.browser(t, store.Viewer, []string{"globex"}),
			"/d/globex/old"); code != http.StatusNotFound {
			t.Errorf("what has gone to another site: %d", code)
		}
	})
}

// oddNames are sites and devices whose names can mean something else. "/" alone, "." and ".." are
// missing: no address of a page has a part of that name.
var oddNames = []string{"-", "--", "---", "a/b", "a", "A", "a ", " a", "a b", `"`, "'", "%", "%41",
	"%2f", "é", "日本", "a\nb", "a\r\nSet-Cookie: x=y", "<script>", "{{.}}", "?", "#", "a?b#c",
	"[\"a\"]", "[]", "\\", "//", "a//b", "/a", "a/", ";", "&", "+", "\u202ea", "\u2028", "\x1b[2J",
	"*",
	"_",
	"default", "..a", "~1", "@1", "a~1", ",", "a,b"}

// TestOddSites: whatever a site is called, its people see it and no other, and the page's links
// lead to it.
func TestOddSites(t *testing.T) {
	sites := append([]string{""}, oddNames...)
	if underRace {
		sites = sites[:10]
	}
	onEngines(t, func(t *testing.T, s *site) {
		for i, name := range sites {
			s.put(t, name, fmt.Sprintf("dev%dx", i), gate("h", "04", "AAAAAAAA", "lan"))
		}
		all := s.browser(t, store.Viewer, nil)
		for i, name := range sites {
			own := fmt.Sprintf("dev%dx", i)
			c := s.browser(t, store.Viewer, []string{name})
			for _, path := range []string{"/devices", "/api/v1/devices", "/oxidized/nodes",
				"/devices?format=csv", "/changes", "/search?q=hostname"} {
				_, body := s.get(t, c, path)
				if got := devicesIn(body); !slices.Equal(got, []string{own}) {
					t.Errorf("%q sees %s: %q", name, path, got)
				}
			}
			_, body := s.get(t, c, "/")
			for _, who := range []*http.Client{c, all} {
				for _, to := range links(body, "/d/", "/devices?site=") {
					if code, body := s.get(t, who, to); code != http.StatusOK ||
						!slices.Equal(devicesIn(body), []string{own}) {
						t.Errorf("%q, %s: %d %q", name, to, code, devicesIn(body))
					}
				}
			}
		}
	})
}

// TestOddNames: whatever a device is called, the page's links lead to it and to no other.
func TestOddNames(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		names := oddNames
		if underRace {
			names = names[:6]
		}
		for i, name := range names {
			for _, site := range []string{"", "a", "-", "a/b"} {
				s.put(t, site, name, gate("h", "04", "AAAAAAAA", fmt.Sprintf("%s|%d", site, i)))
			}
		}
		c := s.browser(t, store.Viewer, nil)
		_, list := s.get(t, c, "/devices")
		seen := map[string]bool{}
		for _, to := range links(list, "/d/") {
			code, body := s.get(t, c, to)
			captures := links(body, "/c/")
			if code != http.StatusOK || len(captures) == 0 {
				t.Errorf("%s: %d %s", to, code, short(body))
				continue
			}
			if seen[captures[0]] {
				t.Errorf("%s leads to where another link leads", to)
			}
			seen[captures[0]] = true
		}
		if want := 4 * len(names); len(seen) != want {
			t.Errorf("the links lead to %d devices of %d", len(seen), want)
		}
	})
}

// short returns what a page is about, as far as a message of a test needs it.
func short(body string) string {
	if _, main, ok := strings.Cut(body, "<main"); ok {
		body = main
	}
	return body[:min(len(body), 400)]
}

var devicePattern = regexp.MustCompile(`dev\d+x`)

// devicesIn returns the devices that a text names.
func devicesIn(body string) []string {
	found := devicePattern.FindAllString(body, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

var href = regexp.MustCompile(`href="([^"]*)"`)

// links returns the addresses in a page that begin with one of these.
func links(body string, prefixes ...string) (list []string) {
	for _, m := range href.FindAllStringSubmatch(body, -1) {
		to := html.UnescapeString(m[1])
		if slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(to, p)
		}) && !strings.Contains(to, "/blame") && !slices.Contains(list, to) {
			list = append(list, to)
		}
	}
	return list
}
