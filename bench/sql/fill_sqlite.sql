INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n} / 100)
SELECT '', printf('fw-%06d', i), 'config', '', '2025-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', 100, 100, printf('10.0.%d.%d', i / 250, i % 250),
       'fortinet', '', '', '', '', TRUE, '2026-01-01 00:00:00+00:00', '' FROM n;

INSERT INTO contents (sha256, size, encoding, body)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {n} - 1)
SELECT CAST(printf('%032d', i) AS blob), 1078, 'utf-8',
       CAST(printf('config system global%s    set hostname "fw-%06d"%send%s#%s', char(10), i, char(10), char(10), hex(zeroblob(512))) AS blob) FROM n;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {n} - 1)
SELECT printf('0190b0a0-0000-7000-8000-%012d', i), strftime('%Y-%m-%d %H:%M:%S+00:00', 1735689600 + i, 'unixepoch'),
       printf('10.0.%d.%d', (i % ({n} / 100) + 1) / 250, (i % ({n} / 100) + 1) % 250), 2000, '10.0.0.1', printf('fw-%06d.conf', i % ({n} / 100) + 1),
       'octet', '', 1000, i % ({n} / 100) + 1, 'full', CAST(printf('%032d', i) AS blob), CAST(printf('%032d', i) AS blob), 0, TRUE, TRUE FROM n;

ANALYZE;
