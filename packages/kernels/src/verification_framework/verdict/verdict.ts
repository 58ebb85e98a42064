/** holds: seen to be so. broken: seen not to be so. unknown: it could not be told, which is never good news. */
export type Verdict = 'holds' | 'broken' | 'unknown';

/** Kleene's conjunction: one that is broken breaks all; else one that is unknown makes all unknown. Of nothing: it holds. */
export function allOf(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('broken')) return 'broken';
  return verdicts.includes('unknown') ? 'unknown' : 'holds';
}

/** Of what an expression gave: true, false, or anything else, which tells nothing. */
export function verdictOf(value: unknown): Verdict {
  if (value === true) return 'holds';
  return value === false ? 'broken' : 'unknown';
}
