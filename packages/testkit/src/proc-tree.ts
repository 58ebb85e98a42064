import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Processes with `name=value` in their environment, and all their descendants, that still run. */
export function markedPids(name: string, value: string): number[] {
  const all = numbersIn('/proc').map((pid) => ({ pid, ...readStat(pid) }));
  const found = new Set(all.filter(({ pid }) => environmentOf(pid).includes(`${name}=${value}`)).map(({ pid }) => pid));
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (parent !== undefined && found.has(parent)) found.add(pid);
  }
  found.delete(process.pid);
  // A zombie has ended: it only waits for its parent to take notice.
  return [...found].filter((pid) => !['Z', 'X', undefined].includes(readStat(pid).state)).sort((a, b) => a - b);
}

/** Ends exactly these. */
export function killPids(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Regular files a process holds open for writing. */
export function writtenFilesOf(pid: number): string[] {
  return numbersIn(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
      const isWritten = (Number.parseInt(flags, 8) & 0o3) !== 0;
      return isWritten && path.startsWith('/') && !/^\/(dev|proc|sys|memfd:)/.test(path) ? [path] : [];
    } catch {
      return [];
    }
  });
}

/**
 * Folders of control groups that hold threads of a process and not this one. A root group is nobody's: the system lists a thread there
 * from the moment that it ends.
 */
export function cgroupsOf(pid: number): string[] {
  const own = new Set(groupLines('/proc/self/cgroup'));
  const lines = numbersIn(`/proc/${pid}/task`).flatMap((tid) => groupLines(`/proc/${pid}/task/${tid}/cgroup`));
  return [...new Set(lines)].filter((line) => !own.has(line) && !line.endsWith(':/')).map(groupFolder);
}

/** The control groups that the system of a home has, in the groups of this process. */
export function cgroupsOfHome(home: string): string[] {
  const name = `grace-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`;
  return groupLines('/proc/self/cgroup')
    .map((line) => join(groupFolder(line), name))
    .filter((group) => existsSync(group));
}

/** Removes a control group with all inside; throws `EBUSY` while one of them holds a task. */
export function removeCgroup(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(group, entry.name));
  rmdirSync(group);
}

/** `4:cpu:/path` or `0::/path`. */
function groupLines(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').trim().split('\n');
  } catch {
    return [];
  }
}

function groupFolder(line: string): string {
  const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
  if (controllers !== '') return `/sys/fs/cgroup/${controllers.replace(/^name=/, '')}${path}`;
  return `/sys/fs/cgroup${path}`;
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function readStat(pid: number): { state?: string; parent?: number } {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, field 2, stands in parentheses and may itself hold spaces and parentheses.
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: state!, parent: Number(parent) };
  } catch {
    return {};
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
