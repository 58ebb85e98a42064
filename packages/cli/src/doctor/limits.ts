import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { attempt, type Finding } from './finding.ts';

/** What can be limited on this machine, and what this version limits. */
export async function limitFindings(): Promise<Finding[]> {
  return [
    await attempt('heap_limit', 'heap limit of a thread', heapLimit, true),
    {
      id: 'external_limit',
      title: 'limit of off-heap memory',
      state: 'unused',
      detail: 'none yet: Buffers are measured, not limited',
      required: false,
    },
    {
      id: 'cpu_limit',
      title: 'CPU limit of a thread',
      state: 'unused',
      detail: 'none yet: this version measures CPU and does not throttle',
      required: false,
    },
    await attempt('cgroup2', 'cgroup v2, writable', () => writable(cgroup2())),
    await attempt('cgroup1', 'cgroup v1 cpu controller, writable', () => writable(cgroup1())),
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

function cgroup2(): string {
  const line = own().find((entry) => entry.startsWith('0::'));
  if (!line) throw new Error('this process is in no v2 group');
  return join('/sys/fs/cgroup', line.slice(3));
}

function cgroup1(): string {
  const line = own().find((entry) => /^[1-9]\d*:[^:]*\bcpu\b[^:]*:/.test(entry));
  if (!line) throw new Error('this process is in no v1 cpu group');
  const [, controllers, ...path] = line.split(':');
  return join('/sys/fs/cgroup', controllers!, path.join(':'));
}

function own(): string[] {
  return readFileSync('/proc/self/cgroup', 'latin1').trim().split('\n');
}

/** Makes a group and takes it away again: the only proof that it can be done. */
function writable(group: string): string {
  const trial = join(group, `grace-doctor-${process.pid}`);
  mkdirSync(trial);
  rmdirSync(trial);
  return `${group} (not used by this version)`;
}
