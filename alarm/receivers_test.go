package alarm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tftpsql/tftpsql/alarm"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	secret     = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	routingKey = "0123456789abcdef0123456789abcdef"
)

// receivers are the channels that speak HTTP: what stands before and after the address.
var receivers = map[string][2]string{
	"webhook": {"http://", "/in"}, "slack": {"slack+http://", "/services/T0/B0/XYZ"},
	"teams":     {"teams+http://", "/workflows/1?sig=abc"},
	"discord":   {"discord+http://", "/api/webhooks/1/abc"},
	"ntfy":      {"ntfy+http://tk_secret@", "/noc"},
	"gotify":    {"gotify+http://Atoken@", "/push"},
	"pagerduty": {"pagerduty+http://", "/" + routingKey},
}

var when = time.Date(2026, 11, 27, 3, 0, 12, 0, time.FixedZone("CET", 3600))

const diffText = `--- acme/fw1~1
+++ acme/fw1
@@ -10,3 +10,5 @@ config firewall policy / edit 7
 set srcintf "lan"
-set action deny
+set action accept
+set logtraffic all
+set comments "a & b"
`

// hostile is a name with what terminals, browsers and each receiver's marks obey.
const hostile = "acme/<script>alert(1)</script>\u202e<!channel> &amp; @everyone <@U1> " +
	"[x](https://evil.example) *b* _i_ `c` ~s~ ||p||\r\nBcc: evil@example.net\x1b[31m\xff"

func many(n int) (list []alarm.Device) {
	for i := range n {
		list = append(list, alarm.Device{Ref: fmt.Sprintf("acme/fw%d", i+1), Platform: "fortios",
			Silent: 51 * time.Hour, Missed: 2, Since: when.Add(-51 * time.Hour)})
	}
	return list
}

// messages are what the golden files show.
var messages = []alarm.Message{
	{ID: "018f-changed", Kind: alarm.Changed, When: when, Site: "acme", Diff: diffText,
		Link: "https://tftpsql.example.net/diff/41..42",
		Devices: []alarm.Device{{Ref: "acme/fw1", Platform: "fortios", Added: 3, Removed: 1,
			Blocks: []string{"firewall policy / edit 7", "system dns"}, By: "admin", From: 41,
			To: 42, Source: "192.0.2.7", Link: "https://tftpsql.example.net/d/acme/fw1"}}},
	{ID: "018f-overdue", Kind: alarm.Overdue, When: when, Site: "acme", Devices: many(55)},
	{ID: "018f-back", Alarm: "alarm-17", Kind: alarm.Back, When: when, Resolved: true,
		Devices: []alarm.Device{{Ref: "fw1", Silent: 75 * time.Minute, Source: "192.0.2.7"}}},
	{ID: "018f-storage", Kind: alarm.Storage, When: when,
		Text: "PostgreSQL is away: captures go into the spool\n12 wait there"},
	{ID: "018f-hostile", Kind: alarm.Changed, When: when, Link: "javascript:alert(1)",
		Diff: "+```\n+<!here> @here </pre><script>\u202e\r\n-\x1b[2J&",
		Text: "<b>text</b> *of* <!everyone>",
		Devices: []alarm.Device{{Ref: hostile, Added: 1, Removed: 1, Blocks: []string{hostile},
			By: hostile, Source: hostile, Detail: hostile, Link: `https://x/"><script>`}}},
}

// A request is what a receiver got.
type request struct {
	path   string
	header http.Header
	body   []byte
}

// receive starts a receiver that answers by fn, and returns the channel to it and what it got.
func receive(t testing.TB, name string, o alarm.Options, fn http.HandlerFunc) (*alarm.Channel,
	<-chan request) {
	t.Helper()
	got := make(chan request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- request{r.URL.String(), r.Header, body}
		fn(w, r)
	}))
	t.Cleanup(server.Close)
	o.Private, o.Secret, o.Version = true, secret, "1.2.3"
	around := receivers[name]
	c, err := alarm.Parse(around[0]+strings.TrimPrefix(server.URL, "http://")+around[1], o)
	if err != nil {
		t.Fatal(err)
	}
	return c, got
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

// golden compares a text with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test ./alarm -update writes it):\n%s", file, got)
	}
}

// TestReceivers: each receiver gets what its golden file shows, and of a stranger's text nothing
// that it would obey.
func TestReceivers(t *testing.T) {
	hosts := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	for name := range receivers {
		c, got := receive(t, name, alarm.Options{}, ok)
		var out bytes.Buffer
		for _, m := range messages {
			if r := c.Send(t.Context(), m); r.Outcome != alarm.Taken || r.Err() != nil ||
				r.Answer != "200 OK\nok" {
				t.Fatalf("%s: %+v", name, r)
			}
			request := <-got
			fmt.Fprintf(&out, "POST %s\n", request.path)
			for _, h := range []string{"Authorization", "Content-Type", "User-Agent",
				"Webhook-Id", "X-Gotify-Key"} {
				if v := request.header.Get(h); v != "" {
					fmt.Fprintf(&out, "%s: %s\n", h, v)
				}
			}
			out.WriteByte('\n')
			if err := json.Indent(&out, request.body, "", "  "); err != nil {
				t.Fatal(err)
			}
			out.WriteByte('\n')
			if bytes.ContainsAny(request.body, "\u202e\x1b\r\xff") ||
				bytes.Contains(request.body, []byte("javascript:")) ||
				!utf8.Valid(request.body) {
				t.Errorf("%s: %s", name, request.body)
			}
			marks := map[string]string{"slack": `<[!@]|<script`, "discord": `[^\\]@e|[^\\]\[x`}
			if mark := marks[name]; mark != "" &&
				regexp.MustCompile(mark).Match(request.body) {
				t.Errorf("%s reads marks in %s", name, request.body)
			}
		}
		golden(t, name, hosts.ReplaceAll(out.Bytes(), []byte("receiver")))
	}
}

// texts calls fn for each string in a JSON value, with the key that it stands under.
func texts(key string, v any, fn func(key, s string)) {
	switch v := v.(type) {
	case string:
		fn(key, v)
	case []any:
		for _, e := range v {
			texts(key, e, fn)
		}
	case map[string]any:
		for k, e := range v {
			texts(k, e, fn)
		}
	}
}

// TestSizes: however much there is to say, no receiver gets more than it takes, or half a
// character.
func TestSizes(t *testing.T) {
	type bounds struct {
		body  int
		texts map[string]int
	}
	takes := map[string]bounds{
		"webhook": {4 << 20, nil}, "slack": {40_000, map[string]int{"text": 3000}},
		"teams":   {28_000, nil},
		"discord": {16_000, map[string]int{"title": 256, "description": 4096}},
		"ntfy":    {8192, map[string]int{"message": 4096}}, "gotify": {256 << 10, nil},
		"pagerduty": {512_000, map[string]int{"summary": 1024}},
	}
	for _, piece := range []string{"ä&", "`\"", "*\x00", "𝕏 ", "<\n"} {
		long := strings.Repeat(piece, 70_000/len(piece))
		m := alarm.Message{ID: "1", Kind: alarm.Changed, When: when, Title: long, Text: long,
			Diff: long, Site: long, Link: "https://x/" + strings.Repeat("a", 1900)}
		for name, most := range takes {
			count := 25 // a chat lists 20
			if piece == "`\"" && (name == "webhook" || name == "pagerduty") {
				count = 205 // and these 200; once, for the test's time
			}
			m.Devices = slices.Repeat([]alarm.Device{{Ref: long, Platform: long, By: long,
				Source: long, Detail: long, Blocks: slices.Repeat([]string{long}, 5)}}, count)
			c, got := receive(t, name, alarm.Options{}, ok)
			if r := c.Send(t.Context(), m); r.Outcome != alarm.Taken {
				t.Fatalf("%s, %q: %+v", name, piece, r)
			}
			body := (<-got).body
			if len(body) > most.body || !utf8.Valid(body) {
				t.Errorf("%s, %q: %d bytes", name, piece, len(body))
			}
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			cut := false
			texts("", v, func(key, s string) {
				cut = cut || strings.Contains(s, "…")
				if limit := most.texts[key]; limit > 0 && len(s) > limit {
					t.Errorf("%s, %q: %s has %d bytes", name, piece, key, len(s))
				}
			})
			if !cut {
				t.Errorf("%s, %q: nothing says that something is missing", name, piece)
			}
		}
	}
}

// TestBadMessages are refused before anything is sent.
func TestBadMessages(t *testing.T) {
	c, got := receive(t, "webhook", alarm.Options{}, ok)
	for _, m := range []alarm.Message{{}, {ID: "a.b", Kind: alarm.Test, When: when},
		{ID: "1\r\nx", Kind: alarm.Test, When: when}, {ID: "1", Kind: "else", When: when},
		{ID: "1", Kind: alarm.Test}, {ID: "1", Alarm: "ä", Kind: alarm.Test, When: when}} {
		if r := c.Send(context.Background(), m); r.Outcome != alarm.Refused || r.Reason == "" {
			t.Errorf("%+v: %+v", m, r)
		}
	}
	if len(got) > 0 {
		t.Error("the receiver got one")
	}
}
