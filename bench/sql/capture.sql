INSERT INTO captures (uid, received_at, source, source_port, local_address, filename, mode, options, duration_us,
                      device_id, kind, sha256, fingerprint, rules, changed, complete,
                      platform, model, os_version, serial, changed_by, exported_by)
VALUES ($1, $2, '192.0.2.1', 2000, '192.0.2.2', $3, 'octet', 'blksize=1428', 1000, $4, 'full', $5, $6, 0, TRUE, TRUE,
        'fortinet', 'FG100F', '7.4.8', '', '', '')
