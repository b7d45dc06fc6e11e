-- Logins of accounts, sealed: the store cannot read them. Each renewal makes the version one higher.
CREATE TABLE logins (
  account TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  sealed TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may renew an account's login now. ends_at is epoch ms by this host's clock.
CREATE TABLE login_claims (
  account TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  length_ms REAL NOT NULL,
  ends_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
