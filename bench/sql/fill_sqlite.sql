-- As fill_postgres.sql. sha256 is bench's own function. The indexes of a million hashes come in no order: 512 MiB have room for them.
PRAGMA cache_size(-524288);

INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n} / 100)
SELECT '', printf('fw-%06d', i), 'config', '', '2025-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', 100, 100, printf('10.0.%d.%d', i / 250, i % 250),
       'fortinet', '', '', '', '', TRUE, '2026-01-01 00:00:00+00:00', '' FROM n;

INSERT INTO contents (sha256, size, encoding, body)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {n} - 1),
  filler(part) AS (SELECT printf('config firewall address%s    edit "host"%s        set subnet 198.51.100.7 255.255.255.255%s    next%send%s', char(10), char(10), char(10), char(10), char(10))),
  bodies(body) AS (SELECT CAST(printf('config system global%s    set hostname "fw-%06d"%send%s', char(10), i, char(10), char(10)) ||
    CASE WHEN i >= {n} - {n} / 100 THEN replace(hex(zeroblob(91)), '0', part) ELSE '' END AS blob) FROM n, filler)
SELECT sha256(body), length(body), 'utf-8', body FROM bodies;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
SELECT printf('0190b0a0-0000-7000-8000-%012d', t.rowid - 1), strftime('%Y-%m-%d %H:%M:%S+00:00', 1735689599 + t.rowid, 'unixepoch'),
       printf('10.0.%d.%d', ((t.rowid - 1) % ({n} / 100) + 1) / 250, ((t.rowid - 1) % ({n} / 100) + 1) % 250), 2000, '10.0.0.1',
       printf('fw-%06d.conf', (t.rowid - 1) % ({n} / 100) + 1), 'octet', '', 1000, (t.rowid - 1) % ({n} / 100) + 1, 'full', t.sha256, t.sha256, 0, TRUE, TRUE
  FROM contents t ORDER BY t.rowid;

ANALYZE;

-- The journal would be as large as the file, and each page be looked for in it: a server never leaves it so.
PRAGMA wal_checkpoint(TRUNCATE);
