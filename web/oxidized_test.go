package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// oxNode is what LibreNMS reads of a node, and oxVersion what it reads of a version.
type oxNode struct {
	Name     string `json:"name"`
	FullName string `json:"full_name"`
	IP       string `json:"ip"`
	Group    string `json:"group"`
	Model    string `json:"model"`
	Last     struct {
		Start  string  `json:"start"`
		End    string  `json:"end"`
		Status string  `json:"status"`
		Time   float64 `json:"time"`
	} `json:"last"`
	Status string `json:"status"`
	Time   string `json:"time"`
	MTime  string `json:"mtime"`
}

type oxVersion struct {
	Date   string `json:"date"`
	Time   string `json:"time"`
	OID    string `json:"oid"`
	Author struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	} `json:"author"`
	Message string `json:"message"`
}

// decode reads JSON that has no other fields.
func decode(t testing.TB, text string, to any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// isTime checks a time as NetXMS (by its first 19 characters, as UTC) and a NetBox plugin (with its
// zone) read it.
func isTime(t testing.TB, text string) {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05 -0700", text)
	plain, err2 := time.Parse("2006-01-02 15:04:05", text[:min(len(text), 19)])
	if err != nil || err2 != nil || !at.Equal(plain) {
		t.Errorf("no time that Oxidized writes: %q", text)
	}
}

// TestLibreNMS asks what LibreNMS does for the page of a device, in its order: the node by its host
// name, its versions, the newest of them, and a difference.
func TestLibreNMS(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.from = "192.0.2.1"
		first := s.put(t, "acme", "FW1", gate("FW1", "04", "AAAAAAAA", "lan-out"))
		second := s.put(t, "acme", "FW1", gate("FW1", "26", "AAAAAAAA", "lan-out"))
		s.from = "192.0.2.2"
		s.put(t, "", "sw2", gate("sw2", "04", "BBBBBBBB", "dmz"))
		p := s.program(t, store.Viewer, nil)
		for _, hostname := range []string{"fw1", "FW1", "192.0.2.1"} {
			_, body := p.get(t, "/oxidized/node/show/"+hostname+"?format=json")
			var info oxNode
			decode(t, body, &info)
			if info.Name != "FW1" || info.FullName != "acme/FW1" || info.Group != "acme" ||
				info.IP != "192.0.2.1" || info.Model != "fortinet" ||
				info.Last.Status != "success" {
				t.Errorf("%s: %+v", hostname, info)
			}
			isTime(t, info.Last.Start)
			isTime(t, info.Last.End)
			isTime(t, info.MTime)
			_, body = p.get(t, "/oxidized/node/version?node_full="+info.FullName+"&format=json")
			var versions []oxVersion
			decode(t, body, &versions)
			if len(versions) != 2 || versions[0].OID != id(second) ||
				versions[1].OID != id(first) || versions[0].Message != "update FW1" {
				t.Fatalf("%s: %+v", hostname, versions)
			}
			isTime(t, versions[0].Date)
			isTime(t, versions[0].Time)
			newest := "node=" + hostname + "&group=" + info.Group + "&oid=" + versions[0].OID +
				"&date=" + url.QueryEscape(versions[0].Date) + "&num=2"
			code, text := p.get(t, "/oxidized/node/version/view?"+newest+"&format=text")
			if code != 200 || !strings.Contains(text, "set timezone 26\n") ||
				!strings.Contains(text, "ENC <secret>") || strings.Contains(text, "AAAA") {
				t.Errorf("%s: the newest version: %d %s", hostname, code, text)
			}
			code, text = p.get(t, "/oxidized/node/version/diffs?"+newest+"&oid2="+
				versions[1].OID+"&format=text")
			if code != 200 || !strings.HasPrefix(text, "--- acme/FW1\t") ||
				!strings.Contains(text, "\n-    set timezone 04\n+    set timezone 26\n") {
				t.Errorf("%s: a difference: %d %s", hostname, code, text)
			}
			_, fetched := p.get(t, "/oxidized/node/fetch/"+info.Group+"/"+hostname)
			if !strings.Contains(fetched, "set timezone 26\n") {
				t.Errorf("%s: fetched %s", hostname, fetched)
			}
			var lines []string
			_, body = p.get(t, "/oxidized/node/fetch/"+hostname+"?format=json")
			decode(t, body, &lines)
			if strings.Join(lines, "") != fetched || len(lines) < 10 {
				t.Errorf("%s: %d lines", hostname, len(lines))
			}
		}
		// What LibreNMS isn't told as JSON it takes for nothing, and tries the short name.
		for path, code := range map[string]int{
			"/oxidized/node/show/none.example.net?format=json":  404,
			"/oxidized/node/version?node_full=none&format=json": 404,
			"/oxidized/node/fetch/none":                         404,
			"/oxidized/node/version/view?node=FW1&oid=99":       404,
			"/oxidized/node/version/diffs?node=FW1&oid=x":       404,
			"/oxidized/nodes/odd/x":                             404,
			"/oxidized/none":                                    404,
			"/oxidized/node/next/FW1":                           405} {
			got, body := p.get(t, path)
			if got != code || json.Valid([]byte(body)) || !strings.HasSuffix(body, "\n") {
				t.Errorf("%s: %d %s", path, got, body)
			}
		}
		r, body := p.ask(t, http.MethodPut, "/oxidized/node/next/FW1", "application/json",
			`{"user":"ann","msg":"syslog"}`)
		if r.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(body, "by themselves") {
			t.Errorf("a refresh: %d %s", r.StatusCode, body)
		}
		r, body = p.ask(t, http.MethodPost, "/oxidized/nodes/conf_search?format=json",
			"application/x-www-form-urlencoded", "search_in_conf_textbox="+
				url.QueryEscape("set timezone 0[4]"))
		var found []struct {
			Node     string `json:"node"`
			FullName string `json:"full_name"`
		}
		decode(t, body, &found)
		if r.StatusCode != 200 || len(found) != 1 || found[0].Node != "sw2" ||
			found[0].FullName != "default/sw2" {
			t.Errorf("a search: %+v", found)
		}
		for search, code := range map[string]int{"(": 400, "": 400, "AAAAAAAA": 200} {
			r, body = p.ask(t, http.MethodPost, "/oxidized/nodes/conf_search?format=json",
				"application/x-www-form-urlencoded",
				url.Values{"search_in_conf_textbox": {search}}.Encode())
			if r.StatusCode != code || code == 200 && strings.TrimSpace(body) != "[]" {
				t.Errorf("a search for %q: %d %s", search, r.StatusCode, body)
			}
		}
		if r, _ := (program{s, ""}).ask(t, "GET", "/oxidized/nodes", "", ""); r.StatusCode !=
			http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("without a token: %s", r.Status)
		}
	})
}

// TestNetXMS asks what NetXMS does: the list, a node's versions and their lines.
func TestNetXMS(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		s.put(t, "acme", "17", gate("17", "04", "AAAAAAAA", "lan-out"))
		bare := s.put(t, "", "18", gate("18", "04", "BBBBBBBB", "dmz"))
		p := s.program(t, store.Viewer, nil)
		for path, names := range map[string][]string{"/nodes.json": {"17", "18"},
			"/nodes?format=json": {"17", "18"}, "/nodes/group/acme.json": {"17"},
			"/nodes/group/default": {"18"}, "/nodes/model/fortinet.json": {"17", "18"},
			"/nodes/model/unknown": nil} {
			var list []oxNode
			_, body := p.get(t, "/oxidized"+path)
			decode(t, body, &list)
			var got []string
			for _, n := range list {
				got = append(got, n.Name)
				isTime(t, n.Last.End)
			}
			slices.Sort(got)
			if !slices.Equal(got, names) {
				t.Errorf("%s: %q", path, got)
			}
		}
		// a group default is left out
		for _, node := range []string{"18", "default/18", "acme/17"} {
			var versions []oxVersion
			_, body := p.get(t, "/oxidized/node/version.json?node_full="+url.QueryEscape(node))
			decode(t, body, &versions)
			if len(versions) != 1 {
				t.Errorf("%s: %+v", node, versions)
			}
			if code, body := p.get(t, "/oxidized/node/fetch/"+node); code != 200 ||
				!strings.Contains(body, "timezone") {
				t.Errorf("%s: %d %s", node, code, body)
			}
		}
		var lines []string
		view := "/oxidized/node/version/view.json?node=18&group=default&oid=" + id(bare)
		_, body := p.get(t, view)
		decode(t, body, &lines)
		_, text := p.get(t, strings.Replace(view, ".json", ".text", 1))
		if strings.Join(lines, "") != text || !strings.Contains(text, "set timezone 04\n") {
			t.Errorf("%q is %s", lines, text)
		}
	})
}

// TestOxidizedMasked: a viewer's token gets configurations without secrets, and none where they
// can't be told; a reader's gets them whole, and that is noted.
func TestOxidizedMasked(t *testing.T) {
	onEngines(t, func(t *testing.T, s *site) {
		known := s.put(t, "acme", "fw1", gate("fw1", "04", "AAAAAAAA", "lan-out"))
		odd := s.put(t, "acme", "odd", "a text of no platform\n")
		viewer, reader := s.program(t, store.Viewer, nil), s.program(t, store.Reader, nil)
		for _, path := range []string{"/node/fetch/acme/fw1", "/node/version/view?oid=" + id(known),
			"/node/version/diffs?oid=" + id(known)} {
			if code, body := viewer.get(t, "/oxidized"+path); code != 200 ||
				strings.Contains(body, "AAAAAAAA") || !strings.Contains(body, "<secret>") {
				t.Errorf("a viewer, %s: %d %s", path, code, body)
			}
			if code, body := reader.get(t, "/oxidized"+path); code != 200 ||
				!strings.Contains(body, "AAAAAAAA") {
				t.Errorf("a reader, %s: %d %s", path, code, body)
			}
			odder := strings.NewReplacer("fw1", "odd", "="+id(known), "="+id(odd)).Replace(path)
			r, body := viewer.ask(t, "GET", "/oxidized"+odder, "", "")
			if r.StatusCode != http.StatusForbidden || !strings.Contains(body, "role reader") ||
				!strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("a viewer, %s: %s %s", odder, r.Status, body)
			}
			if code, body := reader.get(t, "/oxidized"+odder); code != 200 ||
				!strings.Contains(body, "a text of no platform") {
				t.Errorf("a reader, %s: %d %s", odder, code, body)
			}
		}
		r, body := reader.ask(t, http.MethodPost, "/oxidized/nodes/conf_search",
			"application/x-www-form-urlencoded", "search_in_conf_textbox=AAAAAAAA")
		if r.StatusCode != 200 || !strings.Contains(body, `"full_name":"acme/fw1"`) {
			t.Errorf("a reader searches: %d %s", r.StatusCode, body)
		}
		list, err := s.store.Audits(t.Context(), 0, 100)
		if err != nil || len(list) != 7 || list[0].Action != "search with secrets" ||
			list[1].Action != "download" {
			t.Errorf("audits: %+v, %v", list, err)
		}
	})
}

// TestOxidizedGroups: a name that two sites have needs its group; a site that is called as the
// group of those without one is told apart, or not at all.
func TestOxidizedGroups(t *testing.T) {
	s := serve(t, engines["sqlite"](t), nil)
	for i, ref := range []string{"acme/fw", "globex/fw", "/a", "default/b", "/c", "default/c",
		"a/b/deep"} {
		at := strings.LastIndex(ref, "/")
		s.put(t, ref[:at], ref[at+1:], gate(ref[at+1:], fmt.Sprintf("%02d", i), "AAAAAAAA", "x"))
	}
	p := s.program(t, store.Viewer, nil)
	for node, want := range map[string]string{"acme/fw": "timezone 00", "globex/fw": "timezone 01",
		"fw": "acme/fw, globex/fw", "default/a": "timezone 02", "a": "timezone 02",
		"default/b": "timezone 03", "default/c": "/c, default/c", "default/A": "timezone 02",
		"a/b/deep": "timezone 06", "acme/fw.json": `timezone 00`, "default/fw": "unable to find",
		"deep": "timezone 06", "default/192.0.2.7": "more than one"} {
		if _, body := p.get(t, "/oxidized/node/fetch/"+node); !strings.Contains(body, want) {
			t.Errorf("%s: %s", node, body)
		}
	}
	bound := s.program(t, store.Viewer, []string{"acme"})
	if code, body := bound.get(t, "/oxidized/node/fetch/fw"); code != 200 ||
		!strings.Contains(body, "timezone 00") {
		t.Errorf("for somebody of acme: %d %s", code, body)
	}
}
