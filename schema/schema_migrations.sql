-- golang-migrate's own table, which no migration of ours creates: declared here so that sqlc knows it.
CREATE TABLE schema_migrations (
  version bigint  NOT NULL,
  dirty   boolean NOT NULL
);
