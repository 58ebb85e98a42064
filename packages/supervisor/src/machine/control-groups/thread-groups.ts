import { join } from 'node:path';
import type { CpuMethod } from '@grace/contracts';
import type { GroupFiles } from './group-files.ts';

export type GroupMethod = Extract<CpuMethod, 'cgroup1' | 'cgroup2'>;

/** Control groups that hold single threads to a share of one core, in one way for both versions of the kernel's interface. */
export interface ThreadGroups {
  /** A group that threads can be put into; its parent must give it the cpu controller. */
  make(group: string): Promise<void>;
  /** All threads of the group together get this share of one core from now on. */
  hold(group: string, cpu: number): Promise<void>;
  /** The share that the kernel says it holds the group to; null: none. */
  held(group: string): Promise<number | null>;
  join(group: string, tid: number): Promise<void>;
  threads(group: string): Promise<number[]>;
}

/**
 * How long a thread that has used its share waits at most is nearly one period: 20 ms stays far below every heartbeat's lateness. The
 * kernel takes quotas from 1 ms on, so small shares get longer periods.
 * Source: Documentation/scheduler/sched-bwc.rst (quota at least 1 ms, period at most 1 s).
 */
const PERIOD_US = 20_000;
const QUOTA_MIN_US = 1000;

/** @param cpu share of one core, above 0.001 */
export function quotaOf(cpu: number): { quotaUs: number; periodUs: number } {
  const periodUs = Math.min(1e6, Math.max(PERIOD_US, Math.ceil(QUOTA_MIN_US / cpu)));
  return { quotaUs: Math.max(QUOTA_MIN_US, Math.round(cpu * periodUs)), periodUs };
}

export function threadGroups(method: GroupMethod, files: GroupFiles): ThreadGroups {
  return method === 'cgroup2' ? second(files) : first(files);
}

function first(files: GroupFiles): ThreadGroups {
  return {
    make: (group) => files.make(group),
    async hold(group, cpu) {
      const { quotaUs, periodUs } = quotaOf(cpu);
      // A quota must fit its period at every moment, so the old one goes first.
      await files.write(join(group, 'cpu.cfs_quota_us'), '-1');
      await files.write(join(group, 'cpu.cfs_period_us'), String(periodUs));
      await files.write(join(group, 'cpu.cfs_quota_us'), String(quotaUs));
    },
    async held(group) {
      const quotaUs = Number(await files.read(join(group, 'cpu.cfs_quota_us')));
      return quotaUs < 0 ? null : quotaUs / Number(await files.read(join(group, 'cpu.cfs_period_us')));
    },
    join: (group, tid) => files.write(join(group, 'tasks'), String(tid)),
    threads: async (group) => numbers(await files.read(join(group, 'tasks'))),
  };
}

function second(files: GroupFiles): ThreadGroups {
  return {
    async make(group) {
      await files.make(group);
      await becomeThreaded(files, group);
    },
    async hold(group, cpu) {
      const { quotaUs, periodUs } = quotaOf(cpu);
      await files.write(join(group, 'cpu.max'), `${quotaUs} ${periodUs}`);
    },
    async held(group) {
      const [quotaUs, periodUs] = (await files.read(join(group, 'cpu.max'))).trim().split(' ');
      return quotaUs === 'max' ? null : Number(quotaUs) / Number(periodUs);
    },
    join: (group, tid) => files.write(join(group, 'cgroup.threads'), String(tid)),
    threads: async (group) => numbers(await files.read(join(group, 'cgroup.threads'))),
  };
}

/** A v2 group that holds threads instead of processes. There is no way back but to remove it. */
export async function becomeThreaded(files: GroupFiles, group: string): Promise<void> {
  const type = join(group, 'cgroup.type');
  if ((await files.read(type)).trim() !== 'threaded') await files.write(type, 'threaded');
}

/** Gives the groups inside a v2 group these controllers. */
export async function giveControllers(files: GroupFiles, group: string, controllers: readonly string[]): Promise<void> {
  const there = (await files.read(join(group, 'cgroup.controllers'))).trim().split(' ');
  const given = (await files.read(join(group, 'cgroup.subtree_control'))).trim().split(' ');
  for (const controller of controllers) {
    if (!there.includes(controller)) throw new Error(`${group} has no ${controller} controller`);
  }
  const missing = controllers.filter((controller) => !given.includes(controller));
  if (missing.length === 0) return;
  await files.write(join(group, 'cgroup.subtree_control'), missing.map((controller) => `+${controller}`).join(' '));
}

function numbers(text: string): number[] {
  return text.split('\n').filter(Boolean).map(Number);
}
