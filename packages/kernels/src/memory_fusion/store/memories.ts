import type { StatementSync } from 'node:sqlite';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Embedder } from '../words/embedder.ts';
import type { Kind, Memory } from './memory.ts';
import type { Removal } from './removal.ts';
import type { VectorCache } from './vector-cache.ts';
import { encodeVector } from './vector-code.ts';
import { wordColumns } from './word-columns.ts';

export interface MemoryLink {
  relation: string;
  direction: 'to' | 'from';
  id: string;
}

/** Explicit fields of a known memory replace those stored; the text never changes, since it makes the id. */
export type Remembered = Memory & { given: { kind: boolean; trust: boolean; tags: boolean; atMs: boolean } };

export type Memories = ReturnType<typeof openMemories>;

/** Shown of one memory; it may have any number. */
const SHOWN_LINKS = 20;

/** What is remembered: writes keep text, full-text index, vectors and the vectors in memory together. `caches`: the built-in embedder's first. */
export function openMemories(
  store: KernelStore,
  embedder: Embedder,
  caches: readonly VectorCache[],
  removal: Removal,
  onAdded: (rowid: number) => void = () => {},
) {
  const { db } = store;
  const write = (statement: string): StatementSync => {
    const prepared = db.prepare(statement);
    // The full-text table leaves internal row numbers, which may be beyond 2^53, as SQLite's last insert id.
    prepared.setReadBigInts(true);
    return prepared;
  };
  const sql = {
    rowOf: db.prepare('SELECT rowid FROM memory WHERE id = ?'),
    leaves: db.prepare('SELECT 1 FROM leaving WHERE rowid = ?'),
    insert: db.prepare(
      'INSERT INTO memory (id, namespace, kind, source, text, trust, tags, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING rowid',
    ),
    update: write(
      'UPDATE memory SET kind = coalesce(?, kind), trust = coalesce(?, trust), tags = coalesce(?, tags), at_ms = coalesce(?, at_ms) WHERE rowid = ?',
    ),
    tags: db.prepare('SELECT tags FROM memory WHERE rowid = ?'),
    insertWords: write('INSERT INTO memory_words (rowid, words, tags) VALUES (?, ?, ?)'),
    deleteWords: write("INSERT INTO memory_words (memory_words, rowid, words, tags) VALUES ('delete', ?, ?, ?)"),
    insertVector: write('INSERT INTO memory_vector (rowid, vector) VALUES (?, ?)'),
    read: db.prepare(
      `SELECT id, namespace, kind, source, text, trust, tags, at_ms AS atMs FROM memory m WHERE rowid = ?
       AND NOT EXISTS (SELECT 1 FROM leaving l WHERE l.rowid = m.rowid)`,
    ),
    ranked: db.prepare(
      `SELECT kind, trust, at_ms AS atMs FROM memory m WHERE rowid = ?
       AND NOT EXISTS (SELECT 1 FROM leaving l WHERE l.rowid = m.rowid)`,
    ),
    link: write('INSERT OR IGNORE INTO link (from_row, to_row, relation) VALUES (?, ?, ?)'),
    links: db.prepare(
      `SELECT relation, direction, m.id AS id FROM (
         SELECT relation, 'to' AS direction, to_row AS other FROM link WHERE from_row = ?
         UNION ALL SELECT relation, 'from', from_row FROM link WHERE to_row = ?
       ) JOIN memory m ON m.rowid = other WHERE NOT EXISTS (SELECT 1 FROM leaving l WHERE l.rowid = other) LIMIT ${SHOWN_LINKS}`,
    ),
  };
  const rowOf = (id: string): number | undefined => (sql.rowOf.get(id) as { rowid: number } | undefined)?.rowid;
  const leaves = (rowid: number): boolean => sql.leaves.get(rowid) !== undefined;

  const insert = (memory: Remembered): { rowid: number; stored: Uint8Array } => {
    const { id, namespace, kind, source, text, trust, tags, atMs } = memory;
    const { rowid } = sql.insert.get(id, namespace, kind, source, text, trust, JSON.stringify(tags), atMs) as {
      rowid: number;
    };
    const stored = encodeVector(embedder.embed(text));
    sql.insertWords.run(rowid, ...wordColumns(text, tags));
    sql.insertVector.run(rowid, stored);
    return { rowid, stored };
  };

  const amend = (rowid: number, memory: Remembered): void => {
    const { given, text, tags } = memory;
    if (!Object.values(given).some(Boolean)) return;
    const before = JSON.parse(String(sql.tags.get(rowid)!['tags'])) as string[];
    sql.update.run(
      given.kind ? memory.kind : null,
      given.trust ? memory.trust : null,
      given.tags ? JSON.stringify(tags) : null,
      given.atMs ? memory.atMs : null,
      rowid,
    );
    if (!given.tags) return;
    sql.deleteWords.run(rowid, ...wordColumns(text, before));
    sql.insertWords.run(rowid, ...wordColumns(text, tags));
  };

  return {
    /** All of them in one transaction: with one flush to disk, or none is kept. `known` in the order given. */
    remember(memories: readonly Remembered[]): { id: string; known: boolean }[] {
      const after: (() => void)[] = [];
      const results = store.transaction(() =>
        memories.map((memory) => {
          const { id, namespace, kind, given } = memory;
          let rowid = rowOf(id);
          if (rowid !== undefined && leaves(rowid)) {
            after.push(removal.wipe(rowid));
            rowid = undefined;
          }
          if (rowid === undefined) {
            const fresh = insert(memory);
            after.push(() => {
              caches[0]!.add(namespace, fresh.rowid, kind, fresh.stored);
              onAdded(fresh.rowid);
            });
            return { id, known: false };
          }
          const known = rowid;
          amend(known, memory);
          if (given.kind) after.push(() => caches.forEach((cache) => void cache.setKind(namespace, known, kind)));
          return { id, known: true };
        }),
      );
      for (const step of after) step();
      return results;
    },
    /** What of a memory counts for its place; undefined when it is none any more. */
    ranked: (rowid: number) => sql.ranked.get(rowid) as Pick<Memory, 'kind' | 'trust' | 'atMs'> | undefined,
    read(rowid: number): Memory | undefined {
      const row = sql.read.get(rowid) as (Omit<Memory, 'tags' | 'kind'> & { tags: string; kind: Kind }) | undefined;
      return row && { ...row, tags: JSON.parse(row.tags) as string[] };
    },
    links: (rowid: number): MemoryLink[] =>
      sql.links.all(rowid, rowid).map((row) => ({ ...row }) as unknown as MemoryLink),
    /** @throws GraceError `NOT_FOUND` when either memory does not exist */
    link(from: string, to: string, relation: string): { known: boolean } {
      const rows = [from, to].map((id) => {
        const rowid = rowOf(id);
        if (rowid === undefined || leaves(rowid))
          throw new GraceError('NOT_FOUND', `no memory has the id "${id}"`, { id });
        return rowid;
      });
      return { known: sql.link.run(rows[0]!, rows[1]!, relation).changes === 0n };
    },
  };
}
