import { systemClock } from '@grace/contracts';

/** Waits, or returns at once when `signal` is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Asks until the answer is not null, the deadline passes, or `signal` is aborted; the last answer. */
export async function eventually<T>(
  ask: () => Promise<T | null> | T | null,
  options: { deadlineMs: number; everyMs: number; signal?: AbortSignal },
): Promise<T | null> {
  const end = systemClock.monoMs() + options.deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (systemClock.monoMs() >= end || options.signal?.aborted) return null;
    await pause(options.everyMs, options.signal);
  }
}
