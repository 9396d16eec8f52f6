package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/tftpsql/tftpsql/queries/spool"
)

// What the spool knows of the database, so that devices can log in while the database is away.
const (
	aLogin    = "login"
	aLoginKey = "login key"
	aToken    = "token"
	hostKeys  = "host keys"
)

const (
	// knownKept bounds what is known of a kind: more than the logins and tokens of a fleet.
	knownKept = 10_000
	// knownPatience is how long PostgreSQL has for what is known. A client has 10 s to log in, with
	// up to three questions.
	knownPatience = time.Second
)

// find asks the database. Where there is a spool, it keeps what it has found, and returns what it
// has kept where the database can't be asked: fresh is false then.
func find[V any](ctx context.Context, s *Store, kind, key string,
	ask func(context.Context) (V, error)) (found V, fresh bool, err error) {
	if s.spool == nil {
		found, err = ask(ctx)
		return found, true, err
	}
	before, text, ok := recall[V](ctx, s.spool, kind, key)
	if ok && s.spool.away.Load() {
		return before, false, nil
	}
	limited := ctx
	if ok {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, knownPatience)
		defer cancel()
	}
	found, err = ask(limited)
	if ok && err != nil && !errors.Is(err, sql.ErrNoRows) {
		return before, false, nil
	}
	s.spool.learn(ctx, kind, key, text, found, err)
	return found, true, err
}

// recall returns what the spool knows, and its text.
func recall[V any](ctx context.Context, p *Spool, kind, key string) (v V, text string, ok bool) {
	text, err := p.read().Known(ctx, spool.KnownParams{Kind: kind, Key: []byte(key)})
	if err == nil {
		err = json.Unmarshal([]byte(text), &v)
	}
	return v, text, err == nil
}

// learn keeps what was found, and forgets what is no longer there. before is the text that the
// spool has. A spool that can't be written shows elsewhere: no login waits for it.
func (p *Spool) learn(ctx context.Context, kind, key, before string, found any, err error) {
	gone := errors.Is(err, sql.ErrNoRows)
	value, jsonErr := json.Marshal(found)
	switch {
	case err != nil && !gone, jsonErr != nil:
		return
	case gone && before == "", !gone && before == string(value):
		return // as it is
	}
	_ = p.file.write(ctx, func(tx *sql.Tx) error {
		q := spool.New(tx)
		if gone {
			return q.Forget(ctx, spool.ForgetParams{Kind: kind, Key: []byte(key)})
		}
		if n, err := q.CountKnown(ctx, kind); err != nil {
			return err
		} else if n >= knownKept {
			if err := q.ForgetAll(ctx, kind); err != nil {
				return err
			}
		}
		return q.Learn(ctx, spool.LearnParams{Kind: kind, Key: []byte(key),
			Value: string(value)})
	})
}
