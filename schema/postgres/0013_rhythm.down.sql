DROP INDEX captures_changes;
CREATE OR REPLACE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         d.last_seen + r.allowed_us * interval '1 microsecond' AS overdue_since
    FROM devices d JOIN device_rhythms r ON r.device_id = d.id
   WHERE r.allowed_us > 0 AND now() > d.last_seen + r.allowed_us * interval '1 microsecond';
ALTER TABLE devices
  DROP COLUMN recent,
  DROP COLUMN longest_us,
  DROP COLUMN longest_left,
  DROP COLUMN rhythm_captures,
  DROP COLUMN quiet_at;
