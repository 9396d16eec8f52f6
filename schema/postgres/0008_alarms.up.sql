-- What has happened, and who is told.

-- An event is committed with what it is about, so none is lost. Nothing is changed in it but handed: whether its
-- deliveries are there.
CREATE TABLE events (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL,
  kind       text        NOT NULL,
  site       text        NOT NULL,
  device_id  bigint,               -- no foreign key: the device may be forgotten
  capture_id bigint,               -- likewise
  since      timestamptz NOT NULL, -- since when it is so: an overdue device was last heard of
  detail     text        NOT NULL,
  handed     boolean     NOT NULL
);
CREATE INDEX events_waiting ON events (id) WHERE NOT handed;
CREATE INDEX events_at ON events (at);

-- What is wrong now: one open row a kind and device, however many workers look.
CREATE TABLE alarms (
  kind      text        NOT NULL,
  device_id bigint      NOT NULL,
  site      text        NOT NULL, -- the device may be forgotten before it ends
  since     timestamptz NOT NULL,
  told_at   timestamptz NOT NULL, -- the last event about it
  PRIMARY KEY (kind, device_id)
);

CREATE TABLE channels (
  name         text        NOT NULL PRIMARY KEY CHECK (name <> ''),
  url          text        NOT NULL, -- it may hold secrets
  secret       text        NOT NULL, -- signs webhooks
  kinds        text        NOT NULL, -- separated by commas; '' for all
  scope        text        NOT NULL, -- of scopes; '' for all sites
  quiet        text        NOT NULL, -- when messages are held back
  batch_us     bigint      NOT NULL, -- how long a message waits for others; 0 for the usual time
  full_diff    boolean     NOT NULL, -- differences with secrets
  digest       boolean     NOT NULL,
  created_at   timestamptz NOT NULL,
  paused_until timestamptz NOT NULL,
  disabled     text        NOT NULL, -- why nothing is sent; '' where it is
  digest_at    timestamptz NOT NULL, -- of the last digest
  ok_at        timestamptz NOT NULL, -- the last message that was taken; created_at for none
  error_at     timestamptz NOT NULL, -- likewise
  error        text        NOT NULL
);

-- The outbox. Deliveries of one message have its number and go out together, at each attempt.
CREATE TABLE deliveries (
  channel      text        NOT NULL REFERENCES channels ON DELETE CASCADE,
  event_id     bigint      NOT NULL,
  kind         text        NOT NULL,
  site         text        NOT NULL,
  message      text        NOT NULL, -- '' until the first attempt
  state        text        NOT NULL CHECK (state IN ('waiting', 'sent', 'given up')),
  attempts     bigint      NOT NULL,
  next_try     timestamptz NOT NULL,
  leased_until timestamptz NOT NULL, -- a worker is sending it until then
  recipients   text        NOT NULL, -- of a mail, those that are left; '' for all
  error        text        NOT NULL,
  ended_at     timestamptz NOT NULL,
  PRIMARY KEY (channel, event_id)
);
CREATE INDEX deliveries_due ON deliveries (channel, next_try) WHERE state = 'waiting';
CREATE INDEX deliveries_new ON deliveries (channel, kind, site) WHERE message = '';
CREATE INDEX deliveries_event ON deliveries (event_id);
CREATE INDEX deliveries_message ON deliveries (message);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE state <> 'waiting';

-- When a worker was ready: time in which none was doesn't count as silence of devices.
CREATE TABLE watch (
  id       bigint      NOT NULL PRIMARY KEY CHECK (id = 1),
  ready_at timestamptz NOT NULL
);
CREATE TABLE downtimes (
  began timestamptz NOT NULL PRIMARY KEY,
  ended timestamptz NOT NULL
);

-- Devices for which an operator has said how often they must send are few.
CREATE INDEX devices_expected ON devices (id) WHERE expected_us > 0;
