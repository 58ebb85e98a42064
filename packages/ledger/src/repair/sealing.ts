import { basename, dirname, join, relative } from 'node:path';
import { type Epoch, epochFolder, SEAL_FILE, SEALED_FOLDER, SEALING_FILE } from '../epoch/epochs.ts';
import { type Anchor, encodeSeal, type KeptRun, type Seal } from '../epoch/seal.ts';
import { copyFile, digestOfFile, type FileLayer, readSmall, writeSmall } from '../files.ts';
import { toHex } from '../format.ts';
import { HEAD_FILE } from '../head.ts';
import type { LedgerProblem } from '../problems.ts';
import type { Run } from './runs.ts';
import type { Salvage } from './salvage.ts';

/** The seal and how to come to it, in `sealing.json`; paths are relative to the folder of the ledger. */
interface Sealing {
  epoch: number;
  seal: string;
  moves: { from: string; to: string }[];
  copies: { from: string; to: string }[];
}

export interface Finding {
  by: string;
  reason: string;
  problems: readonly LedgerProblem[];
  anchors: readonly Anchor[];
  salvage: Salvage;
}

const PROBLEMS_TOLD = 100;
const INTENT_BYTES_MAX = 512 * 1024 ** 2;
const RESTORED = /\.restoring$/;

/** What the seal of the present epoch says; nothing is written. */
export async function draftSeal(files: FileLayer, dir: string, epoch: Epoch, finding: Finding): Promise<Seal> {
  const { salvage } = finding;
  const nameOf = (run: Run) => (run.folder === dir ? run.segment : `mirror-${run.segment}`);
  const kept: KeptRun[] = salvage.kept.map((run) => ({
    ...{ from: run.from, to: run.to, segment: nameOf(run), offset: run.offset, hash: toHex(run.hash) },
  }));
  const named = new Map<string, string>();
  for (const name of await evidenceIn(files, dir)) named.set(name, join(dir, name));
  for (const run of salvage.kept) if (run.folder !== dir) named.set(nameOf(run), join(run.folder, run.segment));
  const digests: Seal['files'] = [];
  for (const [name, path] of named) {
    digests.push({ name, bytes: (await files.look(path))?.bytes ?? 0, sha256: await digestOfFile(files, path) });
  }
  return {
    epoch: epoch.number,
    sealedAtMs: Date.now(),
    by: finding.by,
    reason: finding.reason,
    problems: finding.problems.slice(0, PROBLEMS_TOLD),
    base: epoch.base,
    lastGood: salvage.lastGood,
    next: salvage.highest + 1,
    kept,
    lost: salvage.lost,
    disputed: salvage.disputed,
    files: digests,
    anchors: [...finding.anchors],
  };
}

/**
 * Puts the present epoch away: its files, and the companions, go as they are into a folder of their own beside the seal. The intent is
 * durable before the first file moves, so whoever opens the folder after a crash can go on with it.
 */
export async function sealEpoch(
  files: FileLayer,
  dir: string,
  { seal, runs, companions }: { seal: Seal; runs: readonly Run[]; companions: readonly string[] },
): Promise<void> {
  const folder = epochFolder(dir, seal.epoch);
  const into = (name: string) => relative(dir, join(folder, name));
  const moves = (await evidenceIn(files, dir)).map((name) => ({ from: name, to: into(name) }));
  for (const path of companions) {
    if ((await files.look(path)) !== null) moves.push({ from: relative(dir, path), to: into(basename(path)) });
  }
  const borrowed = new Map(runs.filter((run) => run.folder !== dir).map((run) => [run.segment, run.folder]));
  const copies = [...borrowed].map(([segment, from]) => ({
    from: relative(dir, join(from, segment)),
    to: into(`mirror-${segment}`),
  }));
  const sealing: Sealing = { epoch: seal.epoch, seal: encodeSeal(seal).toString('utf8'), moves, copies };
  await writeSmall(files, join(dir, SEALING_FILE), JSON.stringify(sealing));
  await files.syncFolder(dir);
  await finishSealing(files, dir);
}

/** Goes on with a seal that was begun; returns whether there was one. */
export async function finishSealing(files: FileLayer, dir: string): Promise<boolean> {
  const intent = await readSmall(files, join(dir, SEALING_FILE), INTENT_BYTES_MAX);
  if (intent === null) return false;
  const { epoch, seal, moves, copies } = JSON.parse(intent.toString('utf8')) as Sealing;
  const folder = epochFolder(dir, epoch);
  await files.makeFolder(folder);
  for (const { from, to } of copies) await copyFile(files, join(dir, from), join(dir, to));
  for (const { from, to } of moves) {
    if ((await files.look(join(dir, from))) === null) continue;
    await files.rename(join(dir, from), join(dir, to));
    await files.syncFolder(dirname(join(dir, from)));
  }
  await writeSmall(files, join(folder, SEAL_FILE), seal);
  for (const name of await files.list(folder)) {
    const isOurs = name === SEAL_FILE || name === HEAD_FILE || name.endsWith('.segment');
    if (isOurs) await files.protect(join(folder, name));
  }
  await files.syncFolder(folder);
  await files.syncFolder(join(dir, SEALED_FOLDER));
  await files.syncFolder(dir);
  await files.remove(join(dir, SEALING_FILE));
  await files.syncFolder(dir);
  return true;
}

/** What of the folder belongs to the present epoch. */
async function evidenceIn(files: FileLayer, dir: string): Promise<string[]> {
  const names = await files.list(dir);
  return names
    .filter(
      (name) => name.endsWith('.segment') || RESTORED.test(name) || name === HEAD_FILE || name === 'truncation.json',
    )
    .sort();
}
