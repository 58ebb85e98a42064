/** Circuit breaker of one rule. closed: all pass. open: none until `untilMs`. half-open: one tries, its result decides. */
export interface Breaker {
  state: 'closed' | 'open' | 'half-open';
  /** Failed firings in a row. */
  failures: number;
  untilMs: number;
}

export const createBreaker = (): Breaker => ({ state: 'closed', failures: 0, untilMs: 0 });

/** Whether a firing may pass now; lets the one try through when the open time is over. */
export function pass(breaker: Breaker, nowMs: number): boolean {
  if (breaker.state === 'closed') return true;
  if (breaker.state === 'half-open' || nowMs < breaker.untilMs) return false;
  breaker.state = 'half-open';
  return true;
}

/** What became of a firing that passed. Returns true when this opened the breaker. */
export function settle(
  breaker: Breaker,
  ok: boolean,
  limits: { failures: number; openMs: number },
  nowMs: number,
): boolean {
  if (ok) {
    // A late success of a firing from before the opening proves nothing about now.
    if (breaker.state !== 'open') Object.assign(breaker, createBreaker());
    return false;
  }
  breaker.failures++;
  if (breaker.state === 'open' || (breaker.state === 'closed' && breaker.failures < limits.failures)) return false;
  breaker.state = 'open';
  breaker.untilMs = nowMs + limits.openMs;
  return true;
}
