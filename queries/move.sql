-- name: NumberOfCaptures :one
SELECT CAST(count(*) AS bigint) AS n FROM captures;

-- name: DumpCaptures :many
-- Captures of all devices after a cursor, the oldest first, for another database.
SELECT c.uid, c.received_at, c.source, c.source_port, c.local_address, c.filename, c.mode, c.options, c.duration_us, c.sha256,
       d.site, d.name, d.named_by
  FROM captures c JOIN devices d ON d.id = c.device_id
 WHERE c.received_at >= @after AND (c.received_at > @after OR c.uid > @after_uid)
 ORDER BY c.received_at, c.uid LIMIT CAST(@n AS bigint);

-- name: OldestNotOfMode :one
SELECT received_at FROM captures WHERE mode <> @mode ORDER BY received_at LIMIT 1;
