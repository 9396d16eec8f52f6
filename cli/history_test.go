package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tftpsql/tftpsql/capture"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// gate is a FortiGate configuration as it is displayed once: salt is what the device makes of its
// secrets that time.
func gate(name, salt, policy, dns string) string {
	return "#config-version=FGT60F-7.4.7-FW-build2731-250120:opmode=0:vdom=0:user=admin-" + salt +
		"\n#conf_file_ver=" + salt + "\n#buildno=2731\n#global_vdom=1\n" +
		"config system global\n    set hostname \"" + name +
		"\"\n    set timezone 26\n    set admintimeout 30\nend\n" +
		"config system interface\n    edit \"wan1\"\n        set ip 192.0.2.1 255.255.255.0\n    " +
		"next\n    edit \"dmz\"\n        set ip 198.51.100.1 255.255.255.0\n    next\nend\n" +
		"config user local\n    edit \"guest\"\n        set passwd ENC " + salt +
		"\n    next\nend\n" +
		"config firewall policy\n    edit 12\n        set name \"" + policy + "\"\n        set " +
		"action accept\n    next\n    edit 13\n        set name \"last\"\n    next\nend\n" +
		"config system dns\n    set primary " + dns + "\nend\n"
}

func TestWhatReallyChanged(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.put(t, "a.conf", gate("fw1", "salt1", "web", "192.0.2.53")) // @1
		p.put(t, "a.conf", gate("fw1", "salt2", "web", "192.0.2.53")) // @2, noise
		p.put(t, "a.conf", gate("fw1", "salt3", "web", "192.0.2.54")) // @3
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write([]byte(strings.ReplaceAll(gate("fw1", "salt4", "web", "192.0.2.54"), "\n",
			"\r\n")))
		_ = z.Close()
		// @4, the same in another form
		p.put(t, "a.conf.gz", packed.String())
		p.put(t, "a.conf", gate("fw1", "salt5", "internet", "192.0.2.54")) // @5
		p.put(t, "b.conf", "#FGBK|4|FGT60F|7|04|2731|\x00one")             // @6
		p.put(t, "b.conf", "#FGBK|4|FGT60F|7|04|2731|\x00two")             // @7

		if got := p.must(t, "show", "@4"); got != packed.String() {
			t.Error("the bytes of a packed file are not what came")
		}
		log := p.must(t, "log", "fw1")
		if !regexp.MustCompile(
			`(?m)^REF.*\n@5 .* once .*admin-salt5 .*\n@3 .* 2 times until .*admin-salt3 .*\n` +
				`@1 .* 2 times until .*\n$`).MatchString(log) {
			t.Errorf("log:\n%s", log)
		}
		if all := p.must(t, "log", "fw1", "--all"); strings.Count(all, "\n") != 6 {
			t.Errorf("log --all:\n%s", all)
		}
		for path, refs := range map[string]string{
			"config firewall policy > edit 12": "@5 @1", "config system dns": "@3 @1",
			"config system interface > edit \"wan1\"": "@1",
			"conf fire pol": "@5 @1", "firewall policy > 12": "@5 @1", "policy > edit 1": "",
			"config user local": "@1", "config firewall policy > edit 99": "",
		} {
			var got []string
			for line := range strings.Lines(p.must(t, "log", "fw1", "--path", path)) {
				if strings.HasPrefix(line, "@") {
					got = append(got, strings.Fields(line)[0])
				}
			}
			if strings.Join(got, " ") != refs {
				t.Errorf("log --path %q: %v, want %s", path, got, refs)
			}
		}
		status, diff, errs := p.do(t, "diff", "fw1")
		if status != 1 || !strings.Contains(diff, "@@ config firewall policy > edit 12\n") ||
			strings.Contains(diff, "ENC salt4\n-") ||
			strings.Count(diff, "\n-") != 1 || strings.Count(diff, "\n+") != 2 ||
			!strings.Contains(diff, "-        set name \"web\"\n+        set name \"internet\"\n") {
			t.Errorf("diff: %d\n%s%s", status, diff, errs)
		}
		if status, diff, errs = p.do(t, "diff", "@1", "@2"); status != 0 || diff != "" ||
			!strings.Contains(errs, "--all") {
			t.Errorf("diff of noise: %d\n%s%s", status, diff, errs)
		}
		if status, diff, _ = p.do(t, "diff", "@1", "@2", "--all"); status != 1 ||
			!strings.Contains(diff,
				"-        set passwd ENC salt1\n+        set passwd ENC salt2\n") ||
			!strings.Contains(diff, "@@ config user local > edit \"guest\"\n") ||
			!strings.Contains(diff, "-#conf_file_ver=salt1\n") {
			t.Errorf("diff --all: %d\n%s", status, diff)
		}
		if status, diff, _ = p.do(t, "diff", "@6", "@7"); status != 1 ||
			!strings.Contains(diff, "can't be compared") {
			t.Errorf("diff of encrypted files: %d\n%s", status, diff)
		}
		var captures []map[string]any
		unmarshal(t, p.must(t, "log", "--json"), &captures)
		changed := ""
		for _, c := range captures {
			changed += map[any]string{true: "x", false: "."}[c["changed"]]
		}
		if changed != "xxx.x.x" {
			t.Errorf("changed, newest first: %s", changed)
		}
	})
}

func TestAsOf(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		s := opened(t, url)
		friday := time.Date(2026, 11, 20, 18, 0, 0, 0, time.Local)
		for i, dns := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
			insert(t, s, friday.Add(time.Duration(i-1)*24*time.Hour), gate("fw1", "s", "web", dns))
		}
		p := &program{url: url}
		for at, want := range map[string]string{"2026-11-20 18:00": ".2", "2026-11-19": ".1",
			"2026-11-20": ".2", "2026-11-20T17:59:59Z": ".2"} {
			if at == "2026-11-20T17:59:59Z" && friday.UTC().Hour() != 18 {
				continue // another zone than the test was written in
			}
			if at == "2026-11-20T17:59:59Z" {
				want = ".1"
			}
			if got := p.must(t, "show", "fw1", "--at", at); !strings.Contains(got,
				"set primary 192.0.2"+want+"\n") {
				t.Errorf("as of %s:\n%s", at, got)
			}
		}
		if status, diff, _ := p.do(t, "diff", "fw1", "--at", "2026-11-20 23:00"); status != 1 ||
			!strings.Contains(diff, "-    set primary 192.0.2.1\n+    set primary 192.0.2.2\n") {
			t.Errorf("diff --at: %d\n%s", status, diff)
		}
		p.must(t, "publish", "fw1", "--at", "2026-11-19", "--as", "old.conf")
		if out := p.must(t, "publish", "--list"); !strings.Contains(out, "@1 of") {
			t.Errorf("published:\n%s", out)
		}
		for _, args := range [][]string{{"show", "fw1", "--at", "noon"},
			{"show", "@1", "--at", "2026-11-20"}, {"show", "fw1", "--at", "2026-13-01"}} {
			if status, _, errs := p.do(t, args...); status != 2 || errs == "" {
				t.Errorf("%q: %d %s", args, status, errs)
			}
		}
		if status, _, errs := p.do(t, "show", "fw1", "--at", "2026-01-01"); status != 1 ||
			!strings.Contains(errs, "as of") {
			t.Errorf("before the first: %d %s", status, errs)
		}
	})
}

// opened is a migrated store on url, as a server has it.
func opened(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(url, store.Options{Own: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// insert stores a configuration as if it had come at that time.
func insert(t testing.TB, s *store.Store, at time.Time, body string) store.Stored {
	t.Helper()
	c := capture.Upload{Peer: peer, Filename: "a.conf", Mode: string(tftp.Octet), Received: at,
		Completed: at, Body: []byte(body)}.Capture()
	c.UID = newUID(t)
	stored, err := s.Put(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestSearch(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		p.put(t, "a.conf", gate("fw1", "s", "web", "192.0.2.53"))
		p.put(t, "a.conf", gate("fw1", "s", "mail", "192.0.2.53"))
		p.put(t, "acme/b.conf", gate("fw2", "s", "web", "192.0.2.54"))
		p.put(t, "sw1.conf", "!\nversion 15.2\nservice timestamps log datetime\nhostname "+
			"sw1\n!\ninterface Gi1/0/1\n description web \x1b[31mred\n!\nend\n")
		want := "/sw1:7: interface Gi1/0/1 > description web \x1b[31mred\nacme/fw2:25: config " +
			"firewall policy > edit 12 > set name \"web\"\n"
		if got := p.must(t, "search", "web"); got != want {
			t.Errorf("search web:\n%q\nwant\n%q", got, want)
		}
		if got := p.must(t, "search", `^\s+set name "(web|mail)"$`, "fw*"); strings.Count(got,
			"\n") != 2 || !strings.HasPrefix(got, "/fw1:25: ") {
			t.Errorf("search with GLOB:\n%s", got)
		}
		if got := p.must(t, "search", "--history", "-F", `set name "web"`,
			"fw1"); got != "/fw1@1:25: config firewall policy > edit 12 > set name \"web\"\n" {
			t.Errorf("search --history:\n%s", got)
		}
		if got := p.must(t, "search", "-i", "HOSTNAME", "--site",
			"acme"); got != "acme/fw2:6: config system global > set hostname \"fw2\"\n" {
			t.Errorf("search --site:\n%s", got)
		}
		var found []wireMatch
		unmarshal(t, p.must(t, "search", "primary", "--json"), &found)
		if len(found) != 2 || found[0].Device != "fw1" || found[0].ID != 2 || found[0].Line != 33 ||
			fmt.Sprint(found[0].Path) != "[config system dns]" {
			t.Errorf("search --json: %+v", found)
		}
		for status, args := range map[int][]string{1: {"search", "nothing like it"},
			2: {"search", "("}} {
			if got, out, _ := p.do(t, args...); got != status || out != "" {
				t.Errorf("%q: exit status %d, want %d\n%s", args, got, status, out)
			}
		}
	})
}

func TestDevicesCommand(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		s := opened(t, url)
		now := time.Now()
		for _, name := range []string{"fw1", "fw2", "sw1"} {
			for h := range 4 {
				insert(t, s, now.Add(-time.Duration(
					h+map[string]int{"fw1": 0, "fw2": 3, "sw1": 9}[name])*time.Hour),
					gate(name, "s", "web", "x"))
			}
		}
		p := &program{url: url}
		names := func(args ...string) string {
			var got []string
			for line := range strings.Lines(p.must(t, append([]string{"devices"}, args...)...)) {
				if f := strings.Fields(line); f[0] != "DEVICE" {
					got = append(got, f[0])
				}
			}
			return strings.Join(got, " ")
		}
		for args, want := range map[string]string{
			"": "/fw1 /fw2 /sw1", "fw*": "/fw1 /fw2", "/?w2": "/fw2", "--site=": "/fw1 /fw2 /sw1",
			"--platform=fortinet": "/fw1 /fw2 /sw1", "--sort=last_seen": "/sw1 /fw2 /fw1",
			"--sort=-last_seen": "/fw1 /fw2 /sw1", "--silent=8h": "/sw1",
		} {
			if got := names(strings.Fields(args)...); got != want {
				t.Errorf("devices %s: %s, want %s", args, got, want)
			}
		}
		status, out, _ := p.do(t, "devices", "--overdue")
		if status != 1 || !strings.Contains(out, "/fw2 ") || !strings.Contains(out, "/sw1 ") ||
			strings.Contains(out, "/fw1 ") ||
			!regexp.MustCompile(
				`(?m)^/sw1 +7h.* 2h +longest of the last ten gaps: 1h `).MatchString(out) {
			t.Errorf("overdue: %d\n%s", status, out)
		}
		p.must(t, "device", "retire", "sw1")
		p.must(t, "device", "expect", "fw2", "7d")
		if status, out, _ := p.do(t, "devices", "--overdue"); status != 0 || out != "" {
			t.Errorf("overdue after retire and expect: %d\n%s", status, out)
		}
		if out := p.must(t, "devices"); !regexp.MustCompile(`(?m)^/sw1 .* retired `).MatchString(
			out) {
			t.Errorf("devices:\n%s", out)
		}
		for _, args := range [][]string{{"devices", "["}, {"devices", "--sort", "age"}, {"device"},
			{"device", "frobnicate"}, {"device", "expect", "fw2", "often"},
			{"device", "rename", "fw1", "-x"}, {"device", "forget", "fw1"}, {"device", "forget"},
			{"device", "merge", "fw1", "fw1"}} {
			if status, _, errs := p.do(t, args...); status != 2 || errs == "" {
				t.Errorf("%q: exit status %d\n%s", args, status, errs)
			}
		}
		p.must(t, "device", "merge", "sw1", "fw1", "--yes")
		p.must(t, "device", "rename", "fw1", "core")
		if out := p.must(t, "log", "sw1"); !strings.Contains(out, "also known as /fw1, /sw1") {
			t.Errorf("log:\n%s", out)
		}
		p.must(t, "device", "forget", "core", "--yes")
		if got := names(); got != "/fw2" {
			t.Errorf("after forget: %s", got)
		}
		p.must(t, "device", "forget", "--site", "", "--yes")
		if got := names(); got != "" {
			t.Errorf("after forget --site: %s", got)
		}
	})
}

// TestNotes: log points out an old name, and two boxes under one.
func TestNotes(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		s := opened(t, url)
		at := time.Now().Add(-100 * time.Hour)
		insert(t, s, at, gate("FW-OLD", "s", "web", "x"))
		insert(t, s, at, "#config-version=FGT60F-7.4.7-FW-build1:opmode=0:vdom=0\nconfig system "+
			"global\nset hostname OTHER\nend\n")
		insert(t, s, at.Add(time.Hour), gate("FW-NEW", "s", "web", "x"))
		p := &program{url: url}
		if out := p.must(t, "log", "FW-NEW"); !strings.Contains(out, "was /FW-OLD until ") ||
			!strings.Contains(out, "tftpsql device merge /FW-OLD /FW-NEW\n") {
			t.Errorf("log of the new name:\n%s", out)
		}
		if out := p.must(t, "log", "OTHER"); strings.Contains(out, "was ") {
			t.Errorf("log of another device:\n%s", out)
		}
		insert(t, s, at.Add(2*time.Hour), gate("FW-OLD", "s", "web", "x"))
		if out := p.must(t, "log", "FW-NEW"); strings.Contains(out, "was ") {
			t.Errorf("the old name has come again, and still:\n%s", out)
		}
		for i, serial := range []string{"AAA", "BBB", "AAA", "BBB"} {
			insert(t, s, at.Add(time.Duration(i)*time.Hour),
				": Saved\n:\n: Serial Number: "+serial+"\n: Hardware:   ASA5512, 4096 MB "+
					"RAM\nASA Version 9.12(4)67 \n!\nhostname pair\n: end\n")
		}
		if out := p.must(t, "log", "pair"); !strings.Contains(out,
			"more than one box sends under this name: ASA5512 BBB, ASA5512 AAA") {
			t.Errorf("log of a pair:\n%s", out)
		}
	})
}

func TestFailuresCommand(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url, "-v", "--max-size", "100kB")
		p.put(t, "fw1.conf", "hello")
		for range 3 {
			if err := (&tftp.Client{}).Put(t.Context(), p.addr, "big.conf",
				make([]byte, 200_000)); err == nil {
				t.Fatal("too large, and taken")
			}
		}
		if _, err := (&tftp.Client{}).Get(t.Context(), p.addr, "none: of all.conf"); err == nil {
			t.Fatal("there is no such file")
		}
		p.stop() // which writes the last failures
		p.status <- <-p.status
		var list []wireFailure
		unmarshal(t, p.must(t, "failures", "--json"), &list)
		times := map[string]int64{}
		for _, f := range list {
			times[f.Reason] += f.Times
		}
		if times["too large"] != 3 || times["read: file not found"] != 1 {
			t.Errorf("failures: %+v", list)
		}
		if out := p.must(t, "failures", "fw1", "--since", "7d"); !strings.Contains(out,
			"raise TFTP_MAX_SIZE") {
			t.Errorf("failures:\n%s", out)
		}
		if out := p.must(t, "failures"); !strings.Contains(out, " none: of all.conf ") {
			t.Errorf("the name of a file that was refused isn't whole:\n%s", out)
		}
	})
}

// watched is the output of a command that goes on.
func TestWatchCommand(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		out, errs := newLog(), newLog()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() {
			ended <- Run(ctx, "", []string{"watch", "--json"},
				[]string{"DATABASE_URL=" + url}, out, errs)
		}()
		errs.wait(t, "watching")
		p.put(t, "fw1.conf", gate("fw1", "s", "web", "x"))
		line := out.wait(t, `(?m)^\{.*\}$`)[0]
		var c wireCapture
		unmarshal(t, line, &c)
		if c.Device != "fw1" || !c.Changed || c.ExportedBy != "admin-s" {
			t.Errorf("%s: %+v", line, c)
		}
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("exit status %d: %s", status, errs)
		}
	})
}

func TestPruneCommand(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		s := opened(t, url)
		for d := range 30 {
			insert(t, s, time.Now().AddDate(0, 0, d-30),
				gate("fw1", fmt.Sprint("s", d), strings.Repeat("web", 40_000), "x"))
		}
		if status, _, errs := do(t, []string{"DATABASE_URL=" + url}, "prune"); status != 2 ||
			!strings.Contains(errs, "KEEP_UNCHANGED=90d") {
			t.Errorf("without settings: %d %s", status, errs)
		}
		environ := []string{"DATABASE_URL=" + url, "KEEP_UNCHANGED=10d"}
		size := func() int64 {
			var total int64
			for _, suffix := range []string{"", "-wal"} {
				if info, err := os.Stat(strings.TrimPrefix(url, "sqlite:") + suffix); err == nil {
					total += info.Size()
				}
			}
			return total
		}
		before := size()
		for _, args := range [][]string{{"prune", "--dry-run"}, {"prune"}} {
			status, out, errs := do(t, environ, args...)
			if status != 0 || !regexp.MustCompile(
				`delete.* 0 captures of replaced versions and 18 that brought nothing new, with `+
					`18 contents`).MatchString(out) {
				t.Errorf("%q: %d %s %s", args, status, out, errs)
			}
		}
		if strings.HasPrefix(url, "sqlite:") && size() > before/2 {
			t.Errorf("the file had %d bytes and has %d", before, size())
		}
	})
}

// TestOverdueRule holds the rule in Go and the views' together.
func TestOverdueRule(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		s := opened(t, url)
		r := rand.New(rand.NewPCG(3, 4))
		now := time.Now()
		for d := range 20 {
			at := now.Add(-time.Duration(r.Int64N(int64(20 * time.Hour))))
			for range r.IntN(15) + 1 {
				at = at.Add(-time.Duration(r.Int64N(int64(4 * time.Hour))))
				insert(t, s, at, gate(fmt.Sprintf("fw%02d", d), "s", "web", "x"))
			}
		}
		devices, err := s.Devices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i, d := range devices {
			switch i % 5 {
			case 1:
				err = s.Retire(t.Context(), d)
				d.Retired = true
			case 2:
				d.Expected = 90 * time.Minute
				err = s.Expect(t.Context(), d, d.Expected)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !d.OverdueSince(now).IsZero() {
				want = append(want, d.Name)
			}
		}
		if len(want) < 3 || len(want) > 17 {
			t.Fatalf("%d of 20 are overdue: the test shows nothing", len(want))
		}
		if got := column(t, url, "SELECT name FROM overdue_devices ORDER BY name"); fmt.Sprint(
			got) != fmt.Sprint(want) {
			t.Errorf("the view has %v, Go %v", got, want)
		}
	})
}

// column returns what a query gives on either engine, a text a row.
func column(t testing.TB, url, query string) (list []string) {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		rows, err := openSQLite(t, "sqlite:"+filepath.Clean(path)).Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var v string
			if err := rows.Scan(&v); err != nil {
				t.Fatal(err)
			}
			list = append(list, v)
		}
		return list
	}
	rows, err := connect(t, url).Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// TestNotify: on PostgreSQL each stored capture is told on channel tftpsql.
func TestNotify(t *testing.T) {
	url := databases["postgres"](t)
	p := start(t, url)
	c := connect(t, url)
	if _, err := c.Exec(t.Context(), "LISTEN tftpsql"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []map[string]any{
		{"id": 1.0, "site": "acme", "device": "fw1", "changed": true, "complete": true,
			"new_device": true},
		{"id": 2.0, "site": "acme", "device": "fw1", "changed": false, "complete": true,
			"new_device": false},
	} {
		p.put(t, "acme/a.conf", gate("fw1", "s", "web", "x"))
		n, err := c.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		unmarshal(t, n.Payload, &got)
		for key, v := range want {
			if got[key] != v {
				t.Errorf("%s is %v, want %v", key, got[key], v)
			}
		}
		if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got["received_at"])); err != nil ||
			time.Since(at) > time.Minute || got["uid"] == "" {
			t.Errorf("payload %s, err %v", n.Payload, err)
		}
	}
}

var peer = netip.MustParseAddrPort("192.0.2.1:49152")

func newUID(t testing.TB) string {
	t.Helper()
	uid, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return uid.String()
}

// TestRedact: show, diff and search hide secrets, and all of a text whose secrets are unknown.
func TestRedact(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		const secret = "SH2tQ8vZsecret"
		p.put(t, "a.conf", gate("fw1", "first", "web", "x"))
		p.put(t, "a.conf", strings.Replace(gate("fw1", "hidden", "web", "x"), "ENC hidden",
			"ENC "+secret, 1))
		p.put(t, "unknown.conf", "a secret of an unknown kind")
		p.put(t, "pf.xml",
			"<?xml version=\"1.0\"?>\n<pfsense>\n<system>\n<hostname>pf1</hostname>\n"+
				"<password>x</password>\n</system>\n<wan>\n<descr>uplink</descr>\n</wan>\n"+
				"</pfsense>\n")
		for _, environ := range [][]string{{"REDACT=1"}, nil} {
			run := func(args ...string) (int, string, string) {
				if environ == nil {
					args = append(args, "--redact")
				}
				return do(t, append([]string{"DATABASE_URL=" + url}, environ...), args...)
			}
			if status, out, errs := run("show", "fw1"); status != 0 ||
				strings.Contains(out, secret) ||
				!strings.Contains(out, "set passwd ENC <secret>\n") {
				t.Errorf("show: %d %s %s", status, out, errs)
			}
			if status, out, _ := run("diff", "fw1"); status != 1 || strings.Contains(out, secret) ||
				strings.Contains(out, "ENC first") ||
				!strings.Contains(out, "+        set passwd ENC <secret>\n") {
				t.Errorf("diff: %d %s", status, out)
			}
			if status, out, _ := run("search", secret); status != 1 || out != "" {
				t.Errorf("search for the secret: %d %s", status, out)
			}
			if status, out, _ := run("search", "set passwd"); status != 0 ||
				strings.Contains(out, secret) {
				t.Errorf("search beside the secret: %d %s", status, out)
			}
			if status, out, _ := run("search", "uplink"); status != 0 ||
				out != "/pf1:8: pfsense > wan > <descr>uplink</descr>\n" {
				t.Errorf("search below a hidden secret: %d %s", status, out)
			}
			if status, out, errs := run("show", "unknown"); status != 1 || out != "" ||
				!strings.Contains(errs, "--redact=false") {
				t.Errorf("show of what is not understood: %d %s %s", status, out, errs)
			}
		}
		if out := p.must(t, "show", "fw1"); !strings.Contains(out, secret) {
			t.Error("without being asked to, show hides the secret")
		}
	})
}

// TestSpoolRedact: what waits in the spool is shown without its secrets, too.
func TestSpoolRedact(t *testing.T) {
	t.Parallel()
	spool := filepath.Join(t.TempDir(), "spool.db")
	s, err := store.Open("postgres://nobody@127.0.0.1:1/nothing",
		store.Options{Own: true, Spool: spool})
	if err != nil {
		t.Fatal(err)
	}
	uids := []string{newUID(t), newUID(t)}
	for i, body := range []string{strings.Replace(gate("fw1", "hidden", "web", "x"), "ENC hidden",
		"ENC SH2tQ8vZsecret", 1), "a secret of an unknown kind"} {
		if _, err := s.Put(t.Context(), store.Capture{UID: uids[i], ReceivedAt: time.Now(),
			Source: "192.0.2.1", Filename: "a.conf", Name: "a", NamedBy: store.NamedByFilename,
			Kind: "full", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		environ, args []string
		shown         bool
	}{{nil, nil, true}, {[]string{"REDACT=1"}, nil, false}, {nil, []string{"--redact"}, false},
		{[]string{"REDACT=1"}, []string{"--redact=false"}, true}} {
		run := func(uid string) (int, string, string) {
			return do(t, append([]string{"SPOOL=" + spool}, c.environ...),
				append([]string{"spool", "show", uid}, c.args...)...)
		}
		status, out, errs := run(uids[0])
		if status != 0 || strings.Contains(out, "SH2tQ8vZsecret") != c.shown ||
			strings.Contains(out, "set passwd ENC <secret>\n") == c.shown {
			t.Errorf("%v: %d %s %s", c, status, out, errs)
		}
		if status, out, errs := run(uids[1]); (status == 0) != c.shown || (out != "") != c.shown ||
			strings.Contains(errs, "--redact=false") == c.shown {
			t.Errorf("%v, what is not understood: %d %s %s", c, status, out, errs)
		}
	}
}

// TestDiffHunks: every line of a diff with many pieces stands where it says.
func TestDiffHunks(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		var old, changed []string
		for i := range 60 {
			line := fmt.Sprintf("line %d", i)
			old = append(old, line)
			switch i {
			case 5, 9, 30, 50: // near enough for one piece, and further ones
				changed = append(changed, line+" changed")
			case 12:
				changed = append(changed, "more", line)
			case 40:
			default:
				changed = append(changed, line)
			}
		}
		p.put(t, "a.txt", strings.Join(old, "\n")+"\n")
		p.put(t, "a.txt", strings.Join(changed, "\n")+"\n")
		_, diff, _ := p.do(t, "diff", "@1", "@2")
		patched, at := []string(nil), 0
		for line := range strings.Lines(diff) {
			line = strings.TrimSuffix(line, "\n")
			var from, to, n int
			switch {
			case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
			case strings.HasPrefix(line, "@@"):
				if _, err := fmt.Sscanf(line, "@@ -%d,%d +%d,", &from, &n, &to); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				patched = append(patched, old[at:from-1]...)
				if at = from - 1; len(patched) != to-1 {
					t.Errorf("%q begins at line %d of the new text", line, len(patched)+1)
				}
			case line[0] == '+':
				patched = append(patched, line[1:])
			case line[1:] != old[at]:
				t.Fatalf("%q is not line %d of the old text", line, at+1)
			case line[0] == '-':
				at++
			default:
				patched, at = append(patched, line[1:]), at+1
			}
		}
		if patched = append(patched, old[at:]...); strings.Join(patched,
			"\n") != strings.Join(changed, "\n") {
			t.Errorf("the diff makes another text:\n%s", diff)
		}
	})
}
