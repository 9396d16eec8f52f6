package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a standby of the server, with the server's options. It is a synchronous one if the
// options have synchronous_standby_names='*'.
func (s *Server) Standby() (*Server, error) {
	dir, err := os.MkdirTemp(filepath.Dir(s.dir), "pgtest")
	if err != nil {
		return nil, err
	}
	standby := &Server{dir: dir, bin: s.bin, options: s.options}
	if err := standby.own(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := standby.Follow(s); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return standby, nil
}

// Follow makes a server that is down a standby of another, with a copy of its data, and starts it.
func (s *Server) Follow(primary *Server) error {
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	err := s.run("pg_basebackup", "-D", s.data(), "-h", primary.dir, "-U", "postgres",
		"--checkpoint", "fast", "--no-sync", "--write-recovery-conf")
	if err != nil {
		return err
	}
	return s.Up()
}

// Promote makes a standby a primary.
func (s *Server) Promote() error {
	return s.run("pg_ctl", "-D", s.data(), "-w", "-t", "60", "promote")
}

// Replicated returns when the server has a synchronous standby.
func (s *Server) Replicated(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		var there bool
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_replication
			WHERE state = 'streaming' AND sync_state = 'sync')`).Scan(&there)
		if there || err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // there is no event for it
	}
}

// CutWaits ends each COMMIT that waits for the synchronous standby, every few milliseconds until
// ctx ends. how is pg_cancel_backend or pg_terminate_backend. It returns how many waits it has
// ended.
func (s *Server) CutWaits(ctx context.Context, how string) (cut int, err error) {
	patient := context.WithoutCancel(ctx) // what a query has ended counts
	conn, err := pgx.Connect(patient, s.URL("postgres"))
	if err != nil {
		return 0, err
	}
	defer conn.Close(patient)
	for ctx.Err() == nil {
		var n int
		err := conn.QueryRow(patient, "SELECT count("+how+`(pid)) FROM pg_stat_activity
			WHERE wait_event = 'SyncRep'`).Scan(&n)
		if err != nil {
			return cut, err
		}
		cut += n
		time.Sleep(5 * time.Millisecond) // there is no event for it
	}
	return cut, nil
}

// RequireStandby sets synchronous_standby_names and returns when it is in force. For a name that no
// standby has, each COMMIT waits; for an empty one, none does.
func (s *Server) RequireStandby(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres")+"&synchronous_commit=local")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '"+name+"'")
	if err == nil {
		_, err = conn.Exec(ctx, "SELECT pg_reload_conf()")
	}
	for waits := false; err == nil && name != "" && !waits; {
		waits, err = s.commitWaits(ctx, conn)
	}
	return err
}

// commitWaits reports whether a COMMIT waits, which it does when PostgreSQL's checkpointer has read
// the setting.
func (s *Server) commitWaits(ctx context.Context, watch *pgx.Conn) (bool, error) {
	trial, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return false, err
	}
	pid, ended := conn.PgConn().PID(), make(chan struct{})
	go func() { // ends with trial
		defer close(ended)
		_, _ = conn.Exec(trial, "SELECT pg_logical_emit_message(true, 'test', '')") // cut off
		_ = conn.Close(context.WithoutCancel(ctx))
	}()
	waiting := func() (n int, err error) {
		err = watch.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE wait_event = 'SyncRep' AND pid = $1`, pid).Scan(&n)
		return n, err
	}
	for {
		select {
		case <-ended:
			return false, nil
		default:
		}
		n, err := waiting()
		if err != nil {
			return false, err
		}
		if n > 0 {
			break
		}
	}
	cancel()
	<-ended
	for { // the server ends it a moment later
		if n, err := waiting(); n == 0 || err != nil {
			return true, err
		}
	}
}
