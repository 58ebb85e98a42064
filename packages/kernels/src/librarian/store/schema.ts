/**
 * document   one content of one type in one namespace; `filed` = its chunks are in memory
 *            under the source, one of its places
 * place      where a content was met: a path or a given name, and the stamp of the file as it was read; a document without a place is removed
 * chunk      its parts in order, and the memory each was filed as
 * unfiling   memories that have to be forgotten still
 * watch      folders that are watched, also after a restart
 * failure    files that could not be read, and why; gone when the file is read or is gone
 */
export const migrations: readonly string[] = [
  `CREATE TABLE document (
     id TEXT PRIMARY KEY,
     namespace TEXT NOT NULL,
     hash TEXT NOT NULL,
     type TEXT NOT NULL,
     title TEXT NOT NULL,
     note TEXT,
     characters INTEGER NOT NULL,
     at_ms INTEGER NOT NULL,
     source TEXT NOT NULL,
     filed INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX document_unfiled ON document (at_ms) WHERE filed = 0;
   CREATE TABLE place (
     namespace TEXT NOT NULL,
     place TEXT NOT NULL,
     document TEXT NOT NULL REFERENCES document (id),
     PRIMARY KEY (namespace, place)
   ) WITHOUT ROWID;
   CREATE INDEX place_of_document ON place (document);
   CREATE TABLE chunk (
     document TEXT NOT NULL REFERENCES document (id) ON DELETE CASCADE,
     position INTEGER NOT NULL,
     section TEXT NOT NULL,
     text TEXT NOT NULL,
     overlap INTEGER NOT NULL,
     memory TEXT,
     PRIMARY KEY (document, position)
   ) WITHOUT ROWID;
   CREATE INDEX chunk_by_memory ON chunk (memory);
   CREATE TABLE unfiling (memory TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE watch (folder TEXT PRIMARY KEY) WITHOUT ROWID;`,
  `ALTER TABLE place ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
   CREATE TABLE failure (
     namespace TEXT NOT NULL,
     place TEXT NOT NULL,
     code TEXT NOT NULL,
     reason TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     stamp TEXT NOT NULL,
     PRIMARY KEY (namespace, place)
   ) WITHOUT ROWID;`,
];
