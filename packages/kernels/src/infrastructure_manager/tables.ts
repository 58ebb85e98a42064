/** Tables of the kernel's store, in the order they came. */
export const TABLES: readonly string[] = [
  'CREATE TABLE samples (seq INTEGER PRIMARY KEY, wall_ms REAL NOT NULL, sample TEXT NOT NULL)',
  // bad: why it is never restored from. restoring: files that are about to take another's place; ready: from here on it is ended, not undone.
  `CREATE TABLE snapshots (number INTEGER PRIMARY KEY, taken_ms REAL NOT NULL, bad TEXT);
  CREATE TABLE restoring (path TEXT PRIMARY KEY, staged TEXT NOT NULL, kind TEXT NOT NULL, ready INTEGER NOT NULL) WITHOUT ROWID`,
];
