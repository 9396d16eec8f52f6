-- name: LockName :exec
-- Only PostgreSQL: with write-once, one upload of a name at a time looks whether it exists. SQLite has one writer anyway.
SELECT pg_advisory_xact_lock(hashtextextended(@filename::text, 0));
