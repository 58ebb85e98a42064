import type { KernelManifest, Safeguards, SystemSettings } from '@grace/contracts';

/** What can be the matter with a thread while it lives. */
export const TROUBLES = [
  /** An endless loop. */
  'spin',
  /** A blocking call in native code: idle, and `terminate()` does not return. */
  'native',
  /** `Atomics.wait`: idle, and can be ended. */
  'wait',
  /** The event loop turns, heartbeats come, and the probe never settles. */
  'deadlock',
  /** The probe fails. */
  'wrong',
  /** No heartbeats; everything else works. */
  'beatless',
  /** No heartbeats, a whole core burnt, and the probe passes. */
  'beatless_busy',
  /** Computes in long pieces, below what counts as hung. */
  'chunks',
  /** Uses a whole core, and does its job. */
  'busy',
  /** Logs errors without end. */
  'errors',
  /** Publishes more than it may. */
  'flood',
] as const;
export type Trouble = (typeof TROUBLES)[number];

/** What goes wrong at a start of a kernel. */
export type StartTrait = 'load_fails' | 'load_crashes' | 'start_throws' | 'start_hangs' | 'probe_fails' | 'dies';

/** One thing that is done to the system, by whatever is out there. Times are ms since the boot. */
export type Injection = { at: number } & (
  | { do: 'trouble'; kernel: string; trouble: Trouble; forMs: number | null }
  | { do: 'crash'; kernel: string; code: 0 | 1 }
  /** The next `starts` starts of it go wrong; `afterMs` is how long it lives where it dies. */
  | { do: 'trait'; kernel: string; trait: StartTrait; starts: number; afterMs: number; code: string }
  | { do: 'leak'; kernel: string; of: 'heap' | 'external'; limitInMs: number }
  | { do: 'ignore_drain'; kernel: string }
  | { do: 'cell_crash'; cell: string; signal: string }
  /** `stopped`: by SIGSTOP, all its threads stand still. Else only its agent is blocked, and the threads serve on. `again`: how often SIGCONT is undone. */
  | { do: 'cell_freeze'; cell: string; stopped: boolean; forMs: number; again: number }
  /** What becomes of its next spawns. */
  | { do: 'cell_birth'; cell: string; fate: 'late' | 'never' | 'ends' | 'disk_full'; spawns: number }
  | { do: 'saturate'; forMs: number; waitMs: number; share: number }
  /** Answers of a cell take this much longer. */
  | { do: 'late_answers'; cell: string; forMs: number; ms: number }
  | { do: 'restart'; kernel: string; by: 'operator' | 'self_healing' }
  | { do: 'isolate'; kernel: string }
  | { do: 'pause'; kernel: string; resumeAfterMs: number | null }
  | { do: 'resume'; kernel: string }
  | { do: 'quarantine'; kernel: string }
  | { do: 'throttle'; kernel: string; cpu: number | null; forMs: number | null }
  | { do: 'correlate'; kernels: string[]; correlation: string }
  | { do: 'denied'; principal: string; count: number; mutedForMs: number | null }
  /** It dies at once, or after `cut` orders of its next decision, whose records are all written; another takes over after `awayMs`. */
  | { do: 'supervisor_loss'; awayMs: number; cut: number }
  | { do: 'stop'; timeoutMs: number }
);

export interface Topology {
  kernels: KernelManifest[];
  cells: string[];
  settings: SystemSettings;
  safeguards: Safeguards;
  /** Kernels whose probe passes only while what they need does its job. */
  leaning: string[];
}

export interface Schedule {
  seed: number;
  topology: Topology;
  injections: Injection[];
  /** From here on nothing is done to the system any more, ms since the boot. */
  calmAt: number;
}
