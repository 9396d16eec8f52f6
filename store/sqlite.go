package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/tftpsql/tftpsql/queries"
)

// sqliteReaders is how many connections read at once. Readers never wait for the writer.
const sqliteReaders = 4

// writerMemory has two parts. A cache of 32 MiB holds a whole batch (maxBatchBytes and its index
// pages) until its commit; with SQLite's default of 2 MB the batch would be written twice. From
// 32,000 pages (128 MB) on in the journal, a commit copies them into the file itself: that is where
// copyBack can't keep up.
const writerMemory = "&_pragma=cache_size(-32768)&_pragma=wal_autocheckpoint(32000)"

const (
	// copyFrom is how many bytes the journal gathers before they are copied into the file: most
	// captures change the same index pages. The price is about 20 ms for a start after a crash.
	copyFrom = 16 << 20
	// rowBytes is what a capture writes besides its body: some pages of the tables' indexes.
	rowBytes = 16 << 10
)

// spoolJournal lets a spool on a full disk be emptied. A rollback journal holds only the old pages,
// where WAL would hold all new ones, so a capture takes its space once and deleting it needs
// little. Deleted rows leave the file when the spool is empty.
const spoolJournal = "&_pragma=journal_mode(TRUNCATE)&_pragma=secure_delete(fast)"

// contains is what an SQLite file is for.
type contains string

const (
	aDatabase contains = "a database of tftpsql's"
	aSpool    contains = "a spool"
)

type sqliteFile struct {
	opened os.FileInfo // to notice that the path names another file now
	path   string
	// rollback says that the file has a rollback journal, which is there in a transaction alone.
	rollback bool
	writer   *sql.DB // one connection: SQLite has one writer at a time
	reader   *sql.DB
	lock     *flock.Flock // nil for commands beside a server
	texts    statements

	journaled int64 // bytes since the last copy; of the writer's goroutine
	copier    *sql.DB
	copying   atomic.Bool
	copies    sync.WaitGroup
}

func openSQLite(path string, wanted contains, o Options) (*sqliteFile, error) {
	if path == "" {
		return nil, usage("the form is sqlite:PATH", errors.New("no path"))
	}
	path = strings.TrimPrefix(path, "//") // sqlite://PATH, as migrate's own program has it
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, usage("the form is sqlite:PATH", err)
	}
	f := &sqliteFile{path: abs}
	if o.Own {
		if err := f.own(o.Create); err != nil {
			return nil, err
		}
		f.tighten(o.Logger)
	}
	if f.opened, err = os.Stat(abs); err != nil {
		err = &Error{Op: "open", Class: Config, Err: fmt.Errorf("no database at %s", abs),
			Hint: "tftpsql serve makes one; --database or DATABASE_URL says where another is"}
		if f.lock != nil {
			err = errors.Join(err, f.lock.Close(), os.Remove(abs+".lock"))
		}
		return nil, err
	}
	// Times are written in the format of SQLite's own functions. The driver sets busy_timeout
	// first.
	const dsn = "?_time_format=sqlite&_txlock=immediate&_pragma=busy_timeout(5000)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)"
	file := "file:" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath() + dsn
	f.reader, err = sql.Open("sqlite", file+"&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	f.reader.SetMaxOpenConns(sqliteReaders)
	// An idle reader would keep the journal mode from being changed.
	f.reader.SetMaxIdleConns(0)
	if err := f.suits(wanted); err != nil {
		return nil, errors.Join(err, f.closeUnused())
	}
	f.reader.SetMaxIdleConns(sqliteReaders)
	journal := "&_pragma=journal_mode(WAL)&_pragma=secure_delete(1)"
	if wanted == aSpool {
		journal, f.rollback = spoolJournal, true
	}
	// synchronous=FULL: with NORMAL a commit would survive a crash of the program, but not a power
	// cut. auto_vacuum affects new files only, and must come before the first page is written.
	// secure_delete overwrites what is deleted.
	f.writer, err = sql.Open("sqlite",
		file+"&_pragma=auto_vacuum(2)&_pragma=synchronous(FULL)"+journal+writerMemory)
	if err != nil {
		return nil, err
	}
	f.writer.SetMaxOpenConns(1)
	if f.copier, err = sql.Open("sqlite", file+"&_pragma=synchronous(FULL)"); err != nil {
		return nil, err
	}
	f.copier.SetMaxOpenConns(1)
	if o.Own {
		// The writer opens first, so that a new file gets its journal mode before a reader opens
		// it.
		if err := f.roomy(f.writer.Ping); err != nil {
			class, hint := f.classify(err)
			return nil, errors.Join(&Error{Op: "open", Class: class, Hint: hint,
				Err: fmt.Errorf("%s: %w", abs, err)}, f.close())
		}
		f.keepReserve()
	}
	return f, nil
}

// suits returns an error if the file holds something else, before anything is written to it. A file
// that can't be read passes: its reader reports the error. Another program's tables do no harm in a
// database, but a spool needs a file of its own.
func (f *sqliteFile) suits(wanted contains) error {
	if f.opened.Size() == 0 {
		return nil // a new file
	}
	rows, err := f.reader.Query(tables)
	if err != nil {
		return nil
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil
		}
		names = append(names, name)
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	is, hint := aDatabase, "SPOOL (--spool) needs a file of its own"
	switch {
	case rows.Err() != nil:
		return nil
	case wanted == aDatabase && (has("captures") || !has("waiting")):
		return nil
	case wanted == aSpool && has("waiting"):
		return nil
	case wanted == aDatabase:
		is = aSpool
		hint = "DATABASE_URL (--database) needs a file of its own; " +
			"tftpsql spool shows what waits in this one"
	case has("captures"):
	case slices.ContainsFunc(names, func(n string) bool { return n != "schema_migrations" }):
		// schema_migrations alone is a spool that was just begun.
		is = "another program's database"
	default:
		return nil
	}
	return &Error{Op: "open", Class: Config, Err: fmt.Errorf("%s is %s", f.path, is), Hint: hint}
}

// closeUnused closes a file that was only looked at.
func (f *sqliteFile) closeUnused() error {
	err := f.reader.Close()
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// own takes the lock and creates the file, readable by this user only whatever the umask. SQLite
// gives its journal the same permissions.
func (f *sqliteFile) own(create bool) error {
	hint := "DATABASE_URL or --database says where the database is; " +
		"the folder must exist and be writable"
	f.lock = flock.New(f.path+".lock", flock.SetPermissions(0o600))
	locked, err := f.lock.TryLock()
	if err != nil {
		return &Error{Op: "open", Class: Config, Err: err, Hint: hint}
	}
	if !locked {
		return &Error{Op: "open", Class: Config,
			Err:  fmt.Errorf("%s is in use by another tftpsql", f.path),
			Hint: "stop that one, or give this one a database of its own"}
	}
	if err := f.settle(); err != nil {
		return errors.Join(err, f.lock.Close())
	}
	if !create {
		return nil
	}
	if err := f.orphaned(); err != nil {
		return errors.Join(err, f.lock.Close())
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil { // root may have made it in a service's folder
		err = errors.Join(giveToOwner(f.path), giveToOwner(f.path+".lock"))
	}
	if err != nil {
		return errors.Join(&Error{Op: "open", Class: Config, Err: err, Hint: hint}, f.lock.Close())
	}
	return nil
}

// tighten makes an existing file private, since it holds secrets: it may be a copy, or made by a
// less careful program. A file of another user is left as it is.
func (f *sqliteFile) tighten(log *slog.Logger) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		was, changed, err := makePrivate(f.path + suffix)
		switch {
		case log == nil:
		case err != nil:
			log.Warn("other users may read the database", "file", f.path+suffix, "err", err)
		case changed:
			log.Info("other users could read this file: its rights are its owner's alone now",
				"file", f.path+suffix, "mode", was.String())
		}
	}
}

// settle makes a journal durable that a crash has left. Its last transaction may have been written
// and not flushed. No device was told that it is stored, but a repeated import would find it.
func (f *sqliteFile) settle() error {
	err := flush(f.path + "-wal")
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return &Error{Op: "open", Class: Transient, Err: err,
		Hint: "look at the disk that holds " + f.path}
}

// orphaned returns an error if the file is gone or empty and its journal is there. SQLite would
// delete the journal, and the newest captures with it.
func (f *sqliteFile) orphaned() error {
	journal, err := os.Stat(f.path + "-wal")
	if err != nil || journal.Size() == 0 {
		return nil
	}
	if main, err := os.Stat(f.path); err == nil && main.Size() > 0 {
		return nil
	}
	return &Error{Op: "open", Class: Config,
		Err: fmt.Errorf("%s has gone or is empty, and its journal %[1]s-wal holds captures",
			f.path),
		Hint: "put the file back from where it went, or from a backup; " +
			"to begin anew move the journal away, don't delete it"}
}

func (f *sqliteFile) read() *queries.Queries { return sqliteQueries(f.reader) }

func (f *sqliteFile) reading(_ context.Context, fn func(*queries.Queries) error) error {
	return fn(f.read())
}

// runTasks runs tasks one after the other: a local file has no round trips to save.
func (f *sqliteFile) runTasks(ctx context.Context, _ time.Duration, tasks []task,
	last func(*queries.Queries) error) error {
	alone := func(int64) bool { return false }
	return f.tx(ctx, func(q *queries.Queries) error {
		for _, t := range tasks {
			if err := t(q, alone); err != nil {
				return err
			}
		}
		return last(q)
	})
}

func (f *sqliteFile) addEvents(ctx context.Context, q *queries.Queries,
	list []queries.AddEventParams) error {
	if len(list) == 0 {
		return nil
	}
	if told, err := q.AnyChannel(ctx); err != nil || !told {
		return err
	}
	for _, e := range list {
		if err := q.AddEvent(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (f *sqliteFile) deleteCaptures(ctx context.Context, q *queries.Queries,
	list []queries.DeviceContentsRow) (n, contents int, bytes int64, err error) {
	for began := time.Now(); n < len(list) && time.Since(began) < pieceTime; n++ {
		c := list[n]
		if err := q.DeleteCapture(ctx, c.ID); err != nil {
			return 0, 0, 0, err
		}
		gone, err := q.DeleteContent(ctx, c.SHA256)
		if err != nil {
			return 0, 0, 0, err
		}
		contents += int(gone)
		bytes += gone * c.Size
	}
	return n, contents, bytes, nil
}

// missesContent reports whether an error says that a capture's content is missing.
func (f *sqliteFile) missesContent(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code() == codes.SQLITE_CONSTRAINT_FOREIGNKEY
}

// check is tx: SQLite's other way to the file can't write.
func (f *sqliteFile) check(ctx context.Context, fn func(*queries.Queries) error) error {
	return f.tx(ctx, fn)
}

func (f *sqliteFile) tx(ctx context.Context, fn func(*queries.Queries) error) error {
	err := f.write(ctx, func(tx *sql.Tx) error { return fn(sqliteQueries(prepared{tx, &f.texts})) })
	if err == nil {
		f.texts.prepare(ctx, f.writer)
	}
	return err
}

// write runs fn in a transaction. A nil error means that it is durable, in the file that has the
// name: what goes into a file without a name is gone when the program ends. So it looks at the
// names before, so that nothing is written beside a restored file, and once more after COMMIT.
func (f *sqliteFile) write(ctx context.Context, fn func(*sql.Tx) error) (err error) {
	if err := f.inPlace(); err != nil {
		return err
	}
	tx, err := f.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if rollback := tx.Rollback(); err == nil && !errors.Is(rollback, sql.ErrTxDone) {
			err = rollback
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return f.inPlace()
}

// inPlace returns an error if the database or its journal were replaced, moved or deleted since the
// file was opened, as by a restore under a running server.
func (f *sqliteFile) inPlace() error {
	lost := ""
	switch now, err := os.Stat(f.path); {
	case err != nil:
		lost = f.path + " was moved or deleted"
	case !os.SameFile(now, f.opened):
		lost = f.path + " was replaced"
	case f.lostJournal():
		lost = f.path + "-wal was deleted"
	default:
		return nil
	}
	return &Error{Op: "write", Class: Config, Err: errors.New(lost + " while it was in use"),
		Hint: "stop tftpsql, put the files in place, and start it"}
}

// lostJournal reports whether the WAL is gone, which is there while a connection is open.
func (f *sqliteFile) lostJournal() bool {
	if f.rollback {
		return false
	}
	if _, err := os.Stat(f.path + "-wal"); err == nil {
		return false
	}
	// The last connection may have been closed after an error. A new one makes the WAL again.
	var free int64
	if err := f.writer.QueryRow(freelist).Scan(&free); err != nil {
		return false
	}
	_, err := os.Stat(f.path + "-wal")
	return err != nil
}

// aboutRow reports whether an error may be about one capture.
func (f *sqliteFile) aboutRow(err error) bool {
	class, _ := f.classify(err)
	return class == Permanent
}

func (f *sqliteFile) locked(error) bool { return false } // there is one lock, of the whole file

// risk is none: synchronous is FULL.
func (f *sqliteFile) risk(context.Context) (string, error) { return "", nil }

func (f *sqliteFile) writers() int { return 1 }

func (f *sqliteFile) concurrent() bool { return false }

// exclusive needs no more than the lock that the file's owner holds.
func (f *sqliteFile) exclusive(_ context.Context, fn func() error) error { return fn() }

func (f *sqliteFile) atomicMigrations() bool { return false }

// committed has the journal copied into the file from time to time. Listeners read the file.
func (f *sqliteFile) committed(batch []*write, _ []Stored) {
	for _, w := range batch {
		f.journaled += int64(len(w.c.Body)) + rowBytes
	}
	if f.journaled >= copyFrom && f.copying.CompareAndSwap(false, true) {
		f.journaled = 0
		f.copies.Go(f.copyBack)
	}
}

// copyBack copies the journal into the file beside the writer, so that no receipt waits for it.
// What it can't copy stays in the journal. It looks at the names when its connection is open, so
// that it never copies into a file that was restored.
func (f *sqliteFile) copyBack() {
	defer f.copying.Store(false)
	var free int64
	if f.copier.QueryRow(freelist).Scan(&free) == nil && f.inPlace() == nil {
		_, _ = f.copier.Exec(passive)
	}
}

func (f *sqliteFile) listen(ctx context.Context) (wait func() error, stop func()) {
	return everySoOften(ctx, watchEvery)
}

// sqlc doesn't know these: pragmas, and SQLite's own table.
var (
	//go:embed sqlite/freelist.sql
	freelist string
	//go:embed sqlite/vacuum.sql
	vacuum string
	//go:embed sqlite/truncate.sql
	truncate string
	//go:embed sqlite/passive.sql
	passive string
	//go:embed sqlite/tables.sql
	tables string
)

// reclaim returns free pages to the disk, 256 at a time, so that captures are stored meanwhile, and
// empties the journal.
func (f *sqliteFile) reclaim(ctx context.Context, wholly bool) error {
	for before := int64(-1); ; {
		var free int64
		if err := f.writer.QueryRowContext(ctx, freelist).Scan(&free); err != nil {
			return err
		}
		if free == 0 || free == before {
			break
		}
		before = free
		if _, err := f.writer.ExecContext(ctx, vacuum); err != nil {
			return err
		}
	}
	var busy, pages, moved int64
	if err := f.writer.QueryRowContext(ctx, truncate).Scan(&busy, &pages, &moved); err != nil {
		return err
	}
	if f.lock != nil {
		f.keepReserve()
	}
	if wholly && busy != 0 {
		return &Error{Op: "reclaim", Class: Transient,
			Err: errors.New("it is deleted, but another program reads the database, and until " +
				"that ends the bytes stay in the journal"),
			Hint: "end that program; the next upload or restart of the server clears the journal"}
	}
	return nil
}

func (f *sqliteFile) keepsLatin1() bool { return true }

// close leaves the connections open where another file is in the place of the database: closing the
// last one would write its journal into that file.
func (f *sqliteFile) close() error {
	f.copies.Wait()
	if f.lock != nil && f.inPlace() != nil {
		return f.lock.Close()
	}
	err := errors.Join(f.reader.Close(), f.copier.Close(), f.writer.Close())
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// migrations opens the file once more, since golang-migrate closes its connection.
func (f *sqliteFile) migrations() (*sql.DB, error) {
	if f.lock == nil {
		return nil, errors.New("a migration needs the database for itself")
	}
	return sql.Open("sqlite", f.plain())
}

// plain is the file's DSN for connections that don't write captures.
func (f *sqliteFile) plain() string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(f.path)}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)"
}

// classify reads SQLite's primary result codes (https://www.sqlite.org/rescode.html).
func (f *sqliteFile) classify(err error) (Class, string) {
	var e *driver.Error
	if !errors.As(err, &e) {
		return Transient, ""
	}
	if e.Code() == codes.SQLITE_CONSTRAINT_UNIQUE {
		return conflict, "" // another transaction has stored or named it
	}
	switch e.Code() & 0xff {
	case codes.SQLITE_FULL:
		return Full, "make room on the disk that holds " + f.path
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return Transient, "another program holds " + f.path + ": end its transaction"
	case codes.SQLITE_CONSTRAINT, codes.SQLITE_TOOBIG, codes.SQLITE_MISMATCH:
		return Permanent, ""
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return Config, f.path + " is damaged or no SQLite database: " +
			"keep a copy, and restore a backup or start with a new path"
	case codes.SQLITE_READONLY, codes.SQLITE_CANTOPEN, codes.SQLITE_PERM, codes.SQLITE_AUTH:
		return Config, "look at the rights on " + f.path +
			" and its folder: the database is its owner's alone, so run this as the same user"
	case codes.SQLITE_IOERR:
		return Transient, "look at the disk that holds " + f.path
	case codes.SQLITE_ERROR:
		// The statements are vetted against the schema, so it is the schema that is wrong.
		return noTable, ""
	}
	return Transient, ""
}
