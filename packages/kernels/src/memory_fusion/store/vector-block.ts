import { KINDS, type Kind } from './memory.ts';
import type { VectorCode } from './vector-code.ts';

export interface VectorHit {
  rowid: number;
  /** Cosine, -1 to 1. */
  similarity: number;
}

/** Rows of a tile. The sums of its rows stay in the fastest cache while its columns pass by. */
const TILE = 1024;
/** Rows of the first tile while a namespace is small. */
const FIRST_ROWS = 64;

export type VectorBlock = ReturnType<typeof createBlock>;

/**
 * The vectors of one namespace, in tiles of rows. In a tile the bytes of one dimension stand together, so a search passes only over the
 * dimensions that its query uses, and adding a row moves no other.
 */
export function createBlock(dimension: number, rows: number) {
  const tiles: Int8Array[] = [];
  /** Rows of each tile: all but a lone first one are full. */
  let width = rows > FIRST_ROWS ? TILE : FIRST_ROWS;
  let capacity = 0;
  let scales = new Float32Array(0);
  let kinds = new Uint8Array(0);
  let ids = new Float64Array(0);
  const positions = new Map<number, number>();
  let count = 0;

  const reserve = (wanted: number): void => {
    if (wanted > FIRST_ROWS && width < TILE) widen();
    while (tiles.length * width < wanted) tiles.push(new Int8Array(width * dimension));
    if (wanted <= capacity) return;
    capacity = Math.max(wanted, Math.ceil(capacity * 1.5));
    scales = moved(scales, new Float32Array(capacity));
    kinds = moved(kinds, new Uint8Array(capacity));
    ids = moved(ids, new Float64Array(capacity));
  };
  const widen = (): void => {
    const [small] = tiles;
    width = TILE;
    if (!small) return;
    const tile = new Int8Array(TILE * dimension);
    for (let i = 0; i < dimension; i++) tile.set(small.subarray(i * FIRST_ROWS, (i + 1) * FIRST_ROWS), i * TILE);
    tiles[0] = tile;
  };
  /** The tile of a row, and where its first number stands in it; the others follow at the distance of `width`. */
  const place = (row: number): [tile: Int8Array, at: number] => [tiles[Math.floor(row / width)]!, row % width];
  const bit = (kind: Kind): number => 1 << KINDS.indexOf(kind);
  reserve(rows);

  return {
    get bytes() {
      return tiles.length * width * dimension + capacity * 13;
    },
    get count() {
      return count;
    },
    append(rowid: number, kind: Kind, { codes, scale }: VectorCode): void {
      // Added while the block was being read, and then read.
      if (positions.has(rowid)) return;
      reserve(count + 1);
      const [tile, at] = place(count);
      for (let i = 0; i < dimension; i++) tile[at + i * width] = codes[i]!;
      scales[count] = scale;
      kinds[count] = bit(kind);
      ids[count] = rowid;
      positions.set(rowid, count++);
    },
    setKind(rowid: number, kind: Kind): void {
      const row = positions.get(rowid);
      if (row !== undefined) kinds[row] = bit(kind);
    },
    /** The last row takes its place. */
    remove(rowid: number): void {
      const row = positions.get(rowid);
      if (row === undefined) return;
      const last = --count;
      const [from, fromAt] = place(last);
      const [to, toAt] = place(row);
      for (let i = 0; i < dimension; i++) to[toAt + i * width] = from[fromAt + i * width]!;
      scales[row] = scales[last]!;
      kinds[row] = kinds[last]!;
      ids[row] = ids[last]!;
      positions.set(ids[last]!, row);
      positions.delete(rowid);
    },
    /** The `limit` nearest of these kinds that are at least `atLeast` similar, nearest first. */
    search(query: Float32Array, wanted: readonly Kind[], limit: number, atLeast: number): VectorHit[] {
      const used = Int32Array.from([...query.keys()].filter((i) => query[i] !== 0));
      const mask = wanted.reduce((all, kind) => all | bit(kind), 0);
      const best = bestOf(limit, atLeast);
      const sums = new Float32Array(width);
      tiles.forEach((tile, n) => {
        addColumns(sums, tile, width, used, query);
        const first = n * width;
        const rowsHere = Math.min(width, count - first);
        for (let at = 0; at < rowsHere; at++) {
          const similarity = sums[at]! * scales[first + at]!;
          if (similarity >= best.floor && (kinds[first + at]! & mask) !== 0) best.offer(ids[first + at]!, similarity);
        }
      });
      return best.hits;
    },
  };
}

/** The dot products of a query with every row of a tile. Four columns at a time, so that each sum is read and written a quarter as often. */
function addColumns(sums: Float32Array, tile: Int8Array, width: number, used: Int32Array, query: Float32Array): void {
  sums.fill(0);
  let n = 0;
  for (; n + 4 <= used.length; n += 4) {
    const [a, b, c, d] = [used[n]! * width, used[n + 1]! * width, used[n + 2]! * width, used[n + 3]! * width];
    const [u, v, w, x] = [query[used[n]!]!, query[used[n + 1]!]!, query[used[n + 2]!]!, query[used[n + 3]!]!];
    for (let at = 0; at < width; at++)
      sums[at]! += tile[a + at]! * u + tile[b + at]! * v + tile[c + at]! * w + tile[d + at]! * x;
  }
  for (; n < used.length; n++) {
    const column = used[n]! * width;
    const weight = query[used[n]!]!;
    for (let at = 0; at < width; at++) sums[at]! += tile[column + at]! * weight;
  }
}

function moved<T extends Float32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
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
