-- name: RequireDurableCommit :exec
-- Only PostgreSQL: a server or role set to synchronous_commit = off would say "committed" before it is durable.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';

-- name: BeginCaptures :exec
-- Only PostgreSQL: the same, and bounds that keep one stuck transaction from holding up all devices: how long a lock is waited for, and
-- how long a worker that has vanished keeps its own. SQLite has one writer.
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),
       set_config('lock_timeout', @lock_timeout::text, true),
       set_config('idle_in_transaction_session_timeout', @idle_timeout::text, true);
