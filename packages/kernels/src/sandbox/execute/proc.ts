import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const PAGE_BYTES = 4096;

/** The mark of every process of a run, in its environment: the folder of the run, which no other run of any system has. */
export const MARK = 'GRACE_SANDBOX';

/** When a process started, in ticks since boot: with its pid it names one process, also after the pid has gone to another. */
export function startOf(pid: number): number | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return null;
  // The name, field 2, stands in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ['Z', 'X'].includes(fields[0]!) ? null : Number(fields[19]);
}

/** A process and all that descend from it. */
export function treeOf(pid: number): number[] {
  const found = [pid];
  for (const parent of found) {
    for (const task of numbersIn(`/proc/${parent}/task`)) {
      const children = read(`/proc/${parent}/task/${task}/children`)?.trim();
      if (children) found.push(...children.split(' ').map(Number));
    }
  }
  return found;
}

/** Whether the machine tells who descends from whom. */
export function tellsChildren(): boolean {
  return read(`/proc/${process.pid}/task/${process.pid}/children`) !== undefined;
}

/** Memory that a process holds, bytes; 0 = it has gone. */
export function heldBytes(pid: number): number {
  return Number(read(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0) * PAGE_BYTES;
}

/** Processes that carry the mark of a folder, or stand in it. */
export function processesOf(folder: string): number[] {
  return numbersIn('/proc').filter((pid) => {
    if (pid === process.pid) return false;
    if (read(`/proc/${pid}/environ`)?.split('\0').includes(`${MARK}=${folder}`)) return startOf(pid) !== null;
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      return cwd === folder || cwd.startsWith(`${folder}/`);
    } catch {
      return false;
    }
  });
}

/** Ends exactly this process, or for a negative number this group. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // EPERM: nothing of ours has this number any more.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code!)) throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
