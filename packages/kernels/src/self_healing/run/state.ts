import type { PlaybookOutcome } from '@grace/contracts';
import type { Facts } from '../playbook/facts.ts';
import type { Action, Playbook } from '../playbook/types.ts';

export interface StepResult {
  ok: boolean;
  skipped: boolean;
  attempts: number;
  ms: number;
  detail: string;
  result: unknown;
}

/** One run of a playbook as data. All times are instants of the monotonic clock, ms. */
export interface RunState {
  id: string;
  playbook: Playbook;
  target: string;
  startedMono: number;
  /** The latest observation and the first. */
  facts: Facts;
  before: Facts;
  results: Readonly<Record<string, StepResult>>;
  /** Indexes of the steps that acted with success, for compensation. */
  acted: readonly number[];
  phase: Phase;
}

export type Phase =
  /** The conditions are looked at. */
  | { at: 'conditions' }
  /** `when` of a step is looked at. */
  | { at: 'when'; step: number; sinceMono: number }
  | { at: 'act'; step: number; attempt: number; sinceMono: number; untilMono: number }
  /** The action has answered (or is a wait): its clauses are looked at until they are true. */
  | {
      at: 'verify';
      step: number;
      attempt: number;
      sinceMono: number;
      untilMono: number;
      result: unknown;
      detail: string;
    }
  | { at: 'pause'; step: number; attempt: number; sinceMono: number }
  | { at: 'hold'; heldSinceMono: number | null; untilMono: number }
  | { at: 'undo'; left: readonly number[]; outcome: PlaybookOutcome; detail: string; step: number | null }
  | { at: 'end' };

export type RunEvent =
  | { type: 'observed'; facts: Facts }
  | { type: 'acted'; ok: boolean; detail: string; result: unknown }
  | { type: 'waited' }
  /** The kernel is asked to end: the run ends here, without further action. */
  | { type: 'stop'; why: string };

/** What the driver does next; its answer is the next event. */
export type RunCommand =
  | { type: 'observe' }
  | { type: 'act'; action: Action; deadlineMs: number }
  | { type: 'wait'; ms: number }
  | { type: 'end'; outcome: PlaybookOutcome; detail: string };

export interface StepReport {
  step: string;
  ok: boolean;
  ms: number;
  detail: string;
}

export interface Advance {
  state: RunState;
  command: RunCommand;
  reports: readonly StepReport[];
}
