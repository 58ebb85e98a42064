import { createHash } from 'node:crypto';
import type { Proof, Scope } from '../change/candidate.ts';
import type { Exchange } from '../change/exchange.ts';
import type { Finding } from '../scan/finding.ts';

export const TASK_STATES = ['queued', 'analysing', 'proposed', 'verified', 'applied', 'failed', 'reverted'] as const;
export type TaskState = (typeof TASK_STATES)[number];

/**
 * What may follow what. A task that was analysed when the process died begins again; so does one that failed, was reverted, or was applied,
 * when the same finding is submitted again.
 */
export const NEXT: Readonly<Record<TaskState, readonly TaskState[]>> = {
  queued: ['analysing'],
  analysing: ['proposed', 'failed', 'queued'],
  proposed: ['verified', 'failed', 'queued'],
  verified: ['applied', 'failed', 'queued'],
  applied: ['reverted', 'queued'],
  failed: ['queued'],
  reverted: ['queued'],
};

export interface Check {
  command: readonly string[];
  exitCode: number | null;
  tookMs: number;
  output: string;
}

/** The patch of a task without its texts. */
export interface Change {
  /** Names exactly this patch: what is approved is this, and no other. */
  id: string;
  strategy: string;
  reason: string;
  confidence: number;
  files: string[];
  lines: number;
  diff: string;
  proof: Proof | null;
  check: Check | null;
}

export interface Task {
  id: string;
  root: string;
  signature: string;
  finding: Finding;
  scope: Scope;
  priority: number;
  why: string | null;
  by: string;
  state: TaskState;
  attempt: number;
  submittedMs: number;
  updatedMs: number;
  /** Why it failed. */
  error: string | null;
  change: Change | null;
  /** The request for approval that was left with governance last. */
  approval: { id: string; change: string; untilMs: number } | null;
  steps: { state: TaskState; atMs: number; note?: string }[];
}

/** What a patch does to one file; the rest of the file is nowhere but in the tree. */
export interface KeptPatch {
  file: string;
  exchanges: Exchange[];
  beforeHash: string;
  afterHash: string;
}

/** The same for the same finding in the same tree. */
export function taskId(root: string, signature: string): string {
  return `task-${createHash('sha256').update(`${root}\0${signature}`).digest('hex').slice(0, 12)}`;
}

export const TASK_TABLES = `
CREATE TABLE tasks (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL, submittedMs INTEGER NOT NULL, task TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tasks_queue ON tasks (state, priority, submittedMs);
CREATE TABLE patches (
  task TEXT NOT NULL, file TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, beforeHash TEXT NOT NULL, afterHash TEXT NOT NULL,
  PRIMARY KEY (task, file)
) WITHOUT ROWID;
CREATE TABLE acts (task TEXT PRIMARY KEY, act TEXT NOT NULL, by TEXT NOT NULL, atMs INTEGER NOT NULL) WITHOUT ROWID;
`;

/** Patches held whole files once. What was queued then is looked for again. */
export const PATCH_TABLES = `
DROP TABLE patches;
DELETE FROM tasks;
DELETE FROM acts;
CREATE TABLE patches (
  task TEXT NOT NULL, file TEXT NOT NULL, exchanges TEXT NOT NULL, beforeHash TEXT NOT NULL, afterHash TEXT NOT NULL,
  PRIMARY KEY (task, file)
) WITHOUT ROWID;
`;
