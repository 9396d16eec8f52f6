-- name: RequireDurableCommit :exec
-- Only PostgreSQL: a server or role set to synchronous_commit = off would say "committed" before it is durable.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
