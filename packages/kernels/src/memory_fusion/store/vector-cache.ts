import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kind } from './memory.ts';
import { createBlock, type VectorBlock, type VectorHit } from './vector-block.ts';
import { decodeVector, type VectorCode } from './vector-code.ts';

export type VectorCache = ReturnType<typeof createVectorCache>;

/** Which vectors: the table that holds them, and their length. */
interface VectorShelf {
  table: 'memory_vector' | 'model_vector';
  dimension: number;
}

interface Held {
  block: VectorBlock;
  /** Resolves when all that the store holds is in it. */
  read: Promise<void>;
}

interface StoredVector {
  rowid: number;
  kind: Kind;
  vector: Uint8Array;
}

/** Rows read in one go, about 5 ms; the event loop turns in between, so heartbeat and other verbs go on. */
const PAGE = 1000;

/**
 * Vectors in memory by namespace, read from the store at the first search. Together they take at most `boundBytes`: the namespace searched
 * longest ago goes first, and a namespace that is larger than the bound is read from the store at each search instead.
 */
export function createVectorCache(db: DatabaseSync, shelf: VectorShelf, boundBytes: number) {
  const { dimension } = shelf;
  const blocks = new Map<string, Held>();
  let held = 0;

  /** Gives every stored vector to `take`; a page is read and taken in one turn, so nothing can be removed in between. */
  const readAll = async (
    namespace: string,
    take: (rowid: number, kind: Kind, vector: VectorCode) => void,
    wanted = () => true,
  ): Promise<void> => {
    const select = db.prepare(
      `SELECT m.rowid AS rowid, m.kind AS kind, v.vector AS vector FROM memory m JOIN ${shelf.table} v ON v.rowid = m.rowid
       WHERE m.namespace = ? AND m.rowid > ? ORDER BY m.rowid LIMIT ${PAGE}`,
    );
    for (let after = 0; wanted(); await nextTurn()) {
      const page = select.all(namespace, after) as unknown as StoredVector[];
      for (const { rowid, kind, vector } of page) {
        const code = decodeVector(vector, dimension);
        if (code) take(rowid, kind, code);
      }
      if (page.length < PAGE) return;
      after = page.at(-1)!.rowid;
    }
  };

  const drop = (namespace: string): void => {
    held -= blocks.get(namespace)?.block.bytes ?? 0;
    blocks.delete(namespace);
  };

  const append = (block: VectorBlock, rowid: number, kind: Kind, code: VectorCode): void => {
    const before = block.bytes;
    block.append(rowid, kind, code);
    held += block.bytes - before;
  };

  const fill = (namespace: string, block: VectorBlock): Promise<void> =>
    readAll(
      namespace,
      (rowid, kind, code) => append(block, rowid, kind, code),
      // Once it was dropped, the searches that wait for it read the store themselves.
      () => blocks.get(namespace)?.block === block,
    );

  /** The block of a namespace, or nothing when it does not fit or was dropped while it was read. */
  const load = async (namespace: string): Promise<VectorBlock | undefined> => {
    let found = blocks.get(namespace);
    if (found) {
      blocks.delete(namespace);
      blocks.set(namespace, found);
    } else {
      const { n } = db.prepare('SELECT count(*) AS n FROM memory WHERE namespace = ?').get(namespace) as { n: number };
      if (n * dimension > boundBytes) return undefined;
      const block = createBlock(dimension, n);
      if (block.bytes > boundBytes) return undefined;
      for (const name of blocks.keys()) {
        if (held + block.bytes <= boundBytes) break;
        drop(name);
      }
      held += block.bytes;
      found = { block, read: Promise.resolve() };
      blocks.set(namespace, found);
      found.read = fill(namespace, block);
    }
    try {
      await found.read;
    } catch (error) {
      if (blocks.get(namespace) === found) drop(namespace);
      throw error;
    }
    return blocks.get(namespace) === found ? found.block : undefined;
  };

  return {
    /** The `limit` nearest of a namespace and of these kinds that are at least `atLeast` similar, nearest first. */
    async search(
      namespace: string,
      query: Float32Array,
      kinds: readonly Kind[],
      limit: number,
      atLeast: number,
    ): Promise<VectorHit[]> {
      const block = await load(namespace);
      if (block) return block.search(query, kinds, limit, atLeast);
      // One page at a time through a block of its own: no more memory than that page.
      let page = createBlock(dimension, PAGE);
      let best: VectorHit[] = [];
      const merge = (): void => {
        best = [...best, ...page.search(query, kinds, limit, atLeast)]
          .sort((a, b) => b.similarity - a.similarity)
          .slice(0, limit);
        page = createBlock(dimension, PAGE);
      };
      await readAll(namespace, (rowid, kind, code) => {
        page.append(rowid, kind, code);
        if (page.count === PAGE) merge();
      });
      merge();
      return best;
    },
    /** Keeps a namespace that is in memory up to date; one that is not will be read when it is searched. */
    add(namespace: string, rowid: number, kind: Kind, stored: Uint8Array): void {
      const block = blocks.get(namespace)?.block;
      const code = decodeVector(stored, dimension);
      if (!block || !code) return;
      append(block, rowid, kind, code);
      if (held > boundBytes) drop(namespace);
    },
    setKind: (namespace: string, rowid: number, kind: Kind): void => blocks.get(namespace)?.block.setKind(rowid, kind),
    remove: (namespace: string, rowid: number): void => blocks.get(namespace)?.block.remove(rowid),
    drop,
    clear(): void {
      blocks.clear();
      held = 0;
    },
    stats: () => ({ namespaces: blocks.size, bytes: held, boundBytes }),
  };
}
