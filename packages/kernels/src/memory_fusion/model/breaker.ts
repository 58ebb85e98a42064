const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

export interface Trouble {
  sinceMs: number;
  failures: number;
  reason: string;
  /** Nothing is asked before. */
  untilMs: number;
}

/** After a failure the endpoint is left alone for a while that doubles with each further one; an answer ends it. Times are of one clock. */
export function createBreaker() {
  let trouble: Trouble | undefined;
  return {
    get trouble() {
      return trouble;
    },
    /** How long to wait; 0: ask. */
    pauseMs: (nowMs: number): number => Math.max(0, (trouble?.untilMs ?? 0) - nowMs),
    failed(nowMs: number, reason: string, retryAfterMs = 0): void {
      const failures = (trouble?.failures ?? 0) + 1;
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
      trouble = {
        sinceMs: trouble?.sinceMs ?? nowMs,
        failures,
        reason,
        untilMs: nowMs + Math.max(pauseMs, retryAfterMs),
      };
    },
    answered(): void {
      trouble = undefined;
    },
  };
}
