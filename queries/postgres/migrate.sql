-- name: LockMigrations :exec
-- Only PostgreSQL: one worker at a time looks at the schema and changes it, until it closes its connection. SQLite's file has
-- a lock for all its life.
SELECT pg_advisory_lock(7454646671);
