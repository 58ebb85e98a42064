import type { DatabaseSync } from 'node:sqlite';
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
}

const FIRST_ROWS = 64;

/**
 * Vectors in memory by namespace, read from the store at the first search. Together they take at most `boundBytes`: the namespace searched
 * longest ago goes first, and a namespace that is larger than the bound is read from the store at each search instead.
 */
export function createVectorCache(db: DatabaseSync, embedder: { id: string; dimension: number }, boundBytes: number) {
  const { dimension } = embedder;
  const blocks = new Map<string, Block>();
  let held = 0;

  const read = (namespace: string) =>
    db
      .prepare(
        'SELECT m.rowid AS rowid, m.kind AS kind, v.vector AS vector FROM memory m JOIN memory_vector v ON v.rowid = m.rowid WHERE m.namespace = ? AND v.embedder = ?',
      )
      .iterate(namespace, embedder.id) as Iterable<{ rowid: number; kind: Kind; vector: Uint8Array }>;

  const drop = (namespace: string): void => {
    held -= blocks.get(namespace)?.vectors.byteLength ?? 0;
    blocks.delete(namespace);
  };

  const append = (block: Block, rowid: number, kind: Kind, vector: Float32Array): void => {
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

  /** The block of a namespace, or nothing when it does not fit. */
  const load = (namespace: string): Block | undefined => {
    const present = blocks.get(namespace);
    if (present) {
      blocks.delete(namespace);
      blocks.set(namespace, present);
      return present;
    }
    const { n } = db.prepare('SELECT count(*) AS n FROM memory WHERE namespace = ?').get(namespace) as { n: number };
    const wanted = Math.max(FIRST_ROWS, n) * dimension * 4;
    if (wanted > boundBytes) return undefined;
    for (const name of blocks.keys()) {
      if (held + wanted <= boundBytes) break;
      drop(name);
    }
    const block: Block = { vectors: new Float32Array(wanted / 4), rows: [], kinds: [], positions: new Map() };
    held += wanted;
    blocks.set(namespace, block);
    for (const { rowid, kind, vector } of read(namespace)) append(block, rowid, kind, floats(vector));
    return block;
  };

  return {
    /** The `limit` nearest of a namespace and of these kinds that are at least `atLeast` similar, nearest first. */
    search(
      namespace: string,
      query: Float32Array,
      kinds: readonly Kind[],
      limit: number,
      atLeast: number,
    ): VectorHit[] {
      // A short query touches few of the dimensions; only those can add to the dot product.
      const used = [...query.keys()].filter((i) => query[i] !== 0);
      const weights = Float32Array.from(used, (i) => query[i]!);
      const positions = Int32Array.from(used);
      const best = bestOf(limit, atLeast);
      const block = load(namespace);
      if (block) {
        for (let row = 0, base = 0; row < block.rows.length; row++, base += dimension) {
          let sum = 0;
          for (let i = 0; i < positions.length; i++) sum += block.vectors[base + positions[i]!]! * weights[i]!;
          if (sum >= best.floor && kinds.includes(block.kinds[row]!)) best.offer(block.rows[row]!, sum);
        }
        return best.hits;
      }
      for (const { rowid, kind, vector } of read(namespace)) {
        const row = floats(vector);
        let sum = 0;
        for (let i = 0; i < positions.length; i++) sum += row[positions[i]!]! * weights[i]!;
        if (sum >= best.floor && kinds.includes(kind)) best.offer(rowid, sum);
      }
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
      if (block.rows.length === 0) drop(namespace);
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
