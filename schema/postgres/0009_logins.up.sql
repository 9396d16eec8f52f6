-- Who may send by SSH, and what this host is to them.

CREATE TABLE logins (
  name       text        NOT NULL PRIMARY KEY CHECK (name <> ''),
  site       text        NOT NULL, -- of what it sends; '' for that of the file's name
  password   text        NOT NULL, -- argon2id with its parameters; '' for keys alone
  created_at timestamptz NOT NULL,
  used_at    timestamptz NOT NULL  -- to a minute; created_at for never
);
CREATE TABLE login_keys (
  login text NOT NULL REFERENCES logins ON DELETE CASCADE,
  key   text NOT NULL, -- as in authorized_keys, without a comment
  PRIMARY KEY (login, key)
);

-- Host keys are rows, so that many workers are one host.
CREATE TABLE host_keys (
  algorithm  text        NOT NULL PRIMARY KEY,
  pem        text        NOT NULL, -- the private key
  created_at timestamptz NOT NULL
);
