SELECT CASE WHEN tftpsql_wanted(?2, body) THEN body END FROM contents WHERE sha256 = ?1
