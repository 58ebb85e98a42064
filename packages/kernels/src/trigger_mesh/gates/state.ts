import type { Rule, RuleEvent } from '../rules/rule.ts';
import { type Breaker, createBreaker } from './breaker.ts';

/** What a rule remembers between events. Plain data: it is written to the store and copied for a dry test. Times are monotonic ms. */
export interface RuleState {
  /** By key, the one used longest ago first. */
  keys: Map<string, KeyState>;
  /** Firings within the rate's time. */
  firedMs: number[];
  breaker: Breaker;
  /** Keys forgotten because there were too many. */
  forgotten: number;
}

export interface KeyState {
  /** Events of the open window. */
  windowMs: number[];
  /** The last unpaired event of each side. */
  left: { atMs: number; event: RuleEvent } | null;
  right: { atMs: number; event: RuleEvent } | null;
  pending: Pending | null;
  quietUntilMs: number;
}

/** A debounced firing. */
export interface Pending {
  event: RuleEvent;
  other: RuleEvent | null;
  count: number;
  sinceMs: number;
  dueMs: number;
}

export const createState = (): RuleState => ({ keys: new Map(), firedMs: [], breaker: createBreaker(), forgotten: 0 });

/** Most keys one rule keeps apart: fewer where each key holds more. */
export function keyLimit(rule: Rule): number {
  if (rule.and || rule.debounceMs > 0) return 256;
  return Math.max(16, Math.min(1000, Math.floor(200_000 / (rule.window?.count ?? 1))));
}

export function keyState(rule: Rule, state: RuleState, key: string): KeyState {
  const known = state.keys.get(key) ?? { windowMs: [], left: null, right: null, pending: null, quietUntilMs: 0 };
  state.keys.delete(key);
  state.keys.set(key, known);
  if (state.keys.size > keyLimit(rule)) {
    state.keys.delete(state.keys.keys().next().value!);
    state.forgotten++;
  }
  return known;
}

export function copyState(state: RuleState): RuleState {
  return structuredClone(state);
}

/** Whether anything is remembered that a restart should not lose. */
export function holdsAnything(state: RuleState): boolean {
  return state.keys.size > 0 || state.breaker.state !== 'closed' || state.breaker.failures > 0;
}

export function packState(state: RuleState): unknown {
  return { keys: state.keys, breaker: state.breaker };
}

/** @throws TypeError for something that `packState` did not make */
export function unpackState(packed: unknown): RuleState {
  const { keys, breaker } = packed as { keys: Map<string, KeyState>; breaker: Breaker };
  // A try that was under way when the state was written never reports back.
  const settled: Breaker = breaker.state === 'half-open' ? { ...breaker, state: 'open' } : breaker;
  return { keys, firedMs: [], breaker: settled, forgotten: 0 };
}
