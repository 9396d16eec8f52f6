-- The rows of capture_log that current_captures names. Each is looked up by itself: LATERAL with OFFSET keeps the planner from joining,
-- since it takes a device to have ten kinds and so would read all captures and contents.
CREATE VIEW current_log AS
  SELECT l.* FROM current_captures k CROSS JOIN LATERAL (SELECT * FROM capture_log c WHERE c.id = k.capture_id OFFSET 0) AS l;

CREATE OR REPLACE VIEW current_configs AS
  SELECT b.* FROM current_captures k CROSS JOIN LATERAL (
    SELECT c.id, c.uid, d.site, d.name AS hostname, c.received_at, c.source, c.filename, c.kind, c.platform, c.model, c.os_version,
           c.serial, t.size, encode(c.sha256, 'hex')::text AS sha256,
           (CASE t.encoding WHEN 'utf-8' THEN convert_from(t.body, 'UTF8') WHEN 'latin-1' THEN convert_from(t.body, 'LATIN1') END)::text AS config
      FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256
     WHERE c.id = k.capture_id OFFSET 0) AS b;
