/**
 * memory         what was said, by whom, when, and how far it is trusted
 * memory_words   full text of the content words; contentless: the text itself stands in `memory`
 * memory_vector  one vector a memory, with the embedder that made it
 * link           relations between memories; gone with either end
 */
export const migrations: readonly string[] = [
  `CREATE TABLE memory (
     rowid INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     namespace TEXT NOT NULL,
     kind TEXT NOT NULL,
     source TEXT NOT NULL,
     text TEXT NOT NULL,
     trust REAL NOT NULL,
     tags TEXT NOT NULL,
     at_ms INTEGER NOT NULL
   );
   CREATE INDEX memory_by_namespace ON memory (namespace);
   CREATE INDEX memory_by_age ON memory (namespace, at_ms);
   CREATE INDEX memory_by_source ON memory (source, namespace);
   CREATE VIRTUAL TABLE memory_words USING fts5(words, tags, content='', contentless_delete=1, tokenize='porter unicode61');
   CREATE TABLE memory_vector (
     rowid INTEGER PRIMARY KEY REFERENCES memory (rowid) ON DELETE CASCADE,
     embedder TEXT NOT NULL,
     vector BLOB NOT NULL
   );
   CREATE INDEX memory_vector_by_embedder ON memory_vector (embedder);
   CREATE TABLE link (
     from_row INTEGER NOT NULL REFERENCES memory (rowid) ON DELETE CASCADE,
     to_row INTEGER NOT NULL REFERENCES memory (rowid) ON DELETE CASCADE,
     relation TEXT NOT NULL,
     PRIMARY KEY (from_row, to_row, relation)
   ) WITHOUT ROWID;
   CREATE INDEX link_back ON link (to_row);`,
];
