-- name: LockMigrations :exec
-- Only PostgreSQL: one worker at a time checks and changes the schema, until it closes its
-- connection. On SQLite the server holds a lock on the file.
SELECT pg_advisory_lock(7454646671);
