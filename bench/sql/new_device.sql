INSERT INTO devices (site, name, named_by, owner, first_seen, last_change, captures, changes, source, platform, model, os_version, build,
                     serial, complete, last_seen, last_uid)
VALUES ('', $1, 'config', '', $2, $2, 0, 0, '192.0.2.1', 'fortinet', '', '', '', '', TRUE, $2, '')
RETURNING id
