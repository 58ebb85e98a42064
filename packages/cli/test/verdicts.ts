/** What `grace stress --json` says of a run, as far as tests look at it. */
export interface StressDocument {
  exit: { code: number; reason: string };
  waves: { skipped: string | null; trials: StressTrial[] }[];
}

export interface StressTrial {
  trial: string;
  scenario: string;
  variant: string;
  verdict: string;
  reasons: string[];
  verification: { check: string; expected: string; observed: string; ok: boolean | null }[];
}

/** Of a failed assertion only the first line may be read: the exit, and of each trial that did not hold every check and promise that speaks. */
export function verdictsOf({ exit, waves }: StressDocument): string {
  const trials = waves
    .flatMap(({ trials }) => trials)
    .filter(({ verdict }) => verdict !== 'held')
    .map(({ trial, verdict, reasons, verification }) => {
      const checks = verification
        .filter(({ ok }) => ok !== true)
        .map(({ check, expected, observed, ok }) => `check ${check} ${ok}: expected ${expected}, observed ${observed}`);
      return `${trial} ${verdict}: ${[...checks, ...reasons].join(' | ')}`;
    });
  const skipped = waves.flatMap(({ skipped }) => (skipped === null ? [] : [`not run: ${skipped}`]));
  return [`exit ${exit.code}: ${exit.reason}`, ...trials, ...skipped].join(' || ').replaceAll('\n', ' ');
}
