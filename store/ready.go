package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/tftpsql/tftpsql/queries"
	"github.com/tftpsql/tftpsql/schema"
)

// Ready returns nil while captures can be stored: the schema is there, and a transaction that may
// write commits. It writes nothing.
func (s *Store) Ready(ctx context.Context) error {
	err := s.databaseReady(ctx)
	if err != nil && s.spool != nil {
		// PostgreSQL may have used up ctx's time.
		return s.spool.ready(context.WithoutCancel(ctx))
	}
	return err
}

// Confirm returns nil when all that the caller has read before is durable, also on a synchronous
// standby. A read shows what a transaction has committed that could not wait for the standby.
func (s *Store) Confirm(ctx context.Context) error {
	nothing := func(*queries.Queries) error { return nil }
	return s.explain("confirm", s.backend.tx(ctx, nothing))
}

// Risk returns how the database could lose what it has confirmed, "" where it couldn't: by what its
// settings and its standbys say.
func (s *Store) Risk(ctx context.Context) (string, error) {
	risk, err := s.backend.risk(ctx)
	return risk, s.explain("check the database's settings", err)
}

// SpoolReady returns nil if the spool can keep captures, or if there is no spool.
func (s *Store) SpoolReady(ctx context.Context) error {
	if s.spool == nil {
		return nil
	}
	return s.spool.ready(ctx)
}

// databaseReady has a COMMIT confirmed only after one of an upload was not, which may have waited
// for a synchronous standby. So it writes nothing while no device sends: WAL would be archived.
func (s *Store) databaseReady(ctx context.Context) error {
	if err := s.CheckSchema(ctx); err != nil {
		return err
	}
	transact := s.backend.check
	if s.group.unconfirmed.Load() {
		transact = s.backend.tx
	}
	err := transact(ctx, func(q *queries.Queries) error {
		// No device has this number. A read-only standby refuses the statement.
		_, err := q.HoldDevice(ctx, 0)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err == nil {
		s.group.unconfirmed.Store(false)
	}
	return s.explain("check database", err)
}

// Clock returns the time of the database's machine. ok is false where that is this machine.
func (s *Store) Clock(ctx context.Context) (now time.Time, ok bool, err error) {
	if s.dialect == schema.SQLite {
		return time.Time{}, false, nil
	}
	now, err = s.backend.read().Clock(ctx)
	return now, err == nil, s.explain("ask for the time", err)
}
