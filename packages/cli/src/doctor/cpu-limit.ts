import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createSlot, SLOT } from '@grace/contracts';
import {
  createCpuLimits,
  createDutyCycle,
  createThreadDebugger,
  type LimitGround,
  openSystemGroups,
  type ThreadHandle,
  watchWorkers,
} from '@grace/supervisor/limits';

const SPINNER = `
const { readlinkSync } = require('node:fs');
const { workerData: slot } = require('node:worker_threads');
Atomics.store(slot, ${SLOT.tid}, BigInt(readlinkSync('/proc/thread-self').split('/').pop()));
for (const end = Date.now() + 20000; Date.now() < end; );
`;

const ASKED = 0.2;
const WATCH_MS = 1000;
/** Until it has settled, ms: the first pause costs more than those after it. */
const SETTLE_MS = 200;
const START_DEADLINE_MS = 5000;
/** Beyond this a limit does not deserve its name. */
const MOST = 2 * ASKED;

/**
 * Holds a thread that spins to a share of one core with what a system would use here, and measures what it got.
 * @throws Error when nothing can hold it, or it got more than twice of what was asked
 */
export async function cpuLimit(ground: LimitGround): Promise<string> {
  if (ground.method === 'none') throw new Error(ground.refused.inspector ?? 'there is nothing to hold a thread with');
  // The groups of a system are named after its home; this one has none, so it lends itself a name.
  const home = await mkdtemp(join(tmpdir(), 'grace-doctor-'));
  const groups = await openSystemGroups(home, { ...ground, memory: null }, 0);
  const slot = createSlot();
  watchWorkers();
  const worker = new Worker(SPINNER, { eval: true, workerData: slot });
  try {
    const thread = {
      kernel: 'doctor',
      incarnation: 1,
      worker,
      slot,
      cap: null,
      get tid() {
        return Number(Atomics.load(slot, SLOT.tid));
      },
    } as ThreadHandle;
    for (const until = performance.now() + START_DEADLINE_MS; thread.tid === 0; await sleep(5)) {
      if (performance.now() > until) throw new Error('a thread cannot learn its id: /proc/thread-self is not there');
    }
    const limits = await groups.openCell('doctor', process.pid);
    const cpu = createCpuLimits({ limits: () => limits, dutyCycle: createDutyCycle(createThreadDebugger()) });
    try {
      const { method } = await cpu.limit(thread, ASKED);
      if (method === 'none') throw new Error('neither a control group nor the inspector held it');
      await sleep(SETTLE_MS);
      const from = { at: performance.now(), cpuMs: cpuMsOf(thread.tid) };
      await sleep(WATCH_MS);
      const got = (cpuMsOf(thread.tid) - from.cpuMs) / (performance.now() - from.at);
      const said = `${method}: ${ASKED * 100} % asked, ${(got * 100).toFixed(1)} % got`;
      if (got > MOST) throw new Error(said);
      return said;
    } finally {
      await cpu.stop();
    }
  } finally {
    await worker.terminate();
    await groups.remove(1000);
    await rm(home, { recursive: true, force: true });
  }
}

function cpuMsOf(tid: number): number {
  return Number(readFileSync(`/proc/self/task/${tid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
}
