-- Small bodies, since PostgreSQL keeps large ones in a table of their own: what a scan of contents would read is as small here as
-- there. The newest capture of each device has a body of 20 KB, for search.
CREATE FUNCTION pg_temp.body(i bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT convert_to(E'config system global\n    set hostname "fw-' || lpad(i::text, 6, '0') || E'"\nend\n' ||
         CASE WHEN i >= {n} - {n} / 100 THEN repeat(E'config firewall address\n    edit "host"\n        set subnet 198.51.100.7 255.255.255.255\n    next\nend\n', 182) ELSE '' END, 'UTF8')
$$;

INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
SELECT '', 'fw-' || lpad(i::text, 6, '0'), 'config', '', '2025-01-01Z', '2026-01-01Z', 100, 100, '10.0.' || i / 250 || '.' || i % 250,
       'fortinet', '', '', '', '', TRUE, '2026-01-01Z', '' FROM generate_series(1, {n} / 100) AS i;

INSERT INTO contents (sha256, size, encoding, body)
SELECT sha256(pg_temp.body(i)), octet_length(pg_temp.body(i)), 'utf-8', pg_temp.body(i) FROM generate_series(0, {n} - 1) AS i;

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
SELECT '0190b0a0-0000-7000-8000-' || lpad(i::text, 12, '0'), to_timestamp(1735689600 + i), d.source, 2000, '10.0.0.1', d.name || '.conf',
       'octet', '', 1000, d.id, 'full', sha256(pg_temp.body(i)), sha256(pg_temp.body(i)), 0, TRUE, TRUE
  FROM generate_series(0, {n} - 1) AS i JOIN devices d ON d.name = 'fw-' || lpad((i % ({n} / 100) + 1)::text, 6, '0');

ANALYZE;
