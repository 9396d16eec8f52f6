-- Devices that send each day, five captures of each; ten events for each device, all handed on, of which each tenth was sent.
INSERT INTO contents (sha256, size, encoding, body) VALUES (sha256('same'), 4, 'utf-8', 'same');

INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
SELECT 'site' || i % 50, 'fw-' || lpad(i::text, 6, '0'), 'config', '', now() - interval '4 days', now() - interval '4 days', 5, 1,
       '10.' || i / 65536 || '.' || i / 256 % 256 || '.' || i % 256, 'fortinet', '', '', '', '', TRUE,
       now() - (i % 80000) * interval '1 second', '0190b0a0-0000-7000-8000-' || lpad((5 * i + 4)::text, 12, '0')
  FROM generate_series(1, {n}) AS i;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
SELECT '0190b0a0-0000-7000-8000-' || lpad((5 * d.id + 4 - a)::text, 12, '0'), d.last_seen - a * interval '1 day',
       d.source, 2000, '10.0.0.1', d.name, 'octet', '', 1000, d.id, 'full', t.sha256, t.sha256, 0, a = 4, TRUE
  FROM generate_series(4, 0, -1) AS a CROSS JOIN devices d CROSS JOIN contents t;

INSERT INTO channels (name, url, secret, kinds, scope, quiet, batch_us, full_diff, digest, created_at, paused_until, disabled, digest_at, ok_at,
                      error_at, error)
VALUES ('noc', 'https://example.net/hook', '', '', '', '', 0, FALSE, FALSE, now(), now(), '', now(), now(), now(), '');

INSERT INTO events (at, kind, site, device_id, capture_id, since, detail, handed)
SELECT t, 'changed', 'site' || i % 50, i % {n} + 1, i, t, '', TRUE
  FROM generate_series(1, 10 * {n}) AS i CROSS JOIN LATERAL (SELECT now() - (80 - i * 80.0 / (10 * {n})) * interval '1 day' AS t) AS at;

INSERT INTO deliveries (channel, event_id, kind, site, message, state, attempts, next_try, leased_until, recipients, error, ended_at)
SELECT 'noc', e.id, e.kind, e.site, 'm' || e.id, 'sent', 1, e.at, e.at, '', '', e.at FROM events e WHERE e.id % 10 = 0;

ANALYZE;
