package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// A Sender is a login by SSH. It may send, and nothing else.
type Sender struct {
	Name          string
	Site          string // of what it sends; "" for that of the file's name
	Password      bool
	Keys          int
	Created, Used time.Time // Used is to a minute, and equals Created if it was never used
}

// AddLogin adds a login with what proves its password, "" for none, and its keys as authorized_keys
// has them.
func (s *Store) AddLogin(ctx context.Context, l Sender, password string, keys []string) error {
	return s.explain("add login", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.AddLogin(ctx, queries.AddLoginParams{Name: l.Name, Site: l.Site,
			Password: password, CreatedAt: stamp(l.Created)})
		if err == nil && n == 0 {
			return &Error{Op: "add login", Class: Exists,
				Err: fmt.Errorf("there is a login %q", l.Name),
				Hint: "tftpsql login remove removes it; tftpsql login password sets its " +
					"password"}
		}
		for _, key := range keys {
			if err == nil {
				err = q.AddLoginKey(ctx, queries.AddLoginKeyParams{Login: l.Name, Key: key})
			}
		}
		return err
	}))
}

// Sender returns a login with what proves its password, or ErrNotFound. While the database is away
// those that were found before are found.
func (s *Store) Sender(ctx context.Context, name string) (l Sender, password string, err error) {
	r, _, err := find(ctx, s, aLogin, name, func(ctx context.Context) (queries.Login, error) {
		return s.backend.read().Login(ctx, name)
	})
	return Sender{Name: r.Name, Site: r.Site, Password: r.Password != "",
			Created: r.CreatedAt.UTC(), Used: r.UsedAt.UTC()}, r.Password,
		s.explain("find login", err)
}

// SenderByKey returns a login if it has a key, or ErrNotFound.
func (s *Store) SenderByKey(ctx context.Context, name, key string) (Sender, error) {
	_, _, err := find(ctx, s, aLoginKey, name+" "+key, func(ctx context.Context) (int64, error) {
		n, err := s.backend.read().LoginHasKey(ctx, queries.LoginHasKeyParams{Login: name,
			Key: key})
		if err == nil && n == 0 {
			err = sql.ErrNoRows // what strangers try is not remembered
		}
		return n, err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Sender{}, noLogin(name)
	case err != nil:
		return Sender{}, s.explain("find login", err)
	}
	l, _, err := s.Sender(ctx, name)
	return l, err
}

func noLogin(name string) error {
	return &Error{Op: "find login", Class: NotFound, Hint: "tftpsql login list lists them",
		Err: notFound("no login %q", name)}
}

// UseLogin notes that a login was used.
func (s *Store) UseLogin(ctx context.Context, l Sender, now time.Time) error {
	if l.Used.After(l.Created) && now.Sub(l.Used) < seenEvery {
		return nil
	}
	if s.spool != nil {
		if s.spool.away.Load() {
			return nil
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, knownPatience)
		defer cancel()
	}
	return s.explain("note a login", s.backend.tx(ctx, func(q *queries.Queries) error {
		return q.SeeLogin(ctx, queries.SeeLoginParams{Name: l.Name, Now: stamp(now)})
	}))
}

// Senders returns the logins, by name.
func (s *Store) Senders(ctx context.Context) ([]Sender, error) {
	list, err := s.backend.read().Logins(ctx)
	return rows(list, s.explain("list logins", err), func(r queries.LoginsRow) Sender {
		return Sender{Name: r.Name, Site: r.Site, Password: r.Password != "", Keys: int(r.Keys),
			Created: r.CreatedAt.UTC(), Used: r.UsedAt.UTC()}
	})
}

// SetLoginPassword sets what proves a login's password.
func (s *Store) SetLoginPassword(ctx context.Context, name, password string) error {
	return s.explain("set password", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.SetLoginPassword(ctx,
			queries.SetLoginPasswordParams{Name: name, Password: password})
		if err == nil && n == 0 {
			return noLogin(name)
		}
		return err
	}))
}

// RemoveLogin removes a login.
func (s *Store) RemoveLogin(ctx context.Context, name string) error {
	return s.explain("remove login", s.backend.tx(ctx, func(q *queries.Queries) error {
		if err := q.DropLoginKeys(ctx, name); err != nil {
			return err
		}
		n, err := q.RemoveLogin(ctx, name)
		if err == nil && n == 0 {
			return noLogin(name)
		}
		return err
	}))
}

// A HostKey is a private key by which clients know this host.
type HostKey struct{ Algorithm, PEM string }

// HostKeys returns the host keys, by algorithm. Those that are made for it are kept unless another
// worker has kept its own: all workers get the same. While the database is away it returns those
// that were found before.
func (s *Store) HostKeys(ctx context.Context, made []HostKey, now time.Time) (list []HostKey,
	err error) {
	list, _, err = find(ctx, s, hostKeys, "", func(ctx context.Context) (list []HostKey,
		err error) {
		err = s.backend.tx(ctx, func(q *queries.Queries) error {
			list = nil
			for _, k := range made {
				err := q.AddHostKey(ctx, queries.AddHostKeyParams{Algorithm: k.Algorithm,
					PEM: k.PEM, CreatedAt: stamp(now)})
				if err != nil {
					return err
				}
			}
			found, err := q.HostKeys(ctx)
			for _, k := range found {
				list = append(list, HostKey(k))
			}
			return err
		})
		if err == nil && len(list) == 0 {
			err = sql.ErrNoRows // which is not worth knowing
		}
		return list, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return list, s.explain("read host keys", err)
}
