/**
 * memory         what was said, by whom, when, and how far it is trusted
 * memory_words   full text of the content words; contentless: the text itself stands in `memory`, from which the words follow
 * memory_vector  one vector a memory by the built-in embedder; missing ones are made anew
 * model_vector   one a memory by the endpoint, where one is configured; empty where it refused the text
 * model_call     what was asked of the endpoint; no text, since what is forgotten shall be gone
 * link           relations between memories; gone with either end
 * leaving        memories that are forgotten already and still to be wiped: a kill in between brings none of them back
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
  // A deleted row only got a mark in the full text, and a vector took four bytes a dimension. Both are made anew from `memory`.
  `DROP TABLE memory_words;
   DROP TABLE memory_vector;
   CREATE TABLE memory_vector (rowid INTEGER PRIMARY KEY REFERENCES memory (rowid) ON DELETE CASCADE, vector BLOB NOT NULL);
   CREATE INDEX memory_vector_rows ON memory_vector (rowid);
   CREATE TABLE model_vector (rowid INTEGER PRIMARY KEY REFERENCES memory (rowid) ON DELETE CASCADE, vector BLOB NOT NULL);
   CREATE TABLE model_call (
     id INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     purpose TEXT NOT NULL,
     texts INTEGER NOT NULL,
     characters INTEGER NOT NULL,
     took_ms INTEGER NOT NULL,
     outcome TEXT NOT NULL,
     detail TEXT NOT NULL
   );
   CREATE TABLE leaving (rowid INTEGER PRIMARY KEY REFERENCES memory (rowid) ON DELETE CASCADE);`,
];

/**
 * The full text, made where it is missing. With `secure-delete` the words of a deleted row are taken out of the index; without it they
 * stay until segments are merged.
 */
export const WORDS_TABLE = `CREATE VIRTUAL TABLE memory_words USING fts5(words, tags, content='', tokenize='porter unicode61');
   INSERT INTO memory_words (memory_words, rank) VALUES ('secure-delete', 1);`;
