import type { Command, CoreEvent } from '../../../src/core/events.ts';
import type { SimCell } from '../cell.ts';
import type { Environment } from '../environment.ts';
import type { SimThread } from '../thread.ts';

/** The names under which a violation is reported, counted and shrunk. */
export type InvariantName =
  | 'well_kernel_restarted'
  | 'late_kernel_restarted'
  | 'blamed_for_a_need'
  | 'cell_killed_without_reason'
  | 'budget_exceeded'
  | 'given_up_but_restarted'
  | 'two_alive'
  | 'incarnation_not_growing'
  | 'transition_not_in_table'
  | 'journal_not_coherent'
  | 'waits_for_ever'
  | 'not_settled'
  | 'hang_not_noticed'
  | 'leak_not_noticed'
  | 'incident_not_coherent'
  | 'incident_left_open'
  | 'stop_not_finished'
  | 'order_after_stop'
  | 'left_behind'
  | 'core_threw'
  | 'input_changed'
  | 'not_deterministic';

export class Violation extends Error {
  readonly invariant: InvariantName;
  readonly atMs: number;

  constructor(invariant: InvariantName, atMs: number, message: string) {
    super(message);
    this.invariant = invariant;
    this.atMs = atMs;
  }
}

/** A statement about a run that must hold at every step. It compares what the core did with what was true, and throws a `Violation`. */
export interface Invariant {
  event?(event: CoreEvent): void;
  command?(command: Command): void;
  beat?(): void;
  threadBorn?(thread: SimThread, cell: SimCell): void;
  cellBorn?(cell: SimCell): void;
  /** Another supervisor has taken over, with what it read in the journal. */
  restored?(): void;
  /** Faults have stopped long ago. */
  end?(): void;
}

export type MakeInvariant = (env: Environment) => Invariant;
