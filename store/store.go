// Package store is the one door to the database. It keeps captures in PostgreSQL or in an SQLite
// file and answers questions about them. No driver, no SQL type and no generated type leaves it.
//
// Both databases run the same SQL text (package queries) through one implementation. The backends
// in postgres.go and sqlite.go hold the differences: opening, transactions, the meaning of errors.
//
// # Writing
//
// A writer takes what waits into one transaction, 64 captures at most: contents by hash, then
// captures by device, so workers take locks in one order. On PostgreSQL its captures are coroutines
// (pipeline.go): what all of them ask goes out together. A COMMIT counts where it returned nil
// without a warning. A capture has a UID, which makes a repeated write harmless. With a spool
// PostgreSQL has 3 s; what it doesn't take goes into the spool with the same UID, and is forwarded
// later.
//
// compare.go says what is changed and what is whole, by the captures before alone. One without an
// end is whole if the newest whole one before it says the same; or if that lacks the end too, or
// there is none, and an earlier one ends likewise, which an index of endings finds. Captures that
// follow a late one are judged anew, and those of a merged device, so any order of arrival finds
// the same. What a prune has deleted is no evidence any more, but the newest whole one stays.
//
// # Reading
//
// Each read takes a scope, the sites that it may find. A Store that is bound to sites ([Store.For])
// finds nothing else.
package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tftpsql/tftpsql/queries"
	"github.com/tftpsql/tftpsql/schema"
)

// The origins of a device's name.
const (
	NamedByConfig   = "config"
	NamedByFilename = "filename"
	NamedBySource   = "source"
)

// Kinds of captures that are kept beside a device's configurations: they count as captures of the
// device that their source sent last, and change nothing of it.
const (
	KindLog   = "log"   // a log, a dump, ...: no configuration
	KindEmpty = "empty" // a file without a byte, such as a probe before an upload
)

// aside reports whether a capture is kept beside its device's configurations.
func (c *Capture) aside() bool { return c.Kind == KindLog || c.Kind == KindEmpty }

// A Capture is one upload on its way into the database. Texts must be valid UTF-8 without NUL.
type Capture struct {
	UID        string    // names the transfer: two captures with one UID are stored once
	New        bool      // the UID was made for this Put, so it can't be stored yet
	ReceivedAt time.Time // arrival of the last block, kept to the microsecond
	Source     string    // address it came from
	SourcePort uint16
	Local      string // address it came to
	Filename   string
	Mode       string
	Options    string // as negotiated: "blksize=1428 windowsize=4"
	Duration   time.Duration

	Site, Name, NamedBy string
	// Filed puts it under that name whatever its source, as another database had it.
	Filed                                     bool
	Platform, Model, OSVersion, Build, Serial string
	Kind                                      string
	Complete                                  bool
	ChangedBy, ExportedBy                     string

	Body []byte
	// Body is compared by Fingerprint. Rules is the number of the rules that made it; rules 0
	// compare the bytes themselves.
	Fingerprint [sha256.Size]byte
	Rules       int64

	// Cut says that the capture is torn for certain: the transfer brought other than it announced.
	Cut bool

	refused string // why the database refused it; for the spool
}

// Stored says what became of a Capture.
type Stored struct {
	ID      int64
	Site    string
	Device  string // the name it was filed under
	Changed bool
	Known   bool // the UID was stored before, so nothing was written
	Spooled bool // it is in the spool; only Site and Device are known yet

	first  bool                  // it is its device's first capture
	device queries.LockDeviceRow // the row after this capture, if it is the newest
}

// A Device is what the database knows of a device. The fields from Source on are from its newest
// capture.
type Device struct {
	ID                                        int64
	Site, Name, NamedBy                       string
	FirstSeen, LastSeen, LastChange           time.Time
	Captures, Changes                         int64
	Source                                    string
	Platform, Model, OSVersion, Build, Serial string
	Complete                                  bool
	Retired                                   bool
	// Expected is how often it must send; 0 for its own rhythm.
	Expected time.Duration
	// LongestGap is the longest of the last ten between captures, logs and empty files apart.
	LongestGap time.Duration
	// Recent is the number of captures that LongestGap is computed from, at most eleven.
	Recent int64
}

// Ref returns a reference that names the device among all sites.
func (d Device) Ref() string { return d.Site + "/" + d.Name }

// A Record is a stored capture without its body.
type Record struct {
	ID               int64
	UID              string
	ReceivedAt       time.Time
	Site, Device     string
	Platform, Kind   string
	Source, Filename string
	Mode             string
	Size             int64
	SHA256           string // hexadecimal
	Changed          bool
	Complete         bool
	ChangedBy        string
	ExportedBy       string
	NewSource        bool // the device has sent before, but never from there
	Model, OSVersion string
	Serial           string

	deviceID int64
}

// How a body ends that is complete and may be cut off all the same. It is whole unless it is CutOff
// of the newest whole one before it; Unended is not either where that one has its end.
const (
	Unended = "~"
	Bare    = "-"
)

// Options are what Open needs besides the URL.
type Options struct {
	// DirectURL is the address for migrations on PostgreSQL; empty for the database's own URL.
	DirectURL string
	// Own takes the lock that one process at a time holds on an SQLite file. A command that runs
	// beside a server leaves it out.
	Own bool
	// Create makes an SQLite file where there is none. It needs Own.
	Create bool
	// Spool is the file that keeps captures while PostgreSQL is away; empty for none. It needs Own.
	Spool string
	// WriteOnce refuses a capture if other bytes were stored before under its file name.
	WriteOnce bool
	// Fingerprint makes a body's fingerprint by the rules of this program, so that captures of
	// different rules can be compared. It is nil where there are only the rules 0.
	Fingerprint func(body []byte) [sha256.Size]byte
	// Ending returns how a body ends that lacks its end, "" if it has it or is cut in the middle
	// for certain, Unended, or Bare. What always ends like that is whole. Nil if nothing is known.
	Ending func(body []byte) string
	// CutOff reports whether a body ends in the middle of a line, as an earlier one shows. It is
	// there where Ending is.
	CutOff func(body, before []byte) bool
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
}

// Store is a database of captures. Its methods are safe for concurrent use.
type Store struct {
	*database
	within string // the scope that it sees, "" for every site
}

// database is what a store and its parts within sites have in common.
type database struct {
	backend     backend
	log         *slog.Logger
	dialect     schema.Dialect
	group       *group
	spool       *Spool // nil where there is none
	recent      recent // contents and devices that need no question
	once        bool   // Options.WriteOnce
	fingerprint func(body []byte) [sha256.Size]byte
	ending      func(body []byte) string
	cutOff      func(body, before []byte) bool
	closed      sync.Once

	forwarding *group // captures from a spool
}

// backend is what differs between the databases.
type backend interface {
	// read returns the queries outside a transaction.
	read() *queries.Queries
	// bodyIf is queries.Body for bytes that wanted is true of, and nil for others. wanted keeps
	// none of them.
	bodyIf(ctx context.Context, sum []byte, wanted func([]byte) bool) ([]byte, error)
	// reading runs fn with queries that go through all devices.
	reading(ctx context.Context, fn func(*queries.Queries) error) error
	// check runs fn in a transaction that writes nothing and promises nothing.
	check(ctx context.Context, fn func(*queries.Queries) error) error
	// tx runs fn in a transaction. A nil error means that it is committed and durable, and with it
	// all that fn has read. So fn may find its work done already: by a transaction whose COMMIT was
	// not confirmed.
	tx(ctx context.Context, fn func(*queries.Queries) error) error
	// runTasks runs tasks in a transaction like tx's, in their order or side by side, and then
	// last. lock bounds the wait for each lock that another transaction holds.
	runTasks(ctx context.Context, lock time.Duration, tasks []task,
		last func(*queries.Queries) error) error
	// addEvents keeps events, in their order.
	addEvents(ctx context.Context, q *queries.Queries, list []queries.AddEventParams) error
	// deleteCaptures deletes captures, and the contents without other references. Where uploads
	// wait for it, it leaves out those for which there is no time. It returns how many captures and
	// contents it has deleted, and the bytes of these.
	deleteCaptures(ctx context.Context, q *queries.Queries,
		list []queries.DeviceContentsRow) (n, contents int, bytes int64, err error)
	// risk returns how the database could lose what it has confirmed, "" where it couldn't.
	risk(ctx context.Context) (string, error)
	// classify returns the class of the backend's error and a hint for the operator.
	classify(err error) (Class, string)
	// missesContent reports whether an error says that a capture's content is missing.
	missesContent(err error) bool
	// aboutRow reports whether an error may be about one capture of a batch. Then each capture is
	// tried alone.
	aboutRow(err error) bool
	// locked reports whether an error says that another transaction held a lock for too long.
	locked(err error) bool
	// migrations opens the database for golang-migrate.
	migrations() (*sql.DB, error)
	// writers is the number of concurrent transactions that pays off.
	writers() int
	// concurrent reports whether another transaction may write while one is open.
	concurrent() bool
	close() error
	// exclusive runs fn while no other process checks or changes the schema.
	exclusive(ctx context.Context, fn func() error) error
	// atomicMigrations reports whether a failed migration leaves nothing behind.
	atomicMigrations() bool
	// committed hears of captures after their commit, one call for each writer at a time. It
	// doesn't wait.
	committed(batch []*write, results []Stored)
	// listen returns a function that waits until there may be new captures.
	listen(ctx context.Context) (wait func() error, stop func())
	// reclaim returns the space of deleted rows to the disk. With wholly, no copy of them may
	// remain there.
	reclaim(ctx context.Context, wholly bool) error
	// spendReserve frees a reserve on a full disk, so that rows can be deleted there, and reports
	// whether there was one.
	spendReserve() bool
	// keepsLatin1 reports whether Latin-1 bodies are stored as text too.
	keepsLatin1() bool
}

// Open opens the database at url, "postgres://..." or "sqlite:PATH". It opens an SQLite file at
// once. It connects to PostgreSQL only when the connection is needed, so that a worker can start
// before its database.
func Open(url string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{database: &database{log: o.Logger, once: o.WriteOnce,
		fingerprint: o.Fingerprint, ending: o.Ending, cutOff: o.CutOff}}
	var err error
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "postgres", "postgresql":
		s.dialect = schema.Postgres
		s.backend, err = openPostgres(url, o)
	case "sqlite":
		s.dialect = schema.SQLite
		var file *sqliteFile
		if file, err = openSQLite(rest, aDatabase, o); err == nil {
			s.backend = file
		}
	default:
		// which may hold a password
		err = usage("it begins with postgres:// or sqlite:", errors.New("malformed database URL"))
	}
	if err != nil {
		return nil, err
	}
	wait := patience
	if o.Spool != "" && s.dialect == schema.SQLite {
		s.log.Warn("SPOOL is not used: it keeps captures while PostgreSQL is away, and this " +
			"database is on the same machine")
		o.Spool = ""
	}
	if o.Spool != "" {
		wait = spoolPatience
		if err = s.openSpool(o.Spool, o.Logger); err != nil {
			return nil, errors.Join(err, s.backend.close())
		}
	}
	s.group = newGroup(s, uploadPace(s.backend.writers(), wait))
	s.forwarding = newGroup(s, forwardPace)
	if s.spool != nil {
		s.spool.ended.Add(1)
		go s.forwardAll() // ends with s.spool.quit
	}
	return s, nil
}

// Close ends the store. Captures in the queue are stored first.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		if s.spool != nil {
			s.spool.stop()
		}
		s.group.close()
		s.forwarding.close()
		err = s.backend.close()
		if s.spool != nil {
			err = errors.Join(err, s.spool.Close())
		}
	})
	return err
}

// Content returns the bytes that r's device sent.
func (s *Store) Content(ctx context.Context, r Record) ([]byte, error) {
	body, err := s.body(ctx, r.SHA256)
	return body, s.explain("read content", err)
}

// ContentIf is Content for bytes that wanted is true of, and nil for others, of which it isn't
// known whether they still have their hash. wanted keeps none of the bytes that it is asked about.
func (s *Store) ContentIf(ctx context.Context, r Record, wanted func([]byte) bool) ([]byte, error) {
	sum, err := hex.DecodeString(r.SHA256)
	if err != nil {
		return nil, err
	}
	body, err := s.backend.bodyIf(ctx, sum, wanted)
	if err == nil && body != nil {
		body, err = intact(body, sum)
	}
	return body, s.explain("read content", err)
}

// Read calls use with the bytes that r's device sent, where the driver has them: use keeps none.
func (s *Store) Read(ctx context.Context, r Record, use func([]byte)) error {
	sum, err := hex.DecodeString(r.SHA256)
	if err != nil {
		return err
	}
	var damaged error
	_, err = s.backend.bodyIf(ctx, sum, func(body []byte) bool {
		if _, damaged = intact(body, sum); damaged == nil {
			use(body)
		}
		return false
	})
	if err == nil {
		err = damaged
	}
	return s.explain("read content", err)
}

// device is a device but for its rhythm.
func device(r queries.Device) Device {
	return Device{
		ID: r.ID, Site: r.Site, Name: r.Name, NamedBy: r.NamedBy, FirstSeen: r.FirstSeen.UTC(),
		LastSeen: r.LastSeen.UTC(), LastChange: r.LastChange.UTC(), Captures: r.Captures,
		Changes: r.Changes, Source: r.Source, Platform: r.Platform, Model: r.Model,
		OSVersion: r.OSVersion, Build: r.Build, Serial: r.Serial, Complete: r.Complete,
		Retired: r.Retired, Expected: time.Duration(r.ExpectedUs) * time.Microsecond,
	}
}

func record(r queries.CaptureLog) Record {
	return Record{
		ID: r.ID, UID: r.UID, ReceivedAt: r.ReceivedAt.UTC(), Site: r.Site, Device: r.Device,
		Platform: r.Platform,
		Kind:     r.Kind, Source: r.Source, Filename: r.Filename, Mode: r.Mode, Size: r.Size,
		SHA256:  r.SHA256,
		Changed: r.Changed, Complete: r.Complete, ChangedBy: r.ChangedBy, ExportedBy: r.ExportedBy,
		NewSource: r.NewSource,
		Model:     r.Model, OSVersion: r.OSVersion, Serial: r.Serial, deviceID: r.DeviceID,
	}
}
