DROP INDEX devices_source;
ALTER TABLE published DROP COLUMN site;
DROP TABLE audits;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE scopes;
