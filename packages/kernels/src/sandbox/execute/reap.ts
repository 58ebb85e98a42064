import { rm } from 'node:fs/promises';
import type { Records } from '../runs/records.ts';
import { sweep } from './child.ts';
import { folderOf } from './executor.ts';
import { kill, startOf } from './proc.ts';

/**
 * Ends what a life before has left running, and records its runs as lost. A process is known by its pid and the moment it started; one that
 * was started and not yet recorded, by the mark in its environment.
 */
export async function reapRuns(records: Records, runsDir: string, nowMs: number): Promise<string[]> {
  const unfinished = records.unfinished();
  for (const { id, kind, pid, pidStart } of unfinished) {
    if (kind === 'execute') {
      if (pid !== null && pidStart !== null && startOf(pid) === pidStart) kill(-pid);
      await sweep(await folderOf(runsDir, id), new Map(pid === null ? [] : [[pid, pidStart]]));
    }
    records.end(id, nowMs, { state: 'lost', error: 'the process that ran it died' });
  }
  await rm(runsDir, { recursive: true, force: true, maxRetries: 3 });
  return unfinished.map(({ id }) => id);
}
