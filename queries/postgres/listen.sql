-- SQLite has no notifications: it is asked every so often.

-- name: Listen :exec
LISTEN tftpsql;
