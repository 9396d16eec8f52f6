DROP INDEX captures_changes;
DROP VIEW overdue_devices;
CREATE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         strftime('%Y-%m-%d %H:%M:%f+00:00', julianday(d.last_seen) + r.allowed_us / 86400000000.0) AS overdue_since
    FROM devices d JOIN device_rhythms r ON r.device_id = d.id
   WHERE r.allowed_us > 0 AND julianday('now') > julianday(d.last_seen) + r.allowed_us / 86400000000.0;
ALTER TABLE devices DROP COLUMN recent;
ALTER TABLE devices DROP COLUMN longest_us;
ALTER TABLE devices DROP COLUMN longest_left;
ALTER TABLE devices DROP COLUMN rhythm_captures;
ALTER TABLE devices DROP COLUMN quiet_at;
