import type { IncidentKind } from '@grace/contracts';

/** A playbook, checked and without optionals. Times are milliseconds. */
export interface Playbook {
  id: string;
  title: string;
  /** Kinds of incident it answers to; an empty list means by hand only. */
  trigger: readonly IncidentKind[];
  /** All must be true before it runs. */
  conditions: readonly Clause[];
  guards: Guards;
  steps: readonly Step[];
  /** When all of these are true at any observation, the run has made things worse. Empty = never judged so. */
  worse: readonly Clause[];
  postCondition: PostCondition;
}

/** A statement about observed facts. Its answer has three values; unknown is never taken for true. */
export type Clause = { fact: string; operator: Operator; value: unknown } | { any: readonly Clause[] };

export const OPERATORS = ['is', 'not', 'above', 'below', 'at_least', 'at_most', 'in', 'exists'] as const;
export type Operator = (typeof OPERATORS)[number];

/** Beside these, one run at a time per target always holds. */
export interface Guards {
  /** At most this many runs per target within `windowMs`. */
  budget: number;
  windowMs: number;
  /** Pause after a run of this playbook on the same target. */
  coolDownMs: number;
}

export interface Step {
  id: string;
  /** Skipped unless all of these are true. */
  when: readonly Clause[];
  action: Action;
  /** Of one attempt, verification included. */
  deadlineMs: number;
  attempts: number;
  /** Pause before the next attempt. */
  delayMs: number;
  /** Must become true within the deadline after the action answered. */
  verify: readonly Clause[];
  onFailure: 'stop' | 'continue';
  /** Undoes the step when a later one fails or the run made things worse. */
  compensation: Action | null;
}

export type Action =
  /** One functional probe of a kernel. */
  | { kind: 'probe'; kernel: string }
  /** A functional probe of each running kernel in the target's cell (of the whole system when the target is no kernel), without the target. */
  | { kind: 'probe_neighbours' }
  | { kind: 'restart'; kernel: string; reason: string }
  | { kind: 'verb'; kernel: string; verb: string; input: unknown }
  | { kind: 'wait_until'; clauses: readonly Clause[] };

/** All clauses true without a break for `holdMs`, begun within `withinMs`. */
export interface PostCondition {
  clauses: readonly Clause[];
  holdMs: number;
  withinMs: number;
}
