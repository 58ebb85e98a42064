import type { IncidentKind, PlaybookOutcome } from '@grace/contracts';

/** How the beginning of an incident is known. */
export type OnsetSource = 'fault' | 'heartbeat' | 'symptom' | 'exit';

/** One incident, as far as it has come. Times at which something happened are wall time, ms; null: not known, or not yet. */
export interface IncidentFact {
  id: string;
  kind: IncidentKind;
  subject: string;
  openedMs: number;
  closedMs: number | null;
  outcome: string | null;
  escalated: boolean;
  /** Within a drill, or with the correlation of an injected fault. */
  drill: boolean;
  /** The detector that was first. */
  method: string | null;
  detectMs: number | null;
  onset: OnsetSource | null;
  /** From its opening to its closing. */
  recoverMs: number | null;
  /** Of `recoverMs`: how long restarts of its subject waited, and how long the last start took. */
  delayMs: number;
  readyMs: number;
}

export type RestartVerdict = 'justified' | 'false' | 'ordered' | 'unknown';

/** One restart. `false`: nothing on record confirms what it was made for. */
export interface RestartFact {
  seq: number;
  atMs: number;
  kernel: string;
  cause: string;
  verdict: RestartVerdict;
  why: string;
  drill: boolean;
}

export interface RunFact {
  run: string;
  playbook: string;
  incident: string;
  target: string;
  atMs: number;
  /** Null: it has not ended, or nobody told. */
  outcome: PlaybookOutcome | null;
  ms: number | null;
}

export interface ReadyFact {
  seq: number;
  atMs: number;
  kernel: string;
  /** With the boot, when all start at once; a later start has the machine to itself. */
  boot: boolean;
  readyMs: number;
}

/** What some records said that was not known before. */
export interface Facts {
  incidents: IncidentFact[];
  restarts: RestartFact[];
  runs: RunFact[];
  readies: ReadyFact[];
}
