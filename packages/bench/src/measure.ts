import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GraceError, systemClock } from '@grace/contracts';
import { openLedger, verifyLedger } from '@grace/ledger';
import { median } from './figures.ts';
import { floor } from './floor.ts';
import { cpuMs, pssBytes, tree } from './proc.ts';
import { type BenchSystem, bootSystem } from './system.ts';

export type Sample = Record<string, { floor: number; value: number }>;

const REST_MS = 3000;

/** Boot, memory and CPU at rest of the product as it is, beside as many empty threads in the same layout. */
export async function measureRest(): Promise<Sample> {
  const system = await bootSystem(false);
  try {
    const { cells, system: about } = await system.status();
    const [ready] = (await system.client.request('journal.read', { after: 0, limit: 10_000, names: ['system:ready'] }))
      .records;
    const pids = tree(about.pid);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const used = (): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
    const before = used();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const cpu = ((used() - before) / REST_MS) * 100;
    const memory = pids.reduce((sum, pid) => sum + pssBytes(pid), 0);
    const bare = await floor('empty-cells', cells.map((cell) => cell.kernels.length).join(','));
    return {
      boot: { floor: bare['bootMs']!, value: system.bootMs },
      boot_inside: { floor: bare['bootMs']!, value: (ready!.data as { ms: number }).ms },
      memory: { floor: bare['pssBytes']! / 1e6, value: memory / 1e6 },
      cpu: { floor: bare['cpuPercent']!, value: cpu },
    };
  } finally {
    await system.stop();
  }
}

/** Crash and hang of a kernel in a running system, several of each. */
export async function measureRecovery(system: BenchSystem, times: number): Promise<Sample> {
  const recover = async (verb: string): Promise<number> => {
    const ready = system.nextReady('bench_victim');
    const started = systemClock.monoMs();
    // The thread may be gone before its answer is on the way.
    await system.call('bench_victim', verb).catch((error: GraceError) => {
      if (error.code !== 'KERNEL_GONE') throw error;
    });
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

/** Round trips and floods between kernels of one cell and of two. */
export async function measureBus(system: BenchSystem): Promise<Sample> {
  const hub = await floor('hub');
  const socket = await floor('socket');
  const trip = async (to: string): Promise<number> =>
    (await system.call<{ roundTripUs: number }>('bench_asker', 'roundTrip', { to, trips: 3000 })).roundTripUs;
  const flood = async (to: string): Promise<number> => {
    const messages = 100_000;
    const handled = system.call(to, 'expect', { messages });
    const started = performance.now();
    await system.call('bench_asker', 'flood', { to, messages, window: 2000 });
    await handled;
    return messages / ((performance.now() - started) / 1000);
  };
  return {
    trip_near: { floor: hub['roundTripUs']!, value: await trip('bench_near') },
    rate_near: { floor: hub['perSecond']!, value: await flood('bench_near') },
    trip_far: { floor: socket['roundTripUs']!, value: await trip('bench_far') },
    rate_far: { floor: socket['perSecond']!, value: await flood('bench_far') },
  };
}

export async function measureLedger(): Promise<Sample> {
  const bare = await floor('append');
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-'));
  try {
    const records = 50_000;
    const payload = JSON.stringify({ text: 'x'.repeat(268) });
    const ledger = await openLedger({ dir });
    let started = performance.now();
    // As many under way as two batches, so that one is written while the next fills.
    for (let done = 0; done < records; ) {
      const batch: Promise<unknown>[] = [];
      for (let n = 0; n < 512 && done < records; n++, done++) batch.push(ledger.append(payload));
      await Promise.all(batch);
    }
    const append = records / ((performance.now() - started) / 1000);
    await ledger.close();
    started = performance.now();
    const { ok } = await verifyLedger(dir);
    if (!ok) throw new Error('the ledger just written does not verify');
    return {
      append: { floor: bare['appendPerSecond']!, value: append },
      verify: { floor: bare['verifyPerSecond']!, value: records / ((performance.now() - started) / 1000) },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
