-- Only PostgreSQL. Each of these opens a transaction whose COMMIT is a receipt.
--
-- With synchronous_commit = off, a COMMIT returns before it is durable.
--
-- A COMMIT waits for a synchronous standby only if its transaction has an xid and has written WAL. A
-- transaction may find its work done by an earlier one whose wait was cut off: the primary has that
-- work, and the standby perhaps not. So each transaction writes a record, and its own COMMIT waits
-- until the standby has all WAL before it. On a standby txid_current fails like any write (25006).
--
-- PostgreSQL reports a wait that was cut off in a WARNING, which client_min_messages could suppress.

-- name: RequireDurableCommit :exec
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),
       set_config('client_min_messages', 'warning', true),
       pg_logical_emit_message(true, 'tftpsql', txid_current()::text);

-- name: BeginCaptures :exec
-- The same, and bounds so that one stuck transaction doesn't hold up all devices: for the wait for a
-- lock, and for the locks of a worker that has vanished.
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),
       set_config('client_min_messages', 'warning', true),
       set_config('lock_timeout', @lock_timeout::text, true),
       set_config('idle_in_transaction_session_timeout', @idle_timeout::text, true),
       pg_logical_emit_message(true, 'tftpsql', txid_current()::text);
