-- The same tables as schema/postgres/0001_captures.up.sql, where their comments stand; what differs is said here.

CREATE TABLE contents (
  sha256   blob   NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
  size     bigint NOT NULL,
  encoding text   NOT NULL CHECK (encoding IN ('utf-8', 'latin-1', 'binary')),
  latin1   text   CHECK ((latin1 IS NOT NULL) = (encoding = 'latin-1')),
  body     blob   NOT NULL
);

CREATE TABLE devices (
  id          integer   PRIMARY KEY,
  site        text      NOT NULL,
  name        text      NOT NULL CHECK (name <> ''),
  named_by    text      NOT NULL CHECK (named_by IN ('config', 'filename', 'source')),
  owner       text      NOT NULL,
  first_seen  timestamp NOT NULL,
  last_change timestamp NOT NULL,
  captures    bigint    NOT NULL,
  changes     bigint    NOT NULL,
  source      text      NOT NULL,
  platform    text      NOT NULL,
  model       text      NOT NULL,
  os_version  text      NOT NULL,
  build       text      NOT NULL,
  serial      text      NOT NULL,
  complete    boolean   NOT NULL,
  last_seen   timestamp NOT NULL,
  last_uid    text      NOT NULL,
  UNIQUE (site, name)
);
CREATE INDEX devices_name ON devices (name);

CREATE TABLE captures (
  id            integer   PRIMARY KEY AUTOINCREMENT, -- an id that was printed once never names another capture
  uid           text      NOT NULL UNIQUE,
  received_at   timestamp NOT NULL,
  source        text      NOT NULL,
  source_port   bigint    NOT NULL,
  local_address text      NOT NULL,
  filename      text      NOT NULL,
  mode          text      NOT NULL,
  options       text      NOT NULL,
  duration_us   bigint    NOT NULL,
  device_id     bigint    NOT NULL REFERENCES devices,
  kind          text      NOT NULL,
  sha256        blob      NOT NULL REFERENCES contents,
  fingerprint   blob      NOT NULL,
  rules         bigint    NOT NULL,
  changed       boolean   NOT NULL,
  complete      boolean   NOT NULL
);
CREATE INDEX captures_received ON captures (received_at, uid);
CREATE INDEX captures_device ON captures (device_id, received_at, uid);
CREATE INDEX captures_kind ON captures (device_id, kind, received_at, uid);
CREATE INDEX captures_changed ON captures (device_id, received_at) WHERE changed;
CREATE INDEX captures_source ON captures (source, device_id);
CREATE INDEX captures_filename ON captures (filename, source, received_at, uid);
CREATE INDEX captures_content ON captures (sha256);

CREATE VIEW capture_log AS
  SELECT c.id, c.uid, c.received_at, d.site, d.name AS device, d.platform, c.kind, c.source, c.filename, c.mode, t.size,
         CAST(lower(hex(c.sha256)) AS text) AS sha256, c.changed, c.complete, c.device_id
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;

CREATE VIEW changes AS
  SELECT id, uid, received_at, site, device, platform, kind, source, filename, mode, size, sha256, changed, complete
    FROM capture_log WHERE changed;

CREATE VIEW backups AS
  SELECT c.id, c.uid, d.site, d.name AS hostname, c.received_at, c.source, c.filename, c.kind, c.complete, c.changed,
         t.size, CAST(lower(hex(c.sha256)) AS text) AS sha256,
         CAST(CASE t.encoding WHEN 'utf-8' THEN CAST(t.body AS text) WHEN 'latin-1' THEN t.latin1 END AS text) AS config
    FROM captures c JOIN devices d ON d.id = c.device_id JOIN contents t ON t.sha256 = c.sha256;
