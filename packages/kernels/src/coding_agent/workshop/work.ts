import type { WireError } from '@grace/contracts';
import type { Proof, ProofTask, Proposed, RepairTask } from '../change/candidate.ts';
import type { Examined, ExamineTask } from '../languages/examine.ts';
import type { Walked, WalkTask } from '../tree/walk.ts';
import type { Checked, CheckTask } from '../typescript/check.ts';

/** What can be asked of the workshop: name -> what it is given, what it answers. Each is a function of pool.ts. */
export interface Work {
  list: [WalkTask, Walked];
  examine: [ExamineTask, Examined[]];
  check: [CheckTask, Checked[]];
  propose: [RepairTask, Proposed];
  prove: [ProofTask, Proof];
}

/** An error with a code would lose it on the way between threads. */
export type Answer<T> = { value: T } | { error: WireError };

/** From the kernel to the workshop's process. */
export type ToWorkshop =
  | { kind: 'work'; id: number; name: keyof Work; task: unknown }
  /** Its thread is ended. */
  | { kind: 'cancel'; id: number };

/** Back. */
export type FromWorkshop = { id: number; answer: Answer<unknown> };

/** How the workshop is made; passed on as the first argument of its process. */
export interface WorkshopPlan {
  threads: number;
  idleMs: number;
  heapMiB: number;
}
