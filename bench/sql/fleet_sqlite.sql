-- As fleet_postgres.sql. sha256 is bench's own function.
INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {devices}),
  times(i, t) AS (SELECT i, datetime('now', printf('-%d seconds', i % 80000 + CASE i % 100 WHEN 0 THEN 432000 ELSE 0 END)) FROM n)
SELECT 'site' || (i % 50), printf('fw-%06d', i), 'config', '', datetime(t, '-' || ({each} - 1) || ' days') || '+00:00',
       datetime(t, CASE i % 100 WHEN 2 THEN '-0 days' ELSE '-9 days' END) || '+00:00', {each}, {each} / 10,
       printf('10.%d.%d.%d', i / 65536, i / 256 % 256, i % 256), 'fortinet', 'FGT60F', '7.4.8', '2795', 'S' || i, i % 100 <> 1, t || '+00:00',
       printf('0190b0a0-0000-7000-8000-%012d', {each} * {devices} + i) FROM times;

INSERT INTO contents (sha256, size, encoding, body)
WITH RECURSIVE version(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM version WHERE v < ({each} - 1) / 10),
  bodies(body) AS (SELECT CAST('config system global' || char(10) || '    set hostname "' || d.name || '"' || char(10) || '    set alias "v' || v || '"' || char(10) || 'end' || char(10) AS blob)
                     FROM version CROSS JOIN devices d)
SELECT sha256(body), length(body), 'utf-8', body FROM bodies ORDER BY 1;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete, platform, model, os_version, serial)
WITH RECURSIVE age(a) AS (SELECT {each} - 1 UNION ALL SELECT a - 1 FROM age WHERE a > 0),
  sent AS (SELECT d.*, a, sha256(CAST('config system global' || char(10) || '    set hostname "' || d.name || '"' || char(10) || '    set alias "v' || (a / 10) || '"' || char(10) || 'end' || char(10) AS blob)) AS sum
             FROM age CROSS JOIN devices d)
SELECT printf('0190b0a0-0000-7000-8000-%012d', ({each} - a) * {devices} + id), datetime(last_seen, printf('-%d days', a)) || '+00:00',
       source, 2000, '10.0.0.1', name || '.conf', 'octet', '', 1000, id, CASE WHEN a = 1 AND id % 100 = 3 THEN 'log' ELSE 'full' END, sum, sum, 0,
       a % 10 = 9 OR a = {each} - 1 OR (a = 0 AND id % 100 IN (1, 2)), NOT (a = 0 AND id % 100 = 1), platform, model, os_version, serial
  FROM sent;

INSERT INTO failures (hour, source, reason, filename, first_at, last_at, times, bytes, code, detail)
SELECT strftime('%Y-%m-%d %H:00:00+00:00', t), source, 'timeout', name || '.conf', t, t, 1, 0, 0, ''
  FROM (SELECT d.*, datetime(d.last_seen, printf('-%d days', d.id % 29)) || '+00:00' AS t FROM devices d) WHERE id % 10 = 4;

INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
SELECT d.last_seen, 'changed', d.site, d.id, d.id, d.last_seen, '', TRUE FROM devices d;
