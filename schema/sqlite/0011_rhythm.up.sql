-- The same as schema/postgres/0013_rhythm.up.sql, where the comments stand.
ALTER TABLE devices ADD COLUMN recent bigint NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN longest_us bigint NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN longest_left bigint NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN rhythm_captures bigint NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN quiet_at timestamp NOT NULL DEFAULT '9999-12-31 00:00:00+00:00';
UPDATE devices
   SET recent = coalesce((SELECT r.captures FROM device_rhythms r WHERE r.device_id = devices.id), 0),
       longest_us = coalesce((SELECT r.longest_us FROM device_rhythms r WHERE r.device_id = devices.id), 0),
       rhythm_captures = captures;
UPDATE devices
   SET quiet_at = strftime('%Y-%m-%d %H:%M:%f+00:00', julianday(last_seen) + max(2 * longest_us, 3600000000) / 86400000000.0)
 WHERE recent >= 3;

DROP VIEW overdue_devices;
CREATE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         strftime('%Y-%m-%d %H:%M:%f+00:00', julianday(d.last_seen) + r.allowed_us / 86400000000.0) AS overdue_since
    FROM devices d CROSS JOIN device_rhythms r ON r.device_id = d.id
   WHERE NOT d.retired AND (d.quiet_at < strftime('%Y-%m-%d %H:%M:%f+00:00', 'now') OR d.expected_us > 0 OR d.rhythm_captures <> d.captures)
     AND r.allowed_us > 0 AND julianday('now') > julianday(d.last_seen) + r.allowed_us / 86400000000.0;

CREATE INDEX captures_changes ON captures (received_at, uid) WHERE changed;
