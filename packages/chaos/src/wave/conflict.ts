import { disturbs, type Scenario, type Variant } from '../scenario/scenario.ts';

interface Candidate {
  scenario: Pick<Scenario, 'id'>;
  variant: Variant;
}

/**
 * Whether two trials may not run at once: one declares it, both have the same target, or both disturb the same kernel, which would leave
 * open whose fault it was.
 */
export function inConflict(a: Candidate, b: Candidate): boolean {
  if (declares(a, b) || declares(b, a)) return true;
  if (JSON.stringify(a.variant.target) === JSON.stringify(b.variant.target)) return true;
  const touched = disturbs(b.variant);
  return disturbs(a.variant).some((kernel) => touched.includes(kernel));
}

function declares(a: Candidate, b: Candidate): boolean {
  return a.variant.conflicts.some(
    (name) => name === '*' || name === b.scenario.id || name === `${b.scenario.id}/${b.variant.id}`,
  );
}
