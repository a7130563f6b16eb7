-- The ledger's first form. Times are milliseconds since the epoch, UTC; digests are hexadecimal text;
-- JSON is opaque text: what is queried has a column.

-- What happened and was decided, in order. The state is the fold of these rows; every other table but
-- inbox, raw and blobs can be made again from them. crc is the CRC-32 of the row's other columns.
CREATE TABLE facts (
  seq  INTEGER PRIMARY KEY,
  at   INTEGER NOT NULL,
  kind TEXT NOT NULL,
  form INTEGER NOT NULL,
  body TEXT NOT NULL,
  crc  INTEGER NOT NULL
);

-- States up to a fact, as gzipped lines of facts. A speed-up only.
CREATE TABLE snapshots (
  seq  INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);

-- Bytes that were acknowledged and are not yet understood. state counts the times that somebody began to
-- read a row that was left: bytes that bring the server down are put aside instead of being tried for ever.
CREATE TABLE inbox (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  received  INTEGER NOT NULL,
  tool      TEXT NOT NULL,
  principal TEXT NOT NULL,
  body      BLOB NOT NULL,
  state     INTEGER NOT NULL
);

-- Bytes that were put aside: the first 64 KiB and the whole size. seq is the fact that says so.
CREATE TABLE quarantine (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  inbox  INTEGER,
  host   TEXT,
  digest TEXT NOT NULL,
  reason TEXT NOT NULL,
  head   BLOB NOT NULL,
  size   INTEGER NOT NULL
);
CREATE INDEX quarantine_by_host ON quarantine (host, seq);
CREATE INDEX quarantine_by_at ON quarantine (at);

-- One row a run; the run itself is the fact of that number.
CREATE TABLE runs (
  id          INTEGER PRIMARY KEY,
  seq         INTEGER NOT NULL REFERENCES facts (seq),
  host        TEXT NOT NULL,
  tool        TEXT NOT NULL,
  tool_run_id TEXT NOT NULL,
  digest      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  started     INTEGER NOT NULL,
  received    INTEGER NOT NULL,
  change      INTEGER,
  first       INTEGER NOT NULL,
  UNIQUE (host, tool, tool_run_id)
);
CREATE INDEX runs_by_host ON runs (host, id);
CREATE INDEX runs_by_change ON runs (change, id) WHERE change IS NOT NULL;

-- Every Change as it stands, also those that the state no longer holds.
CREATE TABLE changes (
  id       INTEGER PRIMARY KEY,
  class    TEXT NOT NULL,
  release  TEXT,
  opened   INTEGER NOT NULL,
  standing TEXT NOT NULL,
  outcome  TEXT,
  form     INTEGER NOT NULL,
  body     TEXT NOT NULL
);
CREATE INDEX changes_by_class ON changes (class, id);

-- The audit. seq and fact are the number and the kind of the fact a line comes from.
CREATE TABLE notes (
  seq   INTEGER PRIMARY KEY,
  at    INTEGER NOT NULL,
  kind  TEXT NOT NULL,
  fact  TEXT NOT NULL,
  actor TEXT NOT NULL,
  host  TEXT,
  text  TEXT NOT NULL
);
CREATE INDEX notes_by_kind ON notes (kind, seq);

-- The outbox, with everything it ever sent or gave up. state: waiting, done, discarded, dead.
CREATE TABLE effects (
  id         INTEGER PRIMARY KEY,
  about      TEXT NOT NULL,
  receiver   TEXT NOT NULL,
  asked      INTEGER NOT NULL,
  attempts   INTEGER NOT NULL,
  next_try   INTEGER NOT NULL,
  last_error TEXT,
  state      TEXT NOT NULL,
  closed     INTEGER
);
CREATE INDEX effects_by_state ON effects (state, id);

-- Evidence by hash, gzipped.
CREATE TABLE blobs (
  digest TEXT PRIMARY KEY,
  at     INTEGER NOT NULL,
  body   BLOB NOT NULL
);
CREATE INDEX blobs_by_at ON blobs (at);

-- Reports as they came, gzipped, within limits of age and room.
CREATE TABLE raw (
  digest TEXT PRIMARY KEY,
  at     INTEGER NOT NULL,
  tool   TEXT NOT NULL,
  size   INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  body   BLOB NOT NULL
);
CREATE INDEX raw_by_at ON raw (at, stored);

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
