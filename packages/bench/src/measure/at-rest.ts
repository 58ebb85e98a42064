import { cpuMs, pssBytes, tree } from '../proc.ts';

/** A system that has just started still writes the code it compiled (4 s after the start) and finishes its first probes. */
const SETTLE_MS = 8000;
const REST_MS = 3000;

/**
 * What a system uses while nobody asks anything of it: CPU as percent of one core over three seconds, memory in bytes
 * (proportional share). Counts the processes that live through the whole window.
 *
 * @param root - Pid of the process above all others of the system.
 */
export async function measureAtRest(root: number): Promise<{ cpuPercent: number; bytes: number }> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const before = new Map(tree(root).map((pid) => [pid, cpuMs(pid)]));
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  let used = 0;
  let bytes = 0;
  for (const pid of tree(root)) {
    const then = before.get(pid);
    const now = cpuMs(pid);
    if (then === undefined || now === undefined) continue;
    used += now - then;
    bytes += pssBytes(pid);
  }
  return { cpuPercent: (used / REST_MS) * 100, bytes };
}
