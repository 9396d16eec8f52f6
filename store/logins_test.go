package store_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// TestLogins: a login is found by its name and by its keys until it is removed, with its keys.
func TestLogins(t *testing.T) {
	conform(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		acme := store.Sender{Name: "acme", Site: "acme", Created: day}
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check(s.AddLogin(ctx, acme, "", []string{"ssh-ed25519 A", "ssh-rsa B", "ssh-rsa B"}))
		check(s.AddLogin(ctx, store.Sender{Name: "globex", Created: day}, "hash", nil))
		if err := s.AddLogin(ctx, acme, "other", nil); store.ClassOf(err) != store.Exists {
			t.Errorf("added twice: %v", err)
		}
		for key, want := range map[string]error{"ssh-ed25519 A": nil, "ssh-rsa B": nil,
			"ssh-rsa C": store.ErrNotFound} {
			l, err := s.SenderByKey(ctx, "acme", key)
			if !errors.Is(err, want) || err == nil && l.Site != "acme" {
				t.Errorf("%s: %+v, %v", key, l, err)
			}
		}
		if _, err := s.SenderByKey(ctx, "globex", "ssh-rsa B"); !errors.Is(err,
			store.ErrNotFound) {
			t.Errorf("another login's key: %v", err)
		}
		check(s.SetLoginPassword(ctx, "acme", "new"))
		check(s.UseLogin(ctx, acme, day.Add(time.Hour)))
		l, password, err := s.Sender(ctx, "acme")
		if err != nil || password != "new" || !l.Password || !l.Used.Equal(day.Add(time.Hour)) {
			t.Errorf("%+v, %q, %v", l, password, err)
		}
		check(s.UseLogin(ctx, l, day.Add(time.Hour+time.Second)))
		if l, _, err = s.Sender(ctx, "acme"); err != nil || !l.Used.Equal(day.Add(time.Hour)) {
			t.Errorf("within a minute: %+v, %v", l, err)
		}
		list, err := s.Senders(ctx)
		if err != nil || len(list) != 2 || list[0].Keys != 2 || list[1].Name != "globex" ||
			list[1].Keys != 0 || !list[1].Password {
			t.Errorf("%+v, %v", list, err)
		}
		check(s.RemoveLogin(ctx, "acme"))
		for _, err := range []error{s.RemoveLogin(ctx, "acme"),
			s.SetLoginPassword(ctx, "acme", "x")} {
			if store.ClassOf(err) != store.NotFound {
				t.Errorf("of none: %v", err)
			}
		}
		if _, _, err := s.Sender(ctx, "acme"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after it was removed: %v", err)
		}
		check(s.AddLogin(ctx, acme, "", nil))
		if _, err := s.SenderByKey(ctx, "acme", "ssh-rsa B"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a new login has the keys of the old one: %v", err)
		}
	})
}

// TestHostKeys: of many workers that make host keys at once all get the same.
func TestHostKeys(t *testing.T) {
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			workers := []*store.Store{open(t, at), beside(t, at), beside(t, at), beside(t, at)}
			got := make([][]store.HostKey, len(workers))
			var all sync.WaitGroup
			for i, s := range workers {
				all.Go(func() {
					var made []store.HostKey
					for _, algorithm := range []string{"a", "b", "c"} {
						made = append(made, store.HostKey{Algorithm: algorithm,
							PEM: algorithm + strconv.Itoa(i)})
					}
					var err error
					if got[i], err = s.HostKeys(t.Context(), made, day); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			kept, err := workers[0].HostKeys(t.Context(), nil, day)
			if err != nil || len(kept) != 3 {
				t.Fatalf("%v, %v", kept, err)
			}
			for i, list := range got {
				if !slices.Equal(list, kept) {
					t.Errorf("worker %d has %v, and %v is kept", i, list, kept)
				}
			}
		})
	}
}
