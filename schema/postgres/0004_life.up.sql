-- What each capture says, as it said it then: the device's row has the newest alone.
ALTER TABLE captures
  ADD COLUMN platform    text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN model       text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN os_version  text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN serial      text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN changed_by  text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN exported_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX captures_device_source ON captures (device_id, source, received_at, uid);

-- retired: not expected any more, until it sends again. expected_us: how often it must send, in microseconds; 0 for its own
-- rhythm.
ALTER TABLE devices
  ADD COLUMN retired     boolean NOT NULL DEFAULT FALSE,
  ADD COLUMN expected_us bigint  NOT NULL DEFAULT 0;

-- Other names of a device: those it had before it was renamed, and those of devices that were merged into it.
CREATE TABLE aliases (
  site      text   COLLATE "C" NOT NULL,
  name      text   COLLATE "C" NOT NULL,
  device_id bigint NOT NULL REFERENCES devices,
  PRIMARY KEY (site, name)
);
CREATE INDEX aliases_device ON aliases (device_id);

-- What failed or was refused, folded by source, hour, reason and file name (which refusals leave empty).
CREATE TABLE failures (
  id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hour     timestamptz NOT NULL,
  source   text        COLLATE "C" NOT NULL,
  reason   text        COLLATE "C" NOT NULL,
  filename text        COLLATE "C" NOT NULL,
  first_at timestamptz NOT NULL,
  last_at  timestamptz NOT NULL,
  times    bigint      NOT NULL,
  bytes    bigint      NOT NULL,
  code     bigint      NOT NULL,
  detail   text        COLLATE "C" NOT NULL,
  UNIQUE (hour, source, reason, filename)
);
CREATE INDEX failures_last ON failures (last_at);

-- new_source: nothing came from that address for this device before, though it had come from others.
DROP VIEW changes;
DROP VIEW capture_log;
CREATE VIEW capture_log AS
  SELECT c.id, c.uid, c.received_at, d.site, d.name AS device,
         (CASE c.platform WHEN '' THEN d.platform ELSE c.platform END)::text AS platform,
         c.kind, c.source, c.filename, c.mode, t.size, encode(c.sha256, 'hex')::text AS sha256, c.changed, c.complete,
         c.changed_by, c.exported_by,
         (NOT EXISTS (SELECT 1 FROM captures p WHERE p.device_id = c.device_id AND p.source = c.source
                      AND (p.received_at < c.received_at OR (p.received_at = c.received_at AND p.uid < c.uid)))
          AND EXISTS (SELECT 1 FROM captures p WHERE p.device_id = c.device_id
                      AND (p.received_at < c.received_at OR (p.received_at = c.received_at AND p.uid < c.uid))))::boolean AS new_source,
         c.model, c.os_version, c.serial, c.device_id
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;

CREATE VIEW changes AS
  SELECT id, uid, received_at, site, device, platform, kind, source, filename, mode, size, sha256, changed, complete,
         changed_by, exported_by, new_source
    FROM capture_log WHERE changed;

-- The newest whole capture of each device and kind. The kinds of a device are found by skipping through an index, so that
-- this costs the same however many captures there are.
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
         c.serial, t.size, encode(c.sha256, 'hex')::text AS sha256,
         (CASE t.encoding WHEN 'utf-8' THEN convert_from(t.body, 'UTF8') WHEN 'latin-1' THEN convert_from(t.body, 'LATIN1') END)::text AS config
    FROM current_captures k JOIN captures c ON c.id = k.capture_id JOIN devices d ON d.id = c.device_id
    JOIN contents t ON t.sha256 = c.sha256;

-- How long a device may be silent: as long as it is expected to, else twice the longest of its last ten gaps and an hour at
-- least, from three captures on. allowed_us is in microseconds; 0 where nothing is expected.
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

-- Who listens on channel tftpsql hears of each capture when it is committed.
CREATE FUNCTION tftpsql_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  d record;
BEGIN
  SELECT site, name, captures INTO d FROM devices WHERE id = NEW.device_id;
  PERFORM pg_notify('tftpsql', json_build_object('id', NEW.id, 'uid', NEW.uid, 'site', d.site, 'device', d.name, 'changed', NEW.changed,
    'complete', NEW.complete, 'new_device', d.captures = 0, 'received_at', to_char(NEW.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER tftpsql_notify AFTER INSERT ON captures FOR EACH ROW EXECUTE FUNCTION tftpsql_notify();
