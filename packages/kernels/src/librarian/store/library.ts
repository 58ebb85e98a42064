import { createHash } from 'node:crypto';
import type { KernelStore } from '@grace/kernel-sdk';
import type { DocumentType } from '../intake/document-type.ts';
import type { Chunk } from '../split/chunk.ts';
import { migrations } from './schema.ts';

export interface LibraryDocument {
  id: string;
  namespace: string;
  hash: string;
  type: DocumentType;
  title: string;
  /** Why it was split as plain text, when its type could not be parsed. */
  note: string | null;
  characters: number;
  atMs: number;
  /** The place that its memories name. */
  source: string;
}

/** A chunk as it stands in the library; `memory` is the id under which memory_fusion has it. */
export interface Filed extends Chunk {
  position: number;
  memory: string | null;
}

/** Where a memory leads back to. */
export interface Origin {
  document: string;
  title: string;
  type: DocumentType;
  section: string;
  text: string;
  place: string;
}

export function documentId(namespace: string, hash: string): string {
  return createHash('sha256')
    .update(JSON.stringify([namespace, hash]))
    .digest('hex')
    .slice(0, 24);
}

export type Library = ReturnType<typeof openLibrary>;

/** The tables of the librarian. Each method is one transaction, so a kill at any moment leaves work that can be taken up again. */
export function openLibrary(store: KernelStore) {
  store.migrate(migrations);
  const { db } = store;
  const documentColumns = 'd.id, d.namespace, d.hash, d.type, d.title, d.note, d.characters, d.at_ms AS atMs, d.source';
  const sql = {
    document: db.prepare(`SELECT ${documentColumns} FROM document d WHERE d.id = ?`),
    at: db.prepare(
      `SELECT ${documentColumns} FROM place p JOIN document d ON d.id = p.document WHERE p.namespace = ? AND p.place = ?`,
    ),
    isFiled: db.prepare('SELECT 1 FROM document WHERE id = ? AND filed = 1'),
    insert: db.prepare(
      'INSERT OR IGNORE INTO document (id, namespace, hash, type, title, note, characters, at_ms, source, filed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)',
    ),
    insertChunk: db.prepare(
      'INSERT OR IGNORE INTO chunk (document, position, section, text, overlap, memory) VALUES (?, ?, ?, ?, ?, NULL)',
    ),
    chunks: db.prepare(
      'SELECT position, section, text, overlap, memory FROM chunk WHERE document = ? ORDER BY position',
    ),
    setMemory: db.prepare('UPDATE chunk SET memory = ? WHERE document = ? AND position = ?'),
    setFiled: db.prepare('UPDATE document SET filed = ? WHERE id = ?'),
    places: db.prepare('SELECT place FROM place WHERE document = ? ORDER BY place'),
    placesUnder: db.prepare(
      `SELECT place FROM place WHERE namespace = ? AND substr(place, 1, length(?)) = ? ORDER BY place`,
    ),
    setPlace: db.prepare(
      'INSERT INTO place (namespace, place, document) VALUES (?, ?, ?) ON CONFLICT (namespace, place) DO UPDATE SET document = excluded.document',
    ),
    stamp: db.prepare('SELECT stamp FROM place WHERE namespace = ? AND place = ?'),
    setStamp: db.prepare('UPDATE place SET stamp = ? WHERE namespace = ? AND place = ?'),
    deletePlace: db.prepare('DELETE FROM place WHERE namespace = ? AND place = ?'),
    deleteDocument: db.prepare('DELETE FROM document WHERE id = ?'),
    queueUnfiling: db.prepare(
      'INSERT OR IGNORE INTO unfiling (memory, place) SELECT memory, ? FROM chunk WHERE document = ? AND memory IS NOT NULL',
    ),
    queueOne: db.prepare('INSERT OR IGNORE INTO unfiling (memory, place) VALUES (?, ?)'),
    clearMemories: db.prepare('UPDATE chunk SET memory = NULL WHERE document = ?'),
    setSource: db.prepare('UPDATE document SET source = ?, filed = 0 WHERE id = ?'),
    unfiling: db.prepare(
      'SELECT memory, place FROM unfiling WHERE memory NOT IN (SELECT memory FROM chunk WHERE memory IS NOT NULL) LIMIT ?',
    ),
    keptAnyway: db.prepare('DELETE FROM unfiling WHERE memory IN (SELECT memory FROM chunk WHERE memory IS NOT NULL)'),
    unfiled: db.prepare('DELETE FROM unfiling WHERE memory = ?'),
    waiting: db.prepare('SELECT id FROM document WHERE filed = 0 ORDER BY at_ms LIMIT 100'),
    origins: db.prepare(
      `SELECT c.document, d.title, d.type, c.section, c.text, (SELECT min(place) FROM place p WHERE p.document = d.id) AS place
       FROM chunk c JOIN document d ON d.id = c.document WHERE c.memory = ?`,
    ),
    watches: db.prepare('SELECT folder FROM watch ORDER BY folder'),
    addWatch: db.prepare('INSERT OR IGNORE INTO watch (folder) VALUES (?)'),
    removeWatch: db.prepare('DELETE FROM watch WHERE folder = ?'),
  };
  /** A document whose last place is gone is removed; one that stands elsewhere too is filed anew under that place. */
  const release = ({ id, source }: LibraryDocument, place: string): void => {
    const next = sql.places.get(id)?.['place'];
    if (next !== undefined && source !== place) return;
    sql.queueUnfiling.run(source, id);
    if (next === undefined) sql.deleteDocument.run(id);
    else {
      sql.clearMemories.run(id);
      sql.setSource.run(next, id);
    }
  };
  const count = (from: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${from}`).get()!['n']);
  const strings = (rows: Record<string, unknown>[], column: string): string[] => rows.map((row) => String(row[column]));

  return {
    document: (id: string): LibraryDocument | undefined => sql.document.get(id) as LibraryDocument | undefined,
    at: (namespace: string, place: string): LibraryDocument | undefined =>
      sql.at.get(namespace, place) as LibraryDocument | undefined,
    isFiled: (id: string): boolean => sql.isFiled.get(id) !== undefined,
    chunks: (id: string): Filed[] => sql.chunks.all(id) as unknown as Filed[],
    places: (id: string): string[] => strings(sql.places.all(id), 'place'),
    placesUnder: (namespace: string, prefix: string): string[] =>
      strings(sql.placesUnder.all(namespace, prefix, prefix), 'place'),
    /** Makes sure the document is there and stands at this place; what stood there before is released. */
    shelve(document: LibraryDocument, place: string, chunks: readonly Chunk[]): void {
      store.transaction(() => {
        const { id, namespace, hash, type, title, note, characters, atMs, source } = document;
        const before = this.at(namespace, place);
        sql.insert.run(id, namespace, hash, type, title, note, characters, atMs, source);
        chunks.forEach(({ section, text, overlap }, position) => {
          sql.insertChunk.run(id, position, section, text, overlap);
        });
        sql.setPlace.run(namespace, place, id);
        if (before && before.id !== id) release(before, place);
      });
    },
    removePlace(namespace: string, place: string): void {
      store.transaction(() => {
        const before = this.at(namespace, place);
        sql.deletePlace.run(namespace, place);
        if (before) release(before, place);
      });
    },
    /** The stamp of the file as it was read; empty when it has to be read again. */
    stampAt: (namespace: string, place: string): string => String(sql.stamp.get(namespace, place)?.['stamp'] ?? ''),
    setStamp: (namespace: string, place: string, stamp: string): void => void sql.setStamp.run(stamp, namespace, place),
    /** Drops all documents of namespaces that begin so; their memories are left to the caller. */
    drop(prefix: string): void {
      store.transaction(() => {
        for (const table of ['place', 'document']) {
          db.prepare(`DELETE FROM ${table} WHERE substr(namespace, 1, length(?)) = ?`).run(prefix, prefix);
        }
      });
    },
    /** Notes under which memories the chunks are kept; when the document went or moved meanwhile, they are queued to be forgotten. */
    markFiled(id: string, source: string, memories: readonly { position: number; memory: string }[]): void {
      store.transaction(() => {
        if (this.document(id)?.source !== source) {
          for (const { memory } of memories) sql.queueOne.run(memory, source);
          return;
        }
        for (const { position, memory } of memories) sql.setMemory.run(memory, id, position);
        sql.setFiled.run(1, id);
      });
    },
    markUnfiled: (id: string): void => void sql.setFiled.run(0, id),
    /** Documents that are not in memory yet, oldest first. */
    waiting: (): string[] => strings(sql.waiting.all(), 'id'),
    filed: (): string[] => strings(db.prepare('SELECT id FROM document WHERE filed = 1').all(), 'id'),
    /** Memories to be forgotten that no chunk uses, and their places; those that a chunk uses again are taken off the list. */
    unfiling(limit: number): { memory: string; place: string }[] {
      sql.keptAnyway.run();
      return sql.unfiling.all(limit) as unknown as { memory: string; place: string }[];
    },
    markForgotten(memories: readonly string[]): void {
      store.transaction(() => {
        for (const memory of memories) sql.unfiled.run(memory);
      });
    },
    origins: (memory: string): Origin[] => sql.origins.all(memory) as unknown as Origin[],
    watches: (): string[] => strings(sql.watches.all(), 'folder'),
    addWatch: (folder: string): boolean => sql.addWatch.run(folder).changes > 0,
    removeWatch: (folder: string): boolean => sql.removeWatch.run(folder).changes > 0,
    stats: () => ({
      documents: count('document'),
      places: count('place'),
      chunks: count('chunk'),
      waiting: count('document WHERE filed = 0'),
      unfiling: count('unfiling'),
      watches: count('watch'),
    }),
  };
}
