import type { Slots } from './grammar.ts';

/** One verb that was called for an answer. */
export interface CallMade {
  kernel: string;
  verb: string;
  ok: boolean;
  /** The code of the refusal; absent when it answered. */
  code?: string;
  ms: number;
}

export type Asked = { ok: true; value: unknown } | { ok: false; code: string; message: string };

/** The system as answers see it now. Nothing is remembered from the answer before. */
export interface Live {
  /** Ids of the kernels of this system. */
  readonly kernels: readonly string[];
  /** Asks a verb. What went wrong is an answer too, so it never throws. */
  ask(kernel: string, verb: string, input?: unknown): Promise<Asked>;
  nowMs(): number;
  /** What this session heard last time, for "say that again" and "yes". */
  readonly before: { answer: string; suggestion: string | null } | null;
  /** Phrases that are understood, for "help". */
  readonly examples: readonly string[];
  /** Whether it was heard, not typed: names may be misheard. */
  readonly isSpoken: boolean;
}

export interface Said {
  text: string;
  /** A kernel that may have been meant: "yes" asks about it. */
  suggestion?: string;
}

export interface Intent {
  id: string;
  title: string;
  phrases: readonly string[];
  /** `kernel.verb` it reads; `*` stands for the kernel that was named. */
  reads: readonly string[];
  /** A sentence that says it. */
  example: string;
  answer(live: Live, slots: Slots): Promise<Said> | Said;
}
