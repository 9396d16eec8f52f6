-- One device that has sent two texts in turn, {n} captures in all.
INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
VALUES ('', 'fw-000007', 'config', '', '2025-01-01Z', '2025-01-01Z', {n}, {n}, '192.0.2.1', 'fortinet', '', '', '', '', {whole},
        to_timestamp(1735689600 + {n}), '0190b0a0-0000-7000-8000-' || lpad({n}::text, 12, '0'));

INSERT INTO contents (sha256, size, encoding, body)
SELECT sha256(body), octet_length(body), 'utf-8', body FROM (VALUES ('config a'::bytea), ('config b'::bytea)) AS texts (body);

INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
SELECT '0190b0a0-0000-7000-8000-' || lpad(i::text, 12, '0'), to_timestamp(1735689600 + i), d.source, 2000, '10.0.0.1', d.name || '.conf',
       'octet', '', 1000, d.id, 'full', t.sha256, t.sha256, 0, TRUE, {whole}
  FROM generate_series(1, {n}) AS i, devices d, (SELECT sha256, row_number() OVER (ORDER BY sha256) - 1 AS place FROM contents) AS t
 WHERE t.place = i % 2 ORDER BY i;

ANALYZE;
