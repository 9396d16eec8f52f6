package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tree is what lies in a folder: names with slashes, and the texts.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(file)
		files[filepath.ToSlash(name)] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestExport(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		p := start(t, url)
		bodies := map[string]string{
			"fw1.conf": gate("fw1", "b", "web", "2"), "acme/fw1.conf": gate("fw1", "a", "web", "1"),
			"acme/fw1.encrypted.conf": "#FGBK|4|FGT60F|7|04|2731|\x00one",
			"%2E.%2Fup.conf":          gate("../up", "a", "web", "1"), "x7.conf": "caf\xe9 \x00",
			"a/b%2Econf/x.conf": gate("x", "a", "web", "1"),
		}
		p.put(t, "a", gate("fw1", "a", "web", "1"))
		p.put(t, "a", bodies["fw1.conf"])
		p.put(t, "a", bodies["fw1.conf"][:200]) // torn
		p.put(t, "acme/torn", gate("torn", "a", "web", "1")[:200])
		p.put(t, "acme/a", bodies["acme/fw1.conf"])
		p.put(t, "acme/fw1", bodies["acme/fw1.encrypted.conf"])
		p.put(t, "../../b", bodies["%2E.%2Fup.conf"])
		p.put(t, "x7.txt", bodies["x7.conf"])
		p.put(t, "a/b.conf/x", bodies["a/b%2Econf/x.conf"])
		top := t.TempDir()
		dir := top + "/out"
		for _, args := range [][]string{{"nobody*"}, {"--site", "nowhere"},
			{"fw*", "--site", "a"}} {
			if status, _, errs := p.do(t, append([]string{"export", dir},
				args...)...); status != 1 || !strings.Contains(errs, "no device matches") {
				t.Errorf("%q: %d %s", args, status, errs)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%q made the folder", args)
			}
		}
		if status, out, errs := p.do(t, "export", dir); status != 0 ||
			!strings.HasSuffix(out, ": 6 configurations, 6 written, 0 unchanged\n") ||
			errs != "left out: acme/torn: no whole configuration of it has come\n" {
			t.Errorf("export: %d %s%s", status, out, errs)
		}
		got := tree(t, dir)
		for name, want := range bodies {
			if got[name] != want {
				t.Errorf("%s is %q, want %q", name, got[name], want)
			}
		}
		if len(got) != len(bodies) || len(tree(t, top)) != len(bodies) {
			t.Errorf("there are %v", slices.Collect(func(yield func(string) bool) {
				for name := range tree(t, top) {
					yield(name)
				}
			}))
		}
		// What is the same stays as it is; what differs becomes a new file, so that a program
		// that reads the old one reads it whole.
		before, err := os.Stat(dir + "/acme/fw1.conf")
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && before.Mode() != 0o600 {
			t.Errorf("mode %v", before.Mode())
		}
		old, err := os.Open(dir + "/fw1.conf")
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		p.put(t, "a", gate("fw1", "c", "mail", "3"))
		if out := p.must(t, "export", dir); !strings.HasSuffix(out,
			": 6 configurations, 1 written, 5 unchanged\n") {
			t.Errorf("again: %s", out)
		}
		if after, err := os.Stat(dir + "/acme/fw1.conf"); err != nil ||
			!os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("an unchanged file was touched: %v", err)
		}
		if now, err := os.Stat(dir + "/fw1.conf"); err != nil ||
			time.Since(now.ModTime()) > time.Minute ||
			tree(t, dir)["fw1.conf"] != gate("fw1", "c", "mail", "3") {
			t.Errorf("the changed file: %v", err)
		} else if was, err := old.Stat(); err != nil || os.SameFile(was, now) {
			t.Errorf("the changed file was written over, %v", err)
		}
		// A link in the folder leads nowhere.
		if err := os.Mkdir(top+"/elsewhere", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir + "/acme"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../elsewhere", dir+"/acme"); err != nil {
			t.Fatal(err)
		}
		if status, _, errs := p.do(t, "export", dir, "acme/*"); status != 1 || errs == "" ||
			len(tree(t, top+"/elsewhere")) != 0 {
			t.Errorf("through a link: %d %s", status, errs)
		}
		if err := os.Remove(dir + "/acme"); err != nil {
			t.Fatal(err)
		}
		if out := p.must(t, "export", dir, "fw*", "--site", "acme"); !strings.Contains(out,
			": 2 configurations, 2 written") {
			t.Errorf("a site's: %s", out)
		}
		// What was exported can be imported: with the times of the captures.
		back := &program{url: databases["sqlite"](t)}
		back.must(t, "import", dir)
		if got := back.must(t, "show", "acme/fw1"); got != bodies["acme/fw1.encrypted.conf"] &&
			got != bodies["acme/fw1.conf"] {
			t.Errorf("back again: %q", got)
		}
	})
}

// TestExportDamaged: bytes that the disk has changed are neither exported nor imported, and keep
// nothing else from being.
func TestExportDamaged(t *testing.T) {
	p := start(t, databases["sqlite"](t))
	for _, name := range []string{"fw1", "fw2", "fw3"} {
		p.put(t, name, gate(name, "a", "web", "1"))
	}
	if _, err := openSQLite(t, p.url).Exec("UPDATE contents SET body = CAST('other bytes' AS " +
		"blob) WHERE sha256 = (SELECT sha256 FROM captures WHERE filename = 'fw2')"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	status, out, errs := p.do(t, "export", dir)
	if got := tree(t, dir); status != 1 || len(got) != 2 || got["fw3.conf"] == "" ||
		!strings.Contains(out, ": 2 configurations, 2 written") ||
		!strings.Contains(errs, "left out: /fw2: the content ") ||
		!strings.Contains(errs, "1 configuration can't be read") {
		t.Errorf("export: %d\n%s%s%v", status, out, errs, got)
	}
	to := &program{url: databases["sqlite"](t)}
	status, out, errs = to.do(t, "import", p.url)
	if status != 0 ||
		!strings.Contains(out,
			"imported: 2 captures of 2 devices; 0 here before, 1 left out\n") ||
		!strings.Contains(errs, "left out: /fw2 of ") {
		t.Errorf("import: %d\n%s%s", status, out, errs)
	}
}

// TestSnapshot: a copy that is whole while captures come in, for its owner alone, and never over
// anything.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	url := databases["sqlite"](t)
	p := start(t, url)
	p.put(t, "a", gate("fw1", "a", "web", "1"))
	dir := t.TempDir()
	var sending sync.WaitGroup // ends after 30 uploads
	sending.Go(func() {
		for i := range 30 {
			p.put(t, "b", gate("fw2", "a", "web", fmt.Sprint(i)))
		}
	})
	var files []string
	for i := range 3 {
		files = append(files, fmt.Sprint(dir, "/copy", i, ".db"))
		p.must(t, "snapshot", files[i])
	}
	sending.Wait()
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		copied := &program{url: "sqlite:" + file}
		if got := copied.must(t, "show", "fw1"); got != gate("fw1", "a", "web", "1") {
			t.Errorf("the copy has %q", got)
		}
		if got := column(t, copied.url, "SELECT integrity_check FROM pragma_integrity_check"); len(
			got) != 1 || got[0] != "ok" {
			t.Errorf("integrity: %v", got)
		}
	}
	was := tree(t, dir)["copy0.db"]
	if status, _, errs := p.do(t, "snapshot", files[0]); status != 1 ||
		!strings.Contains(errs, "there already") || tree(t, dir)["copy0.db"] != was {
		t.Errorf("over a file: %d %s", status, errs)
	}
	if status, _, errs := p.do(t, "snapshot", dir+"/no/folder.db"); status != 1 || errs == "" {
		t.Errorf("nowhere: %d %s", status, errs)
	}
	for name := range tree(t, dir) {
		if strings.HasSuffix(name, ".partial") {
			t.Errorf("%s was left behind", name)
		}
	}
	restored := start(t, "sqlite:"+files[2]) // a copy is a database
	restored.put(t, "c", gate("fw3", "a", "web", "1"))
}

func TestSnapshotOfPostgres(t *testing.T) {
	t.Parallel()
	url := databases["postgres"](t)
	opened(t, url)
	p := &program{url: url}
	if status, _, errs := p.do(t, "snapshot", t.TempDir()+"/x"); status != 2 ||
		!strings.Contains(errs, "pg_dump") {
		t.Errorf("%d %s", status, errs)
	}
}
