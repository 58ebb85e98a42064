import type { AnyRecord, StatusDocument, Withheld, WorkloadSample } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import type { Injection } from '../fault/injection.ts';
import type { TargetView } from '../observe/target.ts';
import type { TargetReading } from '../observe/target-readings.ts';
import type { Variant } from '../scenario/scenario.ts';
import type { Observation } from '../verdict/recovery.ts';
import type { Acknowledged } from '../workload/workload.ts';

/** What a verification check may look at. */
export interface CheckContext {
  control: ControlClient;
  variant: Variant;
  target: TargetView;
  before: StatusDocument;
  injection: Injection;
  undone: { verified: boolean };
  /** Instant from which the fault acted; null when that was not proven. */
  actedMono: number | null;
  /** What its effect probe observed. */
  observed: Readonly<Record<string, unknown>>;
  observations: readonly Observation[];
  /** What the laboratory read of the target's thread and process meanwhile. */
  readings: readonly TargetReading[];
  /** What the workload saw during the trial, and before the first one. */
  sample: WorkloadSample;
  quiet: WorkloadSample;
  /** And in the steady state just before this trial. */
  baseline: WorkloadSample;
  /** Every append of the workload that was acknowledged so far. */
  acknowledged(): readonly Acknowledged[];
  /** Home of the system, absolute. */
  home: string;
  /** The text written as a marker; null when the scenario has none, or it could not be written. */
  marker: string | null;
  /** What the machine withheld from the runner and from the system since the trial began. */
  withheld(): readonly Withheld[];
  /** Journal records since the trial began. */
  records(): Promise<AnyRecord[]>;
}

/** `ok` null = it could not be evaluated. */
export interface CheckResult {
  expected: string;
  observed: string;
  ok: boolean | null;
}

/** How long a check waits for what should be there any moment, ms. */
export const CHECK_DEADLINE_MS = 3000;
