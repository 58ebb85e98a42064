import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AnyRecord, type Clock, GraceError, HOME, type SystemPlan } from '@grace/contracts';
import { type Journal, openJournal } from '../journal/journal.ts';
import { createBusKey } from '../process/executor.ts';
import { endCells, type FormerCell, livingCells } from './former-cells.ts';
import { lockHome } from './lock.ts';
import { digestOf } from './plan-digest.ts';

/** What a supervisor stands on: the home is its own, the journal is open, the folders are there. */
export interface Ground {
  journal: Journal;
  busKey: Uint8Array;
  /** Of the plan, as `system:boot` keeps it. */
  digest: string;
  /** What a supervisor that died left behind and this one goes on with; null: a new boot. */
  former: Former | null;
  /** Gives everything back: nothing of a running system stays in the home. */
  leave(): Promise<void>;
  /** Gives back only the home itself: what the cells stand on stays for whoever comes next. */
  handOn(): Promise<void>;
}

export interface Former {
  /** Its journal from `system:boot` on. */
  records: AnyRecord[];
  /** Its cells that live. */
  cells: FormerCell[];
}

/**
 * Takes the home. What fails on the way is undone before it is thrown.
 * @param resume this supervisor replaces one that died: it goes on even when no cell has survived
 * @throws GraceError `HOME_TAKEN`, `HOME_UNUSABLE`, `STORAGE_FULL`, `LEDGER_CORRUPT`
 */
export async function takeHome(plan: SystemPlan, clock: Clock, resume = false): Promise<Ground> {
  const lock = lockOf(plan.home);
  const digest = digestOf(plan);
  let journal: Journal | undefined;
  let living: FormerCell[] = [];
  const leave = async (): Promise<void> => {
    await journal?.close();
    for (const file of [HOME.busKey, HOME.busSocket, HOME.acl, HOME.plan])
      rmSync(join(plan.home, file), { force: true });
    rmSync(join(plan.home, HOME.cells), { recursive: true, force: true });
    lock.release();
  };
  const handOn = async (): Promise<void> => {
    await journal?.close().catch(() => {});
    lock.release();
  };
  try {
    for (const folder of [HOME.logs, HOME.state]) mkdirSync(join(plan.home, folder), { recursive: true, mode: 0o700 });
    living = livingCells(plan.home);
    journal = await openJournal(join(plan.home, HOME.journal), clock);
    // A journal with records missing does not say enough to go on with.
    const isWhole = journal.repaired?.action !== 'sealed';
    const records = isWhole && (living.length > 0 || resume) ? await journal.sinceBoot().catch(noneIfDamaged) : [];
    const former = mayGoOn(records, digest, clock, resume) ? { records, cells: living } : null;
    const busKey = former ? readBusKey(plan.home) : null;
    if (former && busKey) return { journal, busKey, digest, former, leave, handOn };
    await endCells(living);
    living = [];
    rmSync(join(plan.home, HOME.cells), { recursive: true, force: true });
    const newKey = createBusKey();
    writeFileSync(join(plan.home, HOME.busKey), newKey, { mode: 0o600 });
    return { journal, busKey: newKey, digest, former: null, leave, handOn };
  } catch (error) {
    await (living.length === 0 ? leave() : handOn());
    throw readable(error, plan.home);
  }
}

/** Damage in an older part of the journal costs what stood there, not the boot. */
function noneIfDamaged(error: unknown): AnyRecord[] {
  if (error instanceof GraceError && error.code === 'LEDGER_CORRUPT') return [];
  throw error;
}

/** The plan lies there for a supervisor that cannot have the home, and will not be: it goes, unless another one lives by it. */
function lockOf(home: string): ReturnType<typeof lockHome> {
  try {
    return lockHome(home);
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'HOME_TAKEN') rmSync(join(home, HOME.plan), { force: true });
    throw error;
  }
}

/** Only the same plan is gone on with, in the same boot of the machine; a stop that had begun is finished only by who was sent for that. */
function mayGoOn(records: readonly AnyRecord[], digest: string, clock: Clock, resume: boolean): boolean {
  const [boot] = records;
  if (boot?.name !== 'system:boot' || boot.data.plan !== digest || boot.monoMs > clock.monoMs()) return false;
  if (records.some(({ name }) => name === 'system:stopped')) return false;
  return resume || !records.some(({ name }) => name === 'system:stop');
}

function readBusKey(home: string): Uint8Array | null {
  try {
    const key = new Uint8Array(readFileSync(join(home, HOME.busKey)));
    return key.length === createBusKey().length ? key : null;
  } catch {
    return null;
  }
}

function readable(error: unknown, home: string): unknown {
  if (error instanceof GraceError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new GraceError(code === 'ENOSPC' ? 'STORAGE_FULL' : 'HOME_UNUSABLE', `${home} cannot be used: ${message}`, {
    home,
    errno: code,
  });
}
