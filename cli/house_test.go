package cli

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tftpsql/tftpsql/"

// A room is a folder and what its code may import besides the standard library.
type room struct {
	folder string
	ours   []string // folders of this module
	others []string // modules, and what is below them
}

// house is ARCHITECTURE.md's table. A room imports only rooms below it, so no import runs upwards.
var house = []room{
	{".", []string{"cli"}, nil},
	{"bench/pin", nil, []string{"github.com/pin/tftp/v3"}},
	{"bench", []string{"outbox", "store", "queries", "pgtest", "device", "tftp"},
		[]string{"github.com/jackc/pgx/v5",
			// a module of its own
			"github.com/google/uuid", "github.com/pkg/sftp", "golang.org/x/crypto",
			"golang.org/x/sys", "modernc.org/sqlite"}},
	{"cli", []string{"worker", "web", "outbox", "alarm", "move", "history", "capture", "config",
		"store", "device", "tftp"},
		[]string{"github.com/spf13/cobra", "github.com/google/uuid", "golang.org/x/sys",
			"golang.org/x/term", "golang.org/x/crypto"}},
	{"worker", []string{"web", "outbox", "alarm", "sftp", "capture", "config", "store", "device",
		"tftp"},
		[]string{"github.com/google/uuid", "github.com/VictoriaMetrics/metrics",
			"golang.org/x/sys", "golang.org/x/crypto"}},
	{"web", []string{"outbox", "alarm", "history", "config", "store", "device"},
		[]string{"github.com/coreos/go-oidc/v3", "golang.org/x/crypto", "golang.org/x/oauth2",
			"znkr.io/diff"}},
	{"outbox", []string{"alarm", "history", "store"}, []string{"github.com/google/uuid"}},
	{"alarm", nil, []string{"github.com/wneessen/go-mail"}},
	{"move", []string{"capture", "config", "store", "device"}, []string{"github.com/google/uuid"}},
	{"history", []string{"config", "store", "device"},
		[]string{"znkr.io/diff"}},
	{"capture", []string{"store", "device"}, nil},
	{"config", []string{"tftp"}, []string{"github.com/caarlos0/env/v11", "github.com/spf13/pflag"}},
	{"store", []string{"queries", "queries/spool", "schema"},
		[]string{"github.com/jackc/pgx/v5", "modernc.org/sqlite",
			"github.com/golang-migrate/migrate/v4", "github.com/gofrs/flock", "golang.org/x/sys"}},
	{"queries", nil, []string{"github.com/jackc/pgx/v5"}},
	{"queries/spool", nil, nil},
	{"schema", nil, []string{"github.com/golang-migrate/migrate/v4"}},
	{"pgtest", nil, []string{"github.com/jackc/pgx/v5"}},
	{"device", nil, nil},
	{"tftp", nil, []string{"golang.org/x/sys"}},
	{"sftp", nil, []string{"golang.org/x/crypto"}},
}

// allows reports whether the room may import a package that isn't the standard library's.
func (r room) allows(imported string) bool {
	if own, ok := strings.CutPrefix(imported, module); ok {
		return slices.Contains(r.ours, own)
	}
	return slices.ContainsFunc(r.others, func(m string) bool {
		return imported == m ||
			strings.HasPrefix(imported, m+"/")
	})
}

func roomOf(folder string) int {
	return slices.IndexFunc(house, func(r room) bool { return r.folder == folder })
}

// TestNoUpwardImports: what a room may import stands below it, and so there is no circle of rooms.
func TestNoUpwardImports(t *testing.T) {
	for i, r := range house {
		for _, own := range r.ours {
			if roomOf(own) <= i {
				t.Errorf("%s may import %s, which is not below it", r.folder, own)
			}
		}
	}
}

// machines are the files of tftp without IO: no clock, no lock, no socket.
var machines = []string{"packet.go", "option.go", "netascii.go", "errors.go", "receiver.go",
	"sender.go", "rto.go",
	"transfer.go", "queues.go", "messages.go", "states.go", "upload.go", "download.go", "engine.go",
	"limits.go",
	"initiator.go"}

// impure matches packages of the standard library that do IO or wait. device and the machines of
// tftp import none.
var impure = regexp.MustCompile(
	`^(os|io|sync|context|net|syscall|log|time/.*|database/.*|math/rand.*)(/.*)?$`)

// clock matches what reads the clock or waits.
var clock = regexp.MustCompile(
	`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker)\b`)

// sources calls fn for each Go file of the project, tests and generated code apart.
func sources(t *testing.T, fn func(file, folder string, source []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != "." {
			return fs.SkipDir // what make deps has unpacked
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") ||
			strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err == nil {
			fn(file, filepath.ToSlash(filepath.Dir(file)), source)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func generated(source []byte) bool { return strings.HasPrefix(string(source), "// Code generated") }

// TestHouse: each folder is a room, imports what the table says, and says what it is in its package
// comment.
func TestHouse(t *testing.T) {
	said := map[string]bool{}
	sources(t, func(file, folder string, source []byte) {
		i := roomOf(folder)
		if i < 0 {
			t.Errorf("%s: the house has no room for that folder", file)
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source,
			parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		said[folder] = said[folder] || parsed.Doc != nil || generated(source)
		pure := folder == "device" || folder == "tftp" &&
			slices.Contains(machines, filepath.Base(file))
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Error(err)
			}
			standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
			allowed := imported == "net/netip" || folder == "device" && imported == "sync"
			if standard && pure && impure.MatchString(imported) && !allowed ||
				!standard && !house[i].allows(imported) {
				t.Errorf("%s imports %s", file, imported)
			}
		}
		if pure && clock.Match(source) {
			t.Errorf("%s uses %s", file, clock.Find(source))
		}
		if lines := strings.Count(string(source), "\n"); lines > 600 && !generated(source) {
			t.Errorf("%s has %d lines", file, lines)
		}
	})
	for _, r := range house {
		if !said[r.folder] {
			t.Errorf("package %s has no comment, or no code", r.folder)
		}
	}
	for _, name := range machines {
		if _, err := os.Stat(filepath.Join("tftp", name)); err != nil {
			t.Error(err)
		}
	}
}

// sqlWords matches SQL text, which belongs into queries/ and schema/.
var sqlWords = regexp.MustCompile("[\"`](SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|BEGIN " +
	"(IMMEDIATE|TRANSACTION)|SET|PRAGMA) [^/]") // "DELETE /api" is a route

// TestNoSQLInGo: the program's SQL stands in .sql files.
func TestNoSQLInGo(t *testing.T) {
	sources(t, func(file, folder string, source []byte) {
		if strings.HasPrefix(folder, "queries") || folder == "pgtest" {
			return // generated code, and the tests' own server
		}
		if found := sqlWords.Find(source); found != nil {
			t.Errorf("%s has SQL: %s", file, found)
		}
	})
}

// TestArchitecture: ARCHITECTURE.md's table is the house, the functions on its picture exist, and
// it has two printed pages at most, some 1,200 words.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if words := len(strings.Fields(string(text))); words > 1200 {
		t.Errorf("ARCHITECTURE.md has %d words; 1200 are the limit", words)
	}
	for _, r := range house {
		if strings.Contains(r.folder, "/") {
			continue // part of the folder around it
		}
		row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(r.folder) +
			"` \\|[^|]*\\|([^|]*)\\|$")
		m := row.FindSubmatch(text)
		if m == nil {
			t.Errorf("ARCHITECTURE.md has no row for %s", r.folder)
			continue
		}
		said := regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(string(m[1]), "")
		words := strings.FieldsFunc(said, func(c rune) bool { return c == ',' || c == ' ' })
		for _, own := range r.ours {
			if !strings.Contains(own, "/") && !slices.Contains(words, own) {
				t.Errorf("%s may import %s, and its row doesn't say so", r.folder, own)
			}
		}
		if len(words) > len(r.ours) {
			t.Errorf("%s: its row has %q, and it may import %q", r.folder, words, r.ours)
		}
	}
	_, picture, _ := strings.Cut(string(text), "```mermaid")
	picture, _, _ = strings.Cut(picture, "\n```\n")
	function := regexp.MustCompile(`(?m)^func (?:\(.*?\) )?(\w+)`)
	functions := map[string]bool{}
	sources(t, func(_, _ string, source []byte) {
		for _, m := range function.FindAllSubmatch(source, -1) {
			functions[string(m[1])] = true
		}
	})
	named := regexp.MustCompile(`"\w+\.(\w+)`).FindAllStringSubmatch(picture, -1)
	if len(named) < 10 {
		t.Errorf("the picture names only %d functions", len(named))
	}
	for _, m := range named {
		if !functions[m[1]] {
			t.Errorf("the picture has %s, which is no function", m[0])
		}
	}
}
