-- Marks the file as ours: "s2as". A file with another mark is never written to.
PRAGMA application_id = 0x73326173;

-- One row an exchange, written when it has ended. Times are epoch ms, durations ms.
-- Tokens are in disjoint buckets; all five are null when the upstream reported none.
CREATE TABLE exchanges (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  started_at INTEGER NOT NULL,
  protocol TEXT NOT NULL,
  stream INTEGER NOT NULL,
  key TEXT NOT NULL,
  model TEXT NOT NULL,
  session TEXT NOT NULL,
  account TEXT,
  upstream_model TEXT,
  upstream_protocol TEXT,
  attempts TEXT NOT NULL,
  status INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  error TEXT,
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  waited_ms REAL NOT NULL,
  first_byte_ms REAL,
  took_ms REAL NOT NULL,
  bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL
) STRICT;

CREATE INDEX exchanges_by_time ON exchanges (started_at);

-- What the pool remembers over a restart.
CREATE TABLE state (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  expires_at REAL NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX state_by_end ON state (expires_at);

PRAGMA user_version = 1;
