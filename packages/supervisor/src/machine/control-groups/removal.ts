import { basename, join } from 'node:path';
import { errno, type GroupFiles } from './group-files.ts';

/** How often a group that is busy is tried again, ms: the system lets go of a thread a moment after it has ended. */
const AGAIN_MS = 10;

/**
 * Removes a group with all groups inside, as far as they hold nothing, until the deadline.
 * @returns what is left, deepest first
 */
export async function removeGroups(files: GroupFiles, group: string, deadlineMs: number): Promise<string[]> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const left = await removeOnce(files, group);
    if (left.length === 0 || performance.now() >= end) return left;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function removeOnce(files: GroupFiles, group: string): Promise<string[]> {
  const left: string[] = [];
  for (const name of await childrenOf(files, group)) left.push(...(await removeOnce(files, join(group, name))));
  try {
    await files.remove(group);
  } catch (error) {
    if (errno(error) !== 'ENOENT') left.push(group);
  }
  return left;
}

/** Whether any group of the tree holds a task. */
export async function holdsTasks(files: GroupFiles, group: string): Promise<boolean> {
  // A threaded group of v2 does not tell its processes, and v1 has no cgroup.threads.
  const lists = await Promise.all(
    ['tasks', 'cgroup.threads'].map((name) => files.read(join(group, name)).catch(() => '')),
  );
  if (lists.some((text) => text.trim() !== '')) return true;
  for (const name of await childrenOf(files, group)) if (await holdsTasks(files, join(group, name))) return true;
  return false;
}

export async function childrenOf(files: GroupFiles, group: string): Promise<string[]> {
  try {
    return await files.list(group);
  } catch {
    return [];
  }
}

/** `grace-4f1a2b3c4d5e/work/librarian.3`: how a group is told to people. */
export function shownGroup(group: string, base: string): string {
  return group.startsWith(`${base}/`) ? group.slice(base.length + 1) : basename(group);
}
