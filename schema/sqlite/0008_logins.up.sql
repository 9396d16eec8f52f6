-- The same tables as schema/postgres/0009_logins.up.sql, where their comments stand.

CREATE TABLE logins (
  name       text        NOT NULL PRIMARY KEY CHECK (name <> ''),
  site       text        NOT NULL,
  password   text        NOT NULL,
  created_at timestamp NOT NULL,
  used_at    timestamp NOT NULL
);
CREATE TABLE login_keys (
  login text NOT NULL REFERENCES logins ON DELETE CASCADE,
  key   text NOT NULL,
  PRIMARY KEY (login, key)
);

CREATE TABLE host_keys (
  algorithm  text        NOT NULL PRIMARY KEY,
  pem        text        NOT NULL,
  created_at timestamp NOT NULL
);
