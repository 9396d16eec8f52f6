-- name: Publish :exec
INSERT INTO published (name, sha256, description, allowed, once, published_at, expires_at, fetches, fetched_by, fetched_at)
VALUES (@name, @sha256, @description, @allowed, @once, @published_at, @expires_at, 0, '', @published_at)
ON CONFLICT (name) DO UPDATE
   SET sha256 = excluded.sha256, description = excluded.description, allowed = excluded.allowed, once = excluded.once,
       published_at = excluded.published_at, expires_at = excluded.expires_at, fetches = 0, fetched_by = '',
       fetched_at = excluded.fetched_at;

-- name: Published :many
SELECT p.name, p.description, p.allowed, p.once, p.published_at, p.expires_at, p.fetches, c.size
  FROM published p JOIN contents c ON c.sha256 = p.sha256
 WHERE p.expires_at > @now ORDER BY p.name;

-- name: PublishedFile :one
SELECT sha256, allowed FROM published WHERE name = @name AND expires_at > @now;

-- name: Fetch :execrows
-- Notes that a source fetches a published file; no row where it was to be fetched once and was.
UPDATE published SET fetches = fetches + 1, fetched_by = @source, fetched_at = @now
 WHERE name = @name AND (NOT once OR fetched_by = '' OR (fetched_by = @source AND fetched_at > @since));

-- name: Unpublish :execrows
DELETE FROM published WHERE name = @name;

-- name: DropExpired :exec
DELETE FROM published WHERE expires_at <= @now;
