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
  /** Asks until it is so. @throws Error after 30 s */
  until(what: string, holds: () => Promise<boolean>): Promise<void>;
  /** After the supervisor was killed: dials until another one, with every kernel running, answers. Gives its status. */
  reconnect(formerPid: number): Promise<StatusDocument>;
  stop(): Promise<void>;
}

const PATIENCE_MS = 30_000;

/** Boots a real system through the command line, in a home of its own. `given`: its grace.yaml. */
export async function bootSystem(given: object = {}): Promise<BenchSystem> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-'));
  const home = join(dir, 'home');
  const config = join(dir, 'grace.yaml');
  writeFileSync(config, JSON.stringify(given));
  const grace = (...args: string[]) =>
    promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', cli, '--home', home, '--config', config, ...args],
      { timeout: 180_000 },
    );
  const started = performance.now();
  await grace('boot', '--detach');
  const bootMs = performance.now() - started;
  let client = await connectControl(home, { role: 'client', name: 'bench' });
  const waiting = new Map<string, { since: number; resolve: (mono: number) => void }>();
  const follow = async (): Promise<void> => {
    client.onNotice('journal', ({ records }) => take(records as AnyRecord[]));
    const { last } = await client.request('journal.read', { after: 0, limit: 10_000 });
    await client.request('journal.follow', { after: last });
  };
  const take = (records: AnyRecord[]): void => {
    for (const record of records) {
      if (record.name !== 'kernel:ready' || record.kernel === undefined) continue;
      const waiter = waiting.get(record.kernel);
      // The records of a restart before may still be on their way.
      if (waiter === undefined || record.monoMs < waiter.since) continue;
      waiting.delete(record.kernel);
      waiter.resolve(record.monoMs);
    }
  };
  await follow();
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    const end = performance.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    get client() {
      return client;
    },
    bootMs,
    until,
    async reconnect(formerPid) {
      client.close();
      let seen: StatusDocument | undefined;
      await until('another supervisor has adopted the kernels', async () => {
        try {
          const next = await connectControl(home, { role: 'client', name: 'bench' });
          const status = await next.request('status', {});
          if (status.system.pid !== formerPid && status.system.ready === status.system.total) {
            client = next;
            seen = status;
            return true;
          }
          next.close();
        } catch {
          // Nobody listens yet.
        }
        return false;
      });
      await follow();
      return seen!;
    },
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

/** As many kernels that do nothing, some to each cell. */
export function manyKernels(count: number, perCell: number): Record<string, unknown> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-kernels-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const ids = Array.from({ length: count }, (_, n) => `small_${n}`);
  for (const id of ids) {
    const module = `import small from ${JSON.stringify(kernel('bench_small'))};\nexport default small('${id}');\n`;
    writeFileSync(join(dir, `${id}.mjs`), module);
  }
  const place = (id: string, n: number) => [
    id,
    { module: join(dir, `${id}.mjs`), cell: `cell_${Math.floor(n / perCell)}` },
  ];
  return Object.fromEntries(ids.map((id, n) => place(id, n)));
}

/** The kernels that measure, beside the built-in ones. */
export function benchKernels(): Record<string, unknown> {
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
