package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// pages are the README and the guides, by name.
func pages(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	texts := map[string]string{}
	for _, file := range append(files, "README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.ToSlash(file)] = string(text)
	}
	return texts
}

func blocks(text, language string) (list []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestDocumentedCommands: every command and flag that the pages show is one that the program has.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	a := &app{out: io.Discard, err: io.Discard}
	a.config, a.configErr = loadConfig(nil)
	root := a.command()
	shown := 0
	call := regexp.MustCompile(`(?:^|[\s;|"(/])tftpsql((?: [^\s;|&#)]+| '[^']*')*)`)
	for file, text := range pages(t) {
		var lines []string
		for _, block := range blocks(text, "sh") {
			block = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(block, "")
			lines = append(lines, regexp.MustCompile(`(?m)^fly .*$`).ReplaceAllString(block, "")) // where tftpsql is the app's name
		}
		for _, m := range regexp.MustCompile("`(tftpsql [^`]+)`").FindAllStringSubmatch(text, -1) {
			lines = append(lines, m[1])
		}
		for _, m := range call.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
			words := strings.Fields(m[1])
			if len(words) == 0 || strings.HasPrefix(words[0], "|") || !regexp.MustCompile(`^[-a-z]+$`).MatchString(words[0]) {
				continue
			}
			shown++
			if words[0] == "completion" { // cobra adds it when the program runs
				continue
			}
			cmd, _, err := root.Find(words)
			if err != nil || cmd == root && !strings.HasPrefix(words[0], "-") {
				t.Errorf("%s shows tftpsql%s: %v", file, m[1], err)
				continue
			}
			for _, w := range words {
				name, isLong := strings.CutPrefix(w, "--")
				name, _, _ = strings.Cut(name, "=")
				switch {
				case isLong && name != "" && name != "help" && name != "version" && cmd.Flag(name) == nil:
					t.Errorf("%s shows tftpsql%s: no flag --%s", file, m[1], name)
				case !isLong && len(w) == 2 && w[0] == '-' && cmd.Flags().ShorthandLookup(w[1:]) == nil && root.Flags().ShorthandLookup(w[1:]) == nil:
					t.Errorf("%s shows tftpsql%s: no flag %s", file, m[1], w)
				}
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s leads to %s: %v", file, m[1], err)
			}
		}
		for _, m := range regexp.MustCompile(`\b(TFTP|DATABASE|KEEP|LOG)_[A-Z_]+\b`).FindAllString(text, -1) {
			known := []string{"DATABASE_HOSTNAME", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_USERNAME", "DATABASE_PASSWORD"}
			if !slices.Contains(known, m) && !slices.ContainsFunc(settings(), func(s setting) bool { return s.env == m }) {
				t.Errorf("%s speaks of %s, which is no setting", file, m)
			}
		}
	}
	if shown < 40 {
		t.Errorf("the pages show %d commands", shown)
	}
}

// TestRoles runs the recipe of docs/postgresql.md: who was given the list of devices can't read configurations, and a worker
// that can't delete history still stores.
func TestRoles(t *testing.T) {
	t.Parallel()
	url := databases["postgres"](t)
	owner := opened(t, url)
	db := connect(t, url)
	for _, recipe := range blocks(pages(t)["docs/postgresql.md"], "sql") {
		if _, err := db.Exec(t.Context(), recipe); err != nil {
			t.Fatalf("%s%v", recipe, err)
		}
	}
	t.Cleanup(func() { // roles are the whole server's, and other tests may use these names
		_ = owner.Close()
		for _, role := range []string{"ada", "tftpsql_seniors", "tftpsql_worker", "tftpsql_juniors"} {
			if _, err := db.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
				t.Error(err)
			}
		}
	})
	as := func(role string) string { return strings.Replace(url, "user=postgres", "user="+role, 1) }
	t.Run("worker", func(t *testing.T) {
		p := start(t, as("tftpsql_worker"), "--migrate", "off")
		p.put(t, "a", gate("fw1", "a", "web", "1"))
		p.put(t, "a", gate("fw1", "a", "web", "2"))
		p.must(t, "publish", "fw1~1", "--as", "x")
		p.must(t, "unpublish", "x")
		p.must(t, "search", "primary")
		if status, _, errs := p.do(t, "device", "forget", "fw1", "--yes"); status != 1 || !strings.Contains(errs, "permission denied") {
			t.Errorf("forget: %d %s", status, errs)
		}
	})
	for role, allowed := range map[string]string{"ada": "devices changes overdue_devices failures", "tftpsql_seniors": "devices changes overdue_devices failures backups current_configs"} {
		conn := db
		if role == "ada" {
			conn = connect(t, as(role))
		} else if _, err := conn.Exec(t.Context(), "SET ROLE "+role); err != nil {
			t.Fatal(err)
		}
		for _, table := range strings.Fields("devices changes overdue_devices failures backups current_configs contents captures published aliases") {
			rows, err := conn.Query(t.Context(), "SELECT * FROM "+table)
			if err == nil {
				_, err = pgx.CollectRows(rows, pgx.RowToMap)
			}
			if want := slices.Contains(strings.Fields(allowed), table); want != (err == nil) {
				t.Errorf("%s may read %s: %v, %v", role, table, !want, err)
			}
		}
	}
	if _, err := db.Exec(t.Context(), "RESET ROLE"); err != nil {
		t.Fatal(err)
	}
}
