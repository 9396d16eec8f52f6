-- name: GetRisk :one
-- Only PostgreSQL: what its settings leave of a COMMIT. standbys are those that a failover may go to.
-- Without the role pg_read_all_stats the state of a standby is NULL. A backup, and what follows one
-- table, is no standby.
SELECT (current_setting('fsync') = 'off')::bool AS no_fsync,
       (current_setting('synchronous_commit') = 'local')::bool AS local_commit,
       (current_setting('synchronous_standby_names') = '')::bool AS asynchronous,
       (SELECT count(*) FROM pg_stat_get_wal_senders() r WHERE COALESCE(r.state, 'streaming') = 'streaming'
           AND NOT EXISTS (SELECT 1 FROM pg_get_replication_slots() s WHERE s.active_pid = r.pid
               AND (s.slot_type = 'logical' OR s.temporary)))::bigint AS standbys;
