-- name: Keep :exec
INSERT INTO waiting (uid, received_at, site, name, source, filename, size, capture, refused, body)
VALUES (@uid, @received_at, @site, @name, @source, @filename, @size, @capture, @refused, @body)
ON CONFLICT (uid) DO NOTHING;

-- name: Next :many
-- Captures to be forwarded, the oldest first, without their bodies.
SELECT id, uid, size, capture FROM waiting WHERE refused = '' AND id > @after ORDER BY id LIMIT CAST(@n AS bigint);

-- name: Body :one
SELECT body FROM waiting WHERE id = @id;

-- name: BodyByUID :one
SELECT body FROM waiting WHERE uid = @uid;

-- name: Drop :exec
DELETE FROM waiting WHERE id = @id;

-- name: DropByUID :execrows
DELETE FROM waiting WHERE uid = @uid;

-- name: Refuse :exec
UPDATE waiting SET refused = @refused WHERE id = @id;

-- name: Retry :execrows
-- Marks refused captures to be tried again.
UPDATE waiting SET refused = '' WHERE refused <> '';

-- name: List :many
SELECT id, uid, received_at, site, name, source, filename, size, refused FROM waiting ORDER BY id;

-- name: Status :one
SELECT CAST(coalesce(sum(CASE WHEN refused = '' THEN 1 ELSE 0 END), 0) AS bigint) AS waiting,
       CAST(coalesce(sum(CASE WHEN refused = '' THEN 0 ELSE 1 END), 0) AS bigint) AS refused,
       CAST(coalesce(sum(size), 0) AS bigint) AS bytes
  FROM waiting;

-- name: Oldest :one
SELECT received_at FROM waiting WHERE refused = '' ORDER BY id LIMIT 1;

-- name: NewestFromSource :one
-- The newest file of a name that came by TFTP from a source.
SELECT id, received_at FROM waiting
 WHERE source = @source AND (filename = @filename OR filename = @slashed) AND json_extract(capture, '$.Mode') IN ('octet', 'netascii')
 ORDER BY received_at DESC, id DESC LIMIT 1;

-- name: DevicesOfSource :many
SELECT DISTINCT site, name FROM waiting WHERE source = @source;

-- name: Prove :exec
-- Writes a value that is there already, to prove that the file can be written.
UPDATE schema_migrations SET dirty = dirty;
