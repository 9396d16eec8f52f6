package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/pgtest"
	"github.com/tftpsql/tftpsql/store"
)

func TestPublish(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		put(t, s, capture(1, "fw1", "one"))
		put(t, s, capture(2, "fw1", "two"))
		r, err := s.Resolve(ctx, "fw1~1", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		now, here, there := day, netip.MustParseAddr("192.0.2.1"),
			netip.MustParseAddr("::ffff:198.51.100.1")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		fetch := func(name string, from netip.Addr, at time.Time, want string, wantErr error) {
			t.Helper()
			body, err := s.FetchPublished(ctx, name, from, at)
			if err == nil {
				must(s.Fetched(ctx, name, from, at))
			}
			if string(body) != want || !errors.Is(err, wantErr) {
				t.Errorf("%s for %v: %q, %v; want %q, %v", name, from, body, err, want, wantErr)
			}
		}
		must(s.Publish(ctx, store.Publication{Name: "hour", Description: "fw1", PublishedAt: now,
			ExpiresAt: now.Add(time.Hour)}, r))
		must(s.Publish(ctx, store.Publication{Name: "ever", PublishedAt: now}, r))
		must(s.Publish(ctx, store.Publication{Name: "for", PublishedAt: now,
			Allowed: netip.MustParsePrefix("198.51.100.0/24")}, r))
		must(s.Publish(ctx, store.Publication{Name: "once", PublishedAt: now, Once: true}, r))
		must(s.PublishFile(ctx, store.Publication{Name: "file", PublishedAt: now},
			[]byte("an image\x00")))
		fetch("hour", here, now.Add(59*time.Minute), "one", nil)
		fetch("hour", here, now.Add(61*time.Minute), "", store.ErrNotFound)
		fetch("ever", there, now.Add(1e6*time.Hour), "one", nil)
		fetch("for", here, now, "", store.ErrNotAllowed)
		fetch("for", there, now, "one", nil)
		// asked for, and never got
		if body, err := s.FetchPublished(ctx, "once", there, now); string(body) != "one" ||
			err != nil {
			t.Error(err)
		}
		fetch("once", here, now, "one", nil)
		fetch("once", there, now, "", store.ErrNotAllowed)
		// the same device again, after a broken transfer
		fetch("once", here, now.Add(time.Minute), "one", nil)
		fetch("once", here, now.Add(4*time.Minute), "one", nil)
		fetch("once", here, now.Add(6*time.Minute), "", store.ErrNotAllowed)
		fetch("file", here, now, "an image\x00", nil)
		fetch("none", here, now, "", store.ErrNotFound)
		must(s.PublishFile(ctx, store.Publication{Name: "file", PublishedAt: now},
			[]byte("another")))
		fetch("file", here, now, "another", nil)
		list, err := s.Published(ctx, now.Add(30*time.Minute))
		if err != nil || len(list) != 5 {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, p := range list {
			if p.Name == "hour" && (p.Fetches != 1 || p.Size != 3 || p.Description != "fw1" ||
				!p.ExpiresAt.Equal(now.Add(time.Hour)) || p.Allowed.IsValid()) ||
				p.Name == "for" && p.Allowed.String() != "198.51.100.0/24" || p.Name == "ever" &&
				!p.ExpiresAt.IsZero() {
				t.Errorf("%+v", p)
			}
		}
		must(s.Unpublish(ctx, "ever"))
		fetch("ever", here, now, "", store.ErrNotFound)
		if err := s.Unpublish(ctx, "ever"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestWriteOnce: only the first bytes under a file name are stored, however many come at once. The
// same bytes again are accepted.
func TestWriteOnce(t *testing.T) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "once.db") },
		"postgres": func() string { return pgtest.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			open(t, url()) // skips where PostgreSQL is missing
			s, err := store.Open(url(), store.Options{Own: true, Create: true, WriteOnce: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			var stored, refused atomic.Int64
			var all sync.WaitGroup
			for n := range 20 {
				c := capture(n, fmt.Sprint("fw", n), fmt.Sprint("body ", n%4))
				c.Filename = "image.bin"
				all.Go(func() {
					_, err := s.Put(context.Background(), c)
					switch {
					case err == nil:
						stored.Add(1)
					case store.ClassOf(err) == store.Exists:
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
			if stored.Load() != 5 || refused.Load() != 15 {
				t.Errorf("%d stored, %d refused, of 20 with four different bodies", stored.Load(),
					refused.Load())
			}
		})
	}
}
