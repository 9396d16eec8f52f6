package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed sqlite/snapshot.sql
var snapshot string

// Snapshot writes a copy of an SQLite database, as of one moment, into a new file that only its
// owner can read. Captures are stored meanwhile.
func (s *Store) Snapshot(ctx context.Context, file string) (err error) {
	f, ok := s.backend.(*sqliteFile)
	if !ok {
		return &Error{Op: "snapshot", Class: Usage,
			Err:  errors.New("a snapshot is of an SQLite file"),
			Hint: "for PostgreSQL there is pg_dump"}
	}
	failed := func(err error) error {
		return &Error{Op: "snapshot", Class: Config, Err: err,
			Hint: "say where a new file may be written"}
	}
	if file, err = filepath.Abs(file); err != nil {
		return failed(err)
	}
	// The name is reserved first, so that nothing is overwritten. The copy has another name until
	// it is whole.
	if err := reserve(file); err != nil {
		return failed(err)
	}
	partial := file + ".partial"
	if err := reserve(partial); err != nil {
		return errors.Join(failed(err), os.Remove(file))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(partial) // err matters more than these
			_ = os.Remove(partial + "-journal")
			_ = os.Remove(file)
		}
	}()
	db, err := sql.Open("sqlite", f.plain())
	if err != nil {
		return failed(err)
	}
	_, err = db.ExecContext(ctx, snapshot, partial)
	if err = errors.Join(err, db.Close()); err != nil {
		if class, _ := f.classify(err); class == Full { // not the disk that the database is on
			return &Error{Op: "snapshot", Class: Full, Err: err,
				Hint: "make room on the disk that holds " + file + ", or say another"}
		}
		return s.explain("snapshot", err)
	}
	if err := flush(partial); err != nil {
		return failed(err)
	}
	if err := os.Rename(partial, file); err != nil {
		return failed(err)
	}
	return nil
}

// reserve makes an empty file that must not be there.
func reserve(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already", file)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// flush returns when a file is on the disk.
func flush(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
