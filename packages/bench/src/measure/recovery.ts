import { type GraceError, systemClock } from '@grace/contracts';
import { median } from '../figures.ts';
import { floor } from '../floor.ts';
import { rssBytes } from '../proc.ts';
import type { BenchSystem } from '../system.ts';
import type { Sample } from './sample.ts';

/** Crash and hang of a kernel in a running system, several of each. */
export async function measureRecovery(system: BenchSystem, times: number): Promise<Sample> {
  const recover = async (verb: string): Promise<number> => {
    const ready = system.nextReady('bench_victim');
    const started = systemClock.monoMs();
    await system.call('bench_victim', verb).catch(goneOnly);
    const ms = (await ready) - started;
    // The back-off of a crash loop is not what is measured: each one is the first.
    await system.client.request('restart', { kernel: 'bench_victim', by: 'bench' }, 10_000);
    return ms;
  };
  const bare = await floor('threads');
  const crashes: number[] = [];
  const hangs: number[] = [];
  for (let n = 0; n < times; n++) crashes.push(await recover('crash'));
  for (let n = 0; n < Math.max(3, times / 3); n++) hangs.push(await recover('spin'));
  return {
    crash: { floor: bare['crashMs']!, value: median(crashes) },
    crash_p99: { floor: bare['crashMs']!, value: Math.max(...crashes) },
    hang: { floor: bare['hangMs']!, value: Math.max(...hangs) },
  };
}

/** A call that sits in native code cannot be ended: the whole cell is replaced, and its other kernels with it. */
export async function measureBlock(system: BenchSystem): Promise<Sample> {
  const before = await system.status();
  const { cell } = before.kernels.find(({ id }) => id === 'bench_victim')!;
  const mates = before.kernels.filter((kernel) => kernel.cell === cell);
  const started = systemClock.monoMs();
  await system.call('bench_victim', 'block').catch(goneOnly);
  await system.until('the cell is replaced', async () => {
    const { kernels } = await system.status();
    return mates.every(({ id, incarnation }) => {
      const now = kernels.find((kernel) => kernel.id === id)!;
      return now.state === 'running' && now.incarnation > incarnation;
    });
  });
  const ms = systemClock.monoMs() - started;
  const { respawnMs } = (await floor('respawn')) as { respawnMs: number };
  return { block: { floor: respawnMs, value: ms } };
}

/** Buffers that grow by about 1 GB/s: how far they get, and how long until the kernel serves again. */
export async function measureOffHeap(system: BenchSystem): Promise<Sample> {
  const { cells, kernels } = await system.status();
  const victim = kernels.find(({ id }) => id === 'bench_victim')!;
  const { pid } = cells.find(({ id }) => id === victim.cell)!;
  const resting = rssBytes(pid!);
  let peak = resting;
  const watch = setInterval(() => {
    peak = Math.max(peak, rssBytes(pid!));
  }, 5);
  try {
    const ready = system.nextReady('bench_victim');
    const started = systemClock.monoMs();
    await system.call('bench_victim', 'grow').catch(goneOnly);
    const ms = (await ready) - started;
    return {
      off_heap: { floor: 1, value: ms },
      off_heap_peak: { floor: 1, value: (peak - resting) / 1e6 },
    };
  } finally {
    clearInterval(watch);
  }
}

/** The thread may be gone before its answer is on the way. */
function goneOnly(error: GraceError): void {
  if (error.code !== 'KERNEL_GONE' && error.code !== 'CONNECTION_CLOSED') throw error;
}
