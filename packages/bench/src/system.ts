import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type AnyRecord, type StatusDocument, systemClock } from '@grace/contracts';
import { type ControlClient, connectControl } from '@grace/control';

const cli = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
const kernel = (id: string): string => fileURLToPath(new URL(`./kernels/${id}.mjs`, import.meta.url));

export interface BenchSystem {
  client: ControlClient;
  /** Wall time of `grace boot --detach`, from its start to its return with every kernel ready, ms. */
  bootMs: number;
  status(): Promise<StatusDocument>;
  call<T>(kernel: string, verb: string, input?: unknown, deadlineMs?: number): Promise<T>;
  /** Monotonic instant of the next `kernel:ready` of a kernel. */
  nextReady(kernel: string): Promise<number>;
  stop(): Promise<void>;
}

/** Boots a real system through the command line, in a home of its own; with kernels of the bench where the figure needs them. */
export async function bootSystem(withBenchKernels: boolean): Promise<BenchSystem> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-'));
  const home = join(dir, 'home');
  const config = join(dir, 'grace.yaml');
  writeFileSync(config, withBenchKernels ? JSON.stringify({ kernels: benchKernels() }) : '{}');
  const grace = (...args: string[]) =>
    promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', cli, '--home', home, '--config', config, ...args],
      { timeout: 60_000 },
    );
  const started = performance.now();
  await grace('boot', '--detach');
  const bootMs = performance.now() - started;
  const client = await connectControl(home, { role: 'client', name: 'bench' });
  const waiting = new Map<string, { since: number; resolve: (mono: number) => void }>();
  client.onNotice('journal', ({ records }) => {
    for (const record of records as AnyRecord[]) {
      if (record.name !== 'kernel:ready' || record.kernel === undefined) continue;
      const waiter = waiting.get(record.kernel);
      // The records of a restart before may still be on their way.
      if (waiter === undefined || record.monoMs < waiter.since) continue;
      waiting.delete(record.kernel);
      waiter.resolve(record.monoMs);
    }
  });
  const { last } = await client.request('journal.read', { after: 0, limit: 10_000 });
  await client.request('journal.follow', { after: last });
  return {
    client,
    bootMs,
    status: () => client.request('status', {}),
    call: (id, verb, input = {}, deadlineMs = 60_000) =>
      client.request('call', { kernel: id, verb, input, from: 'bench' }, deadlineMs) as never,
    nextReady: (id) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${id} was not ready again within 30 s`)), 30_000);
        waiting.set(id, {
          since: systemClock.monoMs(),
          resolve: (mono) => {
            clearTimeout(timer);
            resolve(mono);
          },
        });
      }),
    async stop() {
      client.close();
      await grace('stop');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function benchKernels(): Record<string, unknown> {
  const place = (id: string, cell: string, answers: boolean) => ({
    module: kernel(id),
    title: 'measures',
    cell,
    needs: ['message_bus'],
    limits: { messages_per_second: 10_000_000 },
    restart: { budget: 1000 },
    config: { answers },
    grants: { publish: { allow: ['bench.>'] }, subscribe: { allow: ['bench.>'] } },
  });
  return {
    bench_asker: place('bench_asker', 'core', false),
    bench_near: place('bench_near', 'core', true),
    bench_far: place('bench_far', 'work', true),
    bench_victim: place('bench_victim', 'edge', false),
  };
}
