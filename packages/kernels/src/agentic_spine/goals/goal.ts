import type { Choice } from '../choose/choose.ts';
import type { Context } from '../choose/enrich.ts';
import type { Plan } from '../plans/plan.ts';

/**
 * planned: on disk, nothing done. waiting_approval: somebody must approve a step, or governance could not be asked. running. uncertain: it is
 * not known whether a step was done, and nothing tells; somebody settles it by `step` or `abort`. verified: all is done and as it must be.
 * compensating: what was done is taken back. The others are the end: done; compensated: it failed, and what can be was taken back; aborted: the
 * same because somebody said so; failed: it failed with nothing to take back, or something could not be.
 */
export const GOAL_STATES = [
  ...(['planned', 'waiting_approval', 'running', 'uncertain', 'verified', 'compensating'] as const),
  ...(['done', 'compensated', 'aborted', 'failed'] as const),
] as const;
export type GoalState = (typeof GOAL_STATES)[number];

const ENDS: readonly GoalState[] = ['done', 'compensated', 'aborted', 'failed'];

export function isOver(state: GoalState): boolean {
  return ENDS.includes(state);
}

/** What does not change after it was planned. */
export interface GoalMade {
  id: string;
  /** The submitter's own name for it; null: none. */
  key: string | null;
  /** Who submitted it, as the wire told; each verb is asked for in this name. */
  principal: string;
  text: string;
  mode: 'run' | 'step';
  plan: Plan;
  input: Record<string, unknown>;
  event: unknown;
  context: Context;
  choice: Pick<Choice, 'score' | 'why' | 'alternatives' | 'method'>;
  correlation: string;
  createdMs: number;
  /** Wall ms; afterwards it is taken back. */
  deadlineMs: number;
}

export interface GoalStanding {
  state: GoalState;
  reason: string;
  /** The step that comes next. */
  at: number;
  waiting: { for: 'approval' | 'governance'; what: 'act' | 'undo'; approval: string | null; why: string } | null;
  /** Permissions held for the step `at`, by what they are for. */
  granted: { act?: Grant; undo?: Grant };
  /** Why it is being ended; null: it is not. */
  ending: { as: 'compensated' | 'aborted'; why: string } | null;
  endedMs: number | null;
}

export interface Grant {
  decision: string;
  atMs: number;
}

export interface Goal extends GoalMade, GoalStanding {}

/** intent: written before the call. done, failed, refused, unknown: how it ended, see deed.ts. */
export type EntryState = 'intent' | 'done' | 'failed' | 'refused' | 'unknown';

/** One line of the step journal: a call that was made, or a compensation. */
export interface Entry {
  goal: string;
  step: number;
  kind: 'act' | 'undo';
  kernel: string;
  verb: string;
  /** For people: what is called again is filled in again from what is on disk. */
  input: unknown;
  key: string;
  decision: string;
  attempt: number;
  state: EntryState;
  /** What it answered; `{ truncated: true, chars, head }` where that was too large. */
  answer: unknown;
  error: string | null;
  startedMs: number;
  endedMs: number | null;
}

export const GOAL_LIMITS = {
  textChars: 2000,
  eventChars: 16 * 1024,
  /** Goals that have not ended. */
  open: 200,
  /** Of these, goals of one submitter. */
  openOfOne: 100,
  /** Goals that have ended and are kept. */
  kept: 1000,
  /** Driven at the same time. */
  lanes: 8,
  answerChars: 16 * 1024,
  /** Goals of one correlation within `cascadeMs`: one that begins goals carries it on. */
  cascade: 8,
  cascadeMs: 10 * 60_000,
  /** A permission that was not used by then is asked for again. */
  grantMs: 60_000,
  /** Attempts of one step, those that a crash of this kernel ended included. */
  attempts: 10,
} as const;

/** At most so much of an answer is kept; what is left out is said. */
export function kept(answer: unknown): unknown {
  const text = JSON.stringify(answer);
  if (text === undefined) return null;
  if (text.length <= GOAL_LIMITS.answerChars) return answer;
  return { truncated: true, chars: text.length, head: text.slice(0, 1000) };
}

/** What templates and expressions of a goal are filled from. */
export function scopeOf(goal: GoalMade, entries: readonly Entry[], step: number): Record<string, unknown> {
  const answers = entries
    .filter(({ kind, state }) => kind === 'act' && state === 'done')
    .map((entry) => [goal.plan.steps[entry.step]!.id, { answer: entry.answer }] as const);
  return {
    goal: { id: goal.id, text: goal.text, principal: goal.principal, plan: goal.plan.id },
    input: goal.input,
    event: goal.event,
    context: goal.context,
    steps: Object.fromEntries(answers),
    key: keyOf(goal.id, goal.plan.steps[step]?.id ?? 'post'),
  };
}

/** The same for every attempt of a step. */
export function keyOf(goal: string, step: string): string {
  return `${goal}:${step}`;
}
