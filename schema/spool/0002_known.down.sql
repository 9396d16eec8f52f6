DROP TABLE known;
