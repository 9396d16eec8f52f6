-- name: Clock :one
-- Only PostgreSQL: its machine's time. SQLite has that of this machine.
SELECT clock_timestamp()::timestamptz;
