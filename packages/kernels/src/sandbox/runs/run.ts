import type { ErrorCode } from '@grace/contracts';

/**
 * queued, running   not ended
 * ok                a value, or exit status 0
 * failed            the program ended with another status or by a signal of its own
 * error             the snippet threw, or the program could not be started
 * timeout, memory, output, processes, disk   ended at a limit
 * cancelled         ended because somebody asked, or because the kernel stopped
 * refused           never started: not allowed
 * lost              the process that ran it died
 */
export const RUN_STATES = [
  ...(['queued', 'running', 'ok', 'failed', 'error', 'timeout', 'memory', 'output', 'processes', 'disk'] as const),
  ...(['cancelled', 'refused', 'lost'] as const),
] as const;
export type RunState = (typeof RUN_STATES)[number];
export type EndState = Exclude<RunState, 'queued' | 'running'>;
export const RUN_KINDS = ['evaluate', 'execute'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/** Why a run was ended from outside. */
export type StopReason = 'timeout' | 'memory' | 'output' | 'processes' | 'disk' | 'cancelled';

/** How each end that is no answer is told to who asked. */
export const END_CODES: Record<StopReason | 'error', ErrorCode> = {
  timeout: 'SANDBOX_TIMEOUT',
  memory: 'SANDBOX_MEMORY',
  output: 'SANDBOX_OUTPUT',
  processes: 'SANDBOX_PROCESSES',
  disk: 'SANDBOX_DISK',
  cancelled: 'SANDBOX_CANCELLED',
  error: 'SANDBOX_ERROR',
};

/** A record. The code itself is not kept, only its hash. */
export interface Run {
  id: string;
  kind: RunKind;
  /** Principal that asked. */
  by: string;
  /** SHA-256, hex: of the snippet, or of command, arguments and files. */
  hash: string;
  /** `snippet`, or the command. */
  what: string;
  state: RunState;
  limits: Record<string, unknown>;
  isolation: Record<string, unknown>;
  askedMs: number;
  startedMs: number | null;
  endedMs: number | null;
  /** How the run ended, from the place where it ended. */
  exitCode: number | null;
  signal: string | null;
  outputBytes: number;
  isTruncated: boolean;
  error: string | null;
}

/** What is known of a run when it has ended. */
export interface Ending {
  state: EndState;
  exitCode?: number | null;
  signal?: string | null;
  outputBytes?: number;
  isTruncated?: boolean;
  error?: string | null;
}
