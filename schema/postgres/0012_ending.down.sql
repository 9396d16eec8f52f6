DROP INDEX captures_ending;
ALTER TABLE captures DROP COLUMN ending;
