package cli

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

// bouncer is PgBouncer in transaction mode.
type bouncer struct {
	t        *testing.T
	dir      string // of its files and its socket
	database string
	log      *logBuffer
	cmd      *exec.Cmd
}

// startBouncer starts PgBouncer before the database at a URL.
func startBouncer(t *testing.T, direct string) *bouncer {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		pgtest.Missing(t, err)
	}
	// open to the user that it runs as: it refuses to run as root
	dir, err := os.MkdirTemp("", "tftpsql-bouncer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	b := &bouncer{t: t, dir: dir, database: strings.TrimPrefix(u.Path, "/"), log: newLog()}
	b.write("users", "\"postgres\" \"\"\n")
	b.leadTo(direct)
	b.cmd = exec.Command(program, filepath.Join(dir, "ini"))
	b.cmd.Stderr = b.log
	pgtest.AsUser(b.cmd)
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.cmd.Process.Kill(); _ = b.cmd.Wait() })
	b.log.wait(t, "process up")
	return b
}

func (b *bouncer) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// leadTo writes the settings that lead to the server of a URL.
func (b *bouncer) leadTo(direct string) {
	b.t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write("ini", fmt.Sprintf("[databases]\n%s = host=%s dbname=%s "+
		"user=postgres\n[pgbouncer]\npool_mode = transaction\nauth_type = trust\nauth_file = "+
		"%s/users\n"+
		"unix_socket_dir = %s\nlisten_port = 6432\nlisten_addr =\n"+
		"server_login_retry = 0\n", b.database, // it asks anew for each client
		u.Query().Get("host"), b.database, b.dir, b.dir))
}

// url leads to the database through PgBouncer.
func (b *bouncer) url() string {
	return "postgres:///" + b.database + "?user=postgres&port=6432&host=" + url.QueryEscape(b.dir)
}

// TestPgBouncer: through PgBouncer in transaction mode captures are stored, and migrations refuse
// and say where they run.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	direct := pgtest.Database(t)
	pooled := startBouncer(t, direct).url()
	for _, mode := range []string{"cache_describe", "exec"} { // as docs/postgresql.md has them
		status, _, errs := do(t, []string{"DATABASE_URL=" + pooled + "&default_query_exec_mode=" +
			mode}, "migrate", "up")
		if status != 1 || !strings.Contains(errs, "DATABASE_DIRECT_URL") {
			t.Errorf("%s: migrating through PgBouncer: %d %s", mode, status, errs)
		}
	}
	if status, _, errs := do(t, []string{"DATABASE_URL=" + direct}, "migrate", "up"); status != 0 {
		t.Fatal(errs)
	}
	for _, mode := range []string{"cache_describe", "exec"} {
		t.Run(mode, func(t *testing.T) {
			p := start(t, pooled+"&default_query_exec_mode="+mode, "--http", "none")
			var all sync.WaitGroup
			// at once, so that transactions go over several of PgBouncer's connections
			for d := range 8 {
				all.Go(func() {
					for i := range 10 {
						name := fmt.Sprint(mode, d)
						if err := (&tftp.Client{Blksize: 1428}).Put(t.Context(), p.addr, name,
							[]byte(gate(name, fmt.Sprint("s", i), fmt.Sprint("web", i/2),
								"x"))); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				})
			}
			all.Wait()
			for d := range 8 {
				if got := p.must(t, "log", fmt.Sprint(mode, d)); strings.Count(got,
					" 2 times until ") != 5 {
					t.Errorf("log:\n%s", got)
				}
			}
			_, served, _ := strings.Cut(p.log.String(), "msg=listening")
			if strings.Contains(served, "level=WARN") || strings.Contains(served, "level=ERROR") {
				t.Errorf("log:\n%s", p.log)
			}
		})
	}
}
