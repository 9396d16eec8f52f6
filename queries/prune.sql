-- name: PrunableSightings :many
-- Captures that changed nothing, older than a time, after a cursor. These stay: the newest one and
-- the newest whole one of a device and kind, published ones, and a device's newest eleven, which
-- its rhythm is computed from.
SELECT c.id, c.uid, c.received_at, c.sha256, t.size
  FROM captures c JOIN contents t ON t.sha256 = c.sha256
 WHERE c.received_at < @before AND NOT c.changed
   AND c.received_at >= @after AND (c.received_at > @after OR (c.received_at = @after AND c.uid > @after_uid))
   AND EXISTS (SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind AND n.received_at >= c.received_at
               AND (n.received_at > c.received_at OR (n.received_at = c.received_at AND n.uid > c.uid)))
   AND (NOT c.complete OR EXISTS (
         SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind AND n.complete AND n.received_at >= c.received_at
            AND (n.received_at > c.received_at OR (n.received_at = c.received_at AND n.uid > c.uid))))
   AND NOT EXISTS (SELECT 1 FROM published p WHERE p.sha256 = c.sha256)
   AND (SELECT count(*) FROM (SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.received_at > c.received_at LIMIT 11) AS newer) = 11
 ORDER BY c.received_at, c.uid LIMIT CAST(@n AS bigint);

-- name: PrunableVersions :many
-- Captures of versions that had been replaced by a time, after a cursor: a later whole version is
-- that old too.
SELECT c.id, c.uid, c.received_at, c.sha256, t.size
  FROM captures c JOIN contents t ON t.sha256 = c.sha256
 WHERE c.received_at < @before
   AND c.received_at >= @after AND (c.received_at > @after OR (c.received_at = @after AND c.uid > @after_uid))
   AND EXISTS (SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind AND n.complete AND (n.changed OR NOT c.complete)
               AND n.received_at < @before AND n.received_at >= c.received_at
               AND (n.received_at > c.received_at OR (n.received_at = c.received_at AND n.uid > c.uid)))
   AND NOT EXISTS (SELECT 1 FROM published p WHERE p.sha256 = c.sha256)
   AND (SELECT count(*) FROM (SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.received_at > c.received_at LIMIT 11) AS newer) = 11
 ORDER BY c.received_at, c.uid LIMIT CAST(@n AS bigint);

-- name: DeleteCapture :exec
DELETE FROM captures WHERE id = @id;

-- name: DeleteContent :execrows
-- Deletes a content without references.
DELETE FROM contents
 WHERE contents.sha256 = @sha256
   AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.sha256 = contents.sha256)
   AND NOT EXISTS (SELECT 1 FROM published p WHERE p.sha256 = contents.sha256);

-- name: References :one
-- The number of captures and publications that refer to a content.
SELECT CAST((SELECT count(*) FROM captures c WHERE c.sha256 = @sha256)
          + (SELECT count(*) FROM published p WHERE p.sha256 = @sha256) AS bigint) AS n;

-- name: NoteFailure :exec
INSERT INTO failures (hour, source, reason, filename, first_at, last_at, times, bytes, code, detail)
VALUES (@hour, @source, @reason, @filename, @first_at, @last_at, @times, @bytes, @code, @detail)
ON CONFLICT (hour, source, reason, filename) DO UPDATE
   SET times = failures.times + excluded.times, bytes = failures.bytes + excluded.bytes, last_at = excluded.last_at,
       code = excluded.code, detail = excluded.detail;

-- name: Failures :many
-- Failures since a time; in a scope those of addresses that its devices have sent from, and no other device.
SELECT f.* FROM failures f
 WHERE f.last_at >= @since
   AND (CAST(@within AS text) = ''
        OR (EXISTS (SELECT 1 FROM captures c WHERE c.source = f.source)
            AND NOT EXISTS (SELECT 1 FROM captures c JOIN devices d ON d.id = c.device_id
                             WHERE c.source = f.source
                               AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site))))
 ORDER BY f.last_at, f.id;

-- name: FailuresOf :many
-- Failures of the addresses that a device has ever sent from; in a scope of those that nothing else has sent from.
WITH RECURSIVE sources AS (
  SELECT (SELECT min(c.source) FROM captures c WHERE c.device_id = @device_id) AS source
  UNION ALL
  SELECT (SELECT min(c.source) FROM captures c WHERE c.device_id = @device_id AND c.source > sources.source)
    FROM sources WHERE sources.source IS NOT NULL
)
SELECT f.* FROM failures f
 WHERE f.last_at >= @since AND f.source IN (SELECT sources.source FROM sources)
   AND (CAST(@within AS text) = ''
        OR NOT EXISTS (SELECT 1 FROM captures c JOIN devices d ON d.id = c.device_id
                        WHERE c.source = f.source
                          AND NOT EXISTS (SELECT 1 FROM scopes g WHERE g.name = @within AND g.site = d.site)))
 ORDER BY f.last_at, f.id;

-- name: PruneFailures :exec
DELETE FROM failures WHERE last_at < @before;
