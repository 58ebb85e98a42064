import type { AnyDraft, AnyRecord, TrialExpectation } from '@grace/contracts';

/** A hand-written journal: events at instants, in the order of time. */
export function journal(events: readonly (AnyDraft & { at: number })[]): AnyRecord[] {
  return [...events]
    .sort((a, b) => a.at - b.at)
    .map(({ at, ...draft }, index) => ({ ...draft, seq: index + 1, monoMs: at, wallMs: 1e12 + at }) as AnyRecord);
}

export const EXPECT: TrialExpectation = {
  detectedBy: ['exit'],
  detectWithinMs: 1000,
  recoverWithinMs: 2000,
  mayRestart: ['scheduler'],
  targetRestarts: 1,
  latencyFactor: 3,
  latencySlackMs: 100,
  recoveredBy: ['probe', 'heartbeat', 'workload'],
  playbook: null,
};

export type Event = AnyDraft & { at: number };
export const T = 'w1.S04_kernel_crash.process_exit.1';

const sample = (trial: string | null, at: number, lost = 0, p99Ms = 5): Event => ({
  at,
  name: 'workload:sample',
  data: {
    trial,
    fromMono: at - 1000,
    toMono: at,
    messages: { accepted: 50, handled: 50 - lost, rejected: 0, lost },
    verbs: { ok: 20, failed: 0, p50Ms: 2, p99Ms },
    appends: { ok: 5, failed: 0 },
  },
});

const steady = (when: 'before' | 'after', at: number): Event => ({
  at,
  name: 'steady:check',
  data: { wave: 1, when, ok: true, heldMs: 1000, checks: [] },
});

const running = (kernel: string, at: number): Event => ({
  at,
  name: 'kernel:state',
  kernel,
  data: { from: 'probing', to: 'running', reason: 'probe' },
});

const observation = (at: number, ok: boolean): Event => ({
  at: at + 0.25,
  name: 'trial:observe',
  data: { trial: T, atMono: at, probe: ok, heartbeat: ok, workload: ok, metric: null },
});

/**
 * A scheduler that leaves with process.exit and is back 80 ms later: everything that was promised is in the record, so the trial held.
 * Each part has a name, so that a test can take it out.
 */
export const STORY: Record<string, Event[]> = {
  boot: [
    {
      at: 1,
      name: 'system:boot',
      data: {
        pid: 1,
        version: '0',
        node: 'v26',
        cores: 2,
        armed: true,
        kernels: ['scheduler', 'librarian'],
        safeguards: { heartbeatDetector: true, mute: true, restartEngine: true },
      },
    },
    running('scheduler', 2),
    running('librarian', 3),
    { at: 4, name: 'system:ready', data: { ready: 2, total: 2, ms: 300, failed: [] } },
  ],
  start: [
    {
      at: 1000,
      name: 'run:start',
      data: {
        run: 'r1',
        seed: 1,
        command: 'grace stress',
        version: '0',
        node: 'v26',
        cores: 2,
        commit: null,
        dirty: null,
        waves: 1,
        trials: 1,
        scenarios: ['S04_kernel_crash'],
      },
    },
    { at: 3000, name: 'wave:start', data: { wave: 1, severity: 'high', trials: [T] } },
  ],
  quiet: [sample(null, 2500)],
  before: [steady('before', 4000)],
  trial: [
    {
      at: 4100,
      name: 'trial:start',
      correlation: 'c1',
      data: {
        trial: T,
        wave: 1,
        scenario: 'S04_kernel_crash',
        title: 'A kernel crashes',
        variant: 'process_exit',
        number: 1,
        target: 'scheduler',
        severity: 'high',
        lease: 'l1',
        correlation: 'c1',
        expect: EXPECT,
      },
    },
    {
      at: 4110,
      name: 'fault:inject',
      correlation: 'c1',
      data: { lease: 'l1', target: 'scheduler', kind: 'process_exit' },
    },
  ],
  effect: [
    {
      at: 4130,
      name: 'fault:effect',
      correlation: 'c1',
      data: { lease: 'l1', proven: true, observed: { threadGone: 42 }, atMono: 4111 },
    },
  ],
  incident: [
    {
      at: 4115,
      name: 'incident:open',
      kernel: 'scheduler',
      correlation: 'c1',
      data: {
        incident: {
          id: 'i1',
          kind: 'kernel_crash',
          subject: 'scheduler',
          title: '',
          severity: 'high',
          openedMono: 4115,
          escalated: false,
        },
      },
    },
  ],
  detection: [
    {
      at: 4116,
      name: 'detector:fire',
      kernel: 'scheduler',
      correlation: 'c1',
      data: { method: 'exit', incident: 'i1', subject: 'scheduler', evidence: {} },
    },
  ],
  exit: [{ at: 4114, name: 'kernel:exit', kernel: 'scheduler', incarnation: 1, data: { code: 0, expected: false } }],
  restart: [
    {
      at: 4117,
      name: 'kernel:restart',
      kernel: 'scheduler',
      incarnation: 2,
      correlation: 'c1',
      data: { cause: 'crash', attempt: 1, delayMs: 0, by: 'restart engine' },
    },
  ],
  ready: [
    { at: 4190, name: 'kernel:ready', kernel: 'scheduler', incarnation: 2, data: { readyMs: 73, probe: {} } },
    running('scheduler', 4191),
  ],
  observations: [4120, 4240, 4360, 4480, 4600, 4720, 4840, 4960, 5080, 5200, 5320, 5440].map((at, i) =>
    observation(at, i > 0),
  ),
  checks: [
    {
      at: 5500,
      name: 'trial:check',
      data: { trial: T, check: 'state_intact', expected: 'it does', observed: 'it does', ok: true },
    },
  ],
  sample: [sample(T, 5510)],
  end: [{ at: 5520, name: 'trial:end', data: { trial: T, timedOut: false, runnerLagMsMax: 12 } }],
  after: [
    steady('after', 6500),
    { at: 6510, name: 'wave:end', data: { wave: 1 } },
    {
      at: 6600,
      name: 'run:end',
      data: { interrupted: false, cleanup: { ok: true, left: [] }, runnerLagMsMax: 12 },
    },
  ],
};

/** The story with some parts replaced; an empty list takes a part out. */
export function story(changes: Record<string, Event[]> = {}): AnyRecord[] {
  return journal(Object.values({ ...STORY, ...changes }).flat());
}

/** One part of the story with its data changed. */
export function altered(part: string, change: (data: Record<string, unknown>) => Record<string, unknown>): Event[] {
  return STORY[part]!.map((event) => ({ ...event, data: change({ ...event.data }) }) as Event);
}
