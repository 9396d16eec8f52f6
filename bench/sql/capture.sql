INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete)
VALUES ($1, $2, '192.0.2.1', 2000, '192.0.2.2', $3, 'octet', '', 1000, $4, 'full', $5, $5, 0, TRUE, TRUE)
