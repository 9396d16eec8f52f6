package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tftpsql/tftpsql/queries"
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

// SpoolReady returns nil if the spool can keep captures, or if there is no spool.
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
		// No device has this number. A read-only standby refuses the statement.
		_, err := q.HoldDevice(ctx, 0)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}))
}
