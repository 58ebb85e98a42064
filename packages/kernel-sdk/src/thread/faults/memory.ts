import { getHeapStatistics } from 'node:v8';
import { resourceLimits } from 'node:worker_threads';
import { bounded, type HeldLease } from './fault.ts';

const MB = 1024 ** 2;
/** No drill takes more than this, bytes. */
const MOST_BYTES = 1e9;
const EVERY_MS = 20;
/** Taken in one turn at most, bytes: what fell behind is not caught up with in one long callback. */
const TURN_BYTES = 32 * MB;
/** Elements of 8 bytes: 256 kB. */
const CHUNK_LENGTH = 32 * 1024;

/** Arrays that nobody forgets: the heap grows. */
export function growHeap(lease: HeldLease, params: Readonly<Record<string, unknown>>): void {
  grow(lease, params, CHUNK_LENGTH * 8, () => new Array<number>(CHUNK_LENGTH).fill(0));
}

/** Buffers that nobody forgets, filled so that the process really holds them: V8's heap limit does not see them. */
export function growBuffers(lease: HeldLease, params: Readonly<Record<string, unknown>>): void {
  grow(lease, params, MB, () => Buffer.allocUnsafeSlow(MB).fill(1));
}

/** Takes `bytesPerSecond` up to `maxBytes`, holds it, and forgets everything when the lease is over. */
function grow(
  lease: HeldLease,
  params: Readonly<Record<string, unknown>>,
  chunkBytes: number,
  chunk: () => unknown,
): void {
  const bytesPerSecond = bounded(params['bytesPerSecond'], { least: 1e6, most: 1e9, otherwise: 16e6 });
  const maxBytes = bounded(params['maxBytes'], { least: chunkBytes, most: MOST_BYTES, otherwise: 512e6 });
  const held: unknown[] = [];
  const from = performance.now();
  const timer = setInterval(() => {
    // With its timer goes all that it holds.
    if (!lease.active()) {
      clearInterval(timer);
      return;
    }
    const due = Math.min(maxBytes, ((performance.now() - from) / 1000) * bytesPerSecond);
    const upTo = Math.min(due, held.length * chunkBytes + TURN_BYTES);
    while ((held.length + 1) * chunkBytes <= upTo) held.push(chunk());
  }, EVERY_MS);
}

/** Taken before, step by step, as part of V8's limit: below every mark at which somebody would act, and so much less to be taken at once. */
const BEFORE = 0.35;
const STEP_BYTES = 16 * MB;
/** How far the one allocation goes over V8's limit, and what is asked for then: V8 collects, finds itself over, and gives up. */
const OVER_BYTES = 64 * MB;
const AFTER_BYTES = 32 * MB;

/**
 * One allocation that goes over the heap limit by far. V8 lets it pass, sees at the next collection that the limit is left behind, and ends
 * the process: not the thread, since no `near heap limit` callback gives that much (but a debugger that is attached does: it makes the limit
 * four times as large). Texts, because copying them is all the work there is and the collector need not look into them: so it is over before
 * anybody could end the thread alone.
 */
export function hugeAllocation(lease: HeldLease): void {
  const limit = resourceLimits.maxOldGenerationSizeMb;
  const limitBytes = limit === undefined ? getHeapStatistics().heap_size_limit : limit * MB;
  const bytes = Math.min(MOST_BYTES - AFTER_BYTES, limitBytes + OVER_BYTES);
  const held: string[] = [];
  const step = (): void => {
    if (!lease.active()) return;
    if (held.length * STEP_BYTES < limitBytes * BEFORE) {
      held.push(text(STEP_BYTES));
      setImmediate(step);
    } else atOnce();
  };
  const atOnce = (): void => {
    const first = '\u0100'.repeat((bytes - held.length * STEP_BYTES) / 2);
    const second = '\u0101'.repeat(AFTER_BYTES / 2);
    // No loop and no function of ours: there V8 would look whether it shall end the thread.
    first.charCodeAt(1);
    second.charCodeAt(1);
  };
  step();
}

/** Looking at a character turns the rope that `repeat` makes into one piece of memory. */
function text(bytes: number): string {
  const rope = '\u0100'.repeat(bytes / 2);
  rope.charCodeAt(1);
  return rope;
}
