import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, GraceError, HOME, type SystemPlan } from '@grace/contracts';
import { type Journal, openJournal } from '../journal/journal.ts';
import { createBusKey } from '../process/executor.ts';
import { endFormerCells } from './former-cells.ts';
import { lockHome } from './lock.ts';

/** What a supervisor stands on: the home is its own, the journal is open, the folders are there. */
export interface Ground {
  journal: Journal;
  busKey: Uint8Array;
  /** Gives everything back: nothing of a running system stays in the home. */
  leave(): Promise<void>;
}

/**
 * Takes the home. What fails on the way is undone before it is thrown.
 * @throws GraceError `HOME_TAKEN`, `HOME_UNUSABLE`, `STORAGE_FULL`, `LEDGER_CORRUPT`
 */
export async function takeHome(plan: SystemPlan, clock: Clock): Promise<Ground> {
  const lock = lockHome(plan.home);
  let journal: Journal | undefined;
  const leave = async (): Promise<void> => {
    await journal?.close();
    for (const file of [HOME.busKey, HOME.busSocket, HOME.plan]) rmSync(join(plan.home, file), { force: true });
    rmSync(join(plan.home, HOME.cells), { recursive: true, force: true });
    lock.release();
  };
  try {
    await endFormerCells(plan.home);
    for (const folder of [HOME.logs, HOME.state]) mkdirSync(join(plan.home, folder), { recursive: true, mode: 0o700 });
    journal = await openJournal(join(plan.home, HOME.journal), clock);
    const busKey = createBusKey();
    writeFileSync(join(plan.home, HOME.busKey), busKey, { mode: 0o600 });
    return { journal, busKey, leave };
  } catch (error) {
    await leave();
    throw readable(error, plan.home);
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
