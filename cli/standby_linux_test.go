package cli

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
)

// pair makes a primary and its synchronous standby, and a URL that leads to whichever is the
// primary.
func (w *world) pair() {
	server, err := pgtest.Start("-c fsync=off -c synchronous_standby_names='*'")
	if err != nil {
		pgtest.Missing(w.t, err)
	}
	w.t.Cleanup(server.Remove)
	standby, err := server.Standby()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(standby.Remove)
	w.server, w.standby = server, standby
	w.attempts = 10 // a failover takes seconds
	w.url = w.bothHosts(server.Create(w.t), standby.URL("postgres"))
}

// bothHosts adds the host of the second URL to the first.
func (w *world) bothHosts(first, second string) string {
	a, err := url.Parse(first)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := url.Parse(second)
	if err != nil {
		w.t.Fatal(err)
	}
	q := a.Query()
	q.Set("host", q.Get("host")+","+b.Query().Get("host"))
	q.Set("target_session_attrs", "read-write")
	a.RawQuery = q.Encode()
	return a.String()
}

// failOver makes the standby the primary, and the old primary, which is fenced first, its standby.
func (w *world) failOver() error {
	if w.server.Running() {
		if err := w.server.Kill(); err != nil {
			return err
		}
	}
	if !w.standby.Running() {
		if err := w.standby.Up(); err != nil {
			return err
		}
	}
	if err := w.standby.Promote(); err != nil {
		return err
	}
	w.server, w.standby = w.standby, w.server
	if err := w.standby.Follow(w.server); err != nil {
		return err
	}
	return w.replicated()
}

// replicated returns when the primary has a synchronous standby again.
func (w *world) replicated() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.server.Replicated(ctx)
}

// cutWaits ends the waits for the standby, as an operator does who wants the database to go on.
func (w *world) cutWaits(how string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	_, err := w.server.CutWaits(ctx, how)
	return err
}

// without is a fault while the standby is away: something happens to the primary, and then the
// primary dies for good and the standby is promoted.
func without(name string, happens func(w *world) error) fault {
	return fault{name: "standby away, " + name + ", promoted",
		before: func(w *world) error { return w.standby.Kill() },
		inject: func(w *world) error { return errors.Join(happens(w), w.failOver()) }}
}

// whileAway is longer than a worker with a spool waits for PostgreSQL, and tries it again after.
const whileAway = 5 * time.Second

var (
	standbyAway = without("uploads go on", func(*world) error {
		time.Sleep(whileAway) // the fault is the time itself
		return nil
	})
	waitsCancelled = without("waits cancelled", func(w *world) error {
		return w.cutWaits("pg_cancel_backend")
	})
	waitsTerminated = without("waits terminated", func(w *world) error {
		return w.cutWaits("pg_terminate_backend")
	})
	crashedAlone = without("primary crashes and recovers", func(w *world) error {
		if err := w.server.Kill(); err != nil {
			return err
		}
		if err := w.server.Up(); err != nil {
			return err
		}
		time.Sleep(400 * time.Millisecond) // for the uploads that go on
		return nil
	})
	standbyBack = fault{name: "standby stalled",
		before: func(w *world) error { return w.standby.Stall() },
		inject: func(w *world) error { return w.standby.Resume() }, mend: (*world).replicated}
	primaryKilled = fault{name: "primary killed, standby promoted",
		inject: (*world).failOver}
	primaryStalled = fault{name: "primary stalled, standby promoted",
		inject: func(w *world) error { return errors.Join(w.server.Stall(), w.failOver()) }}
	bothKilled = fault{name: "primary and standby killed",
		inject: func(w *world) error {
			if err := w.standby.Kill(); err != nil {
				return err
			}
			if err := w.server.Kill(); err != nil {
				return err
			}
			if err := w.standby.Up(); err != nil {
				return err
			}
			if err := w.server.Up(); err != nil {
				return err
			}
			return w.replicated()
		}}
)

// allStandbyFaults are those of make faults; each world has some of them in make test.
var allStandbyFaults = []fault{standbyAway, waitsCancelled, waitsTerminated, crashedAlone,
	standbyBack, primaryKilled, primaryStalled, bothKilled}

func standbyFaults(w *world) []fault {
	w.pair()
	if *bursts > 0 {
		return append([]fault{killWorker}, allStandbyFaults...)
	}
	return []fault{waitsCancelled, waitsTerminated, standbyBack, primaryStalled, bothKilled}
}

func spooledStandbyFaults(w *world) []fault {
	faults := standbyFaults(w)
	w.spool = filepath.Join(w.t.TempDir(), "spool.db")
	w.args = append(w.args, "--spool", w.spool)
	if *bursts > 0 {
		return faults
	}
	return []fault{standbyAway, crashedAlone, primaryKilled}
}
