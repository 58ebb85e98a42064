import { hash as digest } from 'node:crypto';
import { FRAME_BYTES, type LeafSource, PAYLOAD_BYTES_MAX, writeLeaf } from './leaf.ts';
import { EMPTY_ROOT, foldHashes, HASH_BYTES } from './merkle.ts';
import { foldTile, TILE_HEIGHT, TILE_WIDTH, type TileName } from './tiles.ts';

export interface TileContent {
  tile: TileName;
  bytes: Buffer;
}

interface Level {
  /** Full tiles that came before. */
  index: number;
  hashes: Buffer;
  width: number;
}

const BUNDLE_BYTES = 128 * 1024;

/**
 * The right edge of a growing tree: of each tile level the newest tile, and the entries of the newest bundle. Leaves are hashed as they
 * come, nodes when a tile is full, so that both cost what hashing costs. What is full is handed to `onFull`.
 */
export class Growth {
  size = 0;
  readonly #levels: Level[] = [];
  readonly #onFull: (content: TileContent) => void;
  #bundle = Buffer.allocUnsafe(BUNDLE_BYTES);
  #bundleBytes = 0;

  constructor(onFull: (content: TileContent) => void) {
    this.#onFull = onFull;
  }

  /** Goes on behind whole bundles: `above` are the hashes of the newest tile of each level from 1 on, at a size that is a multiple of 256. */
  resume(size: number, above: readonly Buffer[]): void {
    this.size = size;
    this.#level(0).index = size / TILE_WIDTH;
    for (const [i, hashes] of above.entries()) {
      const level = this.#level(i + 1);
      level.width = hashes.length / HASH_BYTES;
      level.index = Math.floor(size / TILE_WIDTH ** (i + 2));
      hashes.copy(level.hashes);
    }
  }

  /** Adds the next leaf. */
  add(source: LeafSource, payloadBytes: number): void {
    const need = this.#bundleBytes + 2 + Math.min(payloadBytes, PAYLOAD_BYTES_MAX) + FRAME_BYTES;
    if (need > this.#bundle.length) this.#grow(need);
    const at = this.#bundleBytes;
    const bundle = this.#bundle;
    const leafBytes = writeLeaf(bundle, at + 2, source, payloadBytes);
    // The byte in front of the leaf is lent to the hash, which wants a zero there.
    bundle[at + 1] = 0;
    const hash = digest('sha256', bundle.subarray(at + 1, at + 2 + leafBytes), 'latin1');
    bundle.writeUInt16BE(leafBytes, at);
    this.#bundleBytes = at + 2 + leafBytes;
    this.size++;
    this.#push(0, hash);
  }

  /** The root of everything added. */
  root(): Buffer {
    if (this.size === 0) return EMPTY_ROOT;
    const list = Buffer.allocUnsafe((TILE_WIDTH + 1) * HASH_BYTES);
    // What a level leaves over stands behind the hashes of the next one: it covers the leaves after theirs.
    let over: Buffer | null = null;
    for (const [i, { hashes, width }] of this.#levels.entries()) {
      hashes.copy(list, 0, 0, width * HASH_BYTES);
      over?.copy(list, width * HASH_BYTES);
      const count: number = width + (over ? 1 : 0);
      const isTop = i === this.#levels.length - 1;
      if (count > 0) foldHashes(list, count, isTop ? Number.POSITIVE_INFINITY : TILE_HEIGHT);
      over = count > 0 ? Buffer.from(list.subarray(0, HASH_BYTES)) : null;
    }
    return over!;
  }

  /** The tiles and the bundle that are not full, as they are now. */
  partial(): TileContent[] {
    return this.#levels.flatMap(({ index, hashes, width }, level) => {
      if (width === 0) return [];
      const tiles = [{ tile: { level, index, width }, bytes: Buffer.from(hashes.subarray(0, width * HASH_BYTES)) }];
      return level === 0 ? [this.#bundleContent(width), ...tiles] : tiles;
    });
  }

  #push(level: number, hash: string): void {
    const tile = this.#level(level);
    tile.hashes.write(hash, tile.width * HASH_BYTES, 'latin1');
    tile.width++;
    if (tile.width < TILE_WIDTH) return;
    const root = foldTile(tile.hashes, 0, TILE_WIDTH).toString('latin1');
    if (level === 0) {
      this.#onFull(this.#bundleContent(TILE_WIDTH));
      this.#bundleBytes = 0;
    }
    this.#onFull({ tile: { level, index: tile.index, width: TILE_WIDTH }, bytes: tile.hashes });
    tile.hashes = Buffer.allocUnsafe(TILE_WIDTH * HASH_BYTES);
    tile.width = 0;
    tile.index++;
    this.#push(level + 1, root);
  }

  #level(level: number): Level {
    while (this.#levels.length <= level) {
      this.#levels.push({ index: 0, hashes: Buffer.allocUnsafe(TILE_WIDTH * HASH_BYTES), width: 0 });
    }
    return this.#levels[level]!;
  }

  #bundleContent(width: number): TileContent {
    const { index } = this.#level(0);
    return {
      tile: { level: 'entries', index, width },
      bytes: Buffer.from(this.#bundle.subarray(0, this.#bundleBytes)),
    };
  }

  #grow(need: number): void {
    const larger = Buffer.allocUnsafe(Math.max(need, this.#bundle.length * 2));
    this.#bundle.copy(larger, 0, 0, this.#bundleBytes);
    this.#bundle = larger;
  }
}
