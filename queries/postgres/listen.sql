-- SQLite has no notifications; it is read every 0.5 s.

-- name: Listen :exec
LISTEN tftpsql;
