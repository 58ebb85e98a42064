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
  /** Whoever shares the host process of the target may end with it, and is observed; {@link inSystem} says who that is. */
  wholeCell: boolean;
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

/** The scenario in this system: who shares a cell is known only here. */
export function inSystem(scenario: Scenario, kernels: readonly { id: string; cell: string }[]): Scenario {
  return { ...scenario, variants: scenario.variants.map((variant) => withCell(variant, kernels)) };
}

function withCell(variant: Variant, kernels: readonly { id: string; cell: string }[]): Variant {
  const [target] = targetKernel(variant);
  const cell = kernels.find(({ id }) => id === target)?.cell;
  if (!variant.wholeCell || cell === undefined) return variant;
  const mates = kernels.filter((kernel) => kernel.cell === cell).map(({ id }) => id);
  const withMates = (named: readonly string[]): string[] => [...new Set([...named, ...mates])];
  const { expect, observe } = variant;
  return {
    ...variant,
    observe: withMates(observe),
    expect: { ...expect, mayRestart: withMates(expect.mayRestart) },
  };
}

/** The kernel that is the target or whose cell is; none for other targets. */
export function targetKernel({ target }: Variant): string[] {
  return target.kind === 'kernel' || target.kind === 'cellOf' ? [target.kernel] : [];
}

/** Kernels that a variant disturbs: its target and whatever may restart because of it. */
export function disturbs(variant: Variant): string[] {
  return [...new Set([...targetKernel(variant), ...variant.expect.mayRestart])];
}
