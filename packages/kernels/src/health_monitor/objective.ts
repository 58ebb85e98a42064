/** A service level objective: this share of the probes' results passes, over a rolling window. */
export interface Objective {
  id: string;
  /** Ids of the probes it counts; `kernel.*` counts all with that beginning. */
  probes: string[];
  /** 0..1, both excluded: 0.99 = one in a hundred may fail. */
  target: number;
  windowMs: number;
}

/** Results counted per slice of time. `slice` is the number of the slice since 1970. */
export interface Slice {
  slice: number;
  good: number;
  bad: number;
}

export interface Budget {
  good: number;
  bad: number;
  /** Share of good results, null without any. */
  attained: number | null;
  /** Share of the error budget that is left: 1 untouched, 0 used up, below 0 overdrawn; null without results. */
  budgetLeft: number | null;
  /** How many times faster than allowed the budget is used: 1 = it lasts exactly the window. */
  burnRate: number | null;
  /** The same over the last twelfth of the window, so that what is over is told from what goes on. */
  burnRateShort: number | null;
  /** `burning`: there is budget left, but at the pace of the last twelfth of the window it would not last. */
  state: 'no data' | 'met' | 'burning' | 'exhausted';
}

/** A window is kept in this many slices. */
export const SLICES = 60;

export function sliceMs({ windowMs }: Pick<Objective, 'windowMs'>): number {
  return windowMs / SLICES;
}

export function sliceOf(objective: Pick<Objective, 'windowMs'>, wallMs: number): number {
  return Math.floor(wallMs / sliceMs(objective));
}

/** Oldest slice that still counts at this time. */
export function firstSlice(objective: Pick<Objective, 'windowMs'>, wallMs: number): number {
  return sliceOf(objective, wallMs) - SLICES + 1;
}

/** The error budget at this time. Pure; slices outside the window are ignored, whatever the order. */
export function budgetOf(objective: Objective, slices: readonly Slice[], wallMs: number): Budget {
  const now = sliceOf(objective, wallMs);
  const within = (count: number): { good: number; bad: number } =>
    slices
      .filter(({ slice }) => slice > now - count && slice <= now)
      .reduce((sum, { good, bad }) => ({ good: sum.good + good, bad: sum.bad + bad }), { good: 0, bad: 0 });
  const whole = within(SLICES);
  const total = whole.good + whole.bad;
  const burnRate = burn(whole, objective.target);
  const burnRateShort = burn(within(SLICES / 12), objective.target);
  if (total === 0) return { ...whole, attained: null, budgetLeft: null, burnRate, burnRateShort, state: 'no data' };
  const budgetLeft = 1 - burnRate!;
  const isBurning = burnRateShort !== null && burnRateShort > 1;
  return {
    ...whole,
    attained: whole.good / total,
    budgetLeft,
    burnRate,
    burnRateShort,
    state: budgetLeft <= 0 ? 'exhausted' : isBurning ? 'burning' : 'met',
  };
}

function burn({ good, bad }: { good: number; bad: number }, target: number): number | null {
  return good + bad === 0 ? null : bad / (good + bad) / (1 - target);
}

export function counts(objective: Objective, probe: string): boolean {
  return objective.probes.some((pattern) =>
    pattern.endsWith('*') ? probe.startsWith(pattern.slice(0, -1)) : pattern === probe,
  );
}
