INSERT INTO contents (sha256, size, encoding, latin1, body) VALUES ($1, $2, 'utf-8', NULL, $3) ON CONFLICT (sha256) DO NOTHING
