/** `audio` holds what was heard until its turn has ended, so that a turn which was promised can be ended by a later life. */
export const SESSION_TABLES = `
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, mode TEXT NOT NULL, language TEXT NOT NULL, token_hash BLOB NOT NULL, socket INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL, closed_ms INTEGER, closed_why TEXT, audio_ms INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX open_sessions ON sessions (used_ms) WHERE closed_ms IS NULL;
  CREATE TABLE turns (
    session TEXT NOT NULL, turn INTEGER NOT NULL, key TEXT, kind TEXT NOT NULL, state TEXT NOT NULL, at_ms INTEGER NOT NULL,
    start_ms INTEGER, end_ms INTEGER, cut TEXT, audio_sha256 TEXT, audio BLOB, text TEXT, intent TEXT, answer TEXT, suggestion TEXT,
    calls TEXT, ms INTEGER, error TEXT, PRIMARY KEY (session, turn)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX turn_keys ON turns (session, key) WHERE key IS NOT NULL;
  CREATE INDEX open_turns ON turns (session, turn) WHERE state = 'accepted';
`;
