import { foldHashes, HASH_BYTES } from './merkle.ts';

/**
 * Where the parts of a tree stand on disk: C2SP tlog-tiles. A tile holds up to 256 hashes of one level, a bundle the entries of up to 256
 * leaves. https://c2sp.org/tlog-tiles
 */
export const TILE_WIDTH = 256;
/** Levels of the tree that one tile spans. */
export const TILE_HEIGHT = 8;
const LEVELS_MAX = 7;

export interface TileName {
  level: number | 'entries';
  index: number;
  /** 1 to 256. */
  width: number;
}

/** `tile/<L>/<N>[.p/<W>]`; 1234067 is `x001/x234/067`. */
export function tilePath({ level, index, width }: TileName): string {
  const parts = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    parts.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return `tile/${level}/${parts.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** What the path names, or null when it is none of the layout. */
export function parseTilePath(path: string): TileName | null {
  const match = PATH.exec(path);
  if (!match) return null;
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
  const index = Number(match[2]!.replaceAll(/[x/]/g, ''));
  const level = match[1] === 'entries' ? 'entries' : Number(match[1]);
  const tile: TileName = { level, index, width };
  if (level !== 'entries' && level > 63) return null;
  if (match[3] !== undefined && width >= TILE_WIDTH) return null;
  return tilePath(tile) === path ? tile : null;
}

/** How many hashes stand on a tile level of a tree. */
export function hashesOnLevel(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** The width that the tile has in a tree of this size; 0 when it is not there. */
export function tileWidth(level: number | 'entries', index: number, size: number): number {
  const hashes = hashesOnLevel(level === 'entries' ? 0 : level, size);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/** The newest tile of each level that a tree of this size has, partial ones only: full ones belong to the level above already. */
export function partialTiles(size: number): TileName[] {
  const tiles: TileName[] = [];
  for (let level = 0; level <= LEVELS_MAX && hashesOnLevel(level, size) > 0; level++) {
    const hashes = hashesOnLevel(level, size);
    const width = hashes % TILE_WIDTH;
    if (width === 0) continue;
    const index = Math.floor(hashes / TILE_WIDTH);
    if (level === 0) tiles.push({ level: 'entries', index, width });
    tiles.push({ level, index, width });
  }
  return tiles;
}

/** The hash of a whole subtree that lies inside a tile, and which tile that is. */
export function subtreeInTile(
  level: number,
  index: number,
): { level: number; index: number; from: number; count: number } {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const first = index * count;
  return { level: tileLevel, index: Math.floor(first / TILE_WIDTH), from: first % TILE_WIDTH, count };
}

/** The hash over `count` hashes of a tile, a power of two, from its hash `from` on. */
export function foldTile(tile: Buffer, from: number, count: number): Buffer {
  const hashes = Buffer.from(tile.subarray(from * HASH_BYTES, (from + count) * HASH_BYTES));
  foldHashes(hashes, count);
  return hashes.subarray(0, HASH_BYTES);
}

/** The entries of a bundle, or null when its lengths do not fit its bytes. */
export function bundleEntries(bundle: Buffer): Buffer[] | null {
  const entries: Buffer[] = [];
  for (let at = 0; at < bundle.length; ) {
    if (at + 2 > bundle.length) return null;
    const end = at + 2 + bundle.readUInt16BE(at);
    if (end > bundle.length) return null;
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
