package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/tftp"
)

// TestSpoolCommands: beside the server that has the spool, what waits is listed and dropped, and
// forwarding is refused; after that server was killed with -9 it is forwarded, and tried again, by
// hand.
func TestSpoolCommands(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url, spool := server.Create(t), filepath.Join(t.TempDir(), "spool.db")
	typed := func(args ...string) (int, string, string) {
		return do(t, []string{"DATABASE_URL=" + url, "SPOOL=" + spool}, args...)
	}
	waiting := func() (uids map[string]string, refused int) { // by file name
		status, out, errs := typed("spool", "--json")
		if status != 0 {
			t.Fatalf("%d %s", status, errs)
		}
		var list []wireWaiting
		unmarshal(t, out, &list)
		uids = map[string]string{}
		for _, w := range list {
			uids[w.Filename] = w.UID
			if w.Refused != "" {
				refused++
			}
		}
		return uids, refused
	}
	worker, log := child(t, url, "--spool", spool, "--http", "none")
	addr := log.wait(t, `msg=listening address=(\S+)`)[1]
	put := func(name string) {
		t.Helper()
		if err := (&tftp.Client{Blksize: 1428}).Put(t.Context(), addr, name+".conf",
			[]byte(fortigate(name, "x"))); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, log)
		}
	}
	put("fw1")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(),
		`CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.filename = 'picky.conf' THEN RAISE EXCEPTION 'not that one'; END IF;
		RETURN NEW; END $$;
		CREATE TRIGGER picky BEFORE INSERT ON captures
		FOR EACH ROW EXECUTE FUNCTION picky()`); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	put("picky")
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fw2", "fw3", "fw4", "fw5"} {
		put(name)
	}
	uids, refused := waiting()
	if len(uids) != 5 || refused != 1 {
		t.Fatalf("the spool holds %v, %d refused\n%s", uids, refused, log)
	}
	if status, out, errs := typed("spool", "forward"); status != 1 || out != "" ||
		!strings.Contains(errs, "is in use by another tftpsql") {
		t.Errorf("forwarding beside the server: %d %s %s", status, out, errs)
	}
	if status, _, errs := typed("spool", "drop", uids["fw2.conf"]); status != 2 ||
		!strings.Contains(errs, "--yes") {
		t.Errorf("dropping without --yes: %d %s", status, errs)
	}
	if now, _ := waiting(); len(now) != 5 {
		t.Errorf("then it holds %v", now)
	}
	if status, _, errs := typed("spool", "drop", uids["fw5.conf"], "--yes"); status != 0 {
		t.Errorf("dropping beside the server: %d %s", status, errs)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait() // killed

	if status, out, errs := typed("spool", "forward"); status != 1 ||
		!strings.Contains(errs, "PostgreSQL") {
		t.Errorf("forwarding while PostgreSQL is away: %d %s %s", status, out, errs)
	}
	if status, out, errs := typed("spool", "drop", uids["fw2.conf"], "--yes"); status != 0 {
		t.Errorf("dropping: %d %s %s", status, out, errs)
	}
	if status, _, errs := typed("spool", "drop", uids["fw2.conf"], "--yes"); status != 1 ||
		!strings.Contains(errs, "not found") {
		t.Errorf("dropping it again: %d %s", status, errs)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	if status, out, errs := typed("spool", "forward"); status != 0 ||
		out != "forwarded 2 captures, 0 refused\n" {
		t.Errorf("forwarding: %d %s %s", status, out, errs)
	}
	if left, refused := waiting(); len(left) != 1 || left["picky.conf"] == "" || refused != 1 {
		t.Errorf("left: %v, %d refused", left, refused)
	}
	if status, out, errs := typed("spool", "forward", "--refused"); status != 0 ||
		out != "forwarded 0 captures, 1 refused\n" {
		t.Errorf("what is refused again: %d %s %s", status, out, errs)
	}
	if conn, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "DROP TRIGGER picky ON captures"); err != nil {
		t.Fatal(err)
	}
	if status, out, errs := typed("spool", "forward", "--refused"); status != 0 ||
		out != "forwarded 1 capture, 0 refused\n" {
		t.Errorf("what was refused: %d %s %s", status, out, errs)
	}
	if left, _ := waiting(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for name, stored := range map[string]bool{"fw1": true, "fw2": false, "fw3": true, "fw4": true,
		"fw5": false, "picky": true} {
		if status, out, _ := typed("show", name); (status == 0) != stored ||
			stored && out != fortigate(name, "x") {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
}
