DROP TRIGGER tftpsql_notify ON captures;
DROP FUNCTION tftpsql_notify();
DROP VIEW overdue_devices;
DROP VIEW device_rhythms;
DROP VIEW current_configs;
DROP VIEW current_captures;
DROP VIEW changes;
DROP VIEW capture_log;
DROP TABLE failures;
DROP TABLE aliases;
ALTER TABLE devices DROP COLUMN retired, DROP COLUMN expected_us;
DROP INDEX captures_device_source;
ALTER TABLE captures DROP COLUMN platform, DROP COLUMN model, DROP COLUMN os_version, DROP COLUMN serial, DROP COLUMN changed_by,
  DROP COLUMN exported_by;
CREATE VIEW capture_log AS
  SELECT c.id, c.uid, c.received_at, d.site, d.name AS device, d.platform, c.kind, c.source, c.filename, c.mode, t.size,
         encode(c.sha256, 'hex')::text AS sha256, c.changed, c.complete, c.device_id
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;
CREATE VIEW changes AS
  SELECT id, uid, received_at, site, device, platform, kind, source, filename, mode, size, sha256, changed, complete
    FROM capture_log WHERE changed;
