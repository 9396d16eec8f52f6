-- The table has neither time nor key: it is read as it lies on the disk, which is as it was written.
SELECT ctid::text, coalesce(hostname::text, ''), encode(sha256(convert_to(coalesce(config::text, ''), 'UTF8')), 'hex') FROM backups ORDER BY ctid;
