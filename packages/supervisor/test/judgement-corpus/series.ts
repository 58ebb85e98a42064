import { MANIFEST_DEFAULTS, SETTINGS_DEFAULTS, type ThreadSample } from '@grace/contracts';
import type { JudgementContext } from '../../src/judge/classify.ts';

/** A sample of a thread that does nothing wrong, with what is given. */
export function sampleOf(given: Partial<ThreadSample> = {}): ThreadSample {
  return {
    kernel: 'k',
    incarnation: 1,
    atMono: 100_000,
    heartbeatAgeMs: 40,
    elu: 0.02,
    cpuMs: 1000,
    runDelayMs: 10,
    heapBytes: 8e6,
    externalBytes: 2e6,
    heapAtMono: 99_000,
    cap: null,
    missed: null,
    logs: 0,
    errors: 0,
    work: 5,
    published: 0,
    refused: 0,
    servedMs: 0,
    ...given,
  };
}

/** A kernel with the defaults of a manifest on a machine with room, nothing asked of it. */
export function contextOf(given: Partial<JudgementContext> = {}): JudgementContext {
  const { heartbeatMs, lateAfterMs, hungAfterMs, limits } = MANIFEST_DEFAULTS;
  return {
    heartbeatMs,
    lateAfterMs,
    hungAfterMs,
    limits,
    agentLagMs: 0,
    supervisorLagMs: 0,
    machineBusy: 0.3,
    alive: true,
    overloadAfterMs: SETTINGS_DEFAULTS.overloadAfterMs,
    probe: { inFlightMs: null, failures: 0, lastOkAgoMs: 4000 },
    ...given,
  };
}

/** Samples every `everyMs` for `forMs`, the last at 100 s; `rates` are what the counters grow by in a second. */
export function series(
  forMs: number,
  rates: Partial<Record<'cpuMs' | 'runDelayMs' | 'logs' | 'work' | 'published' | 'refused', number>>,
  given: Partial<ThreadSample> = {},
  everyMs = 500,
): ThreadSample[] {
  const samples: ThreadSample[] = [];
  for (let agoMs = forMs; agoMs >= 0; agoMs -= everyMs) {
    const grown = Object.fromEntries(
      Object.entries(rates).map(([counter, perSecond]) => [counter, ((forMs - agoMs) / 1000) * perSecond]),
    );
    samples.push(sampleOf({ ...grown, atMono: 100_000 - agoMs, heapAtMono: 99_000 - agoMs, ...given }));
  }
  return samples;
}

/** The window of a thread whose heartbeats stopped `forMs` ago, after a second of health; `share` of that time it ran, `waited` it waited. */
export function stuck(
  forMs: number,
  did: { share: number; waited: number; elu?: number | null },
  given: Partial<ThreadSample> = {},
): ThreadSample[] {
  const beganMono = 100_000 - forMs;
  const healthy = [1000, 500].map((agoMs) =>
    sampleOf({ atMono: beganMono - agoMs, cpuMs: 0, runDelayMs: 0, ...given, missed: null }),
  );
  const samples: ThreadSample[] = [];
  for (let passedMs = 50; passedMs <= forMs; passedMs += 50)
    samples.push(
      sampleOf({
        atMono: beganMono + passedMs,
        heartbeatAgeMs: passedMs + 150,
        elu: 1,
        cpuMs: passedMs * did.share,
        runDelayMs: passedMs * did.waited,
        missed: { forMs: passedMs, cpuMs: passedMs * did.share, runDelayMs: passedMs * did.waited, logs: 0, work: 0 },
        ...(did.elu === undefined ? {} : { elu: did.elu }),
        ...given,
      }),
    );
  return [...healthy, ...samples];
}
