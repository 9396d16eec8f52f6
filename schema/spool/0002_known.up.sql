-- What was found in PostgreSQL and is wanted while it is away: logins, their keys, tokens by the hash of their secrets, host keys.
-- value is JSON.
CREATE TABLE known (
  kind  text NOT NULL,
  key   blob NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (kind, key)
);
