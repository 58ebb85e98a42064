import { join } from 'node:path';
import type { CellLimits, StatusDocument } from '@grace/contracts';
import { type GroupFiles, systemGroupFiles } from './group-files.ts';
import { holdMemory, joinProcess } from './memory-groups.ts';
import type { LimitGround } from './probe.ts';
import { removeGroups, shownGroup } from './removal.ts';
import { groupName, ownerName, sweepGroups } from './sweep.ts';
import { becomeThreaded, giveControllers, threadGroups } from './thread-groups.ts';

/** The control groups of one system, from its start to its stop. */
export interface SystemGroups {
  readonly enforcement: StatusDocument['system']['enforcement'];
  /** Makes the groups of a cell that has said hello. What cannot be had is not in the answer; it never rejects. */
  openCell(cell: string, pid: number): Promise<CellLimits>;
  /** The threads of a cell have ended with it: their groups are removed. */
  closeCell(cell: string): void;
  /** Everything, after the last cell has ended; what is still there after the deadline. */
  remove(deadlineMs: number): Promise<string[]>;
}

/** A cell's watch asks and restarts at its limit; the system's own hard one stands so far above it that only an accident reaches it. */
const HARD_LIMIT = 1.25;
const OPEN_DEADLINE_MS = 2000;
const CLOSE_DEADLINE_MS = 1000;

/** Makes the groups of the system of `home`, which must be locked, and removes those of systems that have died. Never rejects. */
export async function openSystemGroups(
  home: string,
  ground: LimitGround,
  cellMemoryBytes: number,
  files: GroupFiles = systemGroupFiles,
): Promise<SystemGroups> {
  const name = groupName(home);
  const limitBytes = Math.round(cellMemoryBytes * HARD_LIMIT);
  const trees = [...new Set([ground.cpu?.base, ground.memory?.base])].filter((base) => base !== undefined);
  const cpuGroup = ground.cpu && join(ground.cpu.base, name);
  const memoryGroup = ground.memory && join(ground.memory.base, name);
  const fallback: CellLimits = {
    method: ground.cpu === null ? ground.method : process.features.inspector ? 'inspector' : 'none',
    group: null,
  };

  const openTree = async (base: string): Promise<void> => {
    await sweepGroups(files, base, name);
    const group = join(base, name);
    await files.make(group);
    await files.make(join(group, ownerName()));
    if (base !== ground.cpu?.base || ground.cpu.method !== 'cgroup2') return;
    if (ground.cpu.layout === 'threads') await becomeThreaded(files, group);
    await giveControllers(files, group, ground.cpu.layout === 'threads' ? ['cpu'] : ['cpu', 'memory']);
  };

  const openMemory = async (cell: string, pid: number): Promise<void> => {
    if (memoryGroup === null || ground.memory === null) return;
    const group = join(memoryGroup, cell);
    await files.make(group);
    await holdMemory(files, ground.memory, group, limitBytes);
    await joinProcess(files, group, pid);
  };

  const openThreads = async (cell: string): Promise<CellLimits> => {
    if (cpuGroup === null || ground.cpu === null) return fallback;
    const { method, layout } = ground.cpu;
    const group = join(cpuGroup, cell);
    if (layout === 'threads') await threadGroups(method, files).make(group);
    if (method === 'cgroup2') await giveControllers(files, group, ['cpu']);
    return { method, group };
  };

  let enforcement = enforcementOf(ground, limitBytes);
  try {
    for (const base of trees) await openTree(base);
  } catch (error) {
    // The proof held a moment ago and this does not: what is not there is not claimed.
    enforcement = enforcementOf(
      { method: fallback.method, cpu: null, memory: null, refused: { memory: (error as Error).message } },
      limitBytes,
    );
    return { enforcement, openCell: async () => fallback, closeCell: () => {}, remove: async () => [] };
  }

  return {
    get enforcement() {
      return enforcement;
    },
    async openCell(cell, pid) {
      const opened = openMemory(cell, pid)
        // In a tree of both, the cell's group must be its own before its threads can be held.
        .catch((error: unknown) => {
          enforcement = enforcementOf({ ...ground, memory: null, refused: { memory: (error as Error).message } }, 0);
          if (ground.cpu?.layout === 'cells') throw error;
        })
        .then(() => openThreads(cell));
      return await inTime(opened, OPEN_DEADLINE_MS, fallback);
    },
    closeCell(cell) {
      if (cpuGroup !== null) void removeInside(files, join(cpuGroup, cell));
    },
    async remove(deadlineMs) {
      const left = await Promise.all(
        trees.map(async (base) =>
          (await removeGroups(files, join(base, name), deadlineMs)).map((group) => shownGroup(group, base)),
        ),
      );
      return left.flat();
    },
  };
}

async function removeInside(files: GroupFiles, cellGroup: string): Promise<void> {
  const names = await files.list(cellGroup).catch((): string[] => []);
  await Promise.all(names.map((thread) => removeGroups(files, join(cellGroup, thread), CLOSE_DEADLINE_MS)));
}

/** What is enforced, in words that are true. */
function enforcementOf(ground: LimitGround, limitBytes: number): SystemGroups['enforcement'] {
  const megabytes = Math.round(limitBytes / 1024 ** 2);
  const hard =
    ground.memory === null
      ? `none above the watch (${ground.refused.memory ?? 'not tried'})`
      : `control group v${ground.memory.version} at ${megabytes} MiB`;
  return {
    cpu: ground.method,
    memory: `thread: heap and off-heap watched, restarted at the limit; V8 limit on the heap alone; cell: watched; hard limit: ${hard}`,
  };
}

function inTime<T>(work: Promise<T>, deadlineMs: number, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(otherwise), deadlineMs);
    work.then(resolve, () => resolve(otherwise)).finally(() => clearTimeout(timer));
  });
}
