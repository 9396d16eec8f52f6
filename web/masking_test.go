package web_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// planted and changedTo are secrets.
const (
	planted   = "5eEdl1nG"
	changedTo = "5eEdCh4ng"
)

// planting is a file of the device package's test data, and rows with secrets for it.
type planting struct {
	file, above string
	rows        []string
}

func plantings(t testing.TB) (list []planting) {
	t.Helper()
	from := filepath.Join("..", "device", "testdata")
	text, err := os.ReadFile(filepath.Join(from, "planted", "rows.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, text2, _ := strings.Cut(string(text), "\n\n")
	fresh, heads := 0, true
	for line := range strings.Lines(strings.ReplaceAll(text2, "~\n", "")) {
		head, ok := strings.CutPrefix(line, "== ")
		row := strings.TrimRight(line, "\n")
		switch {
		case ok:
			if !heads {
				fresh = len(list)
			}
			file, above, _ := strings.Cut(strings.TrimSpace(head), " above ")
			body, err := os.ReadFile(filepath.Join(from, file))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, planting{strings.ReplaceAll(string(body), "\r\n", "\n"), above,
				nil})
		case row != "":
			for i := fresh; i < len(list); i++ {
				list[i].rows = append(list[i].rows, row)
			}
		}
		heads = ok
	}
	return list
}

// with returns the file with rows in their place.
func (p planting) with(rows []string) string {
	at := len(p.file)
	if p.above != "" {
		at = strings.LastIndex("\n"+p.file, "\n"+p.above)
	}
	plants := strings.NewReplacer("|", "\n", "@@", planted+"@", "@", planted)
	return p.file[:at] + plants.Replace(strings.Join(rows, "\n")) + "\n" + p.file[at:]
}

// all returns the file with as many of the rows as stand beside each other, each of which the
// device package hides by itself: one may begin a text that goes on over those after it.
func (p planting) all() string {
	want := device.Identify([]byte(p.file)).Platform
	hidden := func(rows []string) bool {
		config := []byte(p.with(rows))
		for l := range device.Lines(config) {
			if strings.Contains(string(l.Redacted()), planted) {
				return false
			}
		}
		return device.Identify(config).Platform == want
	}
	var kept []string
	for chunk := range slices.Chunk(p.rows, 16) {
		if more := append(slices.Clone(kept), chunk...); hidden(more) {
			kept = more
			continue
		}
		for _, row := range chunk {
			if more := append(slices.Clone(kept), row); hidden(more) {
				kept = more
			}
		}
	}
	return p.with(kept)
}

// TestMasked: a secret that the device package knows is on no page for a viewer, in no part of any
// answer, and no search finds it. Neither is it for a reader who hasn't asked for it.
func TestMasked(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	var captures [][3]store.Stored
	kept, sums, sizes := 0, map[string]bool{}, map[int]bool{}
	for i, p := range plantings(t) {
		if underRace && i%12 != 3 {
			continue
		}
		name, config := fmt.Sprintf("d%d", len(captures)), p.all()
		kept += strings.Count(config, planted)
		for _, text := range []string{config, strings.ReplaceAll(config, planted, changedTo)} {
			sums[fmt.Sprintf("%x", sha256.Sum256([]byte(text)))], sizes[len(text)] = true, true
		}
		captures = append(captures, [3]store.Stored{s.put(t, "acme", name, p.file),
			s.put(t, "acme", name, config),
			s.put(t, "acme", name, strings.ReplaceAll(config, planted, changedTo))})
	}
	if kept < 2000 && !underRace {
		t.Fatalf("only %d secrets are planted", kept)
	}
	reader := s.browser(t, store.Reader, nil)
	for path, found := range map[string]string{ // first, so that what is shared is filled
		"/search?history=1&reveal=1&q=" + planted: "configurations", "/changes": "acme/d",
		"/": "acme/d"} {
		if _, body := s.get(t, reader, path); !strings.Contains(body, found) {
			t.Errorf("%s: %s", path, short(body))
		}
	}
	viewer := s.browser(t, store.Viewer, nil)
	hides := func(c *http.Client, path string) {
		text := s.hides(t, c, path)
		if c != viewer {
			return
		}
		for _, sum := range sumPattern.FindAllString(text, -1) {
			if sums[sum] {
				t.Errorf("%s tells the hash of a configuration", path)
			}
		}
		for _, m := range sizePattern.FindAllStringSubmatch(text, -1) {
			if n, _ := strconv.Atoi(m[1] + m[2]); sizes[n] {
				t.Errorf("%s tells the size of a configuration: %s", path, m[0])
			}
		}
		if strings.Contains(text, " KiB ·") && !strings.Contains(text, ".0 KiB ·") {
			t.Errorf("%s tells nearly the size of a configuration", path)
		}
	}
	for _, c := range []*http.Client{viewer, reader} {
		for _, path := range []string{"/", "/changes", "/changes.atom", "/devices?format=csv",
			"/failures", "/search?q=.&history=1", "/search?q=%5Cw", "/api/v1/search?q=.&history=1",
			"/api/v1/captures?n=10000", "/api/v1/devices", "/oxidized/nodes.json",
			"/compare?a=acme/d0&b=acme/d1"} {
			hides(c, path)
		}
		for i, of := range captures {
			if (c == reader || underRace) && i%8 != 0 {
				continue // it is the same code
			}
			a, b, changed := id(of[0]), id(of[1]), id(of[2])
			for _, path := range []string{"/c/" + b, "/c/" + b + "/blame", "/diff/0.." + b,
				"/diff/" + a + ".." + b + "?view=split", "/diff/" + b + ".." + a + "?all=1",
				"/diff/" + b + ".." + changed, fmt.Sprintf("/d/acme/d%d", i),
				fmt.Sprintf("/api/v1/devices/acme/d%d/versions", i),
				fmt.Sprintf("/api/v1/devices/acme/d%d/captures", i), "/api/v1/captures/" + b,
				"/api/v1/captures/" + b + "/config", "/api/v1/captures/" + b + "/blame",
				"/api/v1/diff/" + a + ".." + b, "/api/v1/diff/" + b + ".." + changed + "?all=1"} {
				hides(c, path)
			}
			if c == viewer {
				hides(c, "/oxidized/node/version/view?oid="+b)
				hides(c, fmt.Sprintf("/oxidized/node/fetch/acme/d%d", i))
				hides(c, "/oxidized/node/version/diffs?oid="+b)
				s.hides(t, c, "/c/"+b+"?reveal=1")
				s.hides(t, c, "/diff/"+a+".."+b+"?reveal=1")
			}
		}
	}
	for _, pattern := range []string{planted, "(?i)5eed", "5[a-z]Ed", "(?s).*" + planted[:5],
		planted[:4] + "|" + planted[4:]} {
		for _, path := range []string{"/search?history=1&q=", "/search?history=1&reveal=1&q="} {
			if _, body := s.get(t, viewer, path+url.QueryEscape(pattern)); !strings.Contains(body,
				"0 lines in 0 configurations") {
				t.Errorf("%q finds something in %s", pattern, short(body))
			}
		}
		if code, body := s.get(t, viewer, "/api/v1/search?history=1&q="+
			url.QueryEscape(pattern)); code != http.StatusOK || body != "[]\n" {
			t.Errorf("%q: %d %s", pattern, code, short(body))
		}
	}
}

var (
	sumPattern = regexp.MustCompile(`[0-9a-f]{64}`)
	// sizePattern is a size as JSON has it, or a page or a header.
	sizePattern = regexp.MustCompile(`"size":(\d+)|\b(\d+) (?:B|bytes)\b`)
)

// hides fails the test where an address shows a secret, in its page or in a header. It returns
// both.
func (s *site) hides(t testing.TB, c *http.Client, path string) string {
	t.Helper()
	r, err := c.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := http.StatusOK
	if strings.Contains(path, "reveal=1") {
		want = http.StatusForbidden
	}
	if r.StatusCode != want {
		t.Errorf("%s: %s", path, r.Status)
	}
	text := string(body) + fmt.Sprint(r.Header)
	for _, secret := range []string{planted, changedTo} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s shows %q", path, text[max(0, at-100):at+len(secret)])
		}
	}
	return text
}

// TestImportedUID: a viewer isn't told the uid of an import, which is made of the content's hash.
func TestImportedUID(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	uid := uuid.NewSHA1(uuid.NameSpaceURL, []byte("of a hash")).String()
	body := radius("fw1", planted)
	_, fingerprint := device.Examine([]byte(body))
	stored, err := s.store.Put(t.Context(), store.Capture{UID: uid, ReceivedAt: s.at,
		Source: "192.0.2.7", Filename: "x.conf", Mode: "import", Site: "acme", Name: "fw1",
		Kind: "full", NamedBy: store.NamedByConfig, Platform: "fortinet", Complete: true,
		Body: []byte(body), Fingerprint: fingerprint, Rules: device.Rules})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []store.Role{store.Viewer, store.Reader} {
		p := s.program(t, role, nil)
		for _, path := range []string{"/api/v1/captures", "/api/v1/captures/" + id(stored),
			"/api/v1/captures/" + id(stored) + "/blame", "/api/v1/devices/acme/fw1/versions"} {
			code, text := p.get(t, path)
			if code != http.StatusOK || strings.Contains(text, uid) != (role == store.Reader) {
				t.Errorf("%s, %s: %d %s", role, path, code, short(text))
			}
		}
	}
}

// TestUnknownPlatform: of a text in which secrets can't be found a viewer sees nothing, and a
// reader all of it who asks.
func TestUnknownPlatform(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	text := "thing one\n  passcode " + planted + "\n  other x\n"
	a := id(s.put(t, "acme", "x", text))
	b := id(s.put(t, "acme", "x", strings.Replace(text, "other x", planted+" y", 1)))
	known := id(s.put(t, "acme", "x", gate("x", "04", "AAAAAAAA", "lan")))
	reader, viewer := s.browser(t, store.Reader, nil), s.browser(t, store.Viewer, nil)
	s.get(t, reader, "/diff/"+a+".."+b+"?reveal=1")
	for _, path := range []string{"/", "/d/acme/x", "/c/" + b, "/c/" + b + "/blame",
		"/diff/" + a + ".." + b, "/diff/0.." + a, "/diff/" + b + ".." + known, "/changes",
		"/changes.atom", "/search?q=.&history=1", "/api/v1/search?q=.&history=1",
		"/compare?a=@" + a + "&b=@" + known} {
		s.hides(t, viewer, path)
	}
	for _, path := range []string{"/api/v1/captures/" + b + "/config",
		"/api/v1/captures/" + b + "/blame", "/api/v1/diff/" + a + ".." + b,
		"/oxidized/node/version/view?oid=" + b, "/oxidized/node/version/diffs?oid=" + b,
		"/oxidized/node/version/diffs?oid2=" + b + "&oid=" + known, "/c/" + b + "/raw"} {
		if code, body := s.get(t, viewer, path); code != http.StatusForbidden ||
			strings.Contains(body, planted) || strings.Contains(body, "passcode") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/c/" + b + "?reveal=1", "/c/" + b + "/blame?reveal=1",
		"/diff/" + a + ".." + b + "?reveal=1", "/api/v1/captures/" + b + "/config?reveal=1"} {
		if code, body := s.get(t, reader, path); code != 200 || !strings.Contains(body, planted) {
			t.Errorf("%s: %d %s", path, code, short(body))
		}
	}
}

// TestRevealed: a reader who asks is shown secrets, and each time stands in the audit: of each
// configuration that was shown.
func TestRevealed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		a := id(s.put(t, "acme", "fw1", radius("fw1", "before")))
		b := id(s.put(t, "acme", "fw1", radius("fw1", planted)))
		other := id(s.put(t, "globex", "fw2", radius("fw2", planted+"2")))
		c := s.browser(t, store.Reader, nil)
		for _, ask := range []struct {
			path  string
			noted []string // the newest first
		}{
			{"/c/" + b + "?reveal=1", []string{"reveal acme/fw1 @" + b}},
			{"/c/" + b + "?reveal=1", []string{"reveal acme/fw1 @" + b}}, // and once more
			{"/c/" + b + "/blame?reveal=1", []string{"reveal acme/fw1 @" + b}},
			{"/c/" + b + "/raw", []string{"download acme/fw1 @" + b}},
			{"/diff/0.." + b + "?reveal=1", []string{"reveal acme/fw1 @" + b}},
			{"/diff/" + a + ".." + b + "?reveal=1", []string{"reveal acme/fw1 @" + a,
				"reveal acme/fw1 @" + b}},
			{"/compare?a=globex/fw2&b=acme/fw1~1&reveal=1", []string{
				"reveal globex/fw2 @" + other, "reveal acme/fw1 @" + a}},
			{"/search?q=" + planted + "&reveal=1&site=acme", []string{"search with secrets " +
				planted}},
			{"/api/v1/search?q=" + planted + "&reveal=1", []string{"search with secrets " +
				planted}},
			{"/api/v1/captures/" + b + "/config?reveal=1", []string{"reveal acme/fw1 @" + b}},
			{"/api/v1/captures/" + b + "/blame?reveal=1", []string{"reveal acme/fw1 @" + b}},
			{"/api/v1/diff/" + a + ".." + other + "?reveal=1", []string{"reveal acme/fw1 @" + a,
				"reveal globex/fw2 @" + other}},
			{"/oxidized/node/fetch/acme/fw1", []string{"download acme/fw1 @" + b}},
			{"/oxidized/node/version/view?oid=" + b, []string{"download acme/fw1 @" + b}},
			{"/oxidized/node/version/diffs?oid=" + b, []string{"download acme/fw1 @" + a,
				"download acme/fw1 @" + b}},
			{"/oxidized/node/version/diffs?oid=" + b + "&oid2=" + other, []string{
				"download globex/fw2 @" + other, "download acme/fw1 @" + b}},
			{"/c/" + b, nil},
		} {
			before := s.audits(t)
			code, body := s.get(t, c, ask.path)
			if code != http.StatusOK || strings.Contains(body, planted) != (ask.noted != nil) {
				t.Errorf("%s: %d %s", ask.path, code, short(body))
			}
			after := s.audits(t)
			if got := after[:len(after)-len(before)]; !slices.Equal(got, ask.noted) {
				t.Errorf("%s is noted as %q", ask.path, got)
			}
		}
		if code, _ := s.get(t, s.browser(t, store.Viewer, nil),
			"/api/v1/search?reveal=1&q=x"); code != http.StatusForbidden {
			t.Errorf("a viewer searches in secrets: %d", code)
		}
	})
}

// radius is a FortiGate's configuration with a secret that it shows as it is.
func radius(name, secret string) string {
	return gate(name, "04", "AAAAAAAA", "lan") + "config user radius\n    edit \"r\"\n" +
		"        set secret " + secret + "\n    next\nend\n"
}

// audits returns what was done to what, the newest first.
func (s *site) audits(t testing.TB) (list []string) {
	t.Helper()
	audits, err := s.store.Audits(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range audits {
		list = append(list, a.Action+" "+a.Object)
	}
	return list
}
