-- The same as schema/postgres/0004_life.up.sql, where the comments stand; what differs is said here.

ALTER TABLE captures ADD COLUMN platform text NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN model text NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN os_version text NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN serial text NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN changed_by text NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN exported_by text NOT NULL DEFAULT '';
CREATE INDEX captures_device_source ON captures (device_id, source, received_at, uid);

ALTER TABLE devices ADD COLUMN retired boolean NOT NULL DEFAULT FALSE;
ALTER TABLE devices ADD COLUMN expected_us bigint NOT NULL DEFAULT 0;

CREATE TABLE aliases (
  site      text   NOT NULL,
  name      text   NOT NULL,
  device_id bigint NOT NULL REFERENCES devices,
  PRIMARY KEY (site, name)
);
CREATE INDEX aliases_device ON aliases (device_id);

CREATE TABLE failures (
  id       integer   PRIMARY KEY,
  hour     timestamp NOT NULL,
  source   text      NOT NULL,
  reason   text      NOT NULL,
  filename text      NOT NULL,
  first_at timestamp NOT NULL,
  last_at  timestamp NOT NULL,
  times    bigint    NOT NULL,
  bytes    bigint    NOT NULL,
  code     bigint    NOT NULL,
  detail   text      NOT NULL,
  UNIQUE (hour, source, reason, filename)
);
CREATE INDEX failures_last ON failures (last_at);

DROP VIEW changes;
DROP VIEW capture_log;
CREATE VIEW capture_log AS
  SELECT c.id, c.uid, c.received_at, d.site, d.name AS device,
         CAST(CASE c.platform WHEN '' THEN d.platform ELSE c.platform END AS text) AS platform,
         c.kind, c.source, c.filename, c.mode, t.size, CAST(lower(hex(c.sha256)) AS text) AS sha256, c.changed, c.complete,
         c.changed_by, c.exported_by,
         CAST(NOT EXISTS (SELECT 1 FROM captures p WHERE p.device_id = c.device_id AND p.source = c.source
                      AND (p.received_at < c.received_at OR (p.received_at = c.received_at AND p.uid < c.uid)))
          AND EXISTS (SELECT 1 FROM captures p WHERE p.device_id = c.device_id
                      AND (p.received_at < c.received_at OR (p.received_at = c.received_at AND p.uid < c.uid))) AS boolean) AS new_source,
         c.model, c.os_version, c.serial, c.device_id
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;

CREATE VIEW changes AS
  SELECT id, uid, received_at, site, device, platform, kind, source, filename, mode, size, sha256, changed, complete,
         changed_by, exported_by, new_source
    FROM capture_log WHERE changed;

CREATE VIEW current_captures AS
  WITH RECURSIVE kinds AS (
    SELECT d.id AS device_id, (SELECT min(c.kind) FROM captures c WHERE c.device_id = d.id) AS kind FROM devices d
    UNION ALL
    SELECT k.device_id, (SELECT min(c.kind) FROM captures c WHERE c.device_id = k.device_id AND c.kind > k.kind)
      FROM kinds k WHERE k.kind IS NOT NULL
  )
  SELECT k.device_id,
         (SELECT c.id FROM captures c WHERE c.device_id = k.device_id AND c.kind = k.kind AND c.complete
           ORDER BY c.received_at DESC, c.uid DESC LIMIT 1) AS capture_id
    FROM kinds k WHERE k.kind IS NOT NULL;

CREATE VIEW current_configs AS
  SELECT c.id, c.uid, d.site, d.name AS hostname, c.received_at, c.source, c.filename, c.kind, c.platform, c.model, c.os_version,
         c.serial, t.size, CAST(lower(hex(c.sha256)) AS text) AS sha256,
         CAST(CASE t.encoding WHEN 'utf-8' THEN CAST(t.body AS text) WHEN 'latin-1' THEN t.latin1 END AS text) AS config
    FROM current_captures k JOIN captures c ON c.id = k.capture_id JOIN devices d ON d.id = c.device_id
    JOIN contents t ON t.sha256 = c.sha256;

-- julianday counts days in a float, good to a millisecond or so.
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
