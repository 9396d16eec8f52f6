-- name: RequireDurableCommit :exec
-- Only PostgreSQL: with synchronous_commit = off, a COMMIT returns before it is durable.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';

-- name: BeginCaptures :exec
-- Only PostgreSQL: the same, and bounds so that one stuck transaction doesn't hold up all devices:
-- for the wait for a lock, and for the locks of a worker that has vanished.
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),
       set_config('lock_timeout', @lock_timeout::text, true),
       set_config('idle_in_transaction_session_timeout', @idle_timeout::text, true);
