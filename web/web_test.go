package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/web"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// engines make a database of each kind, without captures.
var engines = map[string]func(testing.TB) string{
	"sqlite": func(t testing.TB) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "t.db")
	},
	"postgresql": migrated,
}

// migrated is a database of PostgreSQL with the schema of now.
func migrated(t testing.TB) string {
	return pgtest.Filled(t, func(url string) error {
		s, err := store.Open(url, store.Options{Own: true, Create: true})
		if err != nil {
			return err
		}
		return errors.Join(s.Migrate(t.Context()), s.Close())
	})
}

// onEngines runs a test on each kind of database.
func onEngines(t *testing.T, test func(*testing.T, *site)) {
	for name, database := range engines {
		t.Run(name, func(t *testing.T) { test(t, serve(t, database(t), nil)) })
	}
}

// A site is the page with its database.
type site struct {
	*httptest.Server
	store *store.Store
	at    time.Time // when the next capture arrives
	from  string    // its source
}

// serve serves the page of a database on this machine. change changes its options.
func serve(t testing.TB, database string, change func(*web.Options)) *site {
	t.Helper()
	s, err := store.Open(database, store.Options{Own: true, Create: true,
		Fingerprint: device.Fingerprint, Ending: device.Ending, CutOff: device.CutOff})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return page(t, s, change)
}

// page serves a page of a database that is open.
func page(t testing.TB, s *store.Store, change func(*web.Options)) *site {
	t.Helper()
	o := web.Options{Store: func() *store.Store { return s }, On: true, Loopback: true,
		Trouble: func() string { return "" }, Cure: func(string) string { return "look at it" },
		Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewUnstartedServer(nil)
	o.BaseURL = "http://" + server.Listener.Addr().String()
	if change != nil {
		change(&o)
	}
	server.Config.Handler = web.New(o)
	server.Start()
	t.Cleanup(server.Close)
	return &site{server, s, time.Now().Add(-24 * time.Hour), "192.0.2.7"}
}

// put stores a configuration as an upload of a file.
func (s *site) put(t testing.TB, at, name, body string) store.Stored {
	t.Helper()
	s.at = s.at.Add(time.Minute)
	id, fingerprint := device.Examine([]byte(body))
	kind := id.Kind
	c := store.Capture{UID: uuid.NewString(), ReceivedAt: s.at, Source: s.from,
		Filename: name + ".conf", Mode: "octet", Site: at, Name: name,
		NamedBy: store.NamedByFilename, Platform: id.Platform, Model: id.Model,
		OSVersion: id.OSVersion, Kind: kind, Complete: id.Complete, ChangedBy: id.ChangedBy,
		Body: []byte(body), Fingerprint: fingerprint, Rules: device.Rules}
	stored, err := s.store.Put(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// browser returns a client that is logged in with a role, and bound to sites unless they are nil.
func (s *site) browser(t testing.TB, role store.Role, sites []string) *http.Client {
	t.Helper()
	secret, sum := web.NewSecret()
	now := time.Now()
	err := s.store.AddLink(context.WithoutCancel(t.Context()), sum, store.Session{
		Person:  store.Person{Name: "test", Role: role, Sites: sites},
		Created: now, Expires: now.Add(time.Minute), Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	c := s.stranger(t)
	response, err := c.Post(s.URL+"/link/"+secret, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the link leads to %s", response.Status)
	}
	return c
}

// stranger returns a client that isn't logged in.
func (s *site) stranger(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 30 * time.Second}
}

// get returns what an address answers.
func (s *site) get(t testing.TB, c *http.Client, path string) (int, string) {
	t.Helper()
	return answer(t)(c.Get(s.URL + path))
}

// post sends a form.
func (s *site) post(t testing.TB, c *http.Client, path string, form url.Values) (int, string) {
	t.Helper()
	return answer(t)(c.PostForm(s.URL+path, form))
}

func answer(t testing.TB) func(*http.Response, error) (int, string) {
	return func(r *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
}

// gate is a FortiGate's configuration with a time zone, an administrator's password and a policy.
func gate(name, zone, password, policy string) string {
	return "#config-version=FGT60F-7.2.5-FW-build1517-230606:opmode=0:vdom=0:user=admin\n" +
		"config system global\n    set hostname \"" + name + "\"\n    set timezone " + zone +
		"\nend\nconfig system admin\n    edit \"admin\"\n        set password ENC " + password +
		"\n    next\nend\nconfig firewall policy\n    edit 1\n        set name \"" + policy +
		"\"\n    next\nend\n"
}

// TestPages: each page shows what it is about.
func TestPages(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		first := s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		second := s.put(t, "acme", "fw1", gate("fw1", "26", "AAAAAAAA", "lan-out"))
		s.put(t, "", "fw2", gate("fw2", "04", "BBBBBBBB", "dmz"))
		c := s.browser(t, store.Admin, nil)
		a, b := id(first), id(second)
		for path, wants := range map[string][]string{
			"/":                           {"Overview", "fw1", "fortinet", "acme"},
			"/devices":                    {"acme/fw1", ">fw2<", "2 devices"},
			"/devices?q=FW2":              {">fw2<", "1 device"},
			"/devices?site=-":             {">fw2<", "1 device"},
			"/devices?sort=-changes":      {"descending"},
			"/devices?format=csv":         {"acme,fw1,fortinet"},
			"/d/acme/fw1":                 {"+1", "config system global", "@" + b, "FGT60F"},
			"/d/-/fw2":                    {"first version"},
			"/c/" + b:                     {"set timezone 26", "&lt;secret&gt;", `id="L3"`},
			"/diff/" + a + ".." + b:       {"<mark>04</mark>", "<mark>26</mark>"},
			"/diff/0.." + a:               {"First version"},
			"/compare?a=acme/fw1&b=-/fw2": {"lan", "dmz"},
			"/search?q=TIMEZONE&history=1": {"config system global", "<mark>timezone</mark> 04",
				"3 lines in 3"},
			"/search?q=(": {"This is no pattern"},
			"/changes":    {"acme/fw1", "+1"},
			"/changes.atom": {"<feed",
				"acme/fw1: +1 −1 in config system global"},
			"/failures":  {"Nothing has failed"},
			"/published": {"Nothing is published"},
			"/users":     {"No users yet"},
			"/tokens":    {"No tokens yet"},
			"/audit":     {"Audit"},
			"/alarms":    {"Nobody is told yet"},
			"/c/" + b + "/blame": {"timezone 26", `rowspan="3"`,
				"/diff/" + a + ".." + b},
			"/api/v1/captures/" + b + "/blame": {`"line":4`},
			"/go?name=fw2":                     {"first version"},
			"/go?ip=192.0.2.7":                 {"2 devices"},
			"/api/v1/devices":                  {`"name":"fw1"`},
			"/oxidized/nodes.json":             {`"full_name":"acme/fw1"`},
		} {
			code, body := s.get(t, c, path)
			if code != http.StatusOK {
				t.Errorf("%s: %d", path, code)
			}
			for _, want := range wants {
				if !strings.Contains(body, want) {
					t.Errorf("%s: no %q in\n%s", path, want, body)
				}
			}
		}
	})
}

// id writes the number of a capture.
func id(s store.Stored) string { return strconv.FormatInt(s.ID, 10) }
