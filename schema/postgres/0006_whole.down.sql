DROP VIEW device_configs;
DROP VIEW main_captures;
DROP INDEX captures_versions;
DROP INDEX captures_whole;
DROP VIEW overdue_devices;
DROP VIEW device_rhythms;
DROP INDEX captures_rhythm;
CREATE VIEW device_rhythms AS
  SELECT d.id AS device_id, g.captures, g.longest_us,
         (CASE WHEN d.retired THEN 0 WHEN d.expected_us > 0 THEN d.expected_us
               WHEN g.captures >= 3 THEN greatest(2 * g.longest_us, 3600000000) ELSE 0 END)::bigint AS allowed_us
    FROM devices d CROSS JOIN LATERAL (
      SELECT count(*) AS captures, coalesce(max(gap_us), 0)::bigint AS longest_us
        FROM (SELECT (extract(epoch FROM received_at - lag(received_at) OVER (ORDER BY received_at, uid)) * 1000000)::bigint AS gap_us
                FROM (SELECT c.received_at, c.uid FROM captures c WHERE c.device_id = d.id
                       ORDER BY c.received_at DESC, c.uid DESC LIMIT 11) AS latest) AS gaps) AS g;
CREATE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         d.last_seen + r.allowed_us * interval '1 microsecond' AS overdue_since
    FROM devices d JOIN device_rhythms r ON r.device_id = d.id
   WHERE r.allowed_us > 0 AND now() > d.last_seen + r.allowed_us * interval '1 microsecond';
