/** One row for each file and project that was judged, and what was found in it. */
export const SCAN_TABLES = `
CREATE TABLE judged (
  root TEXT NOT NULL, origin TEXT NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (root, origin)
) WITHOUT ROWID;
CREATE TABLE findings (
  root TEXT NOT NULL, origin TEXT NOT NULL, signature TEXT NOT NULL, file TEXT NOT NULL, kind TEXT NOT NULL, rule TEXT NOT NULL,
  severity TEXT NOT NULL, message TEXT NOT NULL, line INTEGER NOT NULL, column INTEGER NOT NULL, places INTEGER NOT NULL,
  PRIMARY KEY (root, origin, signature)
) WITHOUT ROWID;
CREATE INDEX findings_signature ON findings (signature);
CREATE INDEX findings_file ON findings (root, file, rule);
CREATE TABLE scans (
  id TEXT PRIMARY KEY, root TEXT NOT NULL, atMs INTEGER NOT NULL, summary TEXT NOT NULL
) WITHOUT ROWID;
`;
