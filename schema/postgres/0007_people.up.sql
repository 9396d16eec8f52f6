-- People and programs that read the page and the API.

-- A scope is a set of sites, named by them as a JSON array. What is bound to no site has the scope '', which has no
-- rows. Scopes are never changed, so users, sessions and tokens share them.
CREATE TABLE scopes (
  name text NOT NULL CHECK (name <> ''),
  site text NOT NULL,
  PRIMARY KEY (name, site)
);

CREATE TABLE users (
  name       text        NOT NULL PRIMARY KEY CHECK (name <> ''),
  role       text        NOT NULL CHECK (role IN ('viewer', 'reader', 'operator', 'admin')),
  scope      text        NOT NULL,
  password   text        NOT NULL, -- argon2id with its parameters; '' for a user that logs in another way
  created_at timestamptz NOT NULL
);

-- A session is a login, or a link that makes one, once. A user's session has the role and the scope of the user, as
-- they are now; any other has those that it was made with.
CREATE TABLE sessions (
  sha256     bytea       NOT NULL PRIMARY KEY, -- of the secret, which is stored nowhere
  kind       text        NOT NULL CHECK (kind IN ('link', 'login')),
  user_name  text        REFERENCES users ON DELETE CASCADE,
  name       text        NOT NULL,
  role       text        NOT NULL CHECK (role IN ('viewer', 'reader', 'operator', 'admin')),
  scope      text        NOT NULL,
  created_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL, -- to a minute
  expires_at timestamptz NOT NULL,
  source     text        NOT NULL,
  agent      text        NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_user ON sessions (user_name);

CREATE TABLE tokens (
  name       text        NOT NULL PRIMARY KEY CHECK (name <> ''),
  sha256     bytea       NOT NULL UNIQUE,
  role       text        NOT NULL CHECK (role IN ('uploader', 'viewer', 'reader', 'operator', 'admin')),
  scope      text        NOT NULL,
  created_by text        NOT NULL,
  created_at timestamptz NOT NULL,
  used_at    timestamptz NOT NULL, -- to a minute; when it was made, if never
  expires_at timestamptz NOT NULL
);

-- Who saw a secret or did something, from where.
CREATE TABLE audits (
  id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at     timestamptz NOT NULL,
  name   text        NOT NULL,
  role   text        NOT NULL,
  source text        NOT NULL,
  action text        NOT NULL,
  site   text,                 -- of what it was done to; NULL where that has no site
  object text        NOT NULL,
  detail text        NOT NULL
);
CREATE INDEX audits_at ON audits (at);

-- The site of the device that a published file is of; NULL for a file of the operator's.
ALTER TABLE published ADD COLUMN site text;

-- A link from another system names a device by its address.
CREATE INDEX devices_source ON devices (source);
