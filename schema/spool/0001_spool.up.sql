-- The spool: captures that wait for PostgreSQL, each with its body, and those that it refused for good. capture is JSON: all that
-- is known of it but the body.
CREATE TABLE waiting (
  id          integer   PRIMARY KEY AUTOINCREMENT,
  uid         text      NOT NULL UNIQUE,
  received_at timestamp NOT NULL,
  site        text      NOT NULL,
  name        text      NOT NULL,
  source      text      NOT NULL,
  filename    text      NOT NULL,
  size        bigint    NOT NULL,
  capture     text      NOT NULL,
  refused     text      NOT NULL, -- why the database refused it; empty while it waits
  body        blob      NOT NULL
);
CREATE INDEX waiting_refused ON waiting (refused, id);
CREATE INDEX waiting_source ON waiting (source, filename, received_at);
