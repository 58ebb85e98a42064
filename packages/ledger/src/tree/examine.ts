import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { type Claim, contradicted, missing, rolledBack, type TreeProblem } from './flaw.ts';
import { Growth, type TileContent } from './growth.ts';
import type { LeafSource } from './leaf.ts';
import { HASH_BYTES } from './merkle.ts';
import type { TreeRecords } from './options.ts';
import { bundleEntries, TILE_WIDTH, tilePath } from './tiles.ts';
import { walkLeaves } from './walk-leaves.ts';

export interface Examination {
  /** Leaves grown from the records: up to the largest claim, if there are so many. */
  size: number;
  root: Buffer;
  problems: TreeProblem[];
}

const PROBLEMS_MAX = 100;
/** Full tiles that are held against the disk together. */
const TILES_AT_ONCE = 16;

/**
 * Grows the tree again from the records alone, and holds it against what was claimed of it and, up to `published`, against the tiles on
 * disk. The tiles also tell where records were changed: they are a second witness of every leaf. With the folder of the ledger it goes fast.
 */
export async function examine(
  dir: string,
  records: Pick<TreeRecords, 'base' | 'read'> & { dir?: string },
  claims: readonly Claim[],
  { published, signal }: { published: number; signal?: AbortSignal | undefined },
): Promise<Examination> {
  const target = Math.max(published, ...claims.map(({ head }) => head.size), 0);
  const problems: TreeProblem[] = [];
  const report = (problem: TreeProblem) => problems.length < PROBLEMS_MAX && problems.push(problem);
  const full: TileContent[] = [];
  const growth = new Growth((content) => full.push(content));
  const found: { claim: Claim; root: Buffer }[] = [];
  let changedSeq: number | undefined;

  const compare = async (contents: readonly TileContent[]) => {
    for (const content of contents) {
      const flaw = await compareTile(dir, content);
      if (flaw === null) continue;
      const path = tilePath(content.tile);
      report({ kind: 'tile', message: `${path}: ${flaw.message}`, path });
      if (flaw.leaf !== undefined) changedSeq ??= records.base + flaw.leaf + 1;
    }
  };
  let arrivedAt = -1;
  const arrive = async () => {
    if (growth.size === arrivedAt) return;
    arrivedAt = growth.size;
    if (growth.size === published) await compare(growth.partial());
    for (const claim of claims) if (claim.head.size === growth.size) found.push({ claim, root: growth.root() });
  };

  const settle = async () => {
    if (growth.size <= published) await compare(full);
    full.length = 0;
    await arrive();
    signal?.throwIfAborted();
  };
  const stops = new Set([published, ...claims.map(({ head }) => head.size)]);
  const add = (source: LeafSource, payloadBytes: number) => {
    growth.add(source, payloadBytes);
    if (growth.size >= target) return 'end';
    return full.length >= TILES_AT_ONCE || stops.has(growth.size) ? 'pause' : 'go on';
  };

  await arrive();
  try {
    if (records.dir !== undefined && target > 0) {
      await walkLeaves(records.dir, records.base + 1, add, settle);
      await settle();
    }
    // What the walk did not like is read with care: it is the end, or damage that has a name.
    const left = target - growth.size;
    for await (const record of left > 0 ? records.read(records.base + growth.size + 1, left) : []) {
      if (record.seq !== records.base + growth.size + 1) break;
      if (add(record, record.payload.length) !== 'go on') await settle();
    }
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'LEDGER_CORRUPT') throw error;
    const seq = records.base + growth.size + 1;
    report({ kind: 'unreadable', message: `the records end at ${seq - 1}: ${error.message}`, seq });
  }
  const isUnreadable = problems.some(({ kind }) => kind === 'unreadable');
  for (const claim of claims) {
    const reached = found.find((other) => other.claim === claim);
    if (!reached && !isUnreadable) report(rolledBack(claim, growth.size));
    if (reached && !reached.root.equals(claim.head.root)) report(contradicted(claim, reached.root, changedSeq));
  }
  if (claims.length === 0 && growth.size < target && !isUnreadable) report(missing(records.base + growth.size + 1));
  return { size: growth.size, root: growth.root(), problems: problems.sort((a, b) => weight(a) - weight(b)) };
}

/** What is wrong with the records comes before what is only wrong with what was derived of them. */
const weight = ({ kind }: TreeProblem): number => (kind === 'tile' ? 1 : 0);

/** What differs on disk, and the first leaf concerned; null when nothing does. */
async function compareTile(
  dir: string,
  { tile, bytes }: TileContent,
): Promise<{ message: string; leaf?: number } | null> {
  let onDisk: Buffer;
  try {
    onDisk = await readTile(dir, tile);
  } catch (error) {
    return { message: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it is missing' : String(error) };
  }
  // A full tile in the place of a partial one begins with the same.
  const begins = onDisk.length >= bytes.length && onDisk.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
  if (begins && (onDisk.length === bytes.length || tile.width < TILE_WIDTH)) return null;
  const message = 'it is not what the records give';
  if (tile.level !== 0 && tile.level !== 'entries') return { message };
  const offset = firstDifference(bytes, onDisk, tile.level);
  return offset === null ? { message } : { message, leaf: tile.index * TILE_WIDTH + offset };
}

async function readTile(dir: string, tile: TileContent['tile']): Promise<Buffer> {
  try {
    return await readFile(join(dir, tilePath(tile)));
  } catch (error) {
    if (tile.width === TILE_WIDTH) throw error;
    return readFile(join(dir, tilePath({ ...tile, width: TILE_WIDTH })));
  }
}

/** Which leaf of the tile is the first that differs; null when the bytes on disk cannot be taken apart. */
function firstDifference(expected: Buffer, found: Buffer, level: 0 | 'entries'): number | null {
  const expectedParts = level === 0 ? hashesOf(expected) : bundleEntries(expected);
  const foundParts = level === 0 ? hashesOf(found) : bundleEntries(found);
  if (!expectedParts || !foundParts) return null;
  const at = expectedParts.findIndex((part, i) => !foundParts[i]?.equals(part));
  return at < 0 ? null : at;
}

function hashesOf(tile: Buffer): Buffer[] {
  const count = Math.floor(tile.length / HASH_BYTES);
  return Array.from({ length: count }, (_, i) => tile.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}
