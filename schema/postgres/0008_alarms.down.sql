DROP INDEX devices_expected;
DROP TABLE downtimes;
DROP TABLE watch;
DROP TABLE deliveries;
DROP TABLE channels;
DROP TABLE alarms;
DROP TABLE events;
