export const LEVELS = ['normal', 'raised', 'high', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

/** When a resource counts as pressed. Values are shares, 0..1; more is worse. */
export interface Thresholds {
  raised: number;
  high: number;
  critical: number;
  /** A level is left only when the value is this much below where it began. */
  margin: number;
  /** Samples in a row before a level is entered, and before it is left. */
  riseAfter: number;
  fallAfter: number;
}

export interface PressureState {
  level: Level;
  /** Consecutive samples that ask for a level above, and the lowest they all ask for. */
  rising: number;
  risingTo: Level;
  /** Consecutive samples that allow a level below, and the highest they all allow. */
  falling: number;
  fallingTo: Level;
}

export const CALM: PressureState = { level: 'normal', rising: 0, risingTo: 'normal', falling: 0, fallingTo: 'normal' };

/**
 * One sample. Pure. Hysteresis in value (`margin`) and in time (`riseAfter`, `fallAfter`): a value that trembles about a threshold changes the
 * level once, and one outlier changes nothing.
 */
export function step(before: PressureState, value: number, thresholds: Thresholds): PressureState {
  const entered = levelOf(value, thresholds, 0);
  const kept = levelOf(value, thresholds, thresholds.margin);
  const { level } = before;
  if (rank(entered) > rank(level)) {
    const rising = before.rising + 1;
    const risingTo = before.rising === 0 ? entered : lower(before.risingTo, entered);
    return rising >= thresholds.riseAfter ? at(risingTo) : { ...at(level), rising, risingTo };
  }
  if (rank(kept) < rank(level)) {
    const falling = before.falling + 1;
    const fallingTo = before.falling === 0 ? kept : higher(before.fallingTo, kept);
    return falling >= thresholds.fallAfter ? at(fallingTo) : { ...at(level), falling, fallingTo };
  }
  return at(level);
}

/** The highest level whose beginning, lowered by `margin`, the value reaches. */
export function levelOf(value: number, { raised, high, critical }: Thresholds, margin: number): Level {
  if (value >= critical - margin) return 'critical';
  if (value >= high - margin) return 'high';
  return value >= raised - margin ? 'raised' : 'normal';
}

/** What is wrong with thresholds, or undefined. */
export function thresholdProblem({ raised, high, critical, margin }: Thresholds): string | undefined {
  if (!(raised < high && high < critical)) {
    return `expected raised < high < critical, got ${raised}, ${high}, ${critical}`;
  }
  return margin < raised ? undefined : `expected margin to be below raised (${raised}), got ${margin}`;
}

export function rank(level: Level): number {
  return LEVELS.indexOf(level);
}

function at(level: Level): PressureState {
  return { ...CALM, level };
}

function lower(a: Level, b: Level): Level {
  return rank(a) <= rank(b) ? a : b;
}

function higher(a: Level, b: Level): Level {
  return rank(a) >= rank(b) ? a : b;
}
