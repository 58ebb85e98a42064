import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';
import { lives, type Owner, readOwner, thisProcess } from './lock.ts';

/** How long cells of a former supervisor may drain before they are killed, ms. */
const DRAIN_MS = 3000;

/** A cell as it signed in. */
export interface FormerCell extends Owner {
  cell: string;
  incarnation: number;
}

/** A cell writes down that it lives, so that a later supervisor of the home can find it. Returns the end of that. */
export function signIn(home: string, cell: string, incarnation: number): () => void {
  const dir = join(home, HOME.cells);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `${cell}.${process.pid}`);
  const entry: FormerCell = { ...thisProcess(), cell, incarnation };
  writeFileSync(path, JSON.stringify(entry), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/** The cells of this home that live at this moment, whoever started them. */
export function livingCells(home: string): FormerCell[] {
  const dir = join(home, HOME.cells);
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return [];
  }
  return names
    .map((name) => readOwner(join(dir, name)) as FormerCell | undefined)
    .filter((cell): cell is FormerCell => cell !== undefined && lives(cell));
}

/**
 * Ends cells that a former supervisor of this home left running. Two cells with the same kernels would write the same stores, so nothing
 * starts before they are gone.
 */
export async function endCells(cells: readonly FormerCell[], drainMs = DRAIN_MS): Promise<void> {
  if (drainMs > 0) for (const { pid } of cells) signal(pid, 'SIGTERM');
  const end = performance.now() + drainMs;
  while (cells.some(lives) && performance.now() < end) await pause();
  for (const cell of cells) if (lives(cell)) signal(cell.pid, 'SIGKILL');
  while (cells.some(lives) && performance.now() < end + DRAIN_MS) await pause();
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in this moment.
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
