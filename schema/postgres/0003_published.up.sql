-- What may be fetched by TFTP under a name of its own, by whom (a prefix; empty for everybody who is served) and until when.
-- once: by the first source that fetches it alone, and by that only for a few minutes more.
CREATE TABLE published (
  name         text        COLLATE "C" PRIMARY KEY,
  sha256       bytea       NOT NULL REFERENCES contents,
  description  text        COLLATE "C" NOT NULL,
  allowed      text        COLLATE "C" NOT NULL,
  once         boolean     NOT NULL,
  published_at timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  fetches      bigint      NOT NULL,
  fetched_by   text        COLLATE "C" NOT NULL,
  fetched_at   timestamptz NOT NULL
);
CREATE INDEX published_content ON published (sha256);
