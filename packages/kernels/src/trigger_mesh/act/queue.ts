/** Work that waits its turn: bounded, with a number of lanes. What does not fit is refused, and the caller counts it. */
export interface Queue {
  /** False when the queue is full: the newest is dropped, those that wait keep their turn. */
  push(work: () => Promise<void>): boolean;
  readonly waiting: number;
  readonly running: number;
  /** Resolves when nothing waits or runs, or `timeoutMs` is over; then what still waits is given up. Returns how much that was. */
  finish(timeoutMs: number): Promise<number>;
}

/** @param onError what a work item threw although it should deal with its own errors */
export function createQueue(capacity: number, lanes: number, onError: (error: unknown) => void): Queue {
  const waiting: (() => Promise<void>)[] = [];
  let running = 0;
  let idle: (() => void) | undefined;

  const next = (): void => {
    while (running < lanes && waiting.length > 0) {
      running++;
      const work = waiting.shift()!;
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
    push(work) {
      if (waiting.length >= capacity) return false;
      waiting.push(work);
      next();
      return true;
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
