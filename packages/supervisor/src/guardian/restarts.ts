/** So many starts within `WINDOW_MS` are a supervisor that cannot live. */
const BUDGET = 10;
const WINDOW_MS = 60_000;
/** The first start waits for nothing, the second this long, each further one twice as long, ms. */
const DELAY_MS = 20;
const DELAY_MAX_MS = 5000;

/** The restart budget of the supervisor itself. */
export function createRestarts(): {
  /** All so far. */
  readonly count: number;
  /** How long to wait before the next start, ms; null: no more. */
  next(now: number): number | null;
} {
  let recent: number[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    next(now) {
      recent = recent.filter((at) => at > now - WINDOW_MS);
      if (recent.length >= BUDGET) return null;
      const delayMs = recent.length === 0 ? 0 : Math.min(DELAY_MAX_MS, DELAY_MS * 2 ** (recent.length - 1));
      recent.push(now);
      count++;
      return delayMs;
    },
  };
}
