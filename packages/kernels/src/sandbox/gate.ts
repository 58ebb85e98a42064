import { GraceError } from '@grace/contracts';

/** Longer than this nobody stands in the queue. */
const WAIT_MS = 30_000;

export type Gate = ReturnType<typeof createGate>;

/** At most `slots` inside, at most `queueMax` in front, first come first served. */
export function createGate(what: string, slots: number, queueMax: number) {
  let inside = 0;
  const waiting: (() => void)[] = [];

  const leave = (): void => {
    const next = waiting.shift();
    // The place goes straight to who waits: nobody who comes between takes it.
    if (next) next();
    else inside--;
  };
  const busy = (why: string): GraceError =>
    new GraceError('SANDBOX_BUSY', `${what}: ${slots} are under way and ${why}; try again later`, {
      slots,
      waiting: waiting.length,
    });

  return {
    /** @throws GraceError `SANDBOX_BUSY` when one more would find neither a place nor room to wait */
    check(): void {
      if (inside >= slots && waiting.length >= queueMax) throw busy(`${waiting.length} wait already`);
    },
    /** Resolves with the function that gives the place back; rejects with the reason of `signal`. */
    enter(signal: AbortSignal): Promise<() => void> {
      if (inside < slots) {
        inside++;
        return Promise.resolve(once(leave));
      }
      return new Promise((resolve, reject) => {
        const give = (error: unknown): void => {
          const at = waiting.indexOf(come);
          if (at >= 0) waiting.splice(at, 1);
          settle();
          reject(error);
        };
        const onAbort = (): void => give(signal.reason);
        const timer = setTimeout(() => give(busy(`none has ended in ${WAIT_MS} ms`)), WAIT_MS);
        const settle = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const come = (): void => {
          settle();
          resolve(once(leave));
        };
        waiting.push(come);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
    load: () => ({ underWay: inside, waiting: waiting.length, slots, queue: queueMax }),
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
