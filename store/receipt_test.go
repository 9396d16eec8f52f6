package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// primary is a PostgreSQL whose synchronous standby can go away: then each COMMIT commits there
// alone, and waits.
type primary struct {
	*testing.T
	server *pgtest.Server
	conn   *pgx.Conn
	url    string
}

func startPrimary(t *testing.T) *primary {
	t.Helper()
	server, err := pgtest.Start("-c fsync=off -c autovacuum=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	p := &primary{T: t, server: server, url: server.Create(t)}
	if p.conn, err = pgx.Connect(t.Context(), p.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close(context.Background()) })
	return p
}

// standby makes COMMIT wait for a standby of that name, or for none.
func (p *primary) standby(name string) {
	p.Helper()
	if err := p.server.RequireStandby(p.Context(), name); err != nil {
		p.Fatal(err)
	}
}

func (p *primary) exec(text string) {
	p.Helper()
	if _, err := p.conn.Exec(p.Context(), text); err != nil {
		p.Fatal(err)
	}
}

// number returns the only number that a query returns.
func (p *primary) number(text string, args ...any) (n int64) {
	p.Helper()
	if err := p.conn.QueryRow(p.Context(), text, args...).Scan(&n); err != nil {
		p.Fatal(err)
	}
	return n
}

// cutting ends the waits of COMMIT while fn runs.
func (p *primary) cutting(how string, fn func()) {
	p.Helper()
	ctx, cancel := context.WithCancel(p.Context())
	ended := make(chan error, 1)
	go func() {
		cut, err := p.server.CutWaits(ctx, how)
		if err == nil && cut == 0 {
			err = fmt.Errorf("no COMMIT waited")
		}
		ended <- err
	}()
	fn()
	cancel()
	if err := <-ended; err != nil {
		p.Fatal(err)
	}
}

// cuts are the ways in which the wait of a COMMIT ends without a standby.
var cuts = map[string]func(p *primary, ctx context.Context, fn func(ctx context.Context)){
	"cancelled": func(p *primary, ctx context.Context, fn func(ctx context.Context)) {
		p.cutting("pg_cancel_backend", func() { fn(ctx) })
	},
	"terminated": func(p *primary, ctx context.Context, fn func(ctx context.Context)) {
		p.cutting("pg_terminate_backend", func() { fn(ctx) })
	},
	"given up": func(p *primary, ctx context.Context, fn func(ctx context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		fn(ctx)
	},
}

// TestUnconfirmed: a capture that was committed without the synchronous standby isn't stored, and
// isn't taken for stored by the next try, until the standby has it.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	open(t, p.url)
	// A user without any special right, whose settings keep warnings from it.
	p.exec("CREATE ROLE worker LOGIN; ALTER ROLE worker SET client_min_messages = 'error'")
	p.exec("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker")
	s := beside(t, strings.Replace(p.url, "user=postgres", "user=worker", 1))
	put(t, s, capture(0, "fw1", "known"))
	n := 0
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			n += 2
			changed, same := capture(n, "fw1", name), capture(n+1, "fw1", "known")
			changed.New, same.New = true, true
			p.standby("nowhere")
			for range 2 {
				cut(p, t.Context(), func(ctx context.Context) {
					for _, c := range []store.Capture{changed, same} {
						if stored, err := s.Put(ctx, c); store.ClassOf(err) != store.Transient ||
							err == nil {
							t.Errorf("without a standby: %+v, %v", stored, err)
						}
					}
				})
			}
			ids := []string{changed.UID, same.UID}
			visible := func() int64 {
				return p.number("SELECT count(*) FROM captures WHERE uid::text = ANY($1)", ids)
			}
			for limit := time.Now().Add(10 * time.Second); visible() < 1; {
				if time.Now().After(limit) {
					t.Fatal("nothing was committed locally: the test shows nothing")
				}
			}
			p.standby("")
			for _, c := range []store.Capture{changed, same} {
				put(t, s, c)
			}
			if got := visible(); got != 2 {
				t.Errorf("stored %d times", got)
			}
		})
	}
}

// TestUnconfirmedCommands: nothing that an operator orders is reported as done before the standby
// has it, also where it is done already.
func TestUnconfirmedCommands(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	s := open(t, p.url)
	for n, name := range []string{"fw1", "fw2", "old", "into", "gone"} {
		put(t, s, capture(n, name, name))
	}
	newest, err := s.Resolve(t.Context(), "fw1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	dev := map[string]store.Device{}
	for _, name := range []string{"fw1", "fw2", "old", "into", "gone"} {
		dev[name] = device(t, s, name)
	}
	now := time.Now()
	for name, do := range map[string]func(ctx context.Context) error{
		"publish": func(ctx context.Context) error {
			return s.Publish(ctx, store.Publication{Name: "x", PublishedAt: now}, newest)
		},
		"fetched": func(ctx context.Context) error {
			return s.Fetched(ctx, "x", netip.MustParseAddr("192.0.2.1"), now)
		},
		"rename": func(ctx context.Context) error { return s.Rename(ctx, dev["fw2"], "edge") },
		"retire": func(ctx context.Context) error { return s.Retire(ctx, dev["fw1"]) },
		"expect": func(ctx context.Context) error { return s.Expect(ctx, dev["fw1"], time.Hour) },
		"merge":  func(ctx context.Context) error { return s.Merge(ctx, dev["old"], dev["into"]) },
		"forget": func(ctx context.Context) error {
			_,
				err := s.Forget(ctx, dev["gone"])
			return err
		},
		"adopt": func(ctx context.Context) error {
			return s.Adopt(ctx, dev["fw1"], []store.Name{{Name: "fw9"}})
		},
		"confirm": s.Confirm,
		"prune": func(ctx context.Context) error {
			_, err := s.Prune(ctx, store.Retention{}, now, false)
			return err
		},
	} {
		p.standby("nowhere")
		for range 2 {
			p.cutting("pg_cancel_backend", func() {
				err := do(t.Context())
				if store.ClassOf(err) != store.Transient ||
					!strings.Contains(fmt.Sprint(err), "standby") {
					t.Errorf("%s without a standby: %v", name, err)
				}
			})
		}
		p.standby("")
		if err := do(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnconfirmedSpool: while the standby is away captures are kept in the spool, and none leaves
// it because the primary alone has it.
func TestUnconfirmedSpool(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	s := openSpooled(t, p.url, filepath.Join(t.TempDir(), "spool.db"))
	p.standby("nowhere")
	c := capture(1, "fw1", "one")
	if stored := put(t, s, c); !stored.Spooled {
		t.Fatalf("%+v", stored)
	}
	const all = "SELECT count(*) FROM captures"
	for limit := time.Now().Add(10 * time.Second); p.number(all) == 0; {
		if time.Now().After(limit) {
			t.Fatal("nothing was committed locally: the test shows nothing")
		}
	}
	// Then the forwarder tries twice whether PostgreSQL is there.
	const waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
	for _, want := range []int64{1, 0, 1, 0} {
		for limit := time.Now().Add(10 * time.Second); p.number(waits) != want; {
			if time.Now().After(limit) {
				t.Fatalf("%d transactions wait for the standby, want %d", p.number(waits), want)
			}
		}
	}
	if st, err := s.SpoolStatus(t.Context()); err != nil || st.Waiting != 1 || !st.Away {
		t.Errorf("without a standby: %+v, %v", st, err)
	}
	p.standby("")
	emptied(t, s)
	if n := p.number(all); n != 1 {
		t.Errorf("stored %d times", n)
	}
}

// TestReadyWithoutStandby: a worker isn't ready while its captures aren't confirmed, and says so in
// time. While no device sends, it writes nothing to find out.
func TestReadyWithoutStandby(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	s := open(t, p.url)
	conn, err := pgx.Connect(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "LISTEN tftpsql"); err != nil {
		t.Fatal(err)
	}
	put(t, s, capture(1, "fw1", "one"))
	if _, err := conn.WaitForNotification(t.Context()); err != nil {
		t.Fatal(err)
	}
	const next = "SELECT txid_snapshot_xmax(txid_current_snapshot())"
	before := p.number(next)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if after := p.number(next); after != before {
		t.Errorf("%d transactions have written", after-before)
	}
	p.standby("nowhere")
	brief := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), 300*time.Millisecond)
	}
	ctx, cancel := brief()
	defer cancel()
	if _, err := s.Put(ctx, capture(2, "fw1", "two")); err == nil {
		t.Error("stored without a standby")
	}
	for limit := time.Now().Add(10 * time.Second); ; { // until the transaction has been given up
		ctx, cancel := brief()
		err := s.Ready(ctx)
		cancel()
		if err != nil && strings.Contains(err.Error(), "standby") {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("ready without a standby: %v", err)
		}
	}
	p.standby("")
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
