import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createSlot, SLOT } from '@grace/contracts';
import { attempt, type Finding } from './finding.ts';

/** A thread that says its id, stamps its slot and burns CPU until it is ended: what each signal must be able to see. */
const SPINNER = `
const { readlinkSync } = require('node:fs');
const { workerData: slot } = require('node:worker_threads');
try { Atomics.store(slot, ${SLOT.tid}, BigInt(readlinkSync('/proc/thread-self').split('/').pop())); } catch {}
setInterval(() => {
  Atomics.store(slot, ${SLOT.heartbeatNs}, process.hrtime.bigint());
  for (const until = performance.now() + 8; performance.now() < until; );
}, 1);
`;

/** How long the thread is watched, ms. */
const WATCH_MS = 300;
const DEADLINE_MS = 3000;

/** The signals of docs/signals, each read once from a thread that really runs. */
export async function signalFindings(): Promise<Finding[]> {
  const slot = createSlot();
  const worker = new Worker(SPINNER, { eval: true, workerData: slot });
  try {
    await new Promise<void>((resolve, reject) => worker.once('online', resolve).once('error', reject));
    worker.performance.eventLoopUtilization();
    await sleep(WATCH_MS);
    const tid = Number(Atomics.load(slot, SLOT.tid));
    const task = `/proc/${process.pid}/task/${tid}`;
    return [
      await attempt(
        'heartbeat',
        'heartbeat in shared memory',
        () => {
          const beat = Atomics.load(slot, SLOT.heartbeatNs);
          if (beat === 0n) throw new Error('the thread stamped nothing');
          return `${Math.round(Number(process.hrtime.bigint() - beat) / 1e6)} ms old`;
        },
        true,
      ),
      await attempt('event_loop', 'event-loop utilisation', () => {
        const { utilization } = worker.performance.eventLoopUtilization();
        if (!(utilization > 0)) throw new Error('it stays at zero for a busy thread');
        return `${Math.round(utilization * 100)} % of a busy thread`;
      }),
      await attempt('thread_cpu', 'CPU of a single thread', () => {
        if (tid === 0) throw new Error('the thread cannot learn its id: /proc/thread-self is not there');
        const text = readFileSync(`${task}/stat`, 'latin1');
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
        const ticks = Number(fields[11]) + Number(fields[12]);
        if (!(ticks > 0)) throw new Error('it stays at zero for a busy thread');
        return `/proc/<pid>/task/<tid>/stat, ${ticks * 10} ms`;
      }),
      await attempt('run_delay', 'run-queue delay (tells starved from hung)', () => {
        const [ran, waited] = readFileSync(`${task}/schedstat`, 'latin1').trim().split(' ').map(Number);
        if (!(ran! > 0) || waited === undefined) throw new Error('schedstat is not counted by this kernel');
        return `schedstat, ${(waited / 1e6).toFixed(1)} ms waited`;
      }),
      await attempt('heap', 'heap and external memory of a thread', async () => {
        const statistics = await Promise.race([
          worker.getHeapStatistics(),
          sleep(DEADLINE_MS, undefined, { ref: false }).then(() => {
            throw new Error(`no answer within ${DEADLINE_MS} ms`);
          }),
        ]);
        return `${(statistics.used_heap_size / 1e6).toFixed(1)} MB heap, ${(statistics.external_memory / 1e6).toFixed(1)} MB external`;
      }),
      await attempt('pressure', 'pressure of the machine', () => {
        const [some] = readFileSync('/proc/pressure/cpu', 'latin1').split('\n');
        return `/proc/pressure/cpu: ${some}`;
      }),
    ];
  } finally {
    await worker.terminate();
  }
}
