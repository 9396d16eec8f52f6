UPDATE devices SET captures = captures + 1, changes = changes + 1, last_change = $2, last_seen = $2, last_uid = $3 WHERE id = $1
