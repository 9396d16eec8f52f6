DROP VIEW backups;
DROP VIEW changes;
DROP VIEW capture_log;
DROP TABLE captures;
DROP TABLE devices;
DROP TABLE contents;
