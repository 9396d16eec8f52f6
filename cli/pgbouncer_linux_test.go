package cli

import (
	"syscall"
	"testing"
)

// TestPgBouncerFailover: the old primary is a standby again before PgBouncer is told of the new
// one. Until then uploads are refused; then they are stored, and what was acknowledged is there,
// once.
func TestPgBouncerFailover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pair()
	direct := w.server.Create(t)
	if status, _, errs := do(t, []string{"DATABASE_URL=" + direct}, "migrate", "up"); status != 0 {
		t.Fatal(errs)
	}
	b := startBouncer(t, direct)
	w.url = b.url() + "&default_query_exec_mode=cache_describe"
	w.burst(0, fault{name: "failover behind PgBouncer", inject: func(w *world) error {
		err := w.failOver()
		// what the worker meets depends on whether the old primary is up again
		w.log.wait(t, "PostgreSQL is read-only: after a failover this passes|login has been "+
			"failing|connect failed|storage unavailable")
		b.leadTo(w.server.URL(b.database))
		if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil { // RELOAD
			return err
		}
		b.log.wait(t, "got SIGHUP")
		return err
	}})
	w.check()
	w.calm(1)
	t.Logf("%d uploads were acknowledged, lost %d, doubled %d", len(w.acknowledged), w.lost,
		w.doubled)
}
