import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { threadCpuMs } from '../proc.ts';
import type { BenchSystem } from '../system.ts';
import type { Sample } from './sample.ts';

const ASKED = 0.2;
const CAPPED_MS = 3000;
const CALLS = 400;

/** One kernel burns all it can under a limit of 20 % of a core: what it really gets, and what its neighbours' verbs feel of it. */
export async function measureCap(system: BenchSystem): Promise<Sample> {
  const quiet = await verbP99Ms(system);
  const { method } = await system.client.request(
    'throttle',
    { kernel: 'bench_victim', by: 'bench', cpu: ASKED, forMs: null },
    10_000,
  );
  await system.call('bench_victim', 'storm', { forMs: CAPPED_MS + 20_000 });
  const { kernels, cells } = await system.status();
  const { tid, cell } = kernels.find(({ id }) => id === 'bench_victim')!;
  const { pid } = cells.find(({ id }) => id === cell)!;
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [cpu, at] = [threadCpuMs(pid!, tid!), performance.now()];
  const busy = await verbP99Ms(system);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, CAPPED_MS - (performance.now() - at))));
  const share = (threadCpuMs(pid!, tid!) - cpu) / (performance.now() - at);
  await system.call('bench_victim', 'calm');
  await system.client.request('throttle', { kernel: 'bench_victim', by: 'bench', cpu: null, forMs: null }, 10_000);
  const offPercent = (Math.abs(share - ASKED) / ASKED) * 100;
  return {
    [method.startsWith('cgroup') ? 'cap_cgroup' : 'cap_inspector']: { floor: ASKED * 100, value: offPercent },
    neighbours: { floor: quiet, value: busy },
  };
}

async function verbP99Ms(system: BenchSystem): Promise<number> {
  const ms: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const started = performance.now();
    await system.call('bench_far', 'nothing');
    ms.push(performance.now() - started);
  }
  ms.sort((a, b) => a - b);
  return ms[Math.floor(ms.length * 0.99)]!;
}

/** Restarts while a process outside keeps every core busy for a minute. There is nothing to restart. */
export async function measureFalseRestarts(system: BenchSystem): Promise<Sample> {
  const restarts = async (): Promise<number> =>
    (await system.status()).kernels.reduce((sum, kernel) => sum + kernel.restarts, 0);
  const before = await restarts();
  const hog = fileURLToPath(new URL('../floors/hog.mjs', import.meta.url));
  await promisify(execFile)(process.execPath, [hog, '60000'], { timeout: 120_000 });
  return { false_restarts: { floor: 0, value: (await restarts()) - before } };
}
