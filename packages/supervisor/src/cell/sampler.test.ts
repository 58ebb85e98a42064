import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type CellSample,
  type KernelLimits,
  MANIFEST_DEFAULTS,
  SETTINGS_DEFAULTS,
  type SystemPlan,
  type ThreadSample,
} from '@grace/contracts';
import { poll } from '@grace/testkit';
import { createSampler } from './sampler.ts';
import { createThread, type ThreadHandle } from './thread-handle.ts';

const MB = 1024 ** 2;
const THREAD = fileURLToPath(new URL('../../../kernel-sdk/src/thread/main.ts', import.meta.url));
const GROWING = fileURLToPath(new URL('../../test/fixtures/growing.mjs', import.meta.url));

interface Watched {
  thread: ThreadHandle;
  /** Its samples, oldest first. */
  samples: ThreadSample[];
  call(verb: string, input?: unknown): Promise<unknown>;
}

/** Real kernel threads under the product's sampler, in this process, until the test ends. */
async function watch(
  t: TestContext,
  limits: Partial<KernelLimits>[],
  sampleMs = 100,
): Promise<{ kernels: Watched[]; cells: CellSample[] }> {
  const home = mkdtempSync(join(tmpdir(), 'grace-memory-'));
  const plan = { home, settings: { ...SETTINGS_DEFAULTS, sampleMs }, entries: { thread: THREAD } } as SystemPlan;
  const kernels = limits.map((limit, i): Watched => {
    const manifest = {
      ...MANIFEST_DEFAULTS,
      ...{ id: 'grower', title: 'grower', cell: 'user', module: GROWING, builtin: false },
      limits: { ...MANIFEST_DEFAULTS.limits, ...limit },
    };
    const order = { manifest, incarnation: i + 1, busToken: '', armed: false, brokerCell: 'user' };
    const thread = createThread(plan, order, null, null, { onMessage: () => {}, onExit: () => {} });
    const call = (verb: string, input: unknown = {}): Promise<unknown> =>
      thread.verbs.invoke(verb, input, { from: 'test', deadlineMs: 30_000 });
    return { thread, samples: [], call };
  });
  const cells: CellSample[] = [];
  const sampler = createSampler(
    plan,
    'user',
    () => kernels.map(({ thread }) => thread),
    (sample) => {
      cells.push(sample);
      sample.threads.forEach((thread, i) => void kernels[i]!.samples.push(thread));
    },
  );
  t.after(async () => {
    sampler.stop();
    await Promise.all(kernels.map(({ thread }) => thread.terminate(5000)));
    rmSync(home, { recursive: true, force: true });
  });
  await Promise.all(
    kernels.map(async ({ thread }) => {
      await thread.loaded;
      await thread.start();
    }),
  );
  return { kernels, cells };
}

const offHeap = ({ samples }: Watched): number => samples.at(-1)?.externalBytes ?? 0;

/** The first sample that shows the limit reached; fails when the kernel has come to its own end before. */
async function firstOver({ samples }: Watched, limitBytes: number, endBytes: number): Promise<number> {
  const bytes = await poll('a sample shows the limit reached', () =>
    samples.map(({ externalBytes }) => externalBytes ?? 0).find((external) => external >= limitBytes),
  );
  assert.ok(bytes < endBytes, `it ends at ${endBytes / MB} MB, and was first seen with ${bytes / MB} MB`);
  return bytes;
}

const FAST = { kind: 'buffer', bytes: 1000 * MB, bytesPerSecond: 1e9, chunkBytes: 65_536 };
/** Of the samples that come in their time none comes while a test runs: what arrives was sent at once. */
const AT_ONCE = 600_000;
const LIMIT_BYTES = MANIFEST_DEFAULTS.limits.externalBytes;

// This and the next come first, in a process that has kept nothing of an earlier leak: there its resident memory says little.
test('memory that is asked for at 1 GB/s and never touched is seen at its limit, before 256 MB above it', async (t) => {
  const { kernels } = await watch(t, [{}], AT_ONCE);
  await kernels[0]!.call('grow', { ...FAST, chunkBytes: MB, touch: false });
  await firstOver(kernels[0]!, LIMIT_BYTES, LIMIT_BYTES + 256 * MB);
});

test('a thread at rest is not read with every sample, and the size of the process is fresh in each', async (t) => {
  const { kernels, cells } = await watch(t, [{}]);
  await poll('it is read', () => kernels[0]!.samples.at(-1)?.heapAtMono);
  const from = kernels[0]!.samples.length;
  const before = cells.at(-1)!.rssBytes!;
  await poll('ten samples', () => kernels[0]!.samples.length > from + 10);
  const readings = new Set(kernels[0]!.samples.slice(from).map(({ heapAtMono }) => heapAtMono));
  assert.ok(readings.size <= 2, `read ${readings.size} times in ten samples`);
  const held = Buffer.alloc(200 * MB, 1);
  const sent = cells.length;
  await poll('the next sample', () => cells.length > sent);
  const grownBytes = cells.at(-1)!.rssBytes! - before;
  assert.ok(grownBytes > held.length / 2, `${Math.round(grownBytes / MB)} MB more after 200 MB were taken`);
});

test('Buffers that grow 1 GB/s are seen at their limit, before 256 MB above it', async (t) => {
  const { kernels } = await watch(t, [{}], AT_ONCE);
  await kernels[0]!.call('grow', FAST);
  await firstOver(kernels[0]!, LIMIT_BYTES, LIMIT_BYTES + 256 * MB);
});

test('so they are where the process has kept the memory of an earlier leak and does not grow itself', async (t) => {
  const { kernels, cells } = await watch(t, [{}]);
  const grower = kernels[0]!;
  await grower.call('grow', { ...FAST, bytes: 700 * MB });
  await poll('it has grown', () => offHeap(grower) >= 650 * MB);
  await grower.call('drop');
  grower.thread.send({ t: 'pressure', pressure: { of: 'external', bytes: 1, limitBytes: 1, ratio: 1 } });
  await poll('it is small again', () => offHeap(grower) < 50 * MB);
  grower.samples.length = 0;
  const keptBytes = cells.at(-1)!.rssBytes!;
  await grower.call('grow', FAST);
  await firstOver(grower, LIMIT_BYTES, LIMIT_BYTES + 256 * MB);
  assert.ok(cells.at(-1)!.rssBytes! < keptBytes + 32 * MB, 'the process itself has grown; nothing was shown');
});

test('so is the heap', async (t) => {
  const { kernels } = await watch(t, [{ heapBytes: 64 * MB }], AT_ONCE);
  await kernels[0]!.call('grow', { kind: 'heap', bytes: 1000 * MB, bytesPerSecond: 1e8, chunkBytes: 65_536 });
  await poll('a sample shows the limit reached', () =>
    kernels[0]!.samples.some(({ heapBytes }) => (heapBytes ?? 0) >= 64 * MB),
  );
});

test('a slow leak is seen at its limit, and on its way', async (t) => {
  const { kernels } = await watch(t, [{ externalBytes: 12 * MB }]);
  await kernels[0]!.call('grow', { kind: 'buffer', bytes: 64 * MB, bytesPerSecond: 3e6, chunkBytes: 16_384 });
  await firstOver(kernels[0]!, 12 * MB, 16 * MB);
  const seen = new Set(kernels[0]!.samples.map(({ externalBytes }) => externalBytes));
  assert.ok(seen.size >= 4, `seen on its way: ${[...seen].join(', ')}`);
});

test('a thread in a native call has no reading, is asked once, and hides nobody', async (t) => {
  const { kernels } = await watch(t, [{}, {}]);
  const [blocked, growing] = kernels as [Watched, Watched];
  let asked = 0;
  const ask = blocked.thread.worker.getHeapStatistics.bind(blocked.thread.worker);
  blocked.thread.worker.getHeapStatistics = (...given) => {
    asked++;
    return ask(...given);
  };
  await blocked.call('block');
  await poll('its loop stands', () => (blocked.samples.at(-1)?.heartbeatAgeMs ?? 0) > 500);
  asked = 0;
  await growing.call('grow', FAST);
  await firstOver(growing, LIMIT_BYTES, LIMIT_BYTES + 256 * MB);
  await poll('the blocked one has no reading any more', () => blocked.samples.at(-1)!.heapBytes === null);
  const sent = blocked.samples.length;
  await poll('more samples', () => blocked.samples.length > sent + 10);
  assert.ok(asked <= 1, `asked ${asked} times`);
  if (process.platform === 'linux')
    assert.equal(blocked.samples.at(-1)!.missed!.diskMs, 0, 'it waits, and not for a disk');
});

test("V8's own limit is above ours", async (t) => {
  const { kernels } = await watch(t, [{ heapBytes: 64 * MB }]);
  assert.equal(kernels[0]!.thread.worker.resourceLimits?.maxOldGenerationSizeMb, 128);
});
