-- As alarms_postgres.sql.
INSERT INTO contents (sha256, size, encoding, body) VALUES (sha256(CAST('same' AS blob)), 4, 'utf-8', CAST('same' AS blob));

INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})
SELECT 'site' || (i % 50), printf('fw-%06d', i), 'config', '', datetime('now', '-4 days') || '+00:00', datetime('now', '-4 days') || '+00:00', 5, 1,
       printf('10.%d.%d.%d', i / 65536, i / 256 % 256, i % 256), 'fortinet', '', '', '', '', TRUE,
       datetime('now', printf('-%d seconds', i % 80000)) || '+00:00', printf('0190b0a0-0000-7000-8000-%012d', 5 * i + 4) FROM n;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
WITH RECURSIVE age(a) AS (SELECT 4 UNION ALL SELECT a - 1 FROM age WHERE a > 0)
SELECT printf('0190b0a0-0000-7000-8000-%012d', 5 * d.id + 4 - a), datetime(d.last_seen, printf('-%d days', a)) || '+00:00',
       d.source, 2000, '10.0.0.1', d.name, 'octet', '', 1000, d.id, 'full', t.sha256, t.sha256, 0, a = 4, TRUE
  FROM age CROSS JOIN devices d CROSS JOIN contents t;

INSERT INTO channels (name, url, secret, kinds, scope, quiet, batch_us, full_diff, digest, created_at, paused_until, disabled, digest_at, ok_at,
                      error_at, error)
SELECT 'noc', 'https://example.net/hook', '', '', '', '', 0, FALSE, FALSE, t, t, '', t, t, t, '' FROM (SELECT datetime('now') || '+00:00' AS t);

INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10 * {n}), times(i, t) AS (
  SELECT i, datetime('now', printf('-%d seconds', 80 * 86400 - CAST(i * (80 * 86400.0 / (10 * {n})) AS integer))) || '+00:00' FROM n)
SELECT t, 'changed', 'site' || (i % 50), i % {n} + 1, i, t, '', TRUE FROM times;

INSERT INTO deliveries (channel, event_id, kind, site, message, state, attempts, next_try, leased_until, recipients, error, ended_at)
SELECT 'noc', e.id, e.kind, e.site, 'm' || e.id, 'sent', 1, e.at, e.at, '', '', e.at FROM events e WHERE e.id % 10 = 0;

ANALYZE;
PRAGMA wal_checkpoint(TRUNCATE);
