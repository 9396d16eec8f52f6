package web_test

import (
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/device"
	"github.com/tftpsql/tftpsql/store"
)

// atom is a feed as a reader of feeds knows it.
type atom struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      []string    `xml:"http://www.w3.org/2005/Atom id"`
	Title   []string    `xml:"http://www.w3.org/2005/Atom title"`
	Updated []time.Time `xml:"http://www.w3.org/2005/Atom updated"`
	Author  []string    `xml:"http://www.w3.org/2005/Atom author>name"`
	Links   []atomLink  `xml:"http://www.w3.org/2005/Atom link"`
	Entries []struct {
		ID      []string    `xml:"http://www.w3.org/2005/Atom id"`
		Title   []string    `xml:"http://www.w3.org/2005/Atom title"`
		Updated []time.Time `xml:"http://www.w3.org/2005/Atom updated"`
		Links   []atomLink  `xml:"http://www.w3.org/2005/Atom link"`
		Summary string      `xml:"http://www.w3.org/2005/Atom summary"`
	} `xml:"http://www.w3.org/2005/Atom entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

// feedOf reads a feed, and checks what RFC 4287 wants of each.
func feedOf(t testing.TB, p program, path string) (f atom) {
	t.Helper()
	r, body := p.ask(t, http.MethodGet, path, "", "")
	if r.StatusCode != 200 ||
		r.Header.Get("Content-Type") != "application/atom+xml; charset=utf-8" {
		t.Fatalf("%s: %s %s", path, r.Status, body)
	}
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict = true
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	if len(f.ID) != 1 || len(f.Title) != 1 || len(f.Updated) != 1 || len(f.Author) != 1 ||
		len(f.Links) != 2 || f.Links[0].Rel != "self" || f.Links[0].Href != p.URL+path {
		t.Errorf("%s: %+v", path, f)
	}
	last := f.Updated[0]
	for _, e := range f.Entries {
		if len(e.ID) != 1 || !strings.HasPrefix(e.ID[0], "urn:uuid:") ||
			uuid.Validate(strings.TrimPrefix(e.ID[0], "urn:uuid:")) != nil || len(e.Title) != 1 ||
			len(e.Updated) != 1 || e.Updated[0].After(last) || len(e.Links) != 1 ||
			!strings.HasPrefix(e.Links[0].Href, p.URL+"/diff/") {
			t.Errorf("%s: %+v", path, e)
		}
		last = e.Updated[0]
	}
	return f
}

// TestFeed: the feed is Atom, the same each time until something changes, and holds nothing that
// isn't text, whatever devices are called.
func TestFeed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		p := s.program(t, store.Viewer, nil)
		empty := feedOf(t, p, "/changes.atom")
		if again := feedOf(t, p, "/changes.atom"); again.Updated[0] != empty.Updated[0] ||
			len(again.Entries) != 0 {
			t.Errorf("nothing has changed: %v, %v", empty.Updated, again.Updated)
		}
		s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		s.put(t, "acme", "fw1", gate("fw1", "26", "AAAAAAAA", "lan-out"))
		s.put(t, "globex", "fw2", gate("fw2", "04", "BBBBBBBB", "dmz"))
		hostile := "</title><script>\x1b[31m&amp;]]>\u202e\u2028\ufffe \"'\xff\x00\x01"
		id, fingerprint := device.Examine([]byte("a text\n"))
		_, err := s.store.Put(t.Context(), store.Capture{UID: uuid.NewString(),
			ReceivedAt: s.at.Add(time.Hour), Source: "192.0.2.7", Mode: "octet",
			Site: "acme", Name: strings.ToValidUTF8(strings.ReplaceAll(hostile, "\x00", ""), "?"),
			NamedBy: store.NamedByFilename, Kind: id.Kind, Complete: true,
			ChangedBy: "eve</summary>\x1b", Body: []byte("a text\n"), Fingerprint: fingerprint,
			Rules: device.Rules})
		if err != nil {
			t.Fatal(err)
		}
		f := feedOf(t, p, "/changes.atom")
		if len(f.Entries) != 4 || !f.Updated[0].Equal(f.Entries[0].Updated[0]) ||
			f.ID[0] != empty.ID[0] {
			t.Fatalf("%+v", f)
		}
		for _, text := range []string{f.Entries[0].Title[0], f.Entries[0].Summary} {
			if strings.ContainsAny(text, "\x1b\u202e\u2028\ufffe\ufffd\x01") ||
				!regexp.MustCompile(`</title><script>|</summary>`).MatchString(text) {
				t.Errorf("a name of a stranger's: %q", text)
			}
		}
		if got := f.Entries[2].Title[0]; got != "acme/fw1: +1 −1 in config system global" {
			t.Errorf("a change: %q", got)
		}
		again := feedOf(t, p, "/changes.atom")
		for i, e := range again.Entries {
			if e.ID[0] != f.Entries[i].ID[0] || again.Updated[0] != f.Updated[0] {
				t.Errorf("not the same: %+v, %+v", again, f)
			}
		}
		own := feedOf(t, p, "/changes.atom?site=globex")
		if len(own.Entries) != 1 || own.ID[0] == f.ID[0] {
			t.Errorf("of a site: %+v", own)
		}
		for secret, want := range map[string]string{"": "log in first", "wrong": "unknown"} {
			r, body := (program{s, secret}).ask(t, http.MethodGet, "/changes.atom", "", "")
			if r.StatusCode != http.StatusUnauthorized || !strings.Contains(body, want) ||
				!strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%q: %s %s", secret, r.Status, body)
			}
		}
	})
}
