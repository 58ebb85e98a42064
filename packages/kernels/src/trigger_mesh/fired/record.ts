export type FiringOutcome = 'done' | 'failed' | 'dropped' | 'cut' | 'rate';

export interface DeedResult {
  deed: string;
  ok: boolean;
  ms: number;
  error?: string;
}

/** What became of a rule and an event. `cut` and `rate` stand for firings that a limit prevented, `dropped` for one the full queue refused. */
export interface FiringRecord {
  /** 1, 2, 3, ... in the order in which they ended. */
  seq: number;
  atMs: number;
  rule: string;
  outcome: FiringOutcome;
  subject: string;
  event: string;
  from: string;
  depth: number;
  key: string;
  count: number;
  detail: string;
  deeds: DeedResult[];
  /** The firing's own name; null: there was none. */
  firing: string | null;
}
