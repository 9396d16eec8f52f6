package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"github.com/tftpsql/tftpsql/queries"
)

// A Publication is a file that may be fetched by TFTP under a name of its own.
type Publication struct {
	Name        string
	Description string       // what it is, for people
	Allowed     netip.Prefix // the sources that may fetch it; the zero value for all
	Once        bool         // for the first source that receives it
	PublishedAt time.Time
	ExpiresAt   time.Time // the zero value for never
	Fetches     int64
	FetchedBy   string    // the first source that has received it, "" for none
	FetchedAt   time.Time // when; the zero value for not yet
	Size        int64
}

const (
	// onceGrace is how long the first source may fetch a file again that is published once: a
	// device repeats a broken transfer.
	onceGrace = 5 * time.Minute
)

// never is stored as the expiry of a publication without one.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Publish makes a capture fetchable under p.Name. It replaces an earlier publication of that name.
func (s *Store) Publish(ctx context.Context, p Publication, r Record) error {
	sum, err := hex.DecodeString(r.SHA256)
	if err != nil {
		return err
	}
	return s.publish(ctx, p, [sha256.Size]byte(sum), nil, &r.Site)
}

// PublishFile makes a file fetchable that no device has sent.
func (s *Store) PublishFile(ctx context.Context, p Publication, body []byte) error {
	return s.publish(ctx, p, sha256.Sum256(body), body, nil)
}

func (s *Store) publish(
	ctx context.Context, p Publication, sum [sha256.Size]byte, body []byte, site *string,
) error {
	allowed := ""
	if p.Allowed.IsValid() {
		allowed = p.Allowed.String()
	}
	if p.ExpiresAt.IsZero() {
		p.ExpiresAt = never
	}
	return s.explain("publish", s.backend.tx(ctx, func(q *queries.Queries) error {
		if body != nil {
			if err := s.insertContent(ctx, q, sum, body); err != nil {
				return err
			}
		}
		if err := q.DropExpired(ctx, stamp(p.PublishedAt)); err != nil {
			return err
		}
		return q.Publish(ctx, queries.PublishParams{Name: p.Name, SHA256: sum[:],
			Description: p.Description, Allowed: allowed, Once: p.Once, Site: site,
			PublishedAt: stamp(p.PublishedAt), ExpiresAt: stamp(p.ExpiresAt)})
	}))
}

// Published returns the current publications, by name.
func (s *Store) Published(ctx context.Context, now time.Time) ([]Publication, error) {
	rows, err := s.backend.read().Published(ctx,
		queries.PublishedParams{Now: stamp(now), Within: s.within})
	list := make([]Publication, len(rows))
	for i, r := range rows {
		list[i] = Publication{Name: r.Name, Description: r.Description, Once: r.Once,
			PublishedAt: r.PublishedAt.UTC(), Fetches: r.Fetches, FetchedBy: r.FetchedBy,
			Size: r.Size}
		if r.Fetches > 0 {
			list[i].FetchedAt = r.FetchedAt.UTC()
		}
		list[i].Allowed, _ = netip.ParsePrefix(r.Allowed) // empty for all sources
		if at := r.ExpiresAt.UTC(); !at.Equal(never) {
			list[i].ExpiresAt = at
		}
	}
	return list, s.explain("list published files", err)
}

// Unpublish ends a publication.
func (s *Store) Unpublish(ctx context.Context, name string) error {
	return s.explain("unpublish", s.backend.tx(ctx, func(q *queries.Queries) error {
		n, err := q.Unpublish(ctx, queries.UnpublishParams{Name: name, Within: s.within})
		if err == nil && n == 0 {
			return &Error{Op: "unpublish", Class: NotFound,
				Hint: "tftpsql publish --list lists them",
				Err:  notFound("nothing is published as %q", name)}
		}
		return err
	}))
}

// LocalAddress returns the address that the newest upload of r's device came to, "" for none. Where
// a router or a container translates addresses, the device knows another one.
func (s *Store) LocalAddress(ctx context.Context, r Record) (string, error) {
	address, err := s.backend.read().LocalAddress(ctx, r.deviceID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return address, s.explain("find address", err)
}

// ErrNotAllowed is returned by FetchPublished to a source that may not have the file.
var ErrNotAllowed = errors.New("published for others")

// FetchPublished returns a published file to a source, and ErrNotFound if nothing is published
// under that name now. A file that is published once is used up when a source has received it (see
// Fetched), not when it asks, since the address of a request may be forged.
func (s *Store) FetchPublished(
	ctx context.Context, name string, source netip.Addr, now time.Time,
) ([]byte, error) {
	now = stamp(now)
	file, err := s.backend.read().PublishedFile(ctx,
		queries.PublishedFileParams{Name: name, Now: now})
	if err != nil {
		return nil, s.explain("find published file", err)
	}
	if p, err := netip.ParsePrefix(file.Allowed); err == nil &&
		!p.Contains(source.Unmap().WithZone("")) {
		return nil, ErrNotAllowed
	}
	if file.Once && file.FetchedBy != "" && (file.FetchedBy != source.Unmap().String() ||
		now.Sub(file.FetchedAt) > onceGrace) {
		return nil, ErrNotAllowed
	}
	body, err := s.content(ctx, file.SHA256)
	return body, s.explain("read content", err)
}

// Fetched notes that a source has received all of a published file.
func (s *Store) Fetched(ctx context.Context, name string, source netip.Addr, now time.Time) error {
	return s.explain("note a fetch", s.backend.tx(ctx, func(q *queries.Queries) error {
		from := source.Unmap().String()
		err := q.Fetched(ctx, queries.FetchedParams{Name: name, Source: from, Now: stamp(now)})
		if err != nil {
			return err
		}
		p, err := q.Publication(ctx, name)
		if errors.Is(err, sql.ErrNoRows) { // it was ended meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		what := name
		if p.Description != "" {
			what += " (" + p.Description + ")"
		}
		e := queries.AddEventParams{At: stamp(now), Kind: EventFetched, Since: stamp(now),
			Detail: what + " by " + from}
		if p.Site != nil {
			e.Site = *p.Site
		}
		return q.AddEvent(ctx, e)
	}))
}

// stamp is a time in the precision of both databases.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// MaxPublished bounds a published file, in bytes. The file is held in memory, so it is meant for
// the images of small devices.
const MaxPublished = 256 << 20
