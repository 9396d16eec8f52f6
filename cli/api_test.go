package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type wireSite struct {
	Site     string `json:"site"`
	Devices  int    `json:"devices"`
	Overdue  int    `json:"overdue"`
	Torn     int    `json:"torn"`
	Retired  int    `json:"retired"`
	Captures int64  `json:"captures"`
	Changes  int64  `json:"changes"`
	LastSeen string `json:"last_seen"`
}

type wirePublication struct {
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Size        int64   `json:"size"`
	Allowed     string  `json:"allowed"`
	Once        bool    `json:"once"`
	PublishedAt string  `json:"published_at"`
	ExpiresAt   *string `json:"expires_at"`
	Fetches     int64   `json:"fetches"`
}

type wireVersion struct {
	wireCapture
	Seen     int    `json:"seen"`
	Until    string `json:"until"`
	Previous *int64 `json:"previous"`
}

// An apiClient asks the API with a token.
type apiClient struct{ base, token string }

func (p *program) api(t testing.TB, role string) apiClient {
	t.Helper()
	secret := p.must(t, "token", "add", "by-"+role, "--role", role)
	return apiClient{p.page(t), strings.TrimSpace(secret)}
}

func (c apiClient) ask(t testing.TB, method, path, body string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(b)
}

func (c apiClient) get(t testing.TB, path string) string {
	t.Helper()
	code, _, body := c.ask(t, http.MethodGet, path, "")
	if code != http.StatusOK {
		t.Errorf("%s: %d %s", path, code, body)
	}
	return body
}

// objects are the objects of an array, byte for byte but for the space between their fields.
func objects(t testing.TB, text string, strictly any) (list []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(strictly); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var raw []json.RawMessage
	unmarshal(t, text, &raw)
	for _, one := range raw {
		var b bytes.Buffer
		if err := json.Compact(&b, one); err != nil {
			t.Fatal(err)
		}
		list = append(list, b.String())
	}
	return list
}

// filled is a server with some history, with characters that JSON and terminals mind.
func filled(t *testing.T, url string) *program {
	t.Helper()
	p := launch(t, url, nil, `msg=listening address=(\S+)`, "--http",
		"127.0.0.1:0")
	for _, c := range []struct{ salt, policy, dns string }{
		{"salt1", "web", "192.0.2.53"}, {"salt2", "web", "192.0.2.53"},
		{"salt3", "<b>&\u2028\u0085", "192.0.2.53"}, {"salt4", "mail", "192.0.2.54"},
	} {
		p.put(t, "acme/a.conf", gate("fw1", c.salt, c.policy, c.dns))
	}
	p.put(t, "globex/b.conf", gate("fw2", "salt1", "web", "192.0.2.53"))
	p.put(t, "c.conf", "red \x1b[31m <&> \u2028\n") // of no known platform
	return p
}

// TestAPI: the API returns the objects that the commands print, byte for byte.
func TestAPI(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := filled(t, url)
		p.must(t, "publish", "acme/fw1~1", "--to", "192.0.2.0/24", "--once")
		p.must(t, "publish", "globex/fw2", "--for", "0")
		c := p.api(t, "operator")
		for _, pair := range []struct {
			command, path string
			strictly      any
			n             int
		}{
			{"devices", "/devices", &[]wireDevice{}, 3},
			{"devices --sort -changes", "/devices?sort=-changes", &[]wireDevice{}, 3},
			{"devices acme/* --platform fortinet --os >=7.4",
				"/devices?glob=acme/*&platform=fortinet&os=%3E%3D7.4", &[]wireDevice{}, 1},
			{"devices --site globex", "/devices?site=globex", &[]wireDevice{}, 1},
			{"devices --site=", "/devices?site=-", &[]wireDevice{}, 1},
			{"devices --overdue", "/devices?state=overdue", &[]wireDevice{}, 0},
			{"devices --silent 1d", "/devices?silent=1d", &[]wireDevice{}, 0},
			{"devices --per-site", "/sites", &[]wireSite{}, 3},
			{"log", "/captures", &[]wireCapture{}, 6},
			{"log -n 2", "/captures?n=2", &[]wireCapture{}, 2},
			{"log * --changed --since 1d", "/captures?changed=1&since=1d", &[]wireCapture{}, 5},
			{"log * --site acme", "/captures?site=acme", &[]wireCapture{}, 4},
			{"log * --path dns", "/captures?path=dns", &[]wireCapture{}, 3},
			{"log acme/fw1", "/devices/acme/fw1/captures", &[]wireCapture{}, 4},
			{"log acme/fw1 --changed", "/devices/acme/fw1/captures?changed=1", &[]wireCapture{},
				3},
			{"search primary", "/search?q=primary", &[]wireMatch{}, 2},
			{"search primary --history --site acme", "/search?q=primary&history=1&site=acme",
				&[]wireMatch{}, 3},
			{"search PRIMARY.* fw2 -i", "/search?q=PRIMARY.*&glob=fw2&i=1", &[]wireMatch{}, 1},
			{"search <b>& -F --history --redact", "/search?q=%3Cb%3E%26&fixed=1&history=1",
				&[]wireMatch{}, 1},
			{"blame @4 --redact", "/captures/4/blame", &[]wireBlamed{}, 34},
			{"failures", "/failures", &[]wireFailure{}, 0},
			{"failures acme/fw1 --since 7d", "/devices/acme/fw1/failures?since=7d",
				&[]wireFailure{}, 0},
			{"publish --list", "/published", &[]wirePublication{}, 2},
		} {
			_, printed, errs := p.do(t, append(strings.Fields(pair.command), "--json")...)
			want := objects(t, printed, pair.strictly)
			got := objects(t, c.get(t, "/api/v1"+pair.path), pair.strictly)
			if fmt.Sprint(got) != fmt.Sprint(want) || len(got) != pair.n {
				t.Errorf("%s: %d of %d\n%s\ncommand: %s\n%s", pair.path, len(got), pair.n,
					strings.Join(got, "\n"), strings.Join(want, "\n"), errs)
			}
		}
		var one wireCapture
		unmarshal(t, c.get(t, "/api/v1/captures/4"), &one)
		if one.ID != 4 || one.Device != "fw1" {
			t.Errorf("a capture: %+v", one)
		}
		var device wireDevice
		unmarshal(t, c.get(t, "/api/v1/devices/acme/fw1"), &device)
		if device.Name != "fw1" || device.Captures != 4 {
			t.Errorf("a device: %+v", device)
		}
		var versions []wireVersion
		objects(t, c.get(t, "/api/v1/devices/acme/fw1/versions"), &versions)
		if len(versions) != 3 || versions[2].Seen != 2 || *versions[1].Previous != 2 {
			t.Errorf("versions: %+v", versions)
		}
		if body := c.get(t, "/api/v1/search?q=."); strings.ContainsAny(body, "\x1b\u2028\u0085") {
			t.Errorf("characters that a terminal obeys: %q", body)
		}
	})
}

// TestAPITexts: a configuration is masked unless it is asked for whole, and a difference is the one
// that diff prints, which patch takes.
func TestAPITexts(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := filled(t, url)
		viewer, reader := p.api(t, "viewer"), p.api(t, "reader")
		for path, command := range map[string]string{
			"/captures/4/config":                "show @4 --redact",
			"/devices/acme/fw1/config":          "show acme/fw1 --redact",
			"/devices/acme/fw1/config?back=1":   "show acme/fw1~1 --redact",
			"/devices/acme/fw1/config?at=today": "show acme/fw1 --at today --redact",
			"/diff/1..4":                        "diff @1 @4 --redact",
			"/diff/1..4?all=1":                  "diff @1 @4 --all --redact",
			"/captures/4/diff":                  "diff @4 --redact",
			"/captures/1/diff":                  "diff @1 --redact",
			"/diff/1..2":                        "diff @1 @2 --redact",
			"/diff/4..4":                        "diff @4 @4 --redact",
			"/captures/4/config?reveal=1":       "show @4",
			"/devices/-/c/config?reveal=1":      "show /c",
			"/diff/1..4?all=1&reveal=1":         "diff @1 @4 --all",
			"/diff/4..6?reveal=1":               "diff @4 @6",
		} {
			c := viewer
			if strings.Contains(path, "reveal=1") {
				code, _, body := viewer.ask(t, http.MethodGet, "/api/v1"+path, "")
				if code != http.StatusForbidden || !strings.Contains(body,
					`{"error":`) {
					t.Errorf("a viewer gets %s: %d %s", path, code, body)
				}
				c = reader
			}
			_, want, _ := p.do(t, strings.Fields(command)...)
			if got := c.get(t, "/api/v1"+path); got != want {
				t.Errorf("%s:\n%s\n%s:\n%s", path, got, command, want)
			}
		}
		if code, _, body := viewer.ask(t, http.MethodGet, "/api/v1/captures/6/config",
			""); code != http.StatusForbidden || !strings.Contains(body, "reader") {
			t.Errorf("a text of unknown platform: %d %s", code, body)
		}
		_, header, whole := reader.ask(t, http.MethodGet, "/api/v1/captures/4/config?reveal=1", "")
		var four wireCapture
		unmarshal(t, reader.get(t, "/api/v1/captures/4"), &four)
		if header.Get("ETag") != `"`+four.SHA256+`"` {
			t.Errorf("the tag is %s", header.Get("ETag"))
		}
		r, err := http.NewRequest(http.MethodGet, reader.base+"/api/v1/captures/4/config?reveal=1",
			nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("any", reader.token)
		r.Header.Set("If-None-Match", header.Get("ETag"))
		response, err := http.DefaultClient.Do(r)
		if err != nil || response.StatusCode != http.StatusNotModified {
			t.Errorf("what is known already: %v %v", response, err)
		}
		response.Body.Close()
		patch, err := exec.LookPath("patch")
		if err != nil {
			t.Skip(err)
		}
		file := filepath.Join(t.TempDir(), "fw1.conf")
		writeText(t, file, gate("fw1", "salt1", "web", "192.0.2.53"))
		cmd := exec.Command(patch, file)
		cmd.Stdin = strings.NewReader(reader.get(t, "/api/v1/diff/1..4?all=1&reveal=1"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != whole {
			t.Errorf("%v: patch makes %s", err, b)
		}
	})
}

// TestAPIPages: each page begins behind the one before, and together they are the whole list.
func TestAPIPages(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := filled(t, url)
		c := p.api(t, "viewer")
		for _, path := range []string{"/api/v1/captures?", "/api/v1/captures?changed=1&",
			"/api/v1/devices/acme/fw1/captures?", "/api/v1/devices/acme/fw1/versions?"} {
			all, before := numbers(t, c.get(t, path)), ""
			var got []int64
			for range all {
				page := numbers(t, c.get(t, path+"n=1"+before))
				if len(page) != 1 {
					t.Fatalf("%s%s: %d", path, before, len(page))
				}
				got = append(got, page...)
				before = fmt.Sprintf("&before=%d", page[0])
			}
			if !slices.Equal(got, all) || len(all) < 3 {
				t.Errorf("%s: %d, page by page %d", path, all, got)
			}
			if left := numbers(t, c.get(t, path+"n=1"+before)); len(left) > 0 {
				t.Errorf("%s: behind the last one is %d", path, left)
			}
		}
		var all, got []wireDevice
		unmarshal(t, c.get(t, "/api/v1/devices?sort=-captures"), &all)
		next := "/api/v1/devices?sort=-captures&n=1"
		for range all {
			var page []wireDevice
			_, header, body := c.ask(t, http.MethodGet, next, "")
			unmarshal(t, body, &page)
			got = append(got, page...)
			link, rest, ok := strings.Cut(strings.TrimPrefix(header.Get("Link"), "<"), ">")
			if ok != (len(got) < len(all)) || ok && rest != `; rel="next"` {
				t.Errorf("%s: link %q", next, header.Get("Link"))
			}
			next = link
		}
		if fmt.Sprint(got) != fmt.Sprint(all) || len(all) != 3 {
			t.Errorf("devices\n%v\npage by page\n%v", all, got)
		}
	})
}

// numbers are those of captures.
func numbers(t testing.TB, text string) (ids []int64) {
	t.Helper()
	var list []struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	return ids
}
