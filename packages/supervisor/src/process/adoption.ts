import type { ThreadInventory } from '@grace/contracts';
import { lives } from '@grace/control/owner';
import type { CoreEvent } from '../core/events.ts';
import type { CoreState } from '../core/state.ts';
import { endCells, type FormerCell } from '../home/former-cells.ts';
import type { CellProcesses } from './cell-processes.ts';

/** How long clients wait for cells that do not dial, ms. */
const WELCOME_MS = 2000;

/** What came over from a former supervisor, told once: when every cell that lived has dialled or ended. */
export interface Adoption {
  /** Resolves when it is told, or after `WELCOME_MS`: before that, clients would be shown kernels that cannot be reached yet. */
  readonly settled: Promise<void>;
  /** Cells on record that are gone have ended; cells that nobody knows are ended. */
  begin(): void;
  dialled(cell: string, threads: readonly ThreadInventory[], dropped: number): void;
  exited(cell: string): void;
}

export interface AdoptionParts {
  state(): CoreState;
  living: readonly FormerCell[];
  cells: Pick<CellProcesses, 'adopt'>;
  emit(event: CoreEvent): void;
  onDone(adopted: { cells: string[]; kernels: string[]; dropped: number }): void;
}

/** Takes charge of the processes at once. */
export function createAdoption(parts: AdoptionParts): Adoption {
  const awaited = new Set<string>();
  const adopted: { cells: string[]; kernels: string[]; dropped: number } = { cells: [], kernels: [], dropped: 0 };
  let done = false;
  const welcome = Promise.withResolvers<void>();
  setTimeout(welcome.resolve, WELCOME_MS).unref();
  const settle = (cell: string): void => {
    awaited.delete(cell);
    if (done || awaited.size > 0) return;
    done = true;
    parts.onDone(adopted);
    welcome.resolve();
  };

  const onRecord = Object.entries(parts.state().cells).filter(([, { state }]) => state !== 'down');
  const own = new Map<string, FormerCell>();
  for (const [id, { incarnation }] of onRecord) {
    const process = parts.living.find((one) => one.cell === id && one.incarnation === incarnation && lives(one));
    if (process) own.set(id, process);
  }
  // They may dial at once, so who is expected is settled before anybody listens.
  for (const [id, process] of own) {
    awaited.add(id);
    parts.cells.adopt(id, process.incarnation, process);
  }

  return {
    settled: welcome.promise,
    begin() {
      // Those on record nowhere hold no kernel that anybody has asked for.
      const unknown = parts.living.filter((one) => own.get(one.cell) !== one);
      void endCells(unknown, 0);
      for (const [cell, { incarnation, pid }] of onRecord) {
        if (own.has(cell)) continue;
        parts.emit({ t: 'cell-exit', cell, incarnation, pid: pid ?? 0, code: null, signal: null });
      }
      settle('');
    },
    dialled(cell, threads, dropped) {
      if (!awaited.has(cell)) return;
      adopted.cells.push(cell);
      adopted.kernels.push(...threads.map(({ kernel }) => kernel));
      adopted.dropped += dropped;
      settle(cell);
    },
    exited: (cell) => {
      if (awaited.has(cell)) settle(cell);
    },
  };
}
