-- Each capture is compared with the newest whole one before it, however many torn ones follow that.
CREATE INDEX captures_whole ON captures (device_id, kind, received_at, uid) WHERE complete;
CREATE INDEX captures_versions ON captures (device_id, kind, received_at, uid) WHERE changed AND complete;

-- Logs and empty files are kept beside a device's configurations, and make no rhythm.
CREATE INDEX captures_rhythm ON captures (device_id, received_at, uid) WHERE kind NOT IN ('log', 'empty');
DROP VIEW overdue_devices;
DROP VIEW device_rhythms;
CREATE VIEW device_rhythms AS
  SELECT d.id AS device_id, g.captures, g.longest_us,
         (CASE WHEN d.retired THEN 0 WHEN d.expected_us > 0 THEN d.expected_us
               WHEN g.captures >= 3 THEN greatest(2 * g.longest_us, 3600000000) ELSE 0 END)::bigint AS allowed_us
    FROM devices d CROSS JOIN LATERAL (
      SELECT count(*) AS captures, coalesce(max(gap_us), 0)::bigint AS longest_us
        FROM (SELECT (extract(epoch FROM received_at - lag(received_at) OVER (ORDER BY received_at, uid)) * 1000000)::bigint AS gap_us
                FROM (SELECT c.received_at, c.uid FROM captures c WHERE c.device_id = d.id AND c.kind NOT IN ('log', 'empty')
                       ORDER BY c.received_at DESC, c.uid DESC LIMIT 11) AS latest) AS gaps) AS g;
CREATE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         d.last_seen + r.allowed_us * interval '1 microsecond' AS overdue_since
    FROM devices d JOIN device_rhythms r ON r.device_id = d.id
   WHERE r.allowed_us > 0 AND now() > d.last_seen + r.allowed_us * interval '1 microsecond';

-- main_captures says which of them is the device's configuration: the first of these kinds of which a whole capture
-- came within a week of the device's newest whole one.
CREATE VIEW main_captures AS
  WITH newest AS (
    SELECT k.device_id, k.capture_id, c.kind, c.received_at
      FROM current_captures k JOIN captures c ON c.id = k.capture_id
  ), recent AS (
    SELECT n.device_id, n.capture_id, n.received_at >= max(n.received_at) OVER (PARTITION BY n.device_id) - interval '7 days' AS fresh,
           CASE WHEN n.kind = 'full' THEN 1 WHEN n.kind = 'full-config' THEN 2 WHEN n.kind = 'encrypted' THEN 3
                WHEN n.kind = 'startup' THEN 5 WHEN n.kind = 'other' THEN 6
                WHEN n.kind = 'log' THEN 7 ELSE 4 END AS priority, n.kind
      FROM newest n
  ), ranked AS (
    SELECT device_id, capture_id, row_number() OVER (PARTITION BY device_id ORDER BY priority, kind) AS place
      FROM recent WHERE fresh
  )
  SELECT device_id, capture_id FROM ranked WHERE place = 1;

-- The configuration of each device, one row a device.
CREATE VIEW device_configs AS
  SELECT c.* FROM main_captures m JOIN current_configs c ON c.id = m.capture_id;
