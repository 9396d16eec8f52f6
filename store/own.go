package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// ownSince is how far back the devices of a source count: longer than the rhythm of any backup, and
// short enough for an address that was given to another device.
const ownSince = 30 * 24 * time.Hour

// NewestFrom returns the newest whole file of this name that came by TFTP from this source, with
// what waits in the spool, and the devices whose names are from a configuration and that the source
// has sent within 30 days, two at most: two say that the source is not one device. It returns
// ErrNotFound if no whole file came. A slash before the name makes no difference.
func (s *Store) NewestFrom(
	ctx context.Context, source, filename string, now time.Time,
) (body []byte, devices []Name, err error) {
	filename = strings.TrimLeft(filename, "/")
	q := s.backend.read()
	p := queries.NewestFromSourceParams{Source: source, Filename: filename, Slashed: "/" + filename}
	newest, err := q.NewestFromSource(ctx, p)
	if errors.Is(err, sql.ErrNoRows) { // an empty file is whole where nothing else came
		var empty queries.EmptyFromSourceRow
		empty, err = q.EmptyFromSource(ctx, queries.EmptyFromSourceParams(p))
		newest = queries.NewestFromSourceRow(empty)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, nil, s.explain("find capture", err)
	}
	rows, namesErr := q.SourceNames(ctx,
		queries.SourceNamesParams{Source: source, Since: stamp(now.Add(-ownSince))})
	if namesErr != nil {
		return nil, nil, s.explain("find capture", namesErr)
	}
	for _, r := range rows {
		devices = append(devices, Name{r.Site, r.Name})
	}
	if s.spool != nil {
		waiting, found, names, err := s.spool.newestFrom(ctx, q, source, filename,
			newest.ReceivedAt)
		for _, n := range names {
			if !slices.Contains(devices, n) && len(devices) < 2 {
				devices = append(devices, n)
			}
		}
		if err != nil || found {
			return waiting, devices, s.explain("read spool", err)
		}
	}
	if err != nil {
		return nil, devices, s.explain("find capture", err)
	}
	body, err = s.content(ctx, newest.SHA256)
	return body, devices, s.explain("read content", err)
}
