import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { HOME, type SystemPlan } from '@grace/contracts';
import { lives, type Owner } from '@grace/control/owner';
import { endRemains, HOME_MARK } from './process-group.ts';

export interface CellProcesses {
  spawn(cell: string, incarnation: number): void;
  /** Takes charge of a process that a former supervisor started. */
  adopt(cell: string, incarnation: number, owner: Owner): void;
  kill(cell: string): void;
  /** Whether this is the process that stands for the cell now. */
  expects(cell: string, pid: number): boolean;
  /** Its connection has ended: whether its process has too is looked at closely for a while. */
  look(cell: string): void;
  /** Resolves when no process is left, or after the deadline; what is left then is killed. */
  allEnded(deadlineMs: number): Promise<string[]>;
}

export interface CellProcessEvents {
  onStart(cell: string, incarnation: number, pid: number): void;
  onExit(
    cell: string,
    incarnation: number,
    exit: { pid: number; code: number | null; signal: NodeJS.Signals | null },
  ): void;
}

/** The end of a process that is no child tells itself by nothing: it is looked for this often, ms. Its connection ends with it, so ... */
const LOOK_EVERY_MS = 500;
/** ... after that it is looked for this often, ms, */
const LOOK_CLOSELY_MS = 10;
/** for this long, ms. */
const LOOK_CLOSELY_FOR_MS = 2000;

interface Adopted {
  incarnation: number;
  owner: Owner;
}

/** Owns the host processes. Their output goes to a file, so that a cell can outlive its supervisor. */
export function createCellProcesses(plan: SystemPlan, planFile: string, events: CellProcessEvents): CellProcesses {
  const children = new Map<string, ChildProcess>();
  const adopted = new Map<string, Adopted>();
  let timer: NodeJS.Timeout | undefined;
  let closelyUntil = 0;
  mkdirSync(join(plan.home, HOME.logs), { recursive: true });

  const lookAtAdopted = (): void => {
    for (const [cell, { incarnation, owner }] of adopted) {
      if (lives(owner)) continue;
      adopted.delete(cell);
      endRemains(owner.pid, plan.home);
      // Only a parent learns how a process ended.
      events.onExit(cell, incarnation, { pid: owner.pid, code: null, signal: null });
    }
    schedule();
  };
  const schedule = (): void => {
    clearTimeout(timer);
    if (adopted.size === 0) return;
    const closely = performance.now() < closelyUntil;
    timer = setTimeout(lookAtAdopted, closely ? LOOK_CLOSELY_MS : LOOK_EVERY_MS);
    timer.unref();
  };

  return {
    spawn(cell, incarnation) {
      const out = openSync(join(plan.home, HOME.logs, `${cell}.out`), 'a', 0o600);
      const child = spawn(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          plan.entries.cell,
          '--plan',
          planFile,
          '--cell',
          cell,
          '--incarnation',
          String(incarnation),
        ],
        // The leader of a group: what its kernels start can be told from everything else, and ended with it.
        {
          stdio: ['ignore', out, out],
          cwd: plan.home,
          env: { ...process.env, [HOME_MARK]: plan.home },
          detached: true,
        },
      );
      closeSync(out);
      children.set(cell, child);
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (children.get(cell) === child) children.delete(cell);
        if (child.pid !== undefined) endRemains(child.pid, plan.home);
        events.onExit(cell, incarnation, { pid: child.pid ?? 0, code, signal });
      };
      child.once('error', () => ended(null, null));
      child.once('exit', ended);
      if (child.pid !== undefined) events.onStart(cell, incarnation, child.pid);
    },
    adopt(cell, incarnation, owner) {
      adopted.set(cell, { incarnation, owner });
      schedule();
    },
    kill(cell) {
      children.get(cell)?.kill('SIGKILL');
      const known = adopted.get(cell);
      if (!known || !lives(known.owner)) return;
      try {
        process.kill(known.owner.pid, 'SIGKILL');
      } catch {
        // It ended in this moment.
      }
      this.look(cell);
    },
    expects: (cell, pid) => children.get(cell)?.pid === pid || adopted.get(cell)?.owner.pid === pid,
    look(cell) {
      if (!adopted.has(cell)) return;
      closelyUntil = performance.now() + LOOK_CLOSELY_FOR_MS;
      schedule();
    },
    async allEnded(deadlineMs) {
      const end = performance.now() + deadlineMs;
      const isLeft = (): boolean => children.size + adopted.size > 0;
      while (isLeft() && performance.now() < end) {
        lookAtAdopted();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const left = [...children.keys(), ...adopted.keys()];
      for (const cell of left) this.kill(cell);
      return left;
    },
  };
}
