SELECT c.filename, t.body FROM captures c JOIN contents t ON t.sha256 = c.sha256 WHERE c.filename >= $1 AND c.filename < $2
