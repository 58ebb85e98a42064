import type { Condition } from '../rules/condition.ts';
import type { Rule, RuleEvent } from '../rules/rule.ts';
import { asText, readPath } from '../rules/template.ts';
import { weigh } from '../rules/weight.ts';
import { pass } from './breaker.ts';
import { type KeyState, keyState, type RuleState } from './state.ts';

/** Longest a debounce holds a firing back, in times of `debounceMs`. */
export const DEBOUNCE_MAX = 10;

/** Largest event a rule keeps until another comes (correlation, debounce), in values. */
const KEPT_WEIGHT = 2048;

export interface CompiledRule {
  rule: Rule;
  when: Condition | null;
  andWhen: Condition | null;
}

export type Side = 'on' | 'and';

export interface Firing {
  event: RuleEvent;
  /** The event of the other side. */
  other: RuleEvent | null;
  key: string;
  /** Events that led to it: of the window, or of the debounce. */
  count: number;
}

export type Refusal =
  | 'disabled'
  | 'repeated'
  | 'condition'
  | 'error'
  | 'cut'
  | 'window'
  | 'correlation'
  | 'debounce'
  | 'cooldown'
  | 'rate'
  | 'breaker';

export type Verdict = { fires: true; firing: Firing } | { fires: false; why: Refusal; detail: string };

const no = (why: Refusal, detail: string): Verdict => ({ fires: false, why, detail });

/** What one event means to one rule now. Depends on its arguments alone, and changes nothing but `state`. Times are monotonic ms. */
export function judge(compiled: CompiledRule, state: RuleState, side: Side, event: RuleEvent, nowMs: number): Verdict {
  const { rule } = compiled;
  if (!rule.enabled) return no('disabled', 'the rule is disabled');
  const condition = side === 'on' ? compiled.when : compiled.andWhen;
  try {
    if (condition && !condition(event)) return no('condition', 'the condition is false');
  } catch (error) {
    return no('error', error instanceof Error ? error.message.split('\n')[0]! : String(error));
  }
  if (event.depth >= rule.depth) {
    return no('cut', `the event comes from ${event.depth} firings in a row, the limit is ${rule.depth}`);
  }
  if ((rule.and || rule.debounceMs > 0) && weigh(event.payload).values > KEPT_WEIGHT) {
    return no('error', `the event is too large to be kept until another comes (more than ${KEPT_WEIGHT} values)`);
  }
  const path = side === 'and' ? (rule.and?.key ?? rule.key) : rule.key;
  const key = path === null ? '' : asText(readPath({ ...event }, path)).slice(0, 200);
  const kept = keyState(rule, state, key);

  let other: RuleEvent | null = null;
  if (rule.and) {
    const found = correlate(rule.and.withinMs, kept, side, event, nowMs);
    if (!found) return no('correlation', `no event of the other side with key "${key}" within ${rule.and.withinMs} ms`);
    other = found;
  }
  let count = 1;
  if (rule.window) {
    count = countWindow(rule.window, kept, nowMs);
    if (count < rule.window.count) {
      return no('window', `${count} of ${rule.window.count} events within ${rule.window.withinMs} ms`);
    }
    kept.windowMs = [];
  }
  if (rule.debounceMs > 0) {
    const sinceMs = kept.pending?.sinceMs ?? nowMs;
    const dueMs = Math.min(nowMs + rule.debounceMs, sinceMs + DEBOUNCE_MAX * rule.debounceMs);
    kept.pending = { event, other, count: (kept.pending?.count ?? 0) + count, sinceMs, dueMs };
    return no('debounce', `fires after ${Math.ceil(dueMs - nowMs)} ms without a further event`);
  }
  return release(rule, state, kept, { event, other, key, count }, nowMs);
}

/** Debounced firings whose time has come, each with its last event. */
export function releaseDue(rule: Rule, state: RuleState, nowMs: number): { event: RuleEvent; verdict: Verdict }[] {
  const verdicts: { event: RuleEvent; verdict: Verdict }[] = [];
  for (const [key, kept] of state.keys) {
    const { pending } = kept;
    if (!pending || pending.dueMs > nowMs) continue;
    kept.pending = null;
    const { event, other, count } = pending;
    const verdict = rule.enabled
      ? release(rule, state, kept, { event, other, key, count }, nowMs)
      : no('disabled', 'the rule is disabled');
    verdicts.push({ event, verdict });
  }
  return verdicts;
}

/** When the next debounced firing is due; undefined when none waits. */
export function nextDueMs(state: RuleState): number | undefined {
  let next: number | undefined;
  for (const { pending } of state.keys.values()) {
    if (pending && (next === undefined || pending.dueMs < next)) next = pending.dueMs;
  }
  return next;
}

function release(rule: Rule, state: RuleState, kept: KeyState, firing: Firing, nowMs: number): Verdict {
  if (nowMs < kept.quietUntilMs) {
    return no('cooldown', `silent for another ${Math.ceil(kept.quietUntilMs - nowMs)} ms after the last firing`);
  }
  while (state.firedMs.length > 0 && state.firedMs[0]! <= nowMs - rule.rate.withinMs) state.firedMs.shift();
  if (state.firedMs.length >= rule.rate.count) {
    return no('rate', `${rule.rate.count} firings within ${rule.rate.withinMs} ms are the limit`);
  }
  if (!pass(state.breaker, nowMs)) {
    return no(
      'breaker',
      `the circuit breaker is ${state.breaker.state} after ${state.breaker.failures} failed firings`,
    );
  }
  state.firedMs.push(nowMs);
  if (rule.cooldownMs > 0) kept.quietUntilMs = nowMs + rule.cooldownMs;
  return { fires: true, firing };
}

/** Counts this event; the window keeps only as many instants as it needs to decide. */
function countWindow(window: { count: number; withinMs: number }, kept: KeyState, nowMs: number): number {
  kept.windowMs = kept.windowMs.filter((atMs) => nowMs - atMs <= window.withinMs);
  kept.windowMs.push(nowMs);
  return kept.windowMs.length;
}

/** The last event of the other side, when it is near enough; both are used up then. Else this event waits for the other. */
function correlate(withinMs: number, kept: KeyState, side: Side, event: RuleEvent, nowMs: number): RuleEvent | null {
  const [mine, theirs] = side === 'on' ? (['left', 'right'] as const) : (['right', 'left'] as const);
  const other = kept[theirs];
  if (other && nowMs - other.atMs <= withinMs) {
    kept.left = null;
    kept.right = null;
    return other.event;
  }
  kept[theirs] = null;
  kept[mine] = { atMs: nowMs, event };
  return null;
}
