package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tftpsql/tftpsql"

// house says what each folder's code may import besides the standard library; see ARCHITECTURE.md.
var house = map[string][]string{
	"tftp":          {"golang.org/x/sys"},
	"device":        {},
	"queries":       {"github.com/jackc/pgx/v5"},
	"queries/spool": {},
	"schema":        {"github.com/golang-migrate/migrate/v4"},
	"store": {module + "/queries", module + "/schema", "github.com/jackc/pgx/v5", "modernc.org/sqlite", "github.com/golang-migrate/migrate/v4",
		"github.com/gofrs/flock", "golang.org/x/sys"},
	"pgtest":    {"github.com/jackc/pgx/v5"},
	"bench/pin": {"github.com/pin/tftp/v3"},
	"bench":     {module, "github.com/jackc/pgx/v5", "github.com/google/uuid", "golang.org/x/sys", "modernc.org/sqlite"}, // a module of its own
	".": {module + "/tftp", module + "/device", module + "/store", "github.com/caarlos0/env/v11", "github.com/spf13/cobra", "github.com/spf13/pflag",
		"github.com/google/uuid", "github.com/aymanbagabas/go-udiff", "github.com/prometheus/client_golang", "golang.org/x/sys", "golang.org/x/term"},
}

// machines are the files of tftp without IO: no clock, no lock, no socket.
var machines = []string{"packet.go", "option.go", "netascii.go", "errors.go", "receiver.go", "sender.go", "rto.go", "transfer.go", "states.go", "upload.go", "download.go", "engine.go", "limits.go", "initiator.go"}

// impure are packages of the standard library that do IO or wait, which device and the machines of tftp must not import.
var impure = regexp.MustCompile(`^(os|io|sync|context|net|syscall|log|time/.*|database/.*|math/rand.*)(/.*)?$`)

// clock matches what reads the clock or waits.
var clock = regexp.MustCompile(`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker)\b`)

func TestHouse(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != "." {
			return fs.SkipDir // what make deps has unpacked
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		folder, name := filepath.ToSlash(filepath.Dir(file)), filepath.Base(file)
		allowed, known := house[folder]
		if !known {
			t.Errorf("%s: a folder that the house doesn't have", file)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pure := folder == "device" || folder == "tftp" && contains(machines, name)
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if pure && impure.MatchString(imported) && imported != "net/netip" {
				t.Errorf("%s imports %s", file, imported)
			}
			if strings.Contains(strings.Split(imported, "/")[0], ".") && !under(imported, allowed) {
				t.Errorf("%s imports %s", file, imported)
			}
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if pure && clock.Match(source) {
			t.Errorf("%s uses %s", file, clock.Find(source))
		}
		if lines := strings.Count(string(source), "\n"); lines > 600 && !strings.HasPrefix(string(source), "// Code generated") {
			t.Errorf("%s has %d lines", file, lines)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range machines {
		if _, err := os.Stat(filepath.Join("tftp", name)); err != nil {
			t.Error(err)
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func under(imported string, allowed []string) bool {
	for _, a := range allowed {
		if imported == a || strings.HasPrefix(imported, a+"/") {
			return true
		}
	}
	return false
}

// sqlWords match SQL text, which belongs into queries/ and schema/.
var sqlWords = regexp.MustCompile("[\"`](SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|BEGIN (IMMEDIATE|TRANSACTION)|SET|PRAGMA) ")

// TestNoSQLInGo: the program's SQL stands in .sql files.
func TestNoSQLInGo(t *testing.T) {
	for folder := range house {
		if strings.HasPrefix(folder, "queries") || folder == "pgtest" {
			continue // generated code, and the tests' own server
		}
		files, err := filepath.Glob(path.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := sqlWords.Find(source); found != nil && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s has SQL: %s", file, found)
			}
		}
	}
}

// TestReadmeSettings: the README's table has every setting with its default, and nothing else.
func TestReadmeSettings(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|]*) \\| ([^|]*) \\| ([^|]+) \\|$")
	rows := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(readme), -1) {
		rows[m[1]] = m
	}
	c := defaultConfig()
	for _, s := range settings() {
		m := rows[s.env]
		if m == nil {
			t.Errorf("%s is not in the README's table", s.env)
			continue
		}
		delete(rows, s.env)
		var flags []string
		if s.shorthand != "" {
			flags = append(flags, "`-"+s.shorthand+"`")
		}
		for _, f := range s.flags {
			flags = append(flags, "`--"+f+"`")
		}
		if s.env == "LOG_LEVEL" {
			flags = []string{"`-v`", "`--verbose`"}
		}
		if want := strings.Join(flags, ", "); m[2] != want {
			t.Errorf("%s: flags %q in the README, %q in the program", s.env, m[2], want)
		}
		want := s.value(&c).String()
		if s.env == "TFTP_MEMORY" {
			want = "half of RAM"
		}
		if m[3] != want && m[3] != "`"+want+"`" {
			t.Errorf("%s: default %q in the README, %q in the program", s.env, m[3], want)
		}
	}
	for name := range rows {
		t.Errorf("the README has %s, which is no setting", name)
	}
}
