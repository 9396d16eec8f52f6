-- The same tables as schema/postgres/0007_people.up.sql, where their comments stand.

CREATE TABLE scopes (
  name text NOT NULL CHECK (name <> ''),
  site text NOT NULL,
  PRIMARY KEY (name, site)
);

CREATE TABLE users (
  name       text      NOT NULL PRIMARY KEY CHECK (name <> ''),
  role       text      NOT NULL CHECK (role IN ('viewer', 'reader', 'operator', 'admin')),
  scope      text      NOT NULL,
  password   text      NOT NULL,
  created_at timestamp NOT NULL
);

CREATE TABLE sessions (
  sha256     blob      NOT NULL PRIMARY KEY,
  kind       text      NOT NULL CHECK (kind IN ('link', 'login')),
  user_name  text      REFERENCES users ON DELETE CASCADE,
  name       text      NOT NULL,
  role       text      NOT NULL CHECK (role IN ('viewer', 'reader', 'operator', 'admin')),
  scope      text      NOT NULL,
  created_at timestamp NOT NULL,
  seen_at    timestamp NOT NULL,
  expires_at timestamp NOT NULL,
  source     text      NOT NULL,
  agent      text      NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_user ON sessions (user_name);

CREATE TABLE tokens (
  name       text      NOT NULL PRIMARY KEY CHECK (name <> ''),
  sha256     blob      NOT NULL UNIQUE,
  role       text      NOT NULL CHECK (role IN ('uploader', 'viewer', 'reader', 'operator', 'admin')),
  scope      text      NOT NULL,
  created_by text      NOT NULL,
  created_at timestamp NOT NULL,
  used_at    timestamp NOT NULL,
  expires_at timestamp NOT NULL
);

CREATE TABLE audits (
  id     integer   PRIMARY KEY AUTOINCREMENT,
  at     timestamp NOT NULL,
  name   text      NOT NULL,
  role   text      NOT NULL,
  source text      NOT NULL,
  action text      NOT NULL,
  site   text,
  object text      NOT NULL,
  detail text      NOT NULL
);
CREATE INDEX audits_at ON audits (at);

ALTER TABLE published ADD COLUMN site text;

-- A link from another system names a device by its address.
CREATE INDEX devices_source ON devices (source);
