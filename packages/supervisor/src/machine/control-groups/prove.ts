import { basename, dirname, join } from 'node:path';
import type { GroupFiles } from './group-files.ts';
import { holdMemory, joinProcess, type MemoryGround } from './memory-groups.ts';
import { removeGroups } from './removal.ts';
import { becomeThreaded, type GroupMethod, giveControllers, threadGroups } from './thread-groups.ts';

/** Below which folder groups for threads can be made, and how. */
export interface CpuGround {
  method: GroupMethod;
  base: string;
  /**
   * `threads`: every cell stays in its group, and groups for threads hang below the system's. `cells` (v2 only): every cell has a group of
   * its own, which alone can also have a memory limit there, with the groups of its threads inside.
   */
  layout: 'threads' | 'cells';
}

/** A process that only waits; its single thread may be put anywhere. */
export interface IdleProcess {
  pid: number;
  end(): void;
}

export interface ProofParts {
  files: GroupFiles;
  /** A thread of this process that is not its main one. */
  tid(): number;
  startIdle(): Promise<IdleProcess>;
}

const TRIAL_CPU = 0.5;
const TRIAL_BYTES = 1024 ** 3;
const REMOVE_MS = 1000;

export const trialGroup = (base: string): string => join(base, `grace-probe-${process.pid}`);

/** Every proof throws why not; it writes what will be written later, reads it back, and leaves nothing. */
export async function proveCgroup1({ files, tid }: ProofParts, base: string | null): Promise<CpuGround> {
  if (base === null) throw new Error('this process is in no v1 cpu group');
  await withTrial(files, base, (trial) => proveThread(files, 'cgroup1', trial, tid(), base));
  return { method: 'cgroup1', base, layout: 'threads' };
}

/**
 * v2 with threads below the own group: what a delegated group with processes allows. The cpu controller stays switched on in the own group.
 * Source: Documentation/admin-guide/cgroup-v2.rst, "Threads" and "No Internal Process Constraint".
 */
export async function proveThreads2({ files, tid }: ProofParts, base: string | null): Promise<CpuGround> {
  if (base === null) throw new Error('this process is in no v2 group');
  await giveControllers(files, base, ['cpu']);
  await withTrial(files, base, async (trial) => {
    await becomeThreaded(files, trial);
    await giveControllers(files, trial, ['cpu']);
    await proveThread(files, 'cgroup2', trial, tid(), base);
  });
  return { method: 'cgroup2', base, layout: 'threads' };
}

/** v2 with a group per cell: possible where no process is in the base, or in the root. Proves the hard memory limit as well. */
export async function proveCells2({ files, startIdle }: ProofParts, own: string | null): Promise<CpuGround> {
  if (own === null) throw new Error('this process is in no v2 group');
  // A service whose processes run in a subgroup owns the group above it; any other group above is somebody else's.
  const base = /\.(service|scope)$/.test(dirname(own)) ? dirname(own) : own;
  await giveControllers(files, base, ['cpu', 'memory']);
  await withTrial(files, base, async (trial) => {
    await giveControllers(files, trial, ['cpu', 'memory']);
    const cell = join(trial, 'cell');
    await files.make(cell);
    await holdMemory(files, { version: 2 }, cell, TRIAL_BYTES);
    const idle = await startIdle();
    try {
      await joinProcess(files, cell, idle.pid);
      await giveControllers(files, cell, ['cpu']);
      await proveThread(files, 'cgroup2', cell, idle.pid, cell);
    } finally {
      idle.end();
    }
  });
  return { method: 'cgroup2', base, layout: 'cells' };
}

export async function proveMemory1({ files, startIdle }: ProofParts, base: string | null): Promise<MemoryGround> {
  if (base === null) throw new Error('this process is in no v1 memory group');
  await withTrial(files, base, async (trial) => {
    await holdMemory(files, { version: 1 }, trial, TRIAL_BYTES);
    const idle = await startIdle();
    try {
      await joinProcess(files, trial, idle.pid);
    } finally {
      idle.end();
    }
  });
  return { version: 1, base };
}

async function proveThread(
  files: GroupFiles,
  method: GroupMethod,
  parent: string,
  tid: number,
  back: string,
): Promise<void> {
  const groups = threadGroups(method, files);
  const group = join(parent, 'thread');
  await groups.make(group);
  await groups.hold(group, TRIAL_CPU);
  const held = await groups.held(group);
  if (held !== TRIAL_CPU) throw new Error(`${basename(group)} holds a share of ${held}, not ${TRIAL_CPU}`);
  await groups.join(group, tid);
  const isIn = (await groups.threads(group)).includes(tid);
  await groups.join(back, tid);
  if (!isIn) throw new Error(`a thread put into ${group} is not in it`);
}

async function withTrial(files: GroupFiles, base: string, work: (trial: string) => Promise<void>): Promise<void> {
  const trial = trialGroup(base);
  await files.make(trial);
  try {
    await work(trial);
  } finally {
    await removeGroups(files, trial, REMOVE_MS);
  }
}
