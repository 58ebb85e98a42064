import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ThreadSample } from '@grace/contracts';
import fc from 'fast-check';
import { judgeMemory } from './growth.ts';
import { garbageBytes, v8HeapBytes } from './v8-limit.ts';

const MB = 1024 ** 2;
const LIMITS = { heapBytes: 256 * MB, externalBytes: 256 * MB };
/** Off-heap room in which a leak is told from garbage. */
const WIDE = { heapBytes: 64 * MB, externalBytes: 512 * MB };

type Kind = 'heapBytes' | 'externalBytes';

/** A window of samples whose `kind` was read to be `bytes[i]` at `everyMs * i`; the other kind rests. */
function windowOf(kind: Kind, bytes: readonly (number | null)[], everyMs = 50): ThreadSample[] {
  return bytes.map((value, i) => ({
    ...RESTING,
    atMono: 1000 + i * everyMs,
    heapAtMono: value === null ? null : 1000 + i * everyMs,
    heapBytes: value === null ? null : 8 * MB,
    externalBytes: value === null ? null : 2 * MB,
    [kind]: value,
  }));
}

const RESTING: ThreadSample = {
  kernel: 'k',
  incarnation: 1,
  atMono: 0,
  heartbeatAgeMs: 0,
  elu: 0,
  cpuMs: 0,
  runDelayMs: 0,
  heapBytes: null,
  externalBytes: null,
  heapAtMono: null,
  cap: null,
  missed: null,
  logs: 0,
  errors: 0,
  work: 0,
  published: 0,
  refused: 0,
  servedMs: 0,
};
const kinds = fc.constantFrom<Kind>('heapBytes', 'externalBytes');
const near = (value: number | null, expected: number, share: number): void =>
  assert.ok(value !== null && Math.abs(value - expected) <= expected * share, `${value}, expected about ${expected}`);

describe('the memory of a thread', () => {
  test('that was never read is no reason for anything', () => {
    const nothing = { of: null, verdict: 'none', ratio: 0, bytesPerSecond: null, msToLimit: null };
    assert.deepEqual(judgeMemory([], LIMITS), nothing);
    assert.deepEqual(judgeMemory(windowOf('heapBytes', [null, null]), LIMITS), nothing);
  });

  test('at rest is none, and does not grow', () => {
    const judged = judgeMemory(windowOf('heapBytes', Array(20).fill(100 * MB)), LIMITS);
    assert.deepEqual(judged, { of: 'heap', verdict: 'none', ratio: 100 / 256, bytesPerSecond: null, msToLimit: null });
  });

  test('from 80 % of either limit is pressure, at it limit, and the worse kind is named', () => {
    for (const kind of ['heapBytes', 'externalBytes'] as const) {
      const at = (share: number) => judgeMemory(windowOf(kind, [LIMITS[kind] * share]), LIMITS);
      assert.equal(at(0.79).verdict, 'none');
      assert.equal(at(0.8).verdict, 'pressure');
      assert.equal(at(0.999).verdict, 'pressure');
      assert.equal(at(1).verdict, 'limit');
      assert.equal(at(1).msToLimit, 0);
      assert.equal(at(0.9).of, kind === 'heapBytes' ? 'heap' : 'external');
    }
  });

  test('that grows steadily has its rate and its time to the limit, whatever the rate', () => {
    fc.assert(
      fc.property(kinds, fc.integer({ min: 4, max: 100 }), fc.integer({ min: 3, max: 20 }), (kind, stepMb, count) => {
        const window = windowOf(
          kind,
          Array.from({ length: count }, (_, i) => (10 + i * stepMb) * MB),
        );
        const limits = { heapBytes: 4096 * MB, externalBytes: 4096 * MB };
        const judged = judgeMemory(window, limits);
        if ((count - 1) * stepMb < 64) return;
        near(judged.bytesPerSecond, stepMb * MB * 20, 0.01);
        near(judged.msToLimit, ((4096 - 10 - (count - 1) * stepMb) / (stepMb * 20)) * 1000, 0.01);
      }),
    );
  });

  test('that was collected within the window does not grow by what has become garbage since', () => {
    const bytes = Array.from({ length: 20 }, (_, i) => (60 + (i % 14) * 5) * MB);
    const { bytesPerSecond, msToLimit } = judgeMemory(windowOf('heapBytes', bytes), LIMITS);
    assert.deepEqual([bytesPerSecond, msToLimit], [null, null]);
  });

  test('that leaks 1 MB/s under a saw of garbage shows its leak, not its garbage', () => {
    // Read each second, collected every fourth: 4 MB kept, 40 MB thrown away.
    const bytes = Array.from({ length: 20 }, (_, i) => (80 + i + (i % 4) * 10) * MB);
    const { bytesPerSecond, verdict } = judgeMemory(windowOf('heapBytes', bytes, 1000), LIMITS);
    assert.equal(verdict, 'none');
    near(bytesPerSecond, MB, 0.5);
  });

  test('that goes up and down below its limit never reaches it, wherever the window ends', () => {
    fc.assert(
      fc.property(
        kinds,
        fc.record({
          floor: fc.double({ min: 0.01, max: 0.6, noNaN: true }),
          peak: fc.double({ min: 0.05, max: 0.99, noNaN: true }),
          period: fc.integer({ min: 2, max: 40 }),
          phase: fc.nat(40),
          count: fc.integer({ min: 1, max: 20 }),
          everyMs: fc.constantFrom(20, 50, 500, 5000),
        }),
        (kind, { floor, peak, period, phase, count, everyMs }) => {
          // Off the heap, V8 itself lets no more garbage stand than this.
          const height = Math.min(
            (peak - floor) * LIMITS[kind],
            kind === 'heapBytes' ? Infinity : garbageBytes(LIMITS.heapBytes),
          );
          if (height <= 0) return;
          const bytes = Array.from(
            { length: count },
            (_, i) => floor * LIMITS[kind] + (((i + phase) % period) / (period - 1)) * height,
          );
          assert.notEqual(judgeMemory(windowOf(kind, bytes, everyMs), LIMITS).verdict, 'limit');
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('of the heap alone never reaches its limit before it is there: between two collections garbage looks like a leak', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 0.9999, noNaN: true }), { minLength: 1, maxLength: 20 }),
        (shares) => {
          const window = windowOf(
            'heapBytes',
            shares.map((share) => share * LIMITS.heapBytes),
          );
          assert.notEqual(judgeMemory(window, LIMITS).verdict, 'limit');
        },
      ),
    );
  });

  test('off the heap that grows 1 GB/s, more than garbage could, is at its limit before it is over it', () => {
    const bytes = Array.from({ length: 10 }, (_, i) => (2 + i * 50) * MB);
    const first = bytes.findIndex(
      (_, i) => judgeMemory(windowOf('externalBytes', bytes.slice(0, i + 1)), WIDE).verdict === 'limit',
    );
    assert.equal(bytes[first], 452 * MB);
    near(judgeMemory(windowOf('externalBytes', bytes.slice(0, first + 1)), WIDE).msToLimit, 60, 0.01);
  });

  test('that grew once and stopped is not growing any more', () => {
    const bytes = [2, 60, 120, 180, 180, 180, 180, 180, 180, 180, 180, 180, 180].map((mb) => mb * MB);
    const judged = judgeMemory(windowOf('externalBytes', bytes), LIMITS);
    assert.deepEqual([judged.verdict, judged.bytesPerSecond, judged.msToLimit], ['none', null, null]);
  });

  test('is judged by its readings alone: samples between them, and those without one, change nothing', () => {
    fc.assert(
      fc.property(
        kinds,
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        (kind, sizes, gaps) => {
          const plain = windowOf(
            kind,
            sizes.map((mb) => mb * MB),
          );
          const filled = plain.flatMap((sample, i) =>
            gaps[i]
              ? [
                  sample,
                  { ...sample, atMono: sample.atMono + 10 },
                  { ...sample, heapBytes: null, externalBytes: null, heapAtMono: null },
                ]
              : [sample],
          );
          assert.deepEqual(judgeMemory(filled, LIMITS), judgeMemory(plain, LIMITS));
        },
      ),
    );
  });

  test('more of it never makes the judgement milder', () => {
    const order = ['none', 'pressure', 'limit'];
    fc.assert(
      fc.property(
        kinds,
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 200 }),
        (kind, sizes, more) => {
          const verdict = (added: number): number =>
            order.indexOf(
              judgeMemory(
                windowOf(
                  kind,
                  [...sizes.slice(0, -1), sizes.at(-1)! + added].map((mb) => mb * MB),
                ),
                LIMITS,
              ).verdict,
            );
          assert.ok(verdict(more) >= verdict(0));
        },
      ),
    );
  });
});

test("V8's own limit of the heap stands above ours for any limit", () => {
  fc.assert(
    fc.property(fc.integer({ min: MB, max: 64 * 1024 * MB }), (heapBytes) => {
      assert.ok(v8HeapBytes(heapBytes) >= heapBytes * 1.5);
    }),
  );
});
