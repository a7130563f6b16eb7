-- What hosts are offered, and the texts that contents are the digests of.

-- The query of the request by which bytes came: at some doors it says what they are.
ALTER TABLE inbox ADD COLUMN head TEXT NOT NULL DEFAULT '';

-- Texts of contents by the contents' digest, without secrets, gzipped, within limits of age and room. at is when
-- one was last offered, by the day or so. size is that of the text.
CREATE TABLE texts (
  digest TEXT PRIMARY KEY,
  at     INTEGER NOT NULL,
  size   INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  body   BLOB NOT NULL
);
CREATE INDEX texts_by_at ON texts (at, stored);

-- What each host was offered last: items is gzipped JSON, a list of [type, title, parameter, digest].
CREATE TABLE offers (
  host        TEXT PRIMARY KEY,
  at          INTEGER NOT NULL,
  environment TEXT,
  version     TEXT,
  run         TEXT,
  items       BLOB NOT NULL
);
CREATE INDEX offers_by_at ON offers (at);
