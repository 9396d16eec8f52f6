CREATE OR REPLACE VIEW capture_log AS
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
