import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kind } from './memory.ts';

export interface VectorHit {
  rowid: number;
  /** Cosine, -1 to 1. */
  similarity: number;
}

export type VectorCache = ReturnType<typeof createVectorCache>;

/** The vectors of one namespace, one after the other, so that a search is one pass over contiguous memory. */
interface Block {
  vectors: Float32Array;
  rows: number[];
  kinds: Kind[];
  positions: Map<number, number>;
  /** Resolves when all that the store holds is in it. */
  read: Promise<void>;
}

interface StoredVector {
  rowid: number;
  kind: Kind;
  vector: Uint8Array;
}

const FIRST_ROWS = 64;
/** Rows read in one go, about 10 ms; the event loop turns in between, so heartbeat and other verbs go on. */
const PAGE = 1000;

/**
 * Vectors in memory by namespace, read from the store at the first search. Together they take at most `boundBytes`: the namespace searched
 * longest ago goes first, and a namespace that is larger than the bound is read from the store at each search instead.
 */
export function createVectorCache(db: DatabaseSync, embedder: { id: string; dimension: number }, boundBytes: number) {
  const { dimension } = embedder;
  const blocks = new Map<string, Block>();
  let held = 0;

  /** Gives every stored vector to `take`; a page is read and taken in one turn, so nothing can be removed in between. */
  const readAll = async (
    namespace: string,
    take: (stored: StoredVector) => void,
    wanted = () => true,
  ): Promise<void> => {
    const select = db.prepare(
      `SELECT m.rowid AS rowid, m.kind AS kind, v.vector AS vector FROM memory m JOIN memory_vector v ON v.rowid = m.rowid
       WHERE m.namespace = ? AND v.embedder = ? AND m.rowid > ? ORDER BY m.rowid LIMIT ${PAGE}`,
    );
    for (let after = 0; wanted(); await nextTurn()) {
      const page = select.all(namespace, embedder.id, after) as unknown as StoredVector[];
      for (const stored of page) take(stored);
      if (page.length < PAGE) return;
      after = page.at(-1)!.rowid;
    }
  };

  const drop = (namespace: string): void => {
    held -= blocks.get(namespace)?.vectors.byteLength ?? 0;
    blocks.delete(namespace);
  };

  const append = (block: Block, rowid: number, kind: Kind, vector: Float32Array): void => {
    // Added while the block was being read, and then read.
    if (block.positions.has(rowid)) return;
    const count = block.rows.length;
    if ((count + 1) * dimension > block.vectors.length) {
      const grown = new Float32Array(Math.max(FIRST_ROWS, Math.ceil(count * 1.5)) * dimension);
      grown.set(block.vectors);
      held += grown.byteLength - block.vectors.byteLength;
      block.vectors = grown;
    }
    block.vectors.set(vector, count * dimension);
    block.positions.set(rowid, count);
    block.rows.push(rowid);
    block.kinds.push(kind);
  };

  const fill = (namespace: string, block: Block): Promise<void> =>
    readAll(
      namespace,
      ({ rowid, kind, vector }) => append(block, rowid, kind, floats(vector)),
      // Once it was dropped, the searches that wait for it read the store themselves.
      () => blocks.get(namespace) === block,
    );

  /** The block of a namespace, or nothing when it does not fit or was dropped while it was read. */
  const load = async (namespace: string): Promise<Block | undefined> => {
    let block = blocks.get(namespace);
    if (block) {
      blocks.delete(namespace);
      blocks.set(namespace, block);
    } else {
      const { n } = db.prepare('SELECT count(*) AS n FROM memory WHERE namespace = ?').get(namespace) as { n: number };
      const wanted = Math.max(FIRST_ROWS, n) * dimension * 4;
      if (wanted > boundBytes) return undefined;
      for (const name of blocks.keys()) {
        if (held + wanted <= boundBytes) break;
        drop(name);
      }
      block = {
        vectors: new Float32Array(wanted / 4),
        rows: [],
        kinds: [],
        positions: new Map(),
        read: Promise.resolve(),
      };
      held += wanted;
      blocks.set(namespace, block);
      block.read = fill(namespace, block);
    }
    try {
      await block.read;
    } catch (error) {
      if (blocks.get(namespace) === block) drop(namespace);
      throw error;
    }
    return blocks.get(namespace) === block ? block : undefined;
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
      // A short query touches few of the dimensions; only those can add to the dot product.
      const used = [...query.keys()].filter((i) => query[i] !== 0);
      const weights = Float32Array.from(used, (i) => query[i]!);
      const positions = Int32Array.from(used);
      const similarity = (vectors: Float32Array, base: number): number => {
        let sum = 0;
        for (let i = 0; i < positions.length; i++) sum += vectors[base + positions[i]!]! * weights[i]!;
        return sum;
      };
      const best = bestOf(limit, atLeast);
      const block = await load(namespace);
      if (block) {
        for (let row = 0, base = 0; row < block.rows.length; row++, base += dimension) {
          const value = similarity(block.vectors, base);
          if (value >= best.floor && kinds.includes(block.kinds[row]!)) best.offer(block.rows[row]!, value);
        }
        return best.hits;
      }
      await readAll(namespace, ({ rowid, kind, vector }) => {
        const value = similarity(floats(vector), 0);
        if (value >= best.floor && kinds.includes(kind)) best.offer(rowid, value);
      });
      return best.hits;
    },
    /** Keeps a namespace that is in memory up to date; one that is not will be read when it is searched. */
    add(namespace: string, rowid: number, kind: Kind, vector: Float32Array): void {
      const block = blocks.get(namespace);
      if (!block) return;
      append(block, rowid, kind, vector);
      if (held > boundBytes) drop(namespace);
    },
    setKind(namespace: string, rowid: number, kind: Kind): void {
      const block = blocks.get(namespace);
      const position = block?.positions.get(rowid);
      if (block && position !== undefined) block.kinds[position] = kind;
    },
    remove(namespace: string, rowid: number): void {
      const block = blocks.get(namespace);
      const position = block?.positions.get(rowid);
      if (!block || position === undefined) return;
      const last = block.rows.length - 1;
      const moved = block.rows[last]!;
      block.vectors.copyWithin(position * dimension, last * dimension, (last + 1) * dimension);
      block.rows[position] = moved;
      block.kinds[position] = block.kinds[last]!;
      block.positions.set(moved, position);
      block.rows.pop();
      block.kinds.pop();
      block.positions.delete(rowid);
    },
    drop,
    clear(): void {
      blocks.clear();
      held = 0;
    },
    stats: () => ({ namespaces: blocks.size, bytes: held, boundBytes }),
  };
}

function floats(stored: Uint8Array): Float32Array {
  // A view needs an offset divisible by four, which SQLite does not promise.
  return stored.byteOffset % 4 === 0
    ? new Float32Array(stored.buffer, stored.byteOffset, stored.byteLength / 4)
    : new Float32Array(stored.slice().buffer);
}

/** The `limit` best of a stream, sorted; `floor` is what a newcomer must reach. */
function bestOf(limit: number, atLeast: number) {
  const hits: VectorHit[] = [];
  return {
    hits,
    floor: atLeast,
    offer(rowid: number, similarity: number): void {
      let at = hits.length;
      while (at > 0 && hits[at - 1]!.similarity < similarity) at--;
      hits.splice(at, 0, { rowid, similarity });
      if (hits.length > limit) hits.pop();
      if (hits.length === limit) this.floor = hits[limit - 1]!.similarity;
    },
  };
}
