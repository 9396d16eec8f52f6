package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/alarm"
	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
	"github.com/tftpsql/tftpsql/tftp"
)

// TestSpoolStorm: what a spool forwards when PostgreSQL is back is one message for each kind.
func TestSpoolStorm(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	w := &world{t: t, url: server.Create(t), spool: filepath.Join(t.TempDir(), "spool.db")}
	environ := []string{"DATABASE_URL=" + w.url, "ALARM_PRIVATE=1"}
	p := launch(t, w.url, environ[1:], `msg=listening address=(\S+)`, "--http", "none", "--spool",
		w.spool)
	p.log.wait(t, "msg=database")
	r := newReceiver(t)
	if status, _, errs := do(t, environ, "alarm", "add", "hook", r.URL, "--batch", "1h"); status !=
		0 {
		t.Fatal(errs)
	}
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	const devices, captures = 100, 500
	var uploads sync.WaitGroup
	for worker := range 10 {
		uploads.Go(func() {
			for n := worker; n < captures; n += 10 { // the captures of a device come in order
				err := (&tftp.Client{}).Put(t.Context(), p.addr, fmt.Sprintf("dev%d.conf",
					n%devices), fmt.Appendf(nil, "version %d\n", n))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	uploads.Wait()
	began := time.Now()
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	w.log = p.log
	w.drain()
	t.Logf("%d captures were forwarded in %v", captures, time.Since(began))
	s, err := store.Open(w.url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	waiting := func() (n int64) {
		list, err := s.Deliveries(t.Context(), 2*captures)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.State == store.DeliveryWaiting {
				n += m.Events
			}
		}
		return n
	}
	until := func(want int64) {
		t.Helper()
		limit := time.After(2 * time.Minute)
		for waiting() != want {
			select {
			case <-time.After(100 * time.Millisecond): // of a worker that looks each second
			case <-limit:
				t.Fatalf("%d wait, not %d\n%s", waiting(), want, p.log)
			}
		}
	}
	until(captures)
	w.dueNow() // the hour of the channel's batch passes
	until(0)
	r.mu.Lock()
	defer r.mu.Unlock()
	var told []string
	for _, body := range r.bodies {
		var e alarm.Event
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		told = append(told, e.Data.Title)
	}
	got := strings.Join(told, "; ")
	if first, changed := "[tftpsql] 100 new devices", "[tftpsql] 400 devices changed"; got !=
		first+"; "+changed && got != changed+"; "+first {
		t.Errorf("it is told %q", got)
	}
}
