/** After a collection the next one waits this many times as long as it took, and at least `LEAST_MS`: at most 10 % of the thread's time. */
const REST_FACTOR = 10;
const LEAST_MS = 500;

/**
 * Makes V8 collect all garbage of this thread, at bounded cost. What a kernel has let go of stays in its memory until V8 collects, which it
 * does by its own limit, above the one the kernel is restarted at; without this, shedding would come too late to count.
 */
export function createCollector(): () => Promise<boolean> {
  let collect: ((options?: { type: 'minor' }) => void) | undefined;
  let notBeforeMono = 0;
  return async () => {
    if (performance.now() < notBeforeMono) return false;
    collect ??= await findCollector();
    const startMono = performance.now();
    collect();
    // Buffers are freed beside the first; only a second one, however small (0.2 ms), counts them out of the thread's memory.
    collect({ type: 'minor' });
    const endMono = performance.now();
    notBeforeMono = endMono + Math.max(LEAST_MS, (endMono - startMono) * REST_FACTOR);
    return true;
  };
}

/** V8 gives its collector to contexts made while the flag is set; the flag is the whole process's, so it is taken back at once. */
async function findCollector(): Promise<(options?: { type: 'minor' }) => void> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import('node:v8'), import('node:vm')]);
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('gc') as () => void;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
