/** One answer of a probe. `unknown`: the observer itself was late or cut off, so nothing is said about the subject. */
export interface ProbeResult {
  verdict: 'pass' | 'fail' | 'unknown';
  detail: string;
  ms: number;
}

export type ProbeState = 'unknown' | 'passing' | 'failing';

/** What a probe has shown so far. */
export interface Standing {
  state: ProbeState;
  /** Results of the same kind in a row; unknown ones are left out. */
  passes: number;
  failures: number;
  /** Unknown results in a row. */
  blind: number;
  sinceMono: number;
  last: (ProbeResult & { atMono: number }) | null;
}

/** As many unknown results in a row, and what was known is no longer said. */
export const BLIND_LIMIT = 3;

export function newStanding(nowMono: number): Standing {
  return { state: 'unknown', passes: 0, failures: 0, blind: 0, sinceMono: nowMono, last: null };
}

/**
 * Thresholds over consecutive results. Pure. From `unknown` the first pass is enough, so that a start is told at once; a single failure
 * never turns a passing probe, and an unknown result neither passes nor fails.
 */
export function judge(
  before: Standing,
  result: ProbeResult,
  limits: { failAfter: number; passAfter: number },
  nowMono: number,
): Standing {
  const passes = result.verdict === 'pass' ? before.passes + 1 : result.verdict === 'fail' ? 0 : before.passes;
  const failures = result.verdict === 'fail' ? before.failures + 1 : result.verdict === 'pass' ? 0 : before.failures;
  const blind = result.verdict === 'unknown' ? before.blind + 1 : 0;
  const state = next(before.state, { passes, failures, blind }, limits);
  return {
    state,
    passes,
    failures,
    blind,
    sinceMono: state === before.state ? before.sinceMono : nowMono,
    last: { ...result, atMono: nowMono },
  };
}

function next(
  state: ProbeState,
  runs: { passes: number; failures: number; blind: number },
  { failAfter, passAfter }: { failAfter: number; passAfter: number },
): ProbeState {
  if (runs.blind >= BLIND_LIMIT) return 'unknown';
  if (runs.blind > 0) return state;
  if (runs.failures >= failAfter) return 'failing';
  if (runs.passes >= (state === 'unknown' ? 1 : passAfter)) return 'passing';
  return state;
}
