import type { MuteOptions } from './types.ts';

/** What is known of a principal's denied messages. */
export interface MuteState {
  readonly windowStartMono: number;
  readonly inWindow: number;
  /** Mutes so far that are not forgiven; each doubles the next period. Read it by `levelAt`. */
  readonly level: number;
  /** Muted until then; 0 = never was. */
  readonly untilMono: number;
  /** Also of those that were refused while muted: who goes on is not quiet. */
  readonly lastDeniedMono: number;
}

export const UNMUTED: MuteState = { windowStartMono: 0, inWindow: 0, level: 0, untilMono: 0, lastDeniedMono: 0 };

/** Forgiven after being quiet for as long as the longest period. */
export function levelAt(state: MuteState, nowMono: number, { periodMaxMs }: Pick<MuteOptions, 'periodMaxMs'>): number {
  return nowMono - state.lastDeniedMono >= periodMaxMs ? 0 : state.level;
}

/** Denied messages were counted: the new state, and the period in ms when this mutes the principal. */
export function afterDenied(
  state: MuteState,
  count: number,
  nowMono: number,
  options: MuteOptions,
): { state: MuteState; periodMs: number | undefined } {
  // Nothing counts towards the next mute while one lasts; only the quiet ends.
  if (state.untilMono > nowMono) return { state: { ...state, lastDeniedMono: nowMono }, periodMs: undefined };
  const fresh = nowMono - state.windowStartMono >= options.windowMs;
  const inWindow = (fresh ? 0 : state.inWindow) + count;
  const next: MuteState = {
    ...state,
    windowStartMono: fresh ? nowMono : state.windowStartMono,
    inWindow,
    level: levelAt(state, nowMono, options),
    lastDeniedMono: nowMono,
  };
  if (!options.enabled || inWindow < options.threshold) return { state: next, periodMs: undefined };
  const periodMs = Math.min(options.periodMs * 2 ** next.level, options.periodMaxMs);
  return { state: { ...next, ...muted(nowMono, periodMs), level: next.level + 1 }, periodMs };
}

/** Muted by hand or by a playbook for this long, whatever the options say. */
export function afterOrder(state: MuteState, periodMs: number, nowMono: number): MuteState {
  return { ...state, ...muted(nowMono, periodMs) };
}

/** As a broker that died left it. Whether there was quiet meanwhile nobody knows: it is counted from the end of the mute, at most from now. */
export function afterRestart(
  { level, untilMono, lastDeniedMono }: Pick<MuteState, 'level' | 'untilMono' | 'lastDeniedMono'>,
  nowMono: number,
): MuteState {
  return {
    ...UNMUTED,
    level,
    untilMono,
    lastDeniedMono: Math.max(Math.min(lastDeniedMono, nowMono), Math.min(untilMono, nowMono)),
  };
}

const muted = (nowMono: number, periodMs: number): Pick<MuteState, 'inWindow' | 'untilMono'> => ({
  inWindow: 0,
  untilMono: nowMono + periodMs,
});
