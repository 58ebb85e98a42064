/** A service level objective: this share of the probes' results passes, over a rolling window. */
export interface Objective {
  id: string;
  /** Ids of the probes it counts; `kernel.*` counts all with that beginning. */
  probes: string[];
  /** 0..1, both excluded: 0.99 = one in a hundred may fail. */
  target: number;
  windowMs: number;
}

export interface Count {
  good: number;
  bad: number;
}

/** Results counted per slice of time. `slice` is the number of the slice since 1970. */
export interface Slice extends Count {
  slice: number;
}

export interface Budget extends Count {
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
  alerts: Alert[];
}

/** One rule of alerting on burn rates, and how it stands. */
export interface Alert {
  severity: 'page' | 'ticket';
  /** Burn rate from which on it fires, in both windows. */
  threshold: number;
  longMs: number;
  shortMs: number;
  long: number | null;
  short: number | null;
  firing: boolean;
}

/** A window is kept in this many slices: the shortest window of an alert is one of them. */
export const SLICES = 8640;

/**
 * Multi-window, multi-burn-rate alerts (Site Reliability Workbook, chapter 5, table 5-8): over 30 days, 2 % of the budget within an hour, 5 % within
 * 6 hours, 10 % within 3 days, each also seen in the last twelfth of that time, so that an alert ends soon after its cause. Here as shares of the
 * objective's own window. `threshold` = share of the budget / share of the window.
 */
const RULES: readonly { severity: Alert['severity']; budget: number; parts: number }[] = [
  { severity: 'page', budget: 0.02, parts: 720 },
  { severity: 'page', budget: 0.05, parts: 120 },
  { severity: 'ticket', budget: 0.1, parts: 10 },
];

/** Fewer results in the long window say too little: one failure alone would be a high rate. */
export const RESULTS_MIN = 10;

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

/** What was counted in the last so many slices, the present one included. */
export type Within = (slices: number) => Count;

/** Slices outside of what is asked for are ignored, whatever the order. */
export function withinOf(slices: readonly Slice[], now: number): Within {
  return (count) => {
    let [good, bad] = [0, 0];
    for (const one of slices) {
      if (one.slice <= now - count || one.slice > now) continue;
      good += one.good;
      bad += one.bad;
    }
    return { good, bad };
  };
}

/** The error budget by what was counted. Pure. */
export function budgetOf(objective: Objective, within: Within): Budget {
  const whole = within(SLICES);
  const total = whole.good + whole.bad;
  const burnRate = burn(whole, objective.target);
  const burnRateShort = burn(within(SLICES / 12), objective.target);
  const alerts = alertsOf(objective, within);
  if (total === 0)
    return { ...whole, attained: null, budgetLeft: null, burnRate, burnRateShort, state: 'no data', alerts };
  const budgetLeft = 1 - burnRate!;
  const isBurning = burnRateShort !== null && burnRateShort > 1;
  return {
    ...whole,
    attained: whole.good / total,
    budgetLeft,
    burnRate,
    burnRateShort,
    state: budgetLeft <= 0 ? 'exhausted' : isBurning ? 'burning' : 'met',
    alerts,
  };
}

/** The alerts alone, which need the last tenth of the window. Pure. */
export function alertsOf(objective: Objective, within: Within): Alert[] {
  return RULES.map((rule) => alertOf(rule, objective, within));
}

function alertOf(
  { severity, budget, parts }: (typeof RULES)[number],
  { target, windowMs }: Objective,
  within: Within,
): Alert {
  const counted = within(SLICES / parts);
  const threshold = budget * parts;
  const long = burn(counted, target);
  const short = burn(within(SLICES / parts / 12), target);
  const isEnough = counted.good + counted.bad >= RESULTS_MIN;
  const firing = isEnough && long !== null && short !== null && long >= threshold && short >= threshold;
  return { severity, threshold, longMs: windowMs / parts, shortMs: windowMs / parts / 12, long, short, firing };
}

function burn({ good, bad }: Count, target: number): number | null {
  return good + bad === 0 ? null : bad / (good + bad) / (1 - target);
}

export function counts(objective: Objective, probe: string): boolean {
  return objective.probes.some((pattern) =>
    pattern.endsWith('*') ? probe.startsWith(pattern.slice(0, -1)) : pattern === probe,
  );
}
