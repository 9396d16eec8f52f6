package store_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/tftpsql/tftpsql/store"
)

// TestKnown: while PostgreSQL is away a worker finds by its spool what was found before, also after
// a restart: but no token that has expired meanwhile, nothing that was removed before, and nothing
// that was never asked for.
func TestKnown(t *testing.T) {
	s, server, url, spool := spooled(t)
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.AddLogin(ctx, store.Sender{Name: "acme", Site: "acme", Created: day}, "hash",
		[]string{"ssh-ed25519 A"}))
	check(s.AddLogin(ctx, store.Sender{Name: "gone", Created: day}, "hash", nil))
	check(s.AddLogin(ctx, store.Sender{Name: "never asked", Created: day}, "hash", nil))
	now := time.Now()
	sum := sha256.Sum256([]byte("secret"))
	check(s.AddToken(ctx, sum, store.Token{Person: store.Person{Name: "up", Role: store.Uploader},
		Created: now, Expires: now.Add(time.Hour)}))
	keys, err := s.HostKeys(ctx, []store.HostKey{{Algorithm: "a", PEM: "b"}}, now)
	check(err)

	_, _, err = s.Sender(ctx, "gone")
	check(err)
	check(s.RemoveLogin(ctx, "gone"))
	if _, _, err := s.Sender(ctx, "gone"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	_, err = s.SenderByKey(ctx, "acme", "ssh-ed25519 A")
	check(err)
	_, err = s.TokenPerson(ctx, sum, now)
	check(err)
	check(s.Close())
	check(server.Down("immediate"))

	s = openSpooled(t, url, spool)
	l, password, err := s.Sender(ctx, "acme")
	if err != nil || l.Site != "acme" || password != "hash" {
		t.Errorf("%+v, %q, %v", l, password, err)
	}
	if _, err := s.SenderByKey(ctx, "acme", "ssh-ed25519 A"); err != nil {
		t.Error(err)
	}
	if p, err := s.TokenPerson(ctx, sum, now); err != nil || p.Name != "up" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := s.TokenPerson(ctx, sum, now.Add(2*time.Hour)); !errors.Is(err,
		store.ErrNotFound) {
		t.Errorf("a token that has expired: %v", err)
	}
	if got, err := s.HostKeys(ctx, nil, now); err != nil || len(got) != 1 || got[0] != keys[0] {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range []string{"gone", "never asked"} {
		if _, _, err := s.Sender(ctx, name); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
