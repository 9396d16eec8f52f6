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

// TestPgBouncer: through PgBouncer in transaction mode captures are stored, and migrations refuse
// and say where they run.
func TestPgBouncer(t *testing.T) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		pgtest.Missing(t, err)
	}
	direct := pgtest.Database(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
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
	database := strings.TrimPrefix(u.Path, "/")
	for name, text := range map[string]string{
		"users": "\"postgres\" \"\"\n",
		"ini": fmt.Sprintf("[databases]\n%s = host=%s dbname=%s "+
			"user=postgres\n[pgbouncer]\npool_mode = transaction\nauth_type = trust\nauth_file = "+
			"%s/users\n"+
			"unix_socket_dir = %s\nlisten_port = 6432\nlisten_addr =\n", database,
			u.Query().Get("host"), database, dir, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := newLog()
	cmd := exec.Command(program, filepath.Join(dir, "ini"))
	cmd.Stderr = log
	pgtest.AsUser(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	log.wait(t, "process up")

	pooled := "postgres:///" + database + "?user=postgres&port=6432&host=" + url.QueryEscape(dir)
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
