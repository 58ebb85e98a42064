import { epochAfter, listSealed } from '../epoch/epochs.ts';
import type { Anchor, Seal } from '../epoch/seal.ts';
import type { FileLayer } from '../files.ts';
import { readHeads } from '../head.ts';
import type { LedgerProblem } from '../problems.ts';
import { verifyLedgerOn } from '../verify.ts';
import { RESTORING, type Restored, restoreSegments } from './restore.ts';
import { doubt, type Salvage, type Source, salvage } from './salvage.ts';
import { draftSeal, finishSealing, sealEpoch } from './sealing.ts';

export interface RepairOrder {
  /** Who wants it, and why: both stand in the seal. */
  by: string;
  reason: string;
  /** What was noted elsewhere: checkpoints, witnesses. */
  anchors?: readonly Anchor[];
  /**
   * Problems found by others that only a new epoch answers, for example a tree that does not fit its signed root. From the record on that
   * one of the kind `rewritten` names, or from the first, no record counts as what was acknowledged.
   */
  problems?: readonly LedgerProblem[];
  /** The newest record that anybody has signed, where that is known only by its number: no seq up to it is given again. */
  atLeast?: number;
  /** Says what would be done, and does nothing. */
  dryRun?: boolean;
}

export interface RepairPlace {
  dir: string;
  outerHead?: string | undefined;
  /** A second copy of the segments, kept by the writer. */
  mirror?: string | undefined;
  /** Folders that belong to an epoch and are sealed with it. */
  companions?: readonly string[];
}

export interface Repair {
  /**
   * `nothing`: nothing was wrong. `truncated`: a write that never finished was cut off. `restored`: every record was found whole somewhere, and the damaged segments were made again.
   * `sealed`: the epoch was put away, what of it can be read stays readable, and a new one was begun.
   */
  action: 'nothing' | 'truncated' | 'restored' | 'sealed';
  problems: LedgerProblem[];
  seal: Seal | null;
  restored: Restored | null;
  /** The epoch that goes on. */
  epoch: number;
  tookMs: number;
}

/**
 * Finds out what is wrong and brings the segments into an order that a writer can go on with; the entry about it is written by
 * `settleFolder`. Whoever calls it has the lock, and no batch is under way.
 */
export async function repairFolder(files: FileLayer, place: RepairPlace, order: RepairOrder): Promise<Repair> {
  const startedMono = performance.now();
  const { dir, outerHead, mirror, companions = [] } = place;
  const done = (repair: Omit<Repair, 'tookMs' | 'problems' | 'epoch'>): Repair => ({
    ...repair,
    problems,
    epoch: (repair.seal?.epoch ?? verification.epochs.length) + 1,
    tookMs: Math.round(performance.now() - startedMono),
  });
  if (!order.dryRun) await finishSealing(files, dir);
  const given = order.anchors ?? [];
  const verification = await verifyLedgerOn(files, dir, { anchors: given, outerHead, isQuiet: true });
  const problems = [...verification.problems, ...(order.problems ?? [])];
  // A sealed epoch cannot be made whole; its flaw is told by the next seal, if there is one.
  const ofThisEpoch = problems.filter(({ kind }) => kind !== 'seal');
  if (problems.length === 0) return done({ action: 'nothing', seal: null, restored: null });
  if (problems.every(({ kind }) => kind === 'torn-tail'))
    return done({ action: 'truncated', seal: null, restored: null });

  const anchors = [...(await readHeads(files, dir, outerHead)), ...given];
  const sealed = await listSealed(files, dir);
  const epoch = await epochAfter(files, dir, sealed);
  const atLeast = Math.max(verification.last.seq, order.atLeast ?? 0);
  const doubtful = (order.problems ?? []).filter(({ kind }) => kind === 'rewritten').map(({ seq }) => seq ?? 1);
  const search = async () =>
    doubt(
      await salvage(files, await sourcesOf(files, dir, mirror), epoch.base, anchors, atLeast),
      Math.min(...doubtful),
    );
  const found = await search();
  const isMadeWhole = (order.problems ?? []).length === 0 && ofThisEpoch.length === problems.length && isWhole(found);
  if (isMadeWhole) {
    if (order.dryRun) return done({ action: 'restored', seal: null, restored: { segments: [], evidence: '' } });
    const restored = await restoreSegments(files, dir, epoch.base, found.kept, mirror ?? null, problems);
    const after = await verifyLedgerOn(files, dir, { anchors: given, outerHead, isQuiet: true });
    if (after.ok) return done({ action: 'restored', seal: null, restored });
  }
  const { by, reason } = order;
  const current = isMadeWhole ? await search() : found;
  const seal = await draftSeal(files, dir, epoch, { by, reason, problems, anchors, salvage: current });
  if (!order.dryRun) await sealEpoch(files, dir, { seal, runs: current.kept, companions });
  return done({ action: 'sealed', seal, restored: null });
}

/** Every record from the base to the newest one that anybody knows of, each linked to the one before it. */
const isWhole = ({ lost, disputed, kept, lastGood, highest }: Salvage): boolean =>
  lost.length === 0 && disputed.length === 0 && kept.length > 0 && lastGood.seq === highest;

async function sourcesOf(files: FileLayer, dir: string, mirror: string | undefined): Promise<Source[]> {
  const sources: Source[] = [{ folder: dir, names: await segmentsIn(files, dir) }];
  if (mirror !== undefined && (await files.look(mirror)) !== null) {
    sources.push({ folder: mirror, names: await segmentsIn(files, mirror) });
  }
  return sources;
}

async function segmentsIn(files: FileLayer, folder: string): Promise<string[]> {
  const names = await files.list(folder);
  return names.filter((name) => name.endsWith('.segment') || name.endsWith(`.segment${RESTORING}`)).sort();
}
