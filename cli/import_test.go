package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/config"
	"github.com/tftpsql/tftpsql/move"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// write makes a file, with a time of its last change unless that is zero.
func write(t testing.TB, file, body string, at time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	if !at.IsZero() {
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// captures are what log --json prints, the oldest first, as "id time ref file changed".
func (p *program) captures(t testing.TB) (list []string) {
	t.Helper()
	var all []wireCapture
	unmarshal(t, p.must(t, "log", "-n", "0", "--json"), &all)
	for _, c := range all {
		list = append([]string{fmt.Sprintf("@%d %s %s %s %v", c.ID,
			c.ReceivedAt.Format(time.RFC3339), store.Device{Site: c.Site, Name: c.Device}.Ref(),
			c.Filename, c.Changed)}, list...)
	}
	return list
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestImportFolder(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p, dir := &program{url: url}, t.TempDir()
		friday := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
		write(t, dir+"/acme/new.conf", gate("fw1", "b", "web", "192.0.2.54"),
			friday.Add(2*time.Hour))
		write(t, dir+"/acme/old.conf", gate("fw1", "a", "web", "192.0.2.53"), friday)
		write(t, dir+"/backup.conf", "no name\n", friday.Add(time.Hour))
		write(t, dir+"/image.bin", strings.Repeat("x", 2<<20), friday)
		write(t, dir+"/.hidden/fw9.conf", gate("fw9", "", "", ""), friday)
		write(t, filepath.Join(t.TempDir(), "secret"), "not in the folder", friday)
		if err := os.Symlink("/etc/hostname", dir+"/link.conf"); err != nil {
			t.Fatal(err)
		}
		environ := []string{"DATABASE_URL=" + url, "TFTP_MAX_SIZE=1MiB"}
		if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
			status, out, errs := do(t, environ, "import", dir, "--dry-run")
			if _, err := os.Stat(file); err == nil || status != 0 ||
				!strings.Contains(out,
					"to import: 3 captures of 2 devices; 0 here before, 1 left out\n") {
				t.Errorf("dry run: %d\n%s%s%v", status, out, errs, err)
			}
		}
		status, out, errs := do(t, environ, "import", dir)
		if status != 0 || !strings.Contains(out,
			"imported: 3 captures of 2 devices; 0 here before, 1 left out\n") ||
			!regexp.MustCompile(
				`(?m)^acme/fw1 +fortinet +2 +2026-11-20 \S+ +2026-11-20 `).MatchString(out) ||
			!strings.Contains(errs, "left out: image.bin: 2 MiB, and TFTP_MAX_SIZE is 1MiB\n") {
			t.Errorf("import: %d\n%s%s", status, out, errs)
		}
		want := []string{"@1 2026-11-20T18:00:00Z acme/fw1 acme/old.conf true",
			"@2 2026-11-20T19:00:00Z /backup backup.conf true",
			"@3 2026-11-20T20:00:00Z acme/fw1 acme/new.conf true"}
		same(t, "imported", p.captures(t), want)
		if status, out, errs := do(t, environ, "import", dir, "--site", "other"); status != 0 ||
			!strings.Contains(out,
				"imported: 0 captures of 0 devices; 3 here before, 1 left out\n") ||
			!strings.Contains(errs,
				"2 captures of before under site acme: "+
					"--site is for what is new\n") ||
			!strings.Contains(errs, "1 capture of before under no site") {
			t.Errorf("again: %d\n%s%s", status, out, errs)
		}
		write(t, dir+"/acme/new.conf", gate("fw1", "c", "mail", "192.0.2.54"),
			friday.Add(3*time.Hour))
		for _, flag := range []string{"--dry-run", "--site=globex"} {
			if out := p.must(t, "import", dir, flag); !strings.Contains(out,
				": 2 captures of 2 devices; 2 here before, 0 left out\n") {
				t.Errorf("%s:\n%s", flag, out)
			}
		}
		if got := p.must(t, "show", "globex/fw1"); got != gate("fw1", "c", "mail", "192.0.2.54") {
			t.Errorf("show: %q", got)
		}
		for _, args := range [][]string{{"import"}, {"import", "http://example.net/"},
			{"import", dir, "--site", "-x"}} {
			if status, _, errs := p.do(t, args...); status != 2 || errs == "" {
				t.Errorf("%q: %d %s", args, status, errs)
			}
		}
		if status, _, errs := p.do(t, "import", t.TempDir()); status != 0 ||
			errs != "the source has no configurations\n" {
			t.Errorf("an empty folder: %d %s", status, errs)
		}
		if status, _, errs := p.do(t, "import", dir+"/nothing"); status != 1 ||
			!strings.Contains(errs, "SOURCE is") {
			t.Errorf("no folder: %d %s", status, errs)
		}
	})
}

// TestImportIntoNothing: where no database can be made, why is said once.
func TestImportIntoNothing(t *testing.T) {
	spool := filepath.Join(t.TempDir(), "spool.db")
	p, err := store.OpenSpool(spool, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := do(t, []string{"DATABASE_URL=sqlite:" + spool}, "import",
		t.TempDir()); status != 1 || strings.Count(errs, "is a spool") != 1 {
		t.Errorf("%d %s", status, errs)
	}
}

// TestImportedThenSent: a device that names itself by its files goes on with what was imported
// under that name; another doesn't.
func TestImportedThenSent(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p, dir := start(t, url), t.TempDir()
		p.put(t, "edge.conf", gate("edge", "a", "web", "x"))
		write(t, dir+"/sw1-confg", "a switch that says no name\n", time.Now().Add(-config.Day))
		write(t, dir+"/edge", "no configuration of the device edge\n", time.Now().Add(-config.Day))
		p.must(t, "import", dir)
		p.put(t, "sw1-confg", "a switch that says no name\nand a line\n")
		p.put(t, "sw1-confg", "a switch that says no name\nand a line\n")
		var devices []wireDevice
		unmarshal(t, p.must(t, "devices", "--json"), &devices)
		var got []string
		for _, d := range devices {
			got = append(got, fmt.Sprint(d.Name, " ", d.Captures, " ", d.Changes, " ", d.Source))
		}
		same(t, "devices", got, []string{"edge 1 1 127.0.0.1", "edge@import 1 1 ",
			"sw1 3 2 127.0.0.1"})
	})
}

// TestImportFromTomorrow: a file with a time to come isn't the newest for ever.
func TestImportFromTomorrow(t *testing.T) {
	p, dir := start(t, databases["sqlite"](t)), t.TempDir()
	write(t, dir+"/a", gate("fw1", "a", "web", "1"), time.Now().Add(90*config.Day))
	p.must(t, "import", dir)
	p.put(t, "a", gate("fw1", "a", "web", "2"))
	if got := p.must(t, "show", "fw1"); got != gate("fw1", "a", "web", "2") {
		t.Errorf("the newest is\n%s", got)
	}
	if out := p.must(t, "import", dir); !strings.Contains(out,
		"imported: 0 captures of 0 devices; 1 here before") {
		t.Errorf("again:\n%s", out)
	}
}

// repository makes a git repository of versions: path, text, and an hour each.
func repository(t testing.TB, dir string, versions ...[2]string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		pgtest.Missing(t, err)
	}
	run := func(hour int, args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		date := time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC).Format(time.RFC3339)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=o", "GIT_AUTHOR_EMAIL=o@example.com",
			"GIT_COMMITTER_NAME=o", "GIT_COMMITTER_EMAIL=o@example.com",
			"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date, "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run(0, "init", "-q")
	for i, v := range versions {
		write(t, filepath.Join(dir, v[0]), v[1], time.Time{})
		run(i, "add", "-A")
		run(i, "commit", "-q", "-m", "update")
	}
}

func TestImportGit(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p, dir := &program{url: url}, t.TempDir()
		oxidized, rancid := dir+"/oxidized", dir+"/core"
		repository(t, oxidized, [2]string{"acme/fw1", gate("fw1", "a", "web", "1")},
			[2]string{"sw 1", "says no name\n"},
			[2]string{"acme/fw1", gate("fw1", "b", "web", "1")},
			[2]string{"acme/fw1", gate("fw1", "c", "mail", "1")},
			[2]string{"README.md", "not a device's"}, [2]string{"crypt", "\x00GITCRYPT\x00abc"},
			[2]string{"\"q\"\n\xe4", "a name that git would quote\n"})
		repository(t, rancid, [2]string{"router.db", "sw2;cisco;up\n"},
			[2]string{"configs/sw2.example.net",
				"!RANCID-CONTENT-TYPE: cisco\n!\nversion 15.2\nhostname sw2\n!\nend\n"})
		out := p.must(t, "import", "--git", oxidized)
		if !strings.Contains(out,
			"imported: 5 captures of 3 devices; 0 here before, 1 left out\n") {
			t.Errorf("import:\n%s", out)
		}
		p.must(t, "import", "--git", rancid)
		want := []string{"@1 2026-11-20T00:00:00Z acme/fw1 acme/fw1 true",
			"@6 2026-11-20T01:00:00Z core/sw2 core/sw2.example.net true",
			"@2 2026-11-20T01:00:00Z /sw 1 sw 1 true",
			"@3 2026-11-20T02:00:00Z acme/fw1 acme/fw1 false",
			"@4 2026-11-20T03:00:00Z acme/fw1 acme/fw1 true",
			`@5 2026-11-20T06:00:00Z /"q"\x0a\xe4 "q"\x0a\xe4 true`}
		got := p.captures(t)
		if len(got) == 6 && got[1] > got[2] { // of one second: ties go by uid
			got[1], got[2] = got[2], got[1]
		}
		if want[1] > want[2] {
			want[1], want[2] = want[2], want[1]
		}
		same(t, "imported", got, want)
		// A clone, without files of its own, is the same repository.
		clone := dir + "/clone.git"
		if out, err := exec.Command("git", "clone", "-q", "--bare", oxidized,
			clone).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if out := p.must(t, "import", "--git", clone); !strings.Contains(out,
			"imported: 0 captures of 0 devices; 5 here before, 1 left out\n") {
			t.Errorf("again:\n%s", out)
		}
		if got := p.must(t, "show", "acme/fw1~1"); got != gate("fw1", "b", "web", "1") {
			t.Errorf("show: %q", got)
		}
		for _, repo := range []string{oxidized, clone} {
			if status, _, errs := p.do(t, "import", repo); status != 2 ||
				!strings.Contains(errs, "--git") {
				t.Errorf("%s without --git: %d %s", repo, status, errs)
			}
		}
		repository(t, dir+"/empty")
		if status, _, errs := p.do(t, "import", "--git", dir+"/empty"); status != 1 ||
			!strings.Contains(errs, "a branch without commits") {
			t.Errorf("an empty repository: %d %s", status, errs)
		}
		interrupted, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := move.OpenGit(interrupted, oxidized, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
		if status, _, errs := p.do(t, "import", "--git", oxidized+"/acme/.."+"/../"); status != 1 ||
			!strings.Contains(errs, "not a git repository") {
			t.Errorf("no repository: %d %s", status, errs)
		}
	})
}

// seeded makes py3tftpsql's table, in the database at url where that is PostgreSQL, and returns the
// URL of where it is.
func seeded(t *testing.T, url string) (source string) {
	t.Helper()
	source = url // the usual case: both in one database
	if strings.HasPrefix(url, "sqlite:") {
		source = pgtest.Database(t)
	}
	db := connect(t, source)
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := db.Exec(t.Context(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE backups (id serial, hostname varchar, config text)")
	for _, row := range [][2]string{{"fw1", gate("fw1", "a", "web", "1")},
		{"x/../1", "no configuration\n"}, {"fw1", gate("fw1", "a", "web", "2")},
		{"fw1", gate("fw1", "a", "web", "1")}} {
		exec("INSERT INTO backups (hostname, config) VALUES ($1, $2)", row[0], row[1])
	}
	exec("INSERT INTO backups (hostname, config) VALUES (NULL, NULL)")
	return source
}

// TestImportSeedFirst: py3tftpsql's own database is imported before a server has ever used it; a
// dry run makes nothing.
func TestImportSeedFirst(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p, source := &program{url: url}, seeded(t, url)
		for range 2 {
			if out := p.must(t, "import", source, "--dry-run"); !strings.Contains(out,
				"to import: 5 captures of 3 devices; 0 here before") {
				t.Errorf("dry run:\n%s", out)
			}
		}
		var kind string
		if err := connect(t, source).QueryRow(t.Context(), "SELECT string_agg(relname || ' ' || "+
			"relkind::text, ', ') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND "+
			"relkind IN ('r', 'v')").Scan(&kind); err != nil || kind != "backups r" {
			t.Errorf("a dry run leaves %s, %v", kind, err)
		}
		if out := p.must(t, "import", source); !strings.Contains(out,
			"imported: 5 captures of 3 devices; 0 here before") {
			t.Errorf("import:\n%s", out)
		}
		known := 5
		if source == url { // the rows, and what they have become
			known = 10
		}
		for _, flag := range []string{"--dry-run", "--dry-run=false"} {
			if out := p.must(t, "import", source, flag); !strings.Contains(out,
				fmt.Sprintf(": 0 captures of 0 devices; %d here before", known)) {
				t.Errorf("again, %s:\n%s", flag, out)
			}
		}
		if got := p.must(t, "show", "fw1"); got != gate("fw1", "a", "web", "1") {
			t.Errorf("the newest is\n%s", got)
		}
	})
}

// TestImportSeed: rows of py3tftpsql's table, which have no times, come before everything that a
// device sent here, in their order.
func TestImportSeed(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		source := seeded(t, url)
		p := start(t, url)
		p.put(t, "fw1.conf", gate("fw1", "z", "web", "3"))
		if out := p.must(t, "import", source, "--dry-run"); !strings.Contains(out,
			"to import: 5 captures of 3 devices;") {
			t.Errorf("dry run:\n%s", out)
		}
		if out := p.must(t, "import", source); !strings.Contains(out,
			"imported: 5 captures of 3 devices;") {
			t.Errorf("import:\n%s", out)
		}
		if out := p.must(t, "import", source); !strings.Contains(out,
			"imported: 0 captures of 0 devices; ") {
			t.Errorf("again:\n%s", out)
		}
		if got := p.must(t, "show", "fw1"); !strings.Contains(got, "set primary 3\n") {
			t.Errorf("the newest is\n%s", got)
		}
		var all []wireCapture
		unmarshal(t, p.must(t, "log", "fw1", "--json"), &all)
		if len(all) != 4 || all[1].ReceivedAt.Sub(all[2].ReceivedAt) != config.Day ||
			all[0].ReceivedAt.Before(all[1].ReceivedAt) {
			t.Errorf("fw1 has %+v", all)
		}
		for version, primary := range []string{"3", "1", "2", "1"} {
			if got := p.must(t, "show", fmt.Sprintf("fw1~%d", version)); !strings.Contains(got,
				"set primary "+primary+"\n") {
				t.Errorf("%d versions back:\n%s", version, got)
			}
		}
		if got := p.must(t, "show", "x/../1"); got != "no configuration\n" {
			t.Errorf("without a name of its own: %q", got)
		}
	})
}

// TestImportDatabase: another database's captures, of either engine, with what was said of its
// devices.
func TestImportDatabase(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		for name, from := range databases {
			t.Run("from "+name, func(t *testing.T) {
				source := start(t, from(t))
				for i, body := range []string{gate("fw1", "a", "web", "1"),
					gate("fw1", "b", "web", "1"), gate("fw1", "c", "mail", "1"), "binary \x00",
					"caf\xe9", ""} {
					source.put(t, fmt.Sprintf("acme/f%d.conf", max(i-2, 0)), body)
				}
				source.put(t, "b.conf", gate("old", "a", "web", "1"))
				source.put(t, "b.conf", gate("new", "a", "web", "2"))
				source.must(t, "device", "merge", "/old", "/new", "--yes")
				source.must(t, "device", "rename", "/new", "edge")
				source.must(t, "device", "expect", "/edge", "36h")
				source.must(t, "device", "retire", "acme/f1")
				p := &program{url: databases[map[bool]string{true: "sqlite",
					false: "postgres"}[strings.HasPrefix(url, "sqlite:")]](t)}
				if out := p.must(t, "import", source.url); !strings.Contains(out,
					"imported: 8 captures of 5 devices; 0 here before, 0 left out\n") {
					t.Errorf("import:\n%s", out)
				}
				if out := p.must(t, "import", source.url); !strings.Contains(out,
					"imported: 0 captures of 0 devices; 8 here before") {
					t.Errorf("again:\n%s", out)
				}
				for _, args := range [][]string{{"log", "--json", "-n", "0"}, {"log", "new"},
					{"search", "set name", "--history"}} {
					if got, want := p.must(t, args...), source.must(t, args...); got != want {
						t.Errorf("%q:\n%s\nwant\n%s", args, got, want)
					}
				}
				strip := regexp.MustCompile(`"overdue_since": .*`)
				if got, want := p.must(t, "devices", "--json"),
					source.must(t, "devices", "--json"); strip.ReplaceAllString(got,
					"") != strip.ReplaceAllString(want, "") {
					t.Errorf("devices:\n%s\nwant\n%s", got, want)
				}
				for _, ref := range []string{"@1", "@4", "@5", "@6"} {
					if got, want := p.must(t, "show", ref),
						source.must(t, "show", ref); got != want {
						t.Errorf("%s: %q, want %q", ref, got, want)
					}
				}
				if status, _, errs := p.do(t, "import", databases["postgres"](t)); status != 1 ||
					!strings.Contains(errs, "neither py3tftpsql's table nor tftpsql's") {
					t.Errorf("from an empty database: %d %s", status, errs)
				}
				old := from(t)
				older, err := store.Open(old, store.Options{Own: true, Create: true})
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(older.Migrate(t.Context()), older.MigrateDown(1),
					older.Close()); err != nil {
					t.Fatal(err)
				}
				if status, _, errs := p.do(t, "import", old); status != 1 ||
					!strings.HasSuffix(errs, ": run: tftpsql migrate up --database "+store.Masked(
						old)+"\n") {
					t.Errorf("from an older database: %d %s", status, errs)
				}
				if status, _, errs := p.do(t, "import",
					"sqlite:"+t.TempDir()+"/none.db"); status != 1 ||
					!strings.HasPrefix(errs, "tftpsql: SOURCE: no database at ") {
					t.Errorf("from nowhere: %d %s", status, errs)
				}
				elsewhere := &program{url: databases["sqlite"](t)}
				elsewhere.must(t, "import", source.url, "--site", "globex")
				if got := elsewhere.must(t, "show", "globex/old"); got != gate("new", "a", "web",
					"2") {
					t.Errorf("with --site: %q", got)
				}
			})
		}
	})
}

// TestCountLine: how far an import is, in whatever width a terminal has.
func TestCountLine(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		took        time.Duration
		width       int
		want        string
	}{
		{0, 200, 0, 80, "[..............................]   0% 0 of 200 captures, 0/s, - left"},
		{50, 200, 2 * time.Second, 80,
			"[#######.......................]  25% 50 of 200 captures, 25/s, 6s left"},
		{200, 200, 8 * time.Second, 80,
			"[##############################] 100% 200 of 200 captures, 25/s, 0s left"},
		{300, 200, 8 * time.Second, 60,
			"[#################] 100% 300 of 200 captures, 38/s, 0s left"},
		{1, 200, time.Second, 20, "0% 1 of 200 captures, 1/s, 3m19s left"},
		{0, 0, time.Second, 80,
			"[##############################] 100% 0 of 0 captures, 0/s, - left"},
	} {
		if got := countLine(c.done, c.total, c.took, c.width); got != c.want {
			t.Errorf("%d of %d after %s in %d:\n%q, want\n%q", c.done, c.total, c.took, c.width,
				got, c.want)
		}
	}
}
