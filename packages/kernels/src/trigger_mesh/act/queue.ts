/** Work that waits its turn, with a number of lanes. */
export interface Queue {
  /** Whether what waits has reached a bound: the newest is dropped then, those that wait keep their turn, and the caller counts. */
  readonly isFull: boolean;
  push(work: () => Promise<void>, bytes: number): void;
  readonly waiting: number;
  readonly running: number;
  /** Resolves when nothing waits or runs, or `timeoutMs` is over; then what still waits is given up. Returns how much that was. */
  finish(timeoutMs: number): Promise<number>;
}

/** @param onError what a work item threw although it should deal with its own errors */
export function createQueue(
  bounds: { items: number; bytes: number; lanes: number },
  onError: (error: unknown) => void,
): Queue {
  const waiting: { work: () => Promise<void>; bytes: number }[] = [];
  let waitingBytes = 0;
  let running = 0;
  let idle: (() => void) | undefined;

  const next = (): void => {
    while (running < bounds.lanes && waiting.length > 0) {
      running++;
      const { work, bytes } = waiting.shift()!;
      waitingBytes -= bytes;
      void work()
        .catch(onError)
        .finally(() => {
          running--;
          next();
          if (running === 0 && waiting.length === 0) idle?.();
        });
    }
  };

  return {
    get isFull() {
      return waiting.length >= bounds.items || waitingBytes >= bounds.bytes;
    },
    push(work, bytes) {
      waiting.push({ work, bytes });
      waitingBytes += bytes;
      next();
    },
    get waiting() {
      return waiting.length;
    },
    get running() {
      return running;
    },
    async finish(timeoutMs) {
      if (running > 0 || waiting.length > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          idle = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return waiting.splice(0).length + running;
    },
  };
}
