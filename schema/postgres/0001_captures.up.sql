-- py3tftpsql keeps its rows in an ordinary table named backups. That name becomes a view below, so the table moves
-- aside, with every row in it.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass('backups') AND relkind IN ('r', 'p')
             AND relnamespace = current_schema()::regnamespace) THEN
    ALTER TABLE backups RENAME TO backups_py3tftpsql;
    RAISE NOTICE 'the table backups that was here is now named backups_py3tftpsql, with all its rows';
  END IF;
END
$$;

-- One row a body, however often it was sent. encoding says what the bytes are: utf-8, latin-1 or binary (they hold NUL).
-- latin1 is for SQLite, which has no function that decodes Latin-1; here it stays NULL.
CREATE TABLE contents (
  sha256   bytea  PRIMARY KEY CHECK (octet_length(sha256) = 32),
  size     bigint NOT NULL,
  encoding text   COLLATE "C" NOT NULL CHECK (encoding IN ('utf-8', 'latin-1', 'binary')),
  latin1   text   COLLATE "C" CHECK (latin1 IS NULL),
  body     bytea  NOT NULL
);

-- owner is the source that holds a name which is not from the configuration; empty where the name is from one.
-- Everything from source on is what the newest capture (last_seen, last_uid) says.
CREATE TABLE devices (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  site        text        COLLATE "C" NOT NULL,
  name        text        COLLATE "C" NOT NULL CHECK (name <> ''),
  named_by    text        COLLATE "C" NOT NULL CHECK (named_by IN ('config', 'filename', 'source')),
  owner       text        COLLATE "C" NOT NULL,
  first_seen  timestamptz NOT NULL,
  last_change timestamptz NOT NULL,
  captures    bigint      NOT NULL,
  changes     bigint      NOT NULL,
  source      text        COLLATE "C" NOT NULL,
  platform    text        COLLATE "C" NOT NULL,
  model       text        COLLATE "C" NOT NULL,
  os_version  text        COLLATE "C" NOT NULL,
  build       text        COLLATE "C" NOT NULL,
  serial      text        COLLATE "C" NOT NULL,
  complete    boolean     NOT NULL,
  last_seen   timestamptz NOT NULL,
  last_uid    text        COLLATE "C" NOT NULL,
  UNIQUE (site, name)
);
CREATE INDEX devices_name ON devices (name);

-- One row a transfer, never updated but for changed. fingerprint is what two captures of a device are compared by, made
-- by the rules of that number (0: the SHA-256 of the bytes themselves).
CREATE TABLE captures (
  id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  uid           text        COLLATE "C" NOT NULL UNIQUE,
  received_at   timestamptz NOT NULL,
  source        text        COLLATE "C" NOT NULL,
  source_port   bigint      NOT NULL,
  local_address text        COLLATE "C" NOT NULL,
  filename      text        COLLATE "C" NOT NULL,
  mode          text        COLLATE "C" NOT NULL,
  options       text        COLLATE "C" NOT NULL,
  duration_us   bigint      NOT NULL,
  device_id     bigint      NOT NULL REFERENCES devices,
  kind          text        COLLATE "C" NOT NULL,
  sha256        bytea       NOT NULL REFERENCES contents,
  fingerprint   bytea       NOT NULL,
  rules         bigint      NOT NULL,
  changed       boolean     NOT NULL,
  complete      boolean     NOT NULL
);
CREATE INDEX captures_received ON captures (received_at, uid);
CREATE INDEX captures_device ON captures (device_id, received_at, uid);
CREATE INDEX captures_kind ON captures (device_id, kind, received_at, uid);
CREATE INDEX captures_changed ON captures (device_id, received_at) WHERE changed;
CREATE INDEX captures_source ON captures (source, device_id);
CREATE INDEX captures_filename ON captures (filename, source, received_at, uid);
CREATE INDEX captures_content ON captures (sha256);

-- What tftpsql log prints: a row a capture, without its body.
CREATE VIEW capture_log AS
  SELECT c.id, c.uid, c.received_at, d.site, d.name AS device, d.platform, c.kind, c.source, c.filename, c.mode, t.size,
         encode(c.sha256, 'hex')::text AS sha256, c.changed, c.complete, c.device_id
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;

-- The captures in which something changed.
CREATE VIEW changes AS
  SELECT id, uid, received_at, site, device, platform, kind, source, filename, mode, size, sha256, changed, complete
    FROM capture_log WHERE changed;

-- What py3tftpsql's readers use: SELECT config FROM backups WHERE hostname = 'fw1'. config is NULL where the bytes hold
-- NUL and so are no text.
CREATE VIEW backups AS
  SELECT c.id, c.uid, d.site, d.name AS hostname, c.received_at, c.source, c.filename, c.kind, c.complete, c.changed,
         t.size, encode(c.sha256, 'hex')::text AS sha256,
         (CASE t.encoding WHEN 'utf-8' THEN convert_from(t.body, 'UTF8') WHEN 'latin-1' THEN convert_from(t.body, 'LATIN1') END)::text AS config
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;

-- Who could read py3tftpsql's table can read the view.
DO $$
DECLARE
  reader text;
BEGIN
  FOR reader IN SELECT CASE grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(grantee) END
                  FROM information_schema.role_table_grants
                 WHERE table_schema = current_schema() AND table_name = 'backups_py3tftpsql' AND privilege_type = 'SELECT'
  LOOP
    EXECUTE 'GRANT SELECT ON backups TO ' || reader;
  END LOOP;
END
$$;
