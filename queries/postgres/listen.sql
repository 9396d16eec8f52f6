-- SQLite has no notifications; it is read every 0.5 s.

-- name: Listen :exec
LISTEN tftpsql;

-- name: Announce :exec
SELECT pg_notify('tftpsql', payload) FROM unnest(@payloads::text[]) AS payload;
