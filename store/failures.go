package store

import (
	"context"
	"strconv"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// A Failure counts the failed transfers of one hour, source, reason and file name. A refused
// transfer counts without its file name, since a stranger could invent any number of names.
type Failure struct {
	Source   string
	Reason   string // a fixed phrase
	Filename string
	First    time.Time
	Last     time.Time
	Times    int64
	Bytes    int64  // received in vain
	Code     int    // TFTP error that was sent, -1 for none
	Detail   string // the cause of the last one, after what the row leaves out of its names
}

// File returns the name of the file. A row that has none, since a stranger could make up any
// number, has that of its last one in front of the detail, in quotes.
func (f Failure) File() string {
	if f.Filename != "" {
		return f.Filename
	}
	quoted, err := strconv.QuotedPrefix(f.Detail)
	if err != nil { // there is none
		return ""
	}
	name, _ := strconv.Unquote(quoted) // as QuotedPrefix has found it
	return name
}

// NoteFailures keeps failures, for failuresKept.
func (s *Store) NoteFailures(ctx context.Context, list []Failure) error {
	return s.explain("note failures", s.backend.tx(ctx, func(q *queries.Queries) error {
		for _, f := range list {
			err := q.NoteFailure(ctx, queries.NoteFailureParams{
				Hour: stamp(f.Last.Truncate(time.Hour)), Source: f.Source, Reason: f.Reason,
				Filename: f.Filename, FirstAt: stamp(f.First), LastAt: stamp(f.Last),
				Times: f.Times, Bytes: f.Bytes, Code: int64(f.Code), Detail: f.Detail,
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Failures returns the failures since a time, the latest last. With d, it returns only those of
// addresses that d has sent from.
func (s *Store) Failures(ctx context.Context, d *Device, since time.Time) ([]Failure, error) {
	var rows []queries.Failure
	var err error
	if d == nil {
		rows, err = s.backend.read().Failures(ctx,
			queries.FailuresParams{Since: stamp(since), Within: s.within})
	} else {
		rows, err = s.backend.read().FailuresOf(ctx,
			queries.FailuresOfParams{Since: stamp(since), DeviceID: d.ID, Within: s.within})
	}
	list := make([]Failure, len(rows))
	for i, r := range rows {
		list[i] = Failure{Source: r.Source, Reason: r.Reason, Filename: r.Filename,
			First: r.FirstAt.UTC(), Last: r.LastAt.UTC(),
			Times: r.Times, Bytes: r.Bytes, Code: int(r.Code), Detail: r.Detail}
	}
	return list, s.explain("list failures", err)
}
