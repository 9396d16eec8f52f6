-- name: Publish :exec
INSERT INTO published (name, sha256, description, allowed, once, published_at, expires_at, fetches, fetched_by, fetched_at, site)
VALUES (@name, @sha256, @description, @allowed, @once, @published_at, @expires_at, 0, '', @published_at, @site)
ON CONFLICT (name) DO UPDATE
   SET sha256 = excluded.sha256, description = excluded.description, allowed = excluded.allowed, once = excluded.once,
       published_at = excluded.published_at, expires_at = excluded.expires_at, fetches = 0, fetched_by = '',
       fetched_at = excluded.fetched_at, site = excluded.site;

-- name: Published :many
SELECT p.name, p.description, p.allowed, p.once, p.published_at, p.expires_at, p.fetches, p.fetched_by, p.fetched_at, c.size
  FROM published p JOIN contents c ON c.sha256 = p.sha256
 WHERE p.expires_at > @now AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = p.site))
 ORDER BY p.name;

-- name: PublishedFile :one
SELECT sha256, allowed, once, fetched_by, fetched_at FROM published WHERE name = @name AND expires_at > @now;

-- name: Publication :one
SELECT description, site FROM published WHERE name = @name;

-- name: Fetched :exec
-- Notes that a source has fetched a published file, and keeps the first source.
UPDATE published SET fetches = fetches + 1,
       fetched_at = CASE WHEN fetched_by = '' THEN @now ELSE fetched_at END,
       fetched_by = CASE WHEN fetched_by = '' THEN @source ELSE fetched_by END
 WHERE name = @name;

-- name: Unpublish :execrows
DELETE FROM published
 WHERE published.name = @name
   AND (CAST(@within AS text) = '' OR EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = published.site));

-- name: DropExpired :exec
DELETE FROM published WHERE expires_at <= @now;

-- name: LocalAddress :one
-- The address of a server that a device's newest capture came to by TFTP.
SELECT local_address FROM captures
 WHERE device_id = @device_id AND local_address <> '' ORDER BY received_at DESC, uid DESC LIMIT 1;
