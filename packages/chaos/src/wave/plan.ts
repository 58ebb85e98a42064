import type { Scenario, Severity, Variant } from '../scenario/scenario.ts';
import { SEVERITIES } from '../scenario/scenario.ts';
import { inConflict } from './conflict.ts';
import { type Random, seededRandom } from './random.ts';

/** One trial to be run: a variant, its number, and the decisions the seed made for it. */
export interface PlannedTrial {
  /** `w2.S02_acl_spam.count.1` */
  id: string;
  wave: number;
  scenario: Scenario;
  variant: Variant;
  /** From 1; counts the repetitions of one variant in the wave. */
  number: number;
  /** Wait after the group has begun, so that faults of one group do not always meet at the same instant. */
  startAfterMs: number;
}

export interface PlannedWave {
  n: number;
  severity: Severity | 'mixed';
  /** Trials of one group run at the same time; groups run one after the other. */
  groups: PlannedTrial[][];
}

/** Trials at once, by severity. */
const CONCURRENCY: Record<Severity, number> = { low: 1, moderate: 2, high: 3, critical: 1 };
const MAX_START_AFTER_MS = 200;

/**
 * The waves of a run: first those the scenario files name, then seeded combinations of growing size from the same scenarios.
 * Pure: the same scenarios, counts and seed give the same plan.
 */
export function planWaves(
  scenarios: readonly Scenario[],
  counts: { waves: number; trials: number; seed: number },
): PlannedWave[] {
  const random = seededRandom(counts.seed);
  const named = [...new Set(scenarios.map(({ wave }) => wave))].sort((a, b) => a - b);
  const waves: PlannedWave[] = [];
  for (let n = 1; n <= counts.waves; n++) {
    const wave = named[n - 1];
    if (wave !== undefined) {
      const chosen = scenarios.filter((scenario) => scenario.wave === wave);
      const severity = worst(chosen);
      waves.push({ n, severity, groups: group(trialsOf(chosen, n, counts.trials), CONCURRENCY[severity], random) });
    } else if (scenarios.length > 0) {
      waves.push(combination(scenarios, n, n - named.length + 1, counts.trials, random));
    }
  }
  return waves;
}

/** `size` variants drawn by the seed, all at once as far as their conflicts allow. */
function combination(
  scenarios: readonly Scenario[],
  n: number,
  size: number,
  repetitions: number,
  random: Random,
): PlannedWave {
  const all = scenarios.flatMap((scenario) => scenario.variants.map((variant) => ({ scenario, variant })));
  const drawn = random.shuffle(all).slice(0, size);
  const trials = Array.from({ length: repetitions }, (_, i) =>
    drawn.map(({ scenario, variant }) => trial(scenario, variant, n, i + 1)),
  ).flat();
  return { n, severity: 'mixed', groups: group(trials, size, random) };
}

/** Round by round, one variant of each scenario: variants of one scenario often have one target, and never run beside each other. */
function trialsOf(scenarios: readonly Scenario[], n: number, repetitions: number): PlannedTrial[] {
  const rounds = Math.max(0, ...scenarios.map(({ variants }) => variants.length));
  return Array.from({ length: repetitions }, (_, i) =>
    Array.from({ length: rounds }, (_, round) =>
      scenarios.flatMap((scenario) =>
        scenario.variants.slice(round, round + 1).map((variant) => trial(scenario, variant, n, i + 1)),
      ),
    ).flat(),
  ).flat();
}

function trial(scenario: Scenario, variant: Variant, wave: number, number: number): PlannedTrial {
  const id = `w${wave}.${scenario.id}.${variant.id}.${number}`;
  return { id, wave, scenario, variant, number, startAfterMs: 0 };
}

/** Fills groups in order: a trial joins the first group that has room and no conflict with it. */
function group(trials: readonly PlannedTrial[], concurrency: number, random: Random): PlannedTrial[][] {
  const groups: PlannedTrial[][] = [];
  for (const next of trials) {
    const home = groups.find(
      (members) => members.length < concurrency && !members.some((member) => inConflict(member, next)),
    );
    if (home) home.push({ ...next, startAfterMs: random.below(MAX_START_AFTER_MS) });
    else groups.push([next]);
  }
  return groups;
}

function worst(scenarios: readonly Scenario[]): Severity {
  return SEVERITIES[Math.max(...scenarios.map(({ severity }) => SEVERITIES.indexOf(severity)))]!;
}
