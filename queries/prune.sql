-- name: Prunable :many
-- Captures that have passed their time, device by device, after a cursor: those of versions that a later whole one had replaced
-- by a time, and those that changed nothing and are older than another time. These stay in any case: the newest one and the newest
-- whole one of a device and kind, published ones, a device's newest eleven, and those that its rhythm is computed from. What is
-- deleted decides nothing about others. CROSS JOIN holds SQLite to this order; what stands in CASE PostgreSQL makes no join of.
SELECT p.id, p.device_id, p.uid, p.received_at, p.sha256, p.replaced, p.size FROM (
  SELECT c.id, d.id AS device_id, c.uid, c.received_at, c.sha256,
         CAST(CASE WHEN c.received_at >= @replaced_before THEN FALSE
              WHEN c.complete THEN EXISTS (
                SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind AND n.changed AND n.complete
                   AND n.received_at < @replaced_before AND n.received_at >= c.received_at AND (n.received_at > c.received_at OR n.uid > c.uid))
              ELSE EXISTS (
                SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind AND n.complete
                   AND n.received_at < @replaced_before AND n.received_at >= c.received_at AND (n.received_at > c.received_at OR n.uid > c.uid))
              END AS boolean) AS replaced,
         CASE WHEN c.changed OR c.received_at >= @unchanged_before THEN FALSE
              WHEN c.complete THEN EXISTS (
                SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind AND n.complete
                   AND n.received_at >= c.received_at AND (n.received_at > c.received_at OR n.uid > c.uid))
              ELSE EXISTS (
                SELECT 1 FROM captures n WHERE n.device_id = c.device_id AND n.kind = c.kind
                   AND n.received_at >= c.received_at AND (n.received_at > c.received_at OR n.uid > c.uid))
              END AS repeats,
         (SELECT t.size FROM contents t WHERE t.sha256 = c.sha256) AS size
    FROM devices d CROSS JOIN captures c
   WHERE d.id >= @device_id AND c.device_id = d.id AND c.received_at < @before
     AND c.received_at >= CASE WHEN d.id = @device_id AND d.first_seen < @after THEN @after ELSE d.first_seen END
     AND (d.id > @device_id OR c.received_at > @after OR c.uid > @after_uid)
     AND c.received_at < (SELECT n.received_at FROM captures n WHERE n.device_id = d.id ORDER BY n.received_at DESC, n.uid DESC LIMIT 1 OFFSET 10)
     AND (c.kind IN ('log', 'empty')
          OR c.received_at < (SELECT n.received_at FROM captures n WHERE n.device_id = d.id AND n.kind NOT IN ('log', 'empty')
                               ORDER BY n.received_at DESC, n.uid DESC LIMIT 1 OFFSET 10))
     AND (SELECT count(*) FROM published u WHERE u.sha256 = c.sha256) = 0) AS p
 WHERE p.replaced OR p.repeats
 ORDER BY p.device_id, p.received_at, p.uid LIMIT CAST(@n AS bigint);

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
