package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/tftpsql/tftpsql/config"
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
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(
		text, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestDocumentedCommands: every command and flag that the pages show is one that the program has.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	a := &app{out: io.Discard, err: io.Discard}
	a.config, a.configErr = config.Load(nil)
	root := a.rootCommand()
	shown := 0
	call := regexp.MustCompile(`(?:^|[\s;|"(/])tftpsql((?: [^\s;|&#)]+| '[^']*')*)`)
	for file, text := range pages(t) {
		var lines []string
		for _, block := range blocks(text, "sh") {
			block = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(block, "")
			// where tftpsql is the app's name
			lines = append(lines, regexp.MustCompile(`(?m)^fly .*$`).ReplaceAllString(block, ""))
		}
		for _, m := range regexp.MustCompile("`(tftpsql [^`]+)`").FindAllStringSubmatch(text, -1) {
			lines = append(lines, m[1])
		}
		for _, m := range call.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
			words := strings.Fields(m[1])
			if len(words) == 0 || strings.HasPrefix(words[0], "|") ||
				!regexp.MustCompile(`^[-a-z]+$`).MatchString(words[0]) {
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
				case isLong && name != "" && name != "help" && name != "version" &&
					cmd.Flag(name) == nil:
					t.Errorf("%s shows tftpsql%s: no flag --%s", file, m[1], name)
				case !isLong && len(w) == 2 && w[0] == '-' &&
					cmd.Flags().ShorthandLookup(w[1:]) == nil &&
					root.Flags().ShorthandLookup(w[1:]) == nil:
					t.Errorf("%s shows tftpsql%s: no flag %s", file, m[1], w)
				}
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s leads to %s: %v", file, m[1], err)
			}
		}
		variable := regexp.MustCompile(`\b(TFTP|DATABASE|KEEP|LOG|OIDC)_[A-Z_]+\b`)
		for _, m := range variable.FindAllString(text, -1) {
			if !slices.Contains(seedVariables, m) &&
				!slices.ContainsFunc(config.Settings(),
					func(s config.Setting) bool { return s.Env == m }) {
				t.Errorf("%s speaks of %s, which is no setting", file, m)
			}
		}
	}
	if shown < 40 {
		t.Errorf("the pages show %d commands", shown)
	}
}

// TestGuides: the README is short and leads to every guide, docs/commands.md has every command, and
// nothing is said twice.
func TestGuides(t *testing.T) {
	texts := pages(t)
	readme := texts["README.md"]
	if n := strings.Count(readme, "\n"); n > 150 {
		t.Errorf("the README has %d lines; 150 are the limit", n)
	}
	said := map[string]string{}
	for file, text := range texts {
		if file != "README.md" && !strings.Contains(readme, "]("+file) {
			t.Errorf("the README doesn't lead to %s", file)
		}
		for line := range strings.Lines(text) {
			if other := said[line]; len(line) > 80 && other != "" && other != file {
				t.Errorf("%s and %s both say %s", file, other, line)
			}
			said[line] = file
		}
	}
	a := &app{out: io.Discard, err: io.Discard}
	a.config, a.configErr = config.Load(nil)
	for _, c := range a.rootCommand().Commands() {
		row := regexp.MustCompile("(?m)^\\| [^|]*`" + c.Name() + "`")
		if !c.Hidden && !row.MatchString(texts["docs/commands.md"]) {
			t.Errorf("docs/commands.md has no row for %s: %s", c.Name(), c.Short)
		}
	}
}

// TestRoles runs the recipe of docs/postgresql.md: a role with the list of devices can't read
// configurations, and a worker that can't delete history still stores.
func TestRoles(t *testing.T) {
	t.Parallel()
	url := databases["postgres"](t)
	owner := opened(t, url)
	db := connect(t, url)
	_, roles, _ := strings.Cut(pages(t)["docs/postgresql.md"], "\n## Who may see what")
	for _, recipe := range blocks(roles, "sql") {
		if _, err := db.Exec(t.Context(), recipe); err != nil {
			t.Fatalf("%s%v", recipe, err)
		}
	}
	t.Cleanup(func() { // roles are the whole server's, and other tests may use these names
		_ = owner.Close()
		for _, role := range []string{"ada", "tftpsql_seniors", "tftpsql_worker",
			"tftpsql_juniors"} {
			if _, err := db.Exec(context.Background(),
				"DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
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
		p.must(t, "page")
		p.must(t, "alarm", "add", "ops", "https://192.0.2.1/hook")
		p.must(t, "user", "add", "eve", "--no-password")
		p.must(t, "user", "remove", "eve")
		if status, _, errs := p.do(t, "device", "forget", "fw1", "--yes"); status != 1 ||
			!strings.Contains(errs, "permission denied") {
			t.Errorf("forget: %d %s", status, errs)
		}
	})
	for role, allowed := range map[string]string{"ada": "devices changes overdue_devices failures",
		"tftpsql_seniors": "devices changes overdue_devices failures backups current_configs"} {
		conn := db
		if role == "ada" {
			conn = connect(t, as(role))
		} else if _, err := conn.Exec(t.Context(), "SET ROLE "+role); err != nil {
			t.Fatal(err)
		}
		for _, table := range strings.Fields("devices changes overdue_devices failures backups " +
			"current_configs contents captures published aliases") {
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

// TestGuideForOthers runs the lines of docs/other-devices.md for devices that can't push, as they
// stand, with an ssh and a curl that answer as the devices do: each configuration is known for what
// it is, and a login that fails stores nothing.
func TestGuideForOthers(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	p := start(t, databases["sqlite"](t))
	dir := t.TempDir()
	xml := func(root, inner string) string {
		return `<?xml version="1.0"?>\n<` + root + ">" + inner + "</" + strings.Fields(root)[0] +
			`>\n`
	}
	for name, script := range map[string]string{
		"tftpsql": `test "$3" = 192.0.2.10 && exec env ` + childVariable + `=1 '` + os.Args[0] +
			`' "$1" "$2" ` + p.addr + ` "$4"`,
		"ssh": `test "$REFUSED" && exit 255
case "$*" in
"admin@r1 /export show-sensitive") 
	printf '# 2026-11-23 21:05:11 by RouterOS 7.16.1\r\n# model = RB5009\r\n'
	printf '/system identity\r\nset name=r1\r\n' ;;
"admin@fw1 show configuration | display set") 
	printf 'set version 21.4R3.15\nset system host-name fw1\nset system services ssh\n' ;;
"admin@cp1 show configuration") 
	printf '# Exported by admin on Mon Nov 23 21:05:11 2026\n#\nset hostname cp1\n' ;;
"admin@pf1 cat /cf/conf/config.xml") 
	printf '` + xml("pfsense", "<system><hostname>pf1</hostname></system>") + `' ;;
*) exit 1 ;;
esac`,
		"curl": `test "$REFUSED" && exit 22
case "$*" in
"-fsS -u K:S https://opnsense.example.net/api/core/backup/download/this -o opn1.xml")
	printf '` + xml("opnsense", "<system><hostname>opn1</hostname></system>") + `' >opn1.xml ;;
"-fsS -H X-PAN-KEY: P https://fw2.example.net/api/?type=export&category=configuration -o fw2.xml")
	printf '` + xml(`config version="11.1.0" urldb="paloaltonetworks"`,
			"<deviceconfig><system>\n<hostname>fw2</hostname>\n</system>"+
				"</deviceconfig>") + `' >fw2.xml ;;
*) exit 2 ;;
esac`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!"+sh+"\n"+script+"\n"),
			0o700); err != nil {
			t.Fatal(err)
		}
	}
	lines := blocks(pages(t)["docs/other-devices.md"], "sh")
	if len(lines) != 1 {
		t.Fatalf("%d blocks", len(lines))
	}
	for _, refused := range []string{"", "yes"} {
		cmd := exec.CommandContext(t.Context(), sh, "-c", lines[0])
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "TMPDIR=" + dir, "KEY=K",
			"SECRET=S", "PANKEY=P", "REFUSED=" + refused}
		if out, err := cmd.CombinedOutput(); (err == nil) != (refused == "") {
			t.Fatalf("refused %q: %v\n%s", refused, err, out)
		}
		var devices []map[string]any
		unmarshal(t, p.must(t, "devices", "--json"), &devices)
		var got []string
		for _, d := range devices {
			got = append(got, fmt.Sprint(d["site"], "/", d["name"], " ", d["platform"], " ",
				d["captures"]))
		}
		want := []string{"acme/cp1 checkpoint_gaia 1", "acme/fw1 juniper_junos 1",
			"acme/fw2 paloalto_panos 1", "acme/opn1 opnsense 1", "acme/pf1 pfsense 1",
			"acme/r1 mikrotik_routeros 1"}
		if !slices.Equal(got, want) {
			t.Errorf("refused %q: %q", refused, got)
		}
	}
}

// TestSettings: the table of docs/settings.md has every setting with its default, and nothing else.
func TestSettings(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|]*) \\| ([^|]*) \\| ([^|]+) \\|$")
	rows := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(pages(t)["docs/settings.md"], -1) {
		rows[m[1]] = m
	}
	c := config.Default()
	for _, s := range config.Settings() {
		m := rows[s.Env]
		if m == nil {
			t.Errorf("%s is not in the table", s.Env)
			continue
		}
		delete(rows, s.Env)
		var flags []string
		if s.Shorthand != "" {
			flags = append(flags, "`-"+s.Shorthand+"`")
		}
		for _, f := range s.Flags {
			flags = append(flags, "`--"+f+"`")
		}
		if s.Env == "LOG_LEVEL" {
			flags = []string{"`-v`", "`--verbose`"}
		}
		if want := strings.Join(flags, ", "); m[2] != want {
			t.Errorf("%s: flags %q in the table, %q in the program", s.Env, m[2], want)
		}
		want := s.Text(c)
		if s.Env == "TFTP_MEMORY" {
			want = "half of RAM"
		}
		if m[3] != want && m[3] != "`"+want+"`" {
			t.Errorf("%s: default %q in the table, %q in the program", s.Env, m[3], want)
		}
	}
	for name := range rows {
		t.Errorf("the table has %s, which is no setting", name)
	}
}
