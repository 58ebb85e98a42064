/** Migrations of the store: each runs once, in order. */
export const TABLES = [
  `CREATE TABLE record (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     kind TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     body TEXT NOT NULL,
     batch TEXT,
     sent INTEGER NOT NULL DEFAULT 0
   );
   CREATE INDEX record_unsent ON record (seq) WHERE sent = 0;
   CREATE TABLE version (
     version TEXT PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     by TEXT NOT NULL,
     body TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE approval (
     id TEXT PRIMARY KEY,
     digest TEXT NOT NULL,
     principal TEXT NOT NULL,
     asker TEXT NOT NULL,
     action TEXT NOT NULL,
     resource TEXT NOT NULL,
     context TEXT NOT NULL,
     reason TEXT NOT NULL,
     state TEXT NOT NULL,
     requested_ms INTEGER NOT NULL,
     until_ms INTEGER NOT NULL,
     decided_by TEXT,
     decided_ms INTEGER,
     note TEXT,
     single INTEGER NOT NULL DEFAULT 1,
     uses INTEGER NOT NULL DEFAULT 0
   ) WITHOUT ROWID;
   CREATE UNIQUE INDEX approval_open ON approval (digest) WHERE state IN ('pending', 'approved');
   CREATE INDEX approval_until ON approval (until_ms) WHERE state IN ('pending', 'approved');
   CREATE TABLE permit (
     id TEXT PRIMARY KEY,
     holder TEXT NOT NULL,
     asker TEXT NOT NULL,
     faults TEXT NOT NULL,
     subjects TEXT NOT NULL,
     decision TEXT NOT NULL,
     state TEXT NOT NULL,
     from_ms INTEGER NOT NULL,
     until_ms INTEGER NOT NULL,
     ended_ms INTEGER
   ) WITHOUT ROWID;`,
] as const;
