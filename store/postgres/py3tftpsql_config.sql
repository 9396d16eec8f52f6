SELECT coalesce(config::text, '') FROM backups WHERE ctid = CAST($1::text AS tid);
