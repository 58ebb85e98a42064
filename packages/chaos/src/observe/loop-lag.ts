import { systemClock } from '@grace/contracts';

const TICK_MS = 20;

/** How late the runner's own event loop was: a runner that stood still has seen nothing. */
export interface LoopLag {
  /** Starts a measurement of its own; `maxMs` is the worst lag since then. */
  mark(): { maxMs(): number };
  stop(): void;
}

export function watchLoopLag(): LoopLag {
  let lastMono = systemClock.monoMs();
  const marks = new Set<{ worst: number }>();
  const lagNow = (): number => Math.max(0, systemClock.monoMs() - lastMono - TICK_MS);
  const timer = setInterval(() => {
    const lag = lagNow();
    for (const mark of marks) mark.worst = Math.max(mark.worst, lag);
    lastMono = systemClock.monoMs();
  }, TICK_MS);
  return {
    mark() {
      const mark = { worst: 0 };
      marks.add(mark);
      return { maxMs: () => Math.max(mark.worst, lagNow()) };
    },
    stop: () => clearInterval(timer),
  };
}
