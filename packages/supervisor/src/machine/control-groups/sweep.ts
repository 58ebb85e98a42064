import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { lives, thisProcess } from '../../home/lock.ts';
import type { GroupFiles } from './group-files.ts';
import { childrenOf, holdsTasks, removeGroups } from './removal.ts';

/** The group of the system of a home. */
export function groupName(home: string): string {
  return `grace-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`;
}

/**
 * An empty group inside the system's says whose it is. A live system may hold no task in its groups for a long time, and a sweep of
 * another must leave them alone.
 */
export function ownerName(): string {
  const { pid, startTicks } = thisProcess();
  return `owner.${pid}.${startTicks}`;
}

/** Removes groups that died with their systems: the former ones of this home as far as they are empty, and others without any task. */
export async function sweepGroups(files: GroupFiles, base: string, name: string): Promise<void> {
  for (const found of await childrenOf(files, base)) {
    const group = join(base, found);
    if (found === name) await sweepInside(files, group);
    else if (/^grace-(?:[0-9a-f]{12}|probe-\d+)$/.test(found) && !(await isOwned(files, group))) {
      if (!(await holdsTasks(files, group))) await removeGroups(files, group, 0);
    }
  }
}

/** The home is ours, so whoever had this group is dead; cells of his that still live keep theirs. */
async function sweepInside(files: GroupFiles, group: string): Promise<void> {
  for (const child of await childrenOf(files, group)) await removeGroups(files, join(group, child), 0);
}

/** Whether the supervisor, or the probe, whose group this is lives. */
export async function isOwned(files: GroupFiles, group: string): Promise<boolean> {
  const probe = /^grace-probe-(\d+)$/.exec(basename(group));
  if (probe) return isRunning(Number(probe[1]));
  return (await childrenOf(files, group)).some((child) => {
    const [, pid, startTicks] = /^owner\.(\d+)\.(\d*)$/.exec(child) ?? [];
    return pid !== undefined && lives({ pid: Number(pid), startTicks: startTicks! });
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
