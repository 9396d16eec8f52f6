DROP VIEW device_configs;
DROP VIEW main_captures;
DROP INDEX captures_versions;
DROP INDEX captures_whole;
DROP VIEW overdue_devices;
DROP VIEW device_rhythms;
DROP INDEX captures_rhythm;
CREATE VIEW device_rhythms AS
  SELECT g.device_id, g.captures, g.longest_us,
         CAST(CASE WHEN g.retired THEN 0 WHEN g.expected_us > 0 THEN g.expected_us
                   WHEN g.captures >= 3 THEN max(2 * g.longest_us, 3600000000) ELSE 0 END AS bigint) AS allowed_us
    FROM (SELECT d.id AS device_id, d.retired, d.expected_us,
                 (SELECT count(*) FROM (SELECT 1 FROM captures c WHERE c.device_id = d.id LIMIT 11)) AS captures,
                 CAST(coalesce((SELECT max(gap_us) FROM (
                   SELECT round((julianday(received_at) - julianday(lag(received_at) OVER (ORDER BY received_at, uid))) * 86400000) * 1000 AS gap_us
                     FROM (SELECT c.received_at, c.uid FROM captures c WHERE c.device_id = d.id
                            ORDER BY c.received_at DESC, c.uid DESC LIMIT 11))), 0) AS bigint) AS longest_us
            FROM devices d) AS g;
CREATE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         strftime('%Y-%m-%d %H:%M:%f+00:00', julianday(d.last_seen) + r.allowed_us / 86400000000.0) AS overdue_since
    FROM devices d JOIN device_rhythms r ON r.device_id = d.id
   WHERE r.allowed_us > 0 AND julianday('now') > julianday(d.last_seen) + r.allowed_us / 86400000000.0;
