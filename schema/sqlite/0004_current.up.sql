-- The rows of capture_log that current_captures names. CROSS JOIN holds SQLite to this order.
CREATE VIEW current_log AS
  SELECT l.* FROM current_captures k CROSS JOIN capture_log l ON l.id = k.capture_id;
