-- What may be done once only, and what is worth showing as it happens.

-- Requests that came with a key, so that one that is sent again does nothing again. request is the digest of what was
-- asked; none where it held a secret. status is none until there is an answer, and body none where the answer is not kept.
CREATE TABLE once (
  who     TEXT NOT NULL,
  key     TEXT NOT NULL,
  at      INTEGER NOT NULL,
  request TEXT,
  status  INTEGER,
  body    BLOB,
  PRIMARY KEY (who, key)
) WITHOUT ROWID;
CREATE INDEX once_by_at ON once (at);

-- What happened that is worth showing, in plain words, by the number of the fact that says so. It begins with this form
-- of the ledger.
CREATE TABLE news (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  class  TEXT,
  host   TEXT,
  change TEXT,
  hold   TEXT,
  text   TEXT NOT NULL
);
CREATE INDEX news_by_class ON news (class, seq);
CREATE INDEX news_by_host ON news (host, seq);
