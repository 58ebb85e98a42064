import { join } from 'node:path';
import type { GroupFiles } from './group-files.ts';

/** Where a hard memory limit of a host process can be set: a hierarchy of v1 or v2, below this folder. */
export interface MemoryGround {
  version: 1 | 2;
  base: string;
}

/** @param limitBytes at which the system ends the process that asks for more */
export async function holdMemory(
  files: GroupFiles,
  { version }: Pick<MemoryGround, 'version'>,
  group: string,
  limitBytes: number,
): Promise<void> {
  const file = join(group, version === 1 ? 'memory.limit_in_bytes' : 'memory.max');
  await files.write(file, String(limitBytes));
  const held = Number(await files.read(file));
  // The kernel counts pages.
  if (!(held <= limitBytes && held > limitBytes - 1024 ** 2))
    throw new Error(`${file} holds ${held}, not ${limitBytes}`);
}

/** All threads of the process. Memory it has already stays on the account of its former group. */
export async function joinProcess(files: GroupFiles, group: string, pid: number): Promise<void> {
  await files.write(join(group, 'cgroup.procs'), String(pid));
}
