package sftp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	client "github.com/pkg/sftp"

	"github.com/tftpsql/tftpsql/sftp"
)

// TestShutdown: what runs ends, what is idle is closed, and nothing new begins.
func TestShutdown(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	idle, busy := s.dial(t, nil), s.open(t)
	f, err := busy.Create("/slow.conf")
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	holder := s.open(t)
	go func() { held <- putOne(holder, "/hold.conf") }()
	next(t, s.began)

	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	gone := make(chan error, 1)
	go func() { gone <- idle.Wait() }()
	next(t, gone)
	if _, err := s.tryDial(nil); err == nil {
		t.Error("a new connection was taken")
	}
	if _, err := busy.Create("/new.conf"); err == nil ||
		!strings.Contains(err.Error(), "shutting down") {
		t.Errorf("a new upload was answered with %v", err)
	}
	select {
	case err := <-down:
		t.Fatalf("Shutdown returned %v while uploads ran", err)
	default:
	}
	if _, err := f.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := busy.Stat("/slow.conf"); err != nil || info.Size() != 5 {
		t.Errorf("after its receipt, the client sees %v, %v", info, err)
	}
	close(s.hold)
	if err := next(t, held); err != nil {
		t.Error(err)
	}
	if err := next(t, down); err != nil {
		t.Error(err)
	}
	s.has(t, "/slow.conf", []byte("whole"))
	s.has(t, "/hold.conf", []byte("x"))
	if err := s.ListenAndServe("127.0.0.1:0"); !errors.Is(err, sftp.ErrServerClosed) {
		t.Errorf("a server that was closed serves again: %v", err)
	}
}

// TestShutdownInTime: an upload that takes longer than Shutdown may is ended.
func TestShutdownInTime(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	f, err := s.open(t).Create("/never.conf")
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	holder := s.open(t)
	go func() { held <- putOne(holder, "/hold.conf") }()
	next(t, s.began)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := f.Close(); err == nil {
		t.Error("the client believes in its upload")
	}
	if err := next(t, held); err == nil {
		t.Error("the other client believes in its upload")
	}
	for range 2 {
		if o := s.end(t); o.Err == nil {
			t.Errorf("%s ended well", o.Upload.Path)
		}
	}
	s.hasNothing(t)
}

// TestIdle: a client that sends nothing is dropped, but not while a handler works for it.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *sftp.Server) { s.IdleTimeout = time.Second })
	conn := s.dial(t, nil)
	c, err := client.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	go func() { held <- putOne(c, "/hold.conf") }()
	next(t, s.began)
	idle := s.dial(t, nil)
	gone := make(chan error, 1)
	go func() { gone <- idle.Wait() }()
	next(t, gone) // so the other client has been as silent
	close(s.hold)
	if err := next(t, held); err != nil {
		t.Fatal(err)
	}
	f, err := c.Create("/stalls.conf")
	if err != nil {
		t.Fatal(err)
	}
	if o := s.end(t); o.Err != nil {
		t.Error(o.Err)
	}
	if o := s.end(t); o.Err == nil {
		t.Error("a file that never came ended well")
	}
	if err := f.Close(); err == nil {
		t.Error("the client believes in its upload")
	}
}

// TestHandlerTimeout: the context of a handler ends, and the client hears of it.
func TestHandlerTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *sftp.Server) { s.HandlerTimeout = 50 * time.Millisecond })
	err := putOne(s.open(t), "/hold.conf")
	if err == nil || !strings.Contains(err.Error(), "storage unavailable, try again") {
		t.Error(err)
	}
	if o := s.end(t); !errors.Is(o.Err, context.DeadlineExceeded) {
		t.Error(o.Err)
	}
}
