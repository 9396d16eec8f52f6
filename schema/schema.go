// Package schema holds the migrations of PostgreSQL, SQLite and the spool, and runs them with
// golang-migrate. golang-migrate's own program works on the same folders: schema/postgres,
// schema/sqlite and schema/spool.
package schema

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	pgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
)

//go:embed postgres/*.sql sqlite/*.sql spool/*.sql
var files embed.FS

// Dialect names a kind of database and the folder of its migrations.
type Dialect string

// The dialects.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
	Spool    Dialect = "spool" // the file that keeps captures while PostgreSQL is away: SQLite too
)

// A DirtyError says that a migration failed half way and was not looked at since.
type DirtyError struct{ Version uint }

func (e DirtyError) Error() string {
	return fmt.Sprintf("the schema is dirty: migration %d failed half way", e.Version)
}

// Latest returns the number of the newest migration that this program has.
func (e Dialect) Latest() uint {
	var latest uint
	entries, err := fs.ReadDir(files, string(e))
	if err != nil {
		panic(err) // the folders are embedded
	}
	for _, f := range entries {
		number, _, _ := strings.Cut(f.Name(), "_")
		if n, err := strconv.ParseUint(number, 10, 32); err == nil {
			latest = max(latest, uint(n))
		}
	}
	return latest
}

// A Migrator runs migrations over one database.
type Migrator struct {
	m *migrate.Migrate
}

// New returns a Migrator for db, which its Close closes. It creates golang-migrate's table
// schema_migrations if necessary.
func New(db *sql.DB, e Dialect) (*Migrator, error) {
	src, err := iofs.New(files, string(e))
	if err != nil {
		return nil, err
	}
	var driver database.Driver
	if e == Postgres {
		driver, err = pgx.WithInstance(db, &pgx.Config{})
	} else {
		driver, err = sqlite.WithInstance(db, &sqlite.Config{})
	}
	if err != nil {
		return nil, explain(err)
	}
	m, err := migrate.NewWithInstance("iofs", src, string(e), driver)
	if err != nil {
		return nil, err
	}
	return &Migrator{m}, nil
}

// Up applies the missing migrations; none missing is no error. A schema newer than this program is
// left as it is.
func (m *Migrator) Up(e Dialect) error {
	version, dirty, err := m.Version()
	if err != nil {
		return err
	}
	if dirty {
		return DirtyError{version}
	}
	if version > e.Latest() {
		return nil
	}
	return explain(m.m.Up())
}

// Down takes back the last n migrations, or all if there are fewer.
func (m *Migrator) Down(n int) error {
	err := m.m.Steps(-n)
	var short migrate.ErrShortLimit
	if errors.As(err, &short) {
		return nil
	}
	return explain(err)
}

// Force records that the schema is at this version, and clean. It runs nothing. Version 0 means no
// migration.
func (m *Migrator) Force(version int) error {
	if version == 0 {
		version = database.NilVersion
	}
	return explain(m.m.Force(version))
}

// Version returns the number of the last applied migration, 0 if there is none, and whether it
// failed half way.
func (m *Migrator) Version() (version uint, dirty bool, err error) {
	version, dirty, err = m.m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		err = nil
	}
	return version, dirty, explain(err)
}

// Close closes the database.
func (m *Migrator) Close() error {
	err, err2 := m.m.Close()
	return errors.Join(err, err2)
}

func explain(err error) error {
	var dirty migrate.ErrDirty
	var failed database.Error
	var pointer *database.Error // golang-migrate returns both forms
	if errors.As(err, &pointer) {
		failed = *pointer
	} else {
		errors.As(err, &failed)
	}
	switch {
	case errors.Is(err, migrate.ErrNoChange):
		return nil
	case errors.As(err, &dirty):
		return DirtyError{uint(max(dirty.Version, 0))}
	case errors.Is(err, fs.ErrNotExist):
		return errors.New(
			"there is no migration to take back, or one that this program doesn't have")
	case failed.OrigErr != nil: // without the text of the migration
		return failed.OrigErr
	}
	return err
}
