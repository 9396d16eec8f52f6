-- As device_postgres.sql. sha256 is bench's own function.
INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
VALUES ('', 'fw-000007', 'config', '', '2025-01-01 00:00:00+00:00', '2025-01-01 00:00:00+00:00', {n}, {n}, '192.0.2.1', 'fortinet', '', '', '', '', {whole},
        strftime('%Y-%m-%d %H:%M:%S+00:00', 1735689600 + {n}, 'unixepoch'), printf('0190b0a0-0000-7000-8000-%012d', {n}));

INSERT INTO contents (sha256, size, encoding, body)
SELECT sha256(body), length(body), 'utf-8', body FROM (SELECT CAST('config a' AS blob) AS body UNION ALL SELECT CAST('config b' AS blob));

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}),
  t(sha256, place) AS (SELECT sha256, row_number() OVER (ORDER BY sha256) - 1 FROM contents)
SELECT printf('0190b0a0-0000-7000-8000-%012d', i), strftime('%Y-%m-%d %H:%M:%S+00:00', 1735689600 + i, 'unixepoch'), d.source, 2000, '10.0.0.1',
       d.name || '.conf', 'octet', '', 1000, d.id, 'full', t.sha256, t.sha256, 0, TRUE, {whole}
  FROM n CROSS JOIN devices d JOIN t ON t.place = i % 2 ORDER BY i;

ANALYZE;
