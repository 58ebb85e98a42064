import type { FaultKind, TrialExpectation } from '@grace/contracts';

export const SEVERITIES = ['low', 'moderate', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** A scenario file, checked and filled in. Times are milliseconds. */
export interface Scenario {
  /** The name of its file, and its heading in a report. */
  id: string;
  title: string;
  severity: Severity;
  wave: number;
  /** One sentence: what surviving it proves. */
  proves: string;
  /** The recovery objective in words. */
  objective: string;
  /** Kernels without which it cannot run. */
  needs: string[];
  variants: Variant[];
  /** Absolute path. */
  file: string;
}

export interface Variant {
  id: string;
  /** What happens in this variant. */
  does: string;
  fault: FaultKind;
  target: TargetSource;
  params: Record<string, unknown>;
  /** How long the fault acts at most. */
  durationMs: number;
  /** Kernels whose state tells whether the system is back. */
  observe: string[];
  /** Scenarios (`S02_acl_spam`) or variants (`S02_acl_spam/count`) it never runs beside; `*` = it runs alone. */
  conflicts: string[];
  expect: TrialExpectation;
  checks: CheckOrder[];
  marker: Marker | null;
}

/** What a fault is aimed at: a kernel, the host process of a kernel, a principal of the bus, or the machine. */
export type TargetSource =
  | { kind: 'kernel'; kernel: string }
  | { kind: 'cellOf'; kernel: string }
  | { kind: 'principal'; principal: string }
  | { kind: 'machine' };

export interface CheckOrder {
  name: string;
  /** What the check asks for: an incident kind, a number. */
  value: string | number | null;
}

/** State written through a verb before the fault and read back after it. `{marker}` stands for the text that must come back. */
export interface Marker {
  kernel: string;
  write: VerbCall;
  read: VerbCall;
  remove: VerbCall | null;
}

export interface VerbCall {
  verb: string;
  input: unknown;
}

/** Kernels that a variant disturbs: its target and whatever may restart because of it. */
export function disturbs(variant: Variant): string[] {
  const { target } = variant;
  const own = target.kind === 'kernel' || target.kind === 'cellOf' ? [target.kernel] : [];
  return [...new Set([...own, ...variant.expect.mayRestart])];
}
