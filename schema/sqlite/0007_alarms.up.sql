-- The same tables as schema/postgres/0008_alarms.up.sql, where their comments stand.

CREATE TABLE events (
  id         integer   PRIMARY KEY AUTOINCREMENT,
  at         timestamp NOT NULL,
  kind       text        NOT NULL,
  site       text        NOT NULL,
  device_id  bigint,
  capture_id bigint,
  since      timestamp NOT NULL,
  detail     text        NOT NULL,
  handed     boolean     NOT NULL
);
CREATE INDEX events_waiting ON events (id) WHERE NOT handed;
CREATE INDEX events_at ON events (at);
CREATE TABLE alarms (
  kind      text        NOT NULL,
  device_id bigint      NOT NULL,
  site      text        NOT NULL,
  since     timestamp NOT NULL,
  told_at   timestamp NOT NULL,
  PRIMARY KEY (kind, device_id)
);

CREATE TABLE channels (
  name         text        NOT NULL PRIMARY KEY CHECK (name <> ''),
  url          text        NOT NULL,
  secret       text        NOT NULL,
  kinds        text        NOT NULL,
  scope        text        NOT NULL,
  quiet        text        NOT NULL,
  batch_us     bigint      NOT NULL,
  full_diff    boolean     NOT NULL,
  digest       boolean     NOT NULL,
  created_at   timestamp NOT NULL,
  paused_until timestamp NOT NULL,
  disabled     text        NOT NULL,
  digest_at    timestamp NOT NULL,
  ok_at        timestamp NOT NULL,
  error_at     timestamp NOT NULL,
  error        text        NOT NULL
);
CREATE TABLE deliveries (
  channel      text        NOT NULL REFERENCES channels ON DELETE CASCADE,
  event_id     bigint      NOT NULL,
  kind         text        NOT NULL,
  site         text        NOT NULL,
  message      text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('waiting', 'sent', 'given up')),
  attempts     bigint      NOT NULL,
  next_try     timestamp NOT NULL,
  leased_until timestamp NOT NULL,
  recipients   text        NOT NULL,
  error        text        NOT NULL,
  ended_at     timestamp NOT NULL,
  PRIMARY KEY (channel, event_id)
);
CREATE INDEX deliveries_due ON deliveries (channel, next_try) WHERE state = 'waiting';
CREATE INDEX deliveries_new ON deliveries (channel, kind, site) WHERE message = '';
CREATE INDEX deliveries_event ON deliveries (event_id);
CREATE INDEX deliveries_message ON deliveries (message);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE state <> 'waiting';
CREATE TABLE watch (
  id       bigint      NOT NULL PRIMARY KEY CHECK (id = 1),
  ready_at timestamp NOT NULL
);
CREATE TABLE downtimes (
  began timestamp NOT NULL PRIMARY KEY,
  ended timestamp NOT NULL
);

CREATE INDEX devices_expected ON devices (id) WHERE expected_us > 0;
