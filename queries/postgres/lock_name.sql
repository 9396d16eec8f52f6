-- name: LockName :exec
-- Only PostgreSQL: with write-once, uploads of one name are checked one by one. SQLite has one
-- writer anyway.
SELECT pg_advisory_xact_lock(hashtextextended(@filename::text, 0));
