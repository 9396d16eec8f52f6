-- As schema/postgres/0012_ending.up.sql.
ALTER TABLE captures ADD COLUMN ending text NOT NULL DEFAULT '';
CREATE INDEX captures_ending ON captures (device_id, kind, ending, received_at, uid) WHERE ending <> '';
