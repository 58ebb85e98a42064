import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { HOME, type SystemPlan } from '@grace/contracts';

export interface CellProcesses {
  spawn(cell: string, incarnation: number): void;
  kill(cell: string): void;
  /** Whether this is the process that was started for the cell last. */
  isChild(cell: string, pid: number): boolean;
  /** Resolves when no child is left, or after the deadline; what is left then is killed. */
  allEnded(deadlineMs: number): Promise<string[]>;
}

export type CellExit = (
  cell: string,
  incarnation: number,
  exit: { pid: number; code: number | null; signal: NodeJS.Signals | null },
) => void;

/** Owns the host processes. Their output goes to a file, so that a cell can outlive its supervisor. */
export function createCellProcesses(plan: SystemPlan, planFile: string, onExit: CellExit): CellProcesses {
  const children = new Map<string, ChildProcess>();
  mkdirSync(join(plan.home, HOME.logs), { recursive: true });
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
        { stdio: ['ignore', out, out], cwd: plan.home, env: process.env },
      );
      closeSync(out);
      children.set(cell, child);
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (children.get(cell) === child) children.delete(cell);
        onExit(cell, incarnation, { pid: child.pid ?? 0, code, signal });
      };
      child.once('error', () => ended(null, null));
      child.once('exit', ended);
    },
    kill(cell) {
      children.get(cell)?.kill('SIGKILL');
    },
    isChild: (cell, pid) => children.get(cell)?.pid === pid,
    async allEnded(deadlineMs) {
      const end = performance.now() + deadlineMs;
      while (children.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
      const left = [...children.keys()];
      for (const cell of left) this.kill(cell);
      return left;
    },
  };
}
