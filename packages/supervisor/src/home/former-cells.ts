import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';
import { lives, type Owner, readOwner, thisProcess } from './lock.ts';

/** How long cells of a former supervisor may drain before they are killed, ms. */
const DRAIN_MS = 3000;

/** A cell writes down that it lives, so that a later supervisor of the home can find it. Returns the end of that. */
export function signIn(home: string, cell: string): () => void {
  const dir = join(home, HOME.cells);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `${cell}.${process.pid}`);
  writeFileSync(path, JSON.stringify(thisProcess()), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/**
 * Ends the cells that a former supervisor of this home left running. Two cells with the same kernels would write the same stores, so nothing
 * starts before they are gone.
 */
export async function endFormerCells(home: string): Promise<void> {
  const dir = join(home, HOME.cells);
  const owners = listOwners(dir);
  for (const { pid } of owners) signal(pid, 'SIGTERM');
  const end = performance.now() + DRAIN_MS;
  while (owners.some(lives) && performance.now() < end) await pause();
  for (const owner of owners) if (lives(owner)) signal(owner.pid, 'SIGKILL');
  while (owners.some(lives) && performance.now() < end + DRAIN_MS) await pause();
  rmSync(dir, { recursive: true, force: true });
}

function listOwners(dir: string): Owner[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return [];
  }
  return names
    .map((name) => readOwner(join(dir, name)))
    .filter((owner) => owner !== undefined && lives(owner)) as Owner[];
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
