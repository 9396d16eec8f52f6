package store_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

// link is a connection to PostgreSQL that can be slowed down, cut, or held.
type link struct {
	net.Listener
	network, to string

	// bytes a second to PostgreSQL; 0 for no bound, below 0 nothing passes in either direction
	rate atomic.Int64

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// linked returns a URL that leads to a database over a link.
func linked(t *testing.T, database string) (string, *link) {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{}
	l.network, l.to = pgconn.NetworkAddress(config.Host, config.Port)
	if l.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		l.cut()
	})
	go func() { // ends with the listener
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial(l.network, l.to)
			if err != nil {
				_ = from.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, from, to)
			l.mu.Unlock()
			go l.carry(to, from, true) // these end when one of the two closes
			go l.carry(from, to, false)
		}
	}()
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", config.User, l.Addr(),
		config.Database), l
}

func (l *link) carry(to, from net.Conn, slow bool) {
	defer to.Close()
	b := make([]byte, 8<<10)
	for {
		n, err := from.Read(b)
		rate := l.rate.Load()
		if rate < 0 {
			_, _ = io.Copy(io.Discard, from)
			// The other end isn't told that this one has gone. It ends with the test's process.
			select {}
		}
		if slow && rate > 0 {
			// the time that the bytes take at this rate
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if _, writeErr := to.Write(b[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// cut ends all connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// holding locks a device in a transaction that lasts until the returned function is called.
func holding(t *testing.T, database, name string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE devices SET site = site WHERE name = $1",
		name); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestHeldDevice: a transaction that holds a device and doesn't end fails that device's captures
// only.
func TestHeldDevice(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s := open(t, database)
	for n := range 10 {
		put(t, s, capture(n, fmt.Sprintf("fw%d", n), "first"))
	}
	release := holding(t, database, "fw0")
	var all sync.WaitGroup
	for n := range 60 {
		all.Go(func() {
			name := fmt.Sprintf("fw%d", n%20) // the second ten are new
			_, err := s.Put(t.Context(), capture(100+n, name, fmt.Sprint("body", n)))
			switch {
			case name != "fw0" && err != nil:
				t.Errorf("%s: %v", name, err)
			case name == "fw0" && (store.ClassOf(err) != store.Transient ||
				!strings.Contains(fmt.Sprint(err), "pg_stat_activity")):
				t.Errorf("the device that is held: %v", err)
			}
		})
	}
	all.Wait()
	release()
	put(t, s, capture(200, "fw0", "second"))
}

// TestVanishedWorker: the locks of a worker whose host has vanished in the middle of a transaction
// are released after a while.
func TestVanishedWorker(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s := open(t, database)
	put(t, s, capture(0, "fw0", "first"))
	through, line := linked(t, database)
	vanishing, err := store.Open(through, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, vanishing, capture(1, "fw1", "first"))
	release := holding(t, database, "fw0")
	over := make(chan struct{})
	go func() {
		defer close(over)
		if _, err := vanishing.Put(t.Context(), capture(2, "fw0", "second")); err == nil {
			t.Error("a worker that has vanished has stored something")
		}
	}()
	watch, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	for waits := 0; waits == 0; { // until it waits for the device
		if err := watch.QueryRow(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "+
				"current_database()").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	line.rate.Store(-1)
	release()
	<-over
	for begun := time.Now(); ; {
		_, err := s.Put(t.Context(), capture(3, "fw0", "third"))
		if err == nil {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal(err)
		}
	}
	if err := vanishing.Close(); err != nil {
		t.Error(err)
	}
}

// downed returns a stopped PostgreSQL of the test's own and the URL of its database, which has the
// schema.
func downed(t *testing.T) (server *pgtest.Server, url string) {
	t.Helper()
	server, err := pgtest.Start("-c fsync=off")
	if err != nil {
		pgtest.Missing(t, err)
	}
	t.Cleanup(server.Remove)
	url = server.Create(t)
	open(t, url)
	if err := server.Down("immediate"); err != nil {
		t.Fatal(err)
	}
	return server, url
}

// TestSlowForwarding: a spool is emptied over a slow line, even with a large capture at its head,
// and new captures don't wait behind it.
func TestSlowForwarding(t *testing.T) {
	t.Parallel()
	server, database := downed(t)
	through, line := linked(t, database)
	s := openSpooled(t, through, t.TempDir()+"/spool.db")
	put(t, s, capture(0, "large", strings.Repeat("0123456789abcdef\n", 30_000)))
	for n := range 20 {
		if stored := put(t, s, capture(n+1, fmt.Sprintf("fw%d", n), "small")); !stored.Spooled {
			t.Fatal("PostgreSQL is down, and took it")
		}
	}
	line.rate.Store(100_000)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	// On a busy machine one may take longer than a capture waits where there is a spool.
	for n := 100; put(t, s, capture(n, "fw1", fmt.Sprint("more ", n))).Spooled; n++ {
		if n == 110 {
			t.Fatal("PostgreSQL is back, and captures still go to the spool")
		}
		emptied(t, s)
	}
}
