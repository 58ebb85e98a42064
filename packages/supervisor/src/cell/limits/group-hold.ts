import { join } from 'node:path';
import type { CellLimits } from '@grace/contracts';
import { type GroupFiles, systemGroupFiles } from '../../machine/control-groups/group-files.ts';
import { ownGroups } from '../../machine/control-groups/own-groups.ts';
import { removeGroups } from '../../machine/control-groups/removal.ts';
import { type GroupMethod, threadGroups } from '../../machine/control-groups/thread-groups.ts';
import type { ThreadHandle } from '../thread-handle.ts';

/** A thread's place in a control group of its own. */
export interface GroupHold {
  readonly method: GroupMethod;
  /** Absolute; another one when the cell's limits have moved. */
  readonly group: string;
  hold(cpu: number): Promise<void>;
  /** Puts back whatever is in the group, and removes it. Also after the thread has ended. */
  leave(): Promise<void>;
}

/** The system lists a thread for a moment after it has ended, ms. */
const REMOVE_MS = 1000;

/**
 * What a thread starts while it is held, threads or processes, is born into the same group: held together with it, and put back with it.
 * @param home the group of the cell's main thread, to which threads return
 */
export function groupHold(
  limits: CellLimits,
  thread: Pick<ThreadHandle, 'kernel' | 'incarnation' | 'tid'>,
  files: GroupFiles = systemGroupFiles,
  home: string | null = homeOf(limits),
): GroupHold | null {
  const { method, group: parent } = limits;
  if (parent === null || home === null || thread.tid === 0) return null;
  if (method !== 'cgroup1' && method !== 'cgroup2') return null;
  const groups = threadGroups(method, files);
  const group = join(parent, `${thread.kernel}.${thread.incarnation}`);
  return {
    method,
    group,
    async hold(cpu) {
      await groups.make(group);
      await groups.hold(group, cpu);
      await groups.join(group, thread.tid);
    },
    async leave() {
      for (const tid of await groups.threads(group).catch((): number[] => [])) {
        // It may end in this moment.
        await groups.join(home, tid).catch(() => {});
      }
      await removeGroups(files, group, REMOVE_MS);
    },
  };
}

/** Of the main thread at this moment: a supervisor that came back may have put the process elsewhere. */
function homeOf({ method }: CellLimits): string | null {
  const { cpu, unified } = ownGroups();
  return method === 'cgroup1' ? cpu : unified;
}
