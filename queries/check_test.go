package queries_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// needTools skips a test that runs the tools of tools.mod unless make check asks for it: their
// first build takes minutes.
func needTools(t *testing.T) {
	t.Helper()
	if os.Getenv("TFTPSQL_CHECK") == "" {
		t.Skip("runs in make check")
	}
}

func sqlc(t *testing.T, environ []string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"tool", "-modfile=tools.mod", "sqlc"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sqlc %v: %v\n%s", args, err, out)
	}
}

// TestGenerated: the committed code is what sqlc makes of the committed SQL.
func TestGenerated(t *testing.T) {
	needTools(t)
	sqlc(t, nil, "diff")
}

// TestVet prepares every query on both real engines.
func TestVet(t *testing.T) {
	needTools(t)
	file, url := filepath.Join(t.TempDir(), "vet.db"), pgtest.Database(t)
	for _, u := range []string{"sqlite:" + file, url} {
		s, err := store.Open(u, store.Options{Own: true, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waiting := filepath.Join(t.TempDir(), "spool.db")
	spool, err := store.OpenSpool(waiting, true)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	sqlc(t, []string{"TFTPSQL_VET_POSTGRES=" + url, "TFTPSQL_VET_SQLITE=file:" + file,
		"TFTPSQL_VET_SPOOL=file:" + waiting}, "vet")
}

// TestMigrateProgram: golang-migrate's own program works on the folders, up and down, and its
// result is a schema that store accepts.
func TestMigrateProgram(t *testing.T) {
	needTools(t)
	file, url := filepath.Join(t.TempDir(), "migrated.db"), pgtest.Database(t)
	for folder, database := range map[string]string{
		"schema/postgres": "pgx5" + strings.TrimPrefix(url, "postgres"),
		"schema/sqlite":   "sqlite://" + file,
	} {
		migrate := func(args ...string) {
			t.Helper()
			cmd := exec.Command("go", append([]string{"run", "-modfile=tools.mod", "-tags",
				"pgx5,sqlite",
				"github.com/golang-migrate/migrate/v4/cmd/migrate", "-path", folder, "-database",
				database}, args...)...)
			cmd.Dir = ".."
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("migrate %v: %v\n%s", args, err, out)
			}
		}
		migrate("up")
		migrate("down", "-all")
		migrate("up")
	}
	for _, u := range []string{"sqlite:" + file, url} {
		s, err := store.Open(u, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.CheckSchema(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
