import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { examine } from './examine.ts';
import { type Claim, contradicted, LOG, rolledBack, type TreeProblem } from './flaw.ts';
import type { Growth } from './growth.ts';
import { type TreeLogOptions, verifiersOf } from './options.ts';
import { rootAt } from './proofs.ts';
import { TileReader } from './tile-folder.ts';
import { hashesOnLevel, TILE_WIDTH } from './tiles.ts';

/** How a tree goes on after a start. */
export interface Regrowth {
  growth: Growth;
  /** What is published and whole; null when nothing is, or when the tiles have to be made again. */
  checkpoint: Checkpoint | null;
  /** Why tiles are made again. */
  rebuilt: TreeProblem | null;
  /** Why nothing may be signed. */
  broken: TreeProblem | null;
  /** Nothing was ever signed, as far as anybody knows. */
  isNew: boolean;
}

/**
 * What the folder holds, held against the ledger and against what witnesses saw. The usual way reads one tile of each level and the records
 * behind the last full one; only when that does not give the signed root is everything read.
 */
export async function regrow(options: TreeLogOptions, makeGrowth: () => Growth): Promise<Regrowth> {
  const { dir, records, seen } = options;
  const empty = { growth: makeGrowth(), checkpoint: null, rebuilt: null, broken: null, isNew: false };
  if (options.anew) return empty;
  const { checkpoint, flaw } = await standingCheckpoint(options);
  const claims: Claim[] = [...seen, ...(checkpoint ? [{ by: LOG, head: checkpoint }] : [])];
  // A checkpoint that cannot be read may be made again only under the eyes of somebody who saw what stood in it.
  if (flaw && seen.length === 0) return { ...empty, broken: flaw };

  const held = records.last() - records.base;
  const beyond = claims.find(({ head }) => head.size > held);
  if (beyond) return { ...empty, broken: rolledBack(beyond, held) };
  if (checkpoint) {
    const growth = await resume(options, checkpoint, makeGrowth()).catch(onlyCorrupt);
    if (growth) {
      const broken = await firstContradiction(options, checkpoint, growth).catch(onlyCorrupt);
      if (broken !== undefined) return { ...empty, growth, checkpoint, broken };
    }
  }
  if (claims.length === 0) return { ...empty, isNew: true };
  const { problems } = await examine(dir, records, claims, { published: checkpoint?.size ?? 0 });
  const broken = problems.find(({ kind }) => kind !== 'tile') ?? null;
  return { ...empty, broken, rebuilt: broken ? null : (problems[0] ?? flaw ?? null) };
}

async function standingCheckpoint(
  options: TreeLogOptions,
): Promise<{ checkpoint: Checkpoint | null; flaw: TreeProblem | null }> {
  const { dir, signer, cosigners } = options;
  try {
    const checkpoint = await readCheckpoint(dir, [signer.verifier], verifiersOf(cosigners));
    const hasTiles = (await readdir(join(dir, 'tile')).catch(() => [])).length > 0;
    if (checkpoint || !hasTiles) return { checkpoint, flaw: null };
    return { checkpoint, flaw: { kind: 'checkpoint', message: 'the checkpoint is missing beside tiles' } };
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'PROOF_INVALID') throw error;
    return { checkpoint: null, flaw: { kind: 'checkpoint', message: error.message, path: 'checkpoint' } };
  }
}

/** The right edge at the size of the checkpoint; null when it does not give the signed root. */
async function resume(options: TreeLogOptions, checkpoint: Checkpoint, growth: Growth): Promise<Growth | null> {
  const { dir, records } = options;
  const reader = new TileReader(dir, checkpoint.size);
  const whole = checkpoint.size - (checkpoint.size % TILE_WIDTH);
  const above: Buffer[] = [];
  for (let level = 1; hashesOnLevel(level, whole) > 0; level++) {
    const hashes = hashesOnLevel(level, whole);
    const isFull = hashes % TILE_WIDTH === 0;
    above.push(isFull ? Buffer.alloc(0) : await reader.tile(level, Math.floor(hashes / TILE_WIDTH)));
  }
  growth.resume(whole, above);
  for await (const record of records.read(records.base + whole + 1, checkpoint.size - whole)) {
    growth.add(record, record.payload.length);
  }
  return growth.size === checkpoint.size && growth.root().equals(checkpoint.root) ? growth : null;
}

/** Takes in what a witness saw beyond the checkpoint; null when all of them saw this tree. */
async function firstContradiction(
  { dir, records, seen }: TreeLogOptions,
  checkpoint: Checkpoint,
  growth: Growth,
): Promise<TreeProblem | null> {
  const reader = new TileReader(dir, checkpoint.size);
  for (const claim of [...seen].sort((a, b) => a.head.size - b.head.size)) {
    const { size } = claim.head;
    for await (const record of size > growth.size
      ? records.read(records.base + growth.size + 1, size - growth.size)
      : []) {
      growth.add(record, record.payload.length);
    }
    const root = size <= checkpoint.size ? await rootAt(size, reader.hash) : growth.root();
    if (!root.equals(claim.head.root)) return contradicted(claim, root);
  }
  return null;
}

/** Flawed tiles and unreadable records are found again, and named, when everything is read. */
function onlyCorrupt(error: unknown): undefined {
  if (error instanceof GraceError && error.code === 'LEDGER_CORRUPT') return undefined;
  throw error;
}
