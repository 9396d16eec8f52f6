CREATE TABLE published (
  name         text      NOT NULL PRIMARY KEY,
  sha256       blob      NOT NULL REFERENCES contents,
  description  text      NOT NULL,
  allowed      text      NOT NULL,
  once         boolean   NOT NULL,
  published_at timestamp NOT NULL,
  expires_at   timestamp NOT NULL,
  fetches      bigint    NOT NULL,
  fetched_by   text      NOT NULL,
  fetched_at   timestamp NOT NULL
);
CREATE INDEX published_content ON published (sha256);
