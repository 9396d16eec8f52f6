-- What a device's rhythm is, kept by the transaction of each capture, so that who asks what is overdue reads no histories:
-- how many of its last eleven captures there are, the longest gap between them, and for how many captures more that is one of
-- the last ten. rhythm_captures is devices.captures as of then: an older program counts a capture and doesn't know of these
-- columns. quiet_at is when the device has been silent for longer than its own rhythm allows.
ALTER TABLE devices
  ADD COLUMN recent          bigint      NOT NULL DEFAULT 0,
  ADD COLUMN longest_us      bigint      NOT NULL DEFAULT 0,
  ADD COLUMN longest_left    bigint      NOT NULL DEFAULT 0,
  ADD COLUMN rhythm_captures bigint      NOT NULL DEFAULT 0,
  ADD COLUMN quiet_at        timestamptz NOT NULL DEFAULT '9999-12-31 00:00:00+00';
UPDATE devices
   SET recent = r.captures, longest_us = r.longest_us, rhythm_captures = devices.captures,
       quiet_at = CASE WHEN r.captures < 3 THEN devices.quiet_at
                       ELSE devices.last_seen + greatest(2 * r.longest_us, 3600000000) * interval '1 microsecond' END
  FROM device_rhythms r WHERE r.device_id = devices.id;

-- The rhythms of those alone are computed that may be overdue.
CREATE OR REPLACE VIEW overdue_devices AS
  SELECT d.site, d.name, d.platform, d.source, d.last_seen, r.longest_us / 1000000 AS longest_gap_s, r.allowed_us / 1000000 AS allowed_s,
         d.last_seen + r.allowed_us * interval '1 microsecond' AS overdue_since
    FROM devices d CROSS JOIN LATERAL (SELECT * FROM device_rhythms o WHERE o.device_id = d.id OFFSET 0) AS r
   WHERE NOT d.retired AND (d.quiet_at < now() OR d.expected_us > 0 OR d.rhythm_captures <> d.captures)
     AND r.allowed_us > 0 AND now() > d.last_seen + r.allowed_us * interval '1 microsecond';

-- The newest changes are found without what changed nothing.
CREATE INDEX captures_changes ON captures (received_at, uid) WHERE changed;
