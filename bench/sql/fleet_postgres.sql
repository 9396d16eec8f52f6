-- {devices} devices that have sent each day, {each} captures of each: every tenth brings a change. Of each hundred devices one is overdue, one has a
-- torn newest capture, one has changed today, and one has sent a log too.
INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
SELECT 'site' || i % 50, 'fw-' || lpad(i::text, 6, '0'), 'config', '', t - ({each} - 1) * interval '1 day', t - CASE i % 100 WHEN 2 THEN 0 ELSE 9 END * interval '1 day',
       {each}, {each} / 10, '10.' || i / 65536 || '.' || i / 256 % 256 || '.' || i % 256, 'fortinet', 'FGT60F', '7.4.8', '2795',
       'S' || i, i % 100 <> 1, t, '0190b0a0-0000-7000-8000-' || lpad(({each} * {devices} + i)::text, 12, '0')
  FROM (SELECT i, now() - (i % 80000 + CASE i % 100 WHEN 0 THEN 432000 ELSE 0 END) * interval '1 second' AS t FROM generate_series(1, {devices}) AS i) AS times;

INSERT INTO contents (sha256, size, encoding, body)
SELECT sha256(body), octet_length(body), 'utf-8', body
  FROM generate_series(0, ({each} - 1) / 10) AS v CROSS JOIN devices d
 CROSS JOIN LATERAL (SELECT convert_to(E'config system global\n    set hostname "' || d.name || E'"\n    set alias "v' || v || E'"\nend\n', 'UTF8') AS body) AS bodies;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete, platform, model, os_version, serial)
SELECT '0190b0a0-0000-7000-8000-' || lpad((({each} - a) * {devices} + d.id)::text, 12, '0'), d.last_seen - a * interval '1 day',
       d.source, 2000, '10.0.0.1', d.name || '.conf', 'octet', '', 1000, d.id, CASE WHEN a = 1 AND d.id % 100 = 3 THEN 'log' ELSE 'full' END, t.sha256, t.sha256, 0,
       a % 10 = 9 OR a = {each} - 1 OR a = 0 AND d.id % 100 IN (1, 2), NOT (a = 0 AND d.id % 100 = 1), d.platform, d.model, d.os_version, d.serial
  FROM generate_series({each} - 1, 0, -1) AS a CROSS JOIN devices d
 CROSS JOIN LATERAL (SELECT sha256(convert_to(E'config system global\n    set hostname "' || d.name || E'"\n    set alias "v' || a / 10 || E'"\nend\n', 'UTF8')) AS sha256) AS t;

INSERT INTO failures (hour, source, reason, filename, first_at, last_at, times, bytes, code, detail)
SELECT date_trunc('hour', t), d.source, 'timeout', d.name || '.conf', t, t, 1, 0, 0, ''
  FROM devices d CROSS JOIN LATERAL (SELECT d.last_seen - d.id % 29 * interval '1 day' AS t) AS at WHERE d.id % 10 = 4;

INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
SELECT d.last_seen, 'changed', d.site, d.id, d.id, d.last_seen, '', TRUE FROM devices d;
