package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tftpsql/tftpsql/queries"
)

// Ready returns nil while captures can be stored: the schema is there, and a transaction that may write commits. It writes
// nothing.
func (s *Store) Ready(ctx context.Context) error {
	err := s.databaseReady(ctx)
	if err != nil && s.spool != nil {
		return s.spool.ready(context.WithoutCancel(ctx)) // PostgreSQL may have taken all the time there was
	}
	return err
}

// SpoolReady returns nil while the spool could keep captures, and where there is none.
func (s *Store) SpoolReady(ctx context.Context) error {
	if s.spool == nil {
		return nil
	}
	return s.spool.ready(ctx)
}

func (s *Store) databaseReady(ctx context.Context) error {
	if err := s.CheckSchema(ctx); err != nil {
		return err
	}
	return s.explain("check database", s.backend.tx(ctx, func(q *queries.Queries) error {
		_, err := q.HoldDevice(ctx, 0) // no device has this number; a standby that only reads refuses it
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}))
}
