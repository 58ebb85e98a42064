import type { MuteOptions } from './types.ts';

/** What is known of a principal's denied messages. */
export interface MuteState {
  readonly windowStartMono: number;
  readonly inWindow: number;
  /** Mutes so far that are not forgiven; each doubles the next period. */
  readonly level: number;
  /** Muted until then; 0 = never was. */
  readonly untilMono: number;
  readonly lastDeniedMono: number;
}

export const UNMUTED: MuteState = { windowStartMono: 0, inWindow: 0, level: 0, untilMono: 0, lastDeniedMono: 0 };

/** Denied messages were counted: the new state, and the period in ms when this mutes the principal. */
export function afterDenied(
  state: MuteState,
  count: number,
  nowMono: number,
  options: MuteOptions,
): { state: MuteState; periodMs: number | undefined } {
  const fresh = nowMono - state.windowStartMono >= options.windowMs;
  const inWindow = (fresh ? 0 : state.inWindow) + count;
  const next: MuteState = {
    ...state,
    windowStartMono: fresh ? nowMono : state.windowStartMono,
    inWindow,
    // Forgiven after being quiet for as long as the longest period.
    level: nowMono - state.lastDeniedMono >= options.periodMaxMs ? 0 : state.level,
    lastDeniedMono: nowMono,
  };
  if (!options.enabled || inWindow < options.threshold || state.untilMono > nowMono)
    return { state: next, periodMs: undefined };
  const periodMs = Math.min(options.periodMs * 2 ** next.level, options.periodMaxMs);
  return { state: { ...next, ...muted(nowMono, periodMs), level: next.level + 1 }, periodMs };
}

/** Muted by hand or by a supervisor for this long, whatever the options say. */
export function afterOrder(state: MuteState, periodMs: number, nowMono: number): MuteState {
  return { ...state, ...muted(nowMono, periodMs) };
}

const muted = (nowMono: number, periodMs: number): Pick<MuteState, 'inWindow' | 'untilMono'> => ({
  inWindow: 0,
  untilMono: nowMono + periodMs,
});
