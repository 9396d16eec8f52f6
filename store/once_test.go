package store_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// TestWriteOnceTogether: of several devices' files of one name in one transaction, one is stored. A
// lock holds the writers until all files are in the queue.
func TestWriteOnceTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s, err := store.Open(url, store.Options{Own: true, Create: true, WriteOnce: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	for round := range 5 {
		tx, err := other.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(),
			"LOCK TABLE contents IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		var senders sync.WaitGroup
		var stored, waiting atomic.Int64
		for plug := range min(max(runtime.GOMAXPROCS(0), 2), 4) { // one for each writer
			senders.Go(func() {
				c := capture(100*round+50+plug, fmt.Sprint("plug", plug),
					fmt.Sprint("plug", round, plug))
				c.Filename = c.UID
				if _, err := s.Put(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
			for held := 0; held <= plug; {
				if err := tx.QueryRow(t.Context(),
					"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "+
						"'contents'::regclass").Scan(&held); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range 40 {
			senders.Go(func() {
				c := capture(100*round+n, fmt.Sprintf("fw%d", n), fmt.Sprint("body", n))
				c.Filename, c.New = fmt.Sprintf("image%d.bin", round), true
				waiting.Add(1)
				if _, err := s.Put(t.Context(), c); err == nil {
					stored.Add(1)
				} else if store.ClassOf(err) != store.Exists {
					t.Error(err)
				}
			})
		}
		for waiting.Load() < 40 {
			time.Sleep(time.Millisecond) // nothing tells when a capture is queued
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		senders.Wait()
		if stored.Load() != 1 {
			t.Errorf("round %d: %d of 40 are stored", round, stored.Load())
		}
	}
}
