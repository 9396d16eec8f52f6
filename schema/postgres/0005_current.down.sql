DROP VIEW current_log;
CREATE OR REPLACE VIEW current_configs AS
  SELECT c.id, c.uid, d.site, d.name AS hostname, c.received_at, c.source, c.filename, c.kind, c.platform, c.model, c.os_version,
         c.serial, t.size, encode(c.sha256, 'hex')::text AS sha256,
         (CASE t.encoding WHEN 'utf-8' THEN convert_from(t.body, 'UTF8') WHEN 'latin-1' THEN convert_from(t.body, 'LATIN1') END)::text AS config
    FROM current_captures k JOIN captures c ON c.id = k.capture_id JOIN devices d ON d.id = c.device_id
    JOIN contents t ON t.sha256 = c.sha256;
