package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tftpsql/tftpsql/schema"
)

// Migrate brings the schema up to date. If it is current, nothing is locked and nothing is created.
// A schema newer than this program is served, with a warning.
func (s *Store) Migrate(ctx context.Context) error {
	version, dirty, err := s.SchemaVersion(ctx)
	latest := s.dialect.Latest()
	switch {
	case err != nil:
		return err
	case !dirty && version > latest:
		s.log.Warn("the database's schema is newer than this program: upgrade it",
			"schema", version, "known", latest)
		return nil
	case !dirty && version == latest:
		return nil
	}
	return s.explain("migrate", s.backend.exclusive(ctx, func() error { return s.migrate(ctx) }))
}

// migrate runs while no other process migrates. A migration that another worker had begun has
// ended.
func (s *Store) migrate(ctx context.Context) error {
	before, dirty, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if dirty {
		return schema.DirtyError{Version: before}
	}
	err = s.migrator(func(m *schema.Migrator) error {
		err := m.Up(s.dialect)
		var refused interface{ SQLState() string }
		if errors.As(err, &refused) && s.backend.atomicMigrations() {
			// The server refused a statement and has rolled back the whole file, so the version
			// before it is clean.
			if version, dirty, versionErr := m.Version(); versionErr == nil && dirty {
				err = errors.Join(err, m.Force(int(version)-1))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	after, dirty, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if latest := s.dialect.Latest(); dirty || after < latest {
		return fmt.Errorf("the schema is at version %d after migrating to %d", after, latest)
	}
	if after > before {
		s.log.Info("schema migrated", "from", before, "to", after)
	}
	return nil
}

// MigrateDown takes back the last n migrations. Taking back the first one deletes every capture.
func (s *Store) MigrateDown(n int) error {
	return s.migrator(func(m *schema.Migrator) error { return m.Down(n) })
}

// MigrateForce records that the schema is at this version and not dirty. It runs nothing.
func (s *Store) MigrateForce(version int) error {
	return s.migrator(func(m *schema.Migrator) error { return m.Force(version) })
}

func (s *Store) migrator(do func(*schema.Migrator) error) error {
	db, err := s.backend.migrations()
	if err != nil {
		return s.explain("migrate", err)
	}
	m, err := schema.New(db, s.dialect)
	if err != nil {
		return s.explain("migrate", errors.Join(err, db.Close()))
	}
	return s.explain("migrate", errors.Join(do(m), m.Close()))
}

// SchemaVersion returns the number of the last applied migration, 0 if there is none, and whether
// it failed half way.
func (s *Store) SchemaVersion(ctx context.Context) (version uint, dirty bool, err error) {
	row, err := s.backend.read().SchemaVersion(ctx)
	if class, _ := s.backend.classify(err); errors.Is(err, sql.ErrNoRows) || class == noTable {
		return 0, false, nil
	}
	return uint(max(row.Version, 0)), row.Dirty, s.explain("read schema version", err)
}

// LatestSchema returns the version that this program migrates to.
func (s *Store) LatestSchema() uint { return s.dialect.Latest() }

// CheckSchema returns nil if this program can read the schema, or else an error that says what to
// do.
func (s *Store) CheckSchema(ctx context.Context) error {
	version, dirty, err := s.SchemaVersion(ctx)
	if err == nil && dirty { // another worker may be migrating: wait for it
		err = s.backend.exclusive(ctx, func() error {
			version, dirty, err = s.SchemaVersion(ctx)
			return err
		})
	}
	switch {
	case err != nil:
		return s.explain("check schema", err)
	case dirty:
		return s.explain("check schema", schema.DirtyError{Version: version})
	case version < s.dialect.Latest():
		return &Error{Op: "check schema", Class: Config, Hint: "run: tftpsql migrate up",
			Err: fmt.Errorf("the database's schema is at version %d and this program needs %d",
				version, s.dialect.Latest())}
	}
	return nil
}
