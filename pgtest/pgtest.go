// Package pgtest starts a real PostgreSQL server for a test and deletes it afterwards. If
// PostgreSQL isn't installed, tests are skipped, or fail if CI is set.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL.
type Server struct {
	dir, bin string
	options  string
}

var (
	shared    *Server
	sharedErr error
	once      sync.Once
	databases atomic.Int64

	filled    string // a database that Filled copies
	filledErr error
	fillOnce  sync.Once
)

// Main runs the tests of a package and stops the shared server afterwards. TestMain calls it.
func Main(m *testing.M) int {
	defer func() {
		if shared != nil {
			shared.Remove()
		}
	}()
	return m.Run()
}

// Database creates an empty database on the server that the package's tests share, and returns its
// URL.
func Database(t testing.TB) string {
	t.Helper()
	once.Do(func() { shared, sharedErr = Start("-c fsync=off -c shared_buffers=32MB") })
	if sharedErr != nil {
		Missing(t, sharedErr)
	}
	return shared.Create(t)
}

// Filled is Database with what fill puts into it, which has closed its connections when it returns.
// It runs once in a package, with the first fill: the databases are copies, which cost less than
// migrations.
func Filled(t testing.TB, fill func(url string) error) string {
	t.Helper()
	fillOnce.Do(func() {
		filled = Database(t)
		filledErr = fill(filled)
	})
	if filledErr != nil {
		t.Fatal(filledErr)
	}
	u, err := url.Parse(filled)
	if err != nil {
		t.Fatal(err)
	}
	return shared.create(t, " TEMPLATE "+u.Path[1:]+" STRATEGY FILE_COPY")
}

// Missing skips a test because a program is missing. If CI is set, it fails the test.
func Missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%v (make deps installs what the tests need)", err)
	}
	t.Skipf("%v (make deps installs what the tests need)", err)
}

// Start initialises a cluster in a temporary folder and starts it on a Unix socket there. For root
// it runs the server as another user, since PostgreSQL refuses to run as root.
func Start(options string) (*Server, error) { return StartIn("", options) }

// StartIn is Start with the temporary folder below dir.
func StartIn(dir, options string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err = os.MkdirTemp(dir, "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, options: options}
	if err := s.own(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	err = s.run("initdb", "--no-sync", "-D", s.data(), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale", "C")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Up(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// Managed returns a server that another program shall make and start, as the user of AsUser: in
// dir/data, with PostgreSQL's programs in bin. It makes dir.
func Managed(dir string) (s *Server, bin string, err error) {
	if bin, err = binaries(); err != nil {
		return nil, "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, "", err
	}
	s = &Server{dir: dir, bin: bin}
	return s, bin, s.own()
}

// Up starts the server and returns when it accepts connections.
func (s *Server) Up() error {
	if err := s.forgetDead(); err != nil {
		return err
	}
	options := fmt.Sprintf("-k %s -c listen_addresses='' -c max_connections=200 %s",
		s.dir, s.options)
	log := filepath.Join(s.dir, "log")
	for try := 0; ; try++ {
		said, _ := os.ReadFile(log)
		err := s.run("pg_ctl", "-D", s.data(), "-w", "-t", "60", "-l", log, "-o", options, "start")
		now, _ := os.ReadFile(log)
		if err == nil || try == 100 || !bytes.Contains(now[min(len(said), len(now)):],
			[]byte("pre-existing shared memory block")) {
			return err
		}
		// A backend of a killed server, forked at that moment, ends as soon as it looks.
		time.Sleep(50 * time.Millisecond)
	}
}

// Down stops the server in mode "fast", or "immediate", which simulates a crash.
func (s *Server) Down(mode string) error {
	return s.run("pg_ctl", "-D", s.data(), "-w", "-t", "60", "-m", mode, "stop")
}

// Remove stops the server and deletes everything.
func (s *Server) Remove() {
	_ = s.Down("immediate") // it may be down already
	_ = os.RemoveAll(s.dir)
}

// URL returns the URL of a database on the server.
func (s *Server) URL(database string) string {
	return "postgres:///" + database + "?user=postgres&host=" + url.QueryEscape(s.dir)
}

// Create makes an empty database with a name of its own and returns its URL.
func (s *Server) Create(t testing.TB) string {
	t.Helper()
	return s.create(t, "")
}

func (s *Server) create(t testing.TB, how string) string {
	t.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+how); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) run(program string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	s.as(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%s: %w\n%s\n%s", program, err, out, log)
	}
	return nil
}

// binaries returns the folder of PostgreSQL's programs: Debian's newest, or the one on the path.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int {
			return len(a) - len(b) + strings.Compare(a, b)
		})
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("PostgreSQL is not installed")
	}
	return filepath.Dir(path), nil
}

// AsUser makes a program run as the user that PostgreSQL runs as, if the tests run as root.
func AsUser(cmd *exec.Cmd) { (&Server{}).as(cmd) }
