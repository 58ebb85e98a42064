/**
 * What of a kernel's manifest may be set while it runs, and within which bounds, ms. No value within them switches a safeguard off. A tuned
 * value holds until the next boot, also for a supervisor that takes over.
 */
export const TUNABLE = {
  'probe.intervalMs': { min: 1000, max: 60_000 },
  hungAfterMs: { min: 250, max: 5000 },
  'restart.backoffMaxMs': { min: 100, max: 60_000 },
} as const;

export type TunableKnob = keyof typeof TUNABLE;
