import type { Safeguards } from '@grace/contracts';

export interface FixtureOptions {
  /** What becomes of the second trial: the crash of librarian's cell. */
  crash?: 'held' | 'broken' | 'lost';
  /** Whether the third trial's fault acts. */
  spamActs?: boolean;
  skipSecondWave?: boolean;
  interrupted?: boolean;
  left?: string[];
  safeguards?: Partial<Safeguards>;
  kernels?: readonly (readonly [string, string])[];
  /** A kernel that does not become ready. */
  failed?: string;
  runnerLagMs?: number;
  /** The first trial is answered by all that the system can do beside restarts, and leaves files. */
  reacts?: boolean;
  /** What the boot said it enforces. */
  enforcement?: { cpu: string; memory: string };
  /** Put in place of names and messages. */
  hostile?: string;
}
