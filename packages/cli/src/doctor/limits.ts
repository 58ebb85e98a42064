import { Worker } from 'node:worker_threads';
import { type LimitGround, probeLimits } from '@grace/supervisor/limits';
import { cpuLimit } from './cpu-limit.ts';
import { attempt, type Finding } from './finding.ts';

/** What can be limited on this machine, each shown by doing it. */
export async function limitFindings(): Promise<Finding[]> {
  const ground = await probeLimits();
  return [
    await attempt('heap_limit', 'heap limit of a thread', heapLimit, true),
    await attempt('external_limit', 'limit of off-heap memory, by watching it', externalLimit),
    await attempt('cpu_limit', 'CPU limit of a thread', () => cpuLimit(ground)),
    ...groupFindings(ground),
  ];
}

/** The ways of limiting that were tried in turn: what came after one that works was not needed. */
function groupFindings({ cpu, memory, refused }: LimitGround): Finding[] {
  const finding = (id: 'cgroup2' | 'cgroup1' | 'memory', title: string, where: string | null): Finding => ({
    id: id === 'memory' ? 'memory_group' : id,
    title,
    state: where !== null ? 'live' : refused[id] !== undefined ? 'absent' : 'unused',
    detail: where ?? refused[id] ?? 'not needed: a better one works',
    required: false,
  });
  const base = (method: string): string | null => (cpu?.method === method ? cpu.base : null);
  return [
    finding('cgroup2', 'cgroup v2, threads with a CPU share', base('cgroup2')),
    finding('cgroup1', 'cgroup v1, threads with a CPU share', base('cgroup1')),
    finding('memory', 'hard memory limit of a host process', memory && `cgroup v${memory.version}, ${memory.base}`),
  ];
}

/** A thread that allocates without end must be ended by its limit, and this process must live on. */
async function heapLimit(): Promise<string> {
  const limitMb = 8;
  const worker = new Worker('const kept = []; for (;;) kept.push(new Array(1000).fill(0).map(() => ({})));', {
    eval: true,
    resourceLimits: { maxOldGenerationSizeMb: limitMb, maxYoungGenerationSizeMb: 2 },
    stderr: true,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve('no end within 10 s'), 10_000);
  worker.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  worker.once('exit', (code) => resolve(`exit code ${code}`));
  try {
    const end = await promise;
    if (end !== 'ERR_WORKER_OUT_OF_MEMORY') throw new Error(`a thread over its limit: ${end}`);
    return `a thread was ended at ${limitMb} MB`;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** No engine limits what is off the heap, so it is watched: a thread's Buffers must be seen from outside, while they are there. */
async function externalLimit(): Promise<string> {
  const bytes = 32e6;
  const worker = new Worker(
    `const kept = Buffer.alloc(${bytes}, 1); require('node:worker_threads').parentPort.postMessage(kept.length); setInterval(() => kept[0]++, 1000);`,
    { eval: true },
  );
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  const timer = setTimeout(() => late.reject(new Error('no answer within 3 s')), 3000);
  worker.once('error', late.reject);
  try {
    await Promise.race([late.promise, new Promise((resolve) => worker.once('message', resolve))]);
    const { external_memory: seen } = await Promise.race([late.promise, worker.getHeapStatistics()]);
    if (!(seen >= bytes)) throw new Error(`${bytes / 1e6} MB of Buffers are seen as ${(seen / 1e6).toFixed(1)} MB`);
    return `${bytes / 1e6} MB of Buffers are seen as ${(seen / 1e6).toFixed(1)} MB; a kernel is asked at 80 %, restarted at its limit`;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
