-- How a capture ends that lacks the end that its platform writes, as a hash; blank where it has that end, where it is
-- cut off for certain, and in captures from before this column. What always ends like that is whole.
ALTER TABLE captures ADD COLUMN ending text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX captures_ending ON captures (device_id, kind, ending, received_at, uid) WHERE ending <> '';
