import type { EventMap, TrialExpectation } from '@grace/contracts';

export type Observation = Omit<EventMap['trial:observe'], 'trial'>;

/** The steady state must be back and stay for this long. */
export const HOLD_MS = 1000;

/**
 * The first instant at or after `fromMono` from which at least two of the methods say yes, none says no, and it stays so for `HOLD_MS`.
 * A method that could not be evaluated says nothing. `null` when there is no such instant within the observations.
 */
export function recoveredAt(
  observations: readonly Observation[],
  methods: TrialExpectation['recoveredBy'],
  fromMono: number,
): number | null {
  let since: number | null = null;
  for (const observation of [...observations].sort((a, b) => a.atMono - b.atMono)) {
    if (!agrees(observation, methods)) {
      since = null;
      continue;
    }
    if (observation.atMono < fromMono) {
      since ??= fromMono;
      continue;
    }
    since ??= observation.atMono;
    if (observation.atMono - since >= HOLD_MS) return since;
  }
  return null;
}

function agrees(observation: Observation, methods: TrialExpectation['recoveredBy']): boolean {
  const said = methods.map((method) => observation[method]);
  return !said.includes(false) && said.filter((answer) => answer === true).length >= 2;
}
