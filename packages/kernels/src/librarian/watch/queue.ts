/** Files read side by side: enough to share flushes to disk, too few to crowd out verbs. */
const LANES = 4;

export interface QueueParts {
  look(path: string): Promise<void>;
  /** Looks through everything, giving each path to `add`. */
  scan(): Promise<void>;
  failed(path: string, error: unknown): void;
  maxQueued: number;
}

/**
 * Paths to look at, each once however often it changes while it waits, and never twice at the same time. It holds at most `maxQueued`: a
 * burst beyond that is not lost but found by a scan, which begins when the queue is empty and gives its paths no faster than they are taken.
 */
export function createQueue({ look, scan, failed, maxQueued }: QueueParts) {
  const waiting = new Set<string>();
  const busy = new Map<string, Promise<void>>();
  let scanWanted = false;
  let scanning: Promise<void> | undefined;
  let closed = false;
  /** Resolved whenever a lane is free. */
  let room = Promise.withResolvers<void>();

  const pump = (): void => {
    if (closed) return;
    for (const path of waiting) {
      if (busy.size >= LANES) return;
      if (busy.has(path)) continue;
      waiting.delete(path);
      const work = look(path)
        .catch((error: unknown) => failed(path, error))
        .finally(() => {
          busy.delete(path);
          room.resolve();
          room = Promise.withResolvers();
          pump();
        });
      busy.set(path, work);
    }
    if (scanWanted && !scanning && waiting.size === 0 && busy.size === 0) {
      scanWanted = false;
      scanning = scan()
        .catch((error: unknown) => failed('', error))
        .finally(() => {
          scanning = undefined;
          pump();
        });
    }
  };

  return {
    get length() {
      return waiting.size + busy.size + (scanning || scanWanted ? 1 : 0);
    },
    /** Something happened at this path. */
    changed(path: string): void {
      if (waiting.size < maxQueued) waiting.add(path);
      else scanWanted = true;
      pump();
    },
    /** The same for a scan: waits until there is room. */
    async add(path: string): Promise<void> {
      while (!closed && waiting.size + busy.size >= Math.min(maxQueued, 2 * LANES)) await room.promise;
      if (closed) return;
      waiting.add(path);
      pump();
    },
    rescan(): void {
      scanWanted = true;
      pump();
    },
    async close(): Promise<void> {
      closed = true;
      waiting.clear();
      room.resolve();
      await Promise.all([...busy.values(), scanning]);
    },
  };
}
