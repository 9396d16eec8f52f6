SELECT filename, sha256 FROM captures WHERE filename >= ?1 AND filename < ?2
