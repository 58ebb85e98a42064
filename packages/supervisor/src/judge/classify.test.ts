import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Condition, ThreadSample } from '@grace/contracts';
import { contextOf, sampleOf, series, stuck } from '../../test/judgement-corpus/series.ts';
import { classify, type JudgementContext } from './classify.ts';

interface Case {
  is: string;
  window: ThreadSample[];
  context?: Partial<JudgementContext>;
  says: Condition;
  held?: boolean;
}

const MB = 1024 ** 2;
const growing = (from: number, to: number, kind: 'heapBytes' | 'externalBytes'): ThreadSample[] =>
  series(5000, {}).map((sample, index, all) => ({
    ...sample,
    [kind]: from + ((to - from) * index) / (all.length - 1),
  }));
const unanswered = { inFlightMs: 400, failures: 0, lastOkAgoMs: 3000 };

/** Took up work with the last sample but one, and waited for a processor for most of the time since. */
const livedAMomentAgo = (window: ThreadSample[], waitedMs: number): ThreadSample[] =>
  window.map((sample, index) => ({
    ...sample,
    work: index < window.length - 2 ? 5 : 6,
    ...(index === window.length - 1 && sample.missed !== null
      ? { missed: { ...sample.missed, runDelayMs: sample.missed.runDelayMs! + waitedMs } }
      : {}),
  }));
const onDisk = (window: ThreadSample[], share: number): ThreadSample[] =>
  window.map((sample) =>
    sample.missed === null ? sample : { ...sample, missed: { ...sample.missed, diskMs: sample.missed.forMs * share } },
  );

const CASES: Record<string, Case[]> = {
  healthy: [
    { is: 'a fresh heartbeat', window: [sampleOf()], says: 'healthy' },
    { is: 'a heartbeat at the border', window: [sampleOf({ heartbeatAgeMs: 250 })], says: 'healthy' },
    {
      is: 'a busy observer, but a fresh heartbeat',
      window: [sampleOf()],
      context: { agentLagMs: 900 },
      says: 'healthy',
    },
    { is: 'half a core', window: series(5000, { cpuMs: 500 }), says: 'healthy' },
    { is: 'a whole core, but not yet for 3 s', window: series(2500, { cpuMs: 1000 }), says: 'healthy' },
    {
      is: 'a whole core, seen by an observer that lags',
      window: series(4000, { cpuMs: 1000 }),
      context: { agentLagMs: 400 },
      says: 'healthy',
    },
    {
      is: 'a core that was burnt, and is not any more',
      window: [...series(4000, { cpuMs: 1000 }), sampleOf({ atMono: 100_500, cpuMs: 4010 })],
      says: 'healthy',
    },
    { is: 'memory that is high and does not grow', window: series(5000, {}, { heapBytes: 240 * MB }), says: 'healthy' },
    { is: 'memory that grows and is low', window: growing(10 * MB, 60 * MB, 'heapBytes'), says: 'healthy' },
    { is: 'many verbs, each with its own record', window: series(2000, { logs: 4000, work: 4000 }), says: 'healthy' },
    { is: 'a burst of logs below a second', window: series(500, { logs: 4000 }, {}, 50), says: 'healthy' },
    { is: 'nothing known but that it lives', window: [], says: 'healthy' },
  ],
  late: [
    { is: 'no heartbeat, and the loop turns', window: stuck(1000, { share: 0.02, waited: 0, elu: 0.1 }), says: 'late' },
    {
      is: 'no heartbeat, and no other signal at all',
      window: [sampleOf({ heartbeatAgeMs: 5000, elu: null, cpuMs: null, runDelayMs: null })],
      says: 'late',
    },
    { is: 'held, but not for long', window: stuck(200, { share: 1, waited: 0 }), says: 'late' },
    {
      is: 'held in numbers, but its probe has just passed',
      window: stuck(2000, { share: 1, waited: 0 }),
      context: { probe: { inFlightMs: null, failures: 0, lastOkAgoMs: 100 } },
      says: 'late',
    },
    {
      is: 'work was taken up a moment ago',
      window: stuck(1000, { share: 0, waited: 0 }).map((sample) =>
        sample.atMono > 99_800 ? { ...sample, work: 6 } : sample,
      ),
      says: 'late',
    },
    {
      is: 'no CPU at its limit, as the limit would have it',
      window: stuck(900, { share: 0, waited: 0 }, { cap: 0.2 }),
      says: 'late',
    },
    {
      is: 'a probe passed while the heartbeat was missing, and it burnt little since',
      window: stuck(2000, { share: 0.3, waited: 0 }),
      context: { probe: { inFlightMs: null, failures: 0, lastOkAgoMs: 500 } },
      says: 'late',
    },
    {
      is: 'a heartbeat that its agent was too late to see, and it burnt little since',
      window: stuck(3000, { share: 0.5, waited: 0 }).map((sample) =>
        sample.atMono > 99_700 ? { ...sample, heartbeatAgeMs: sample.atMono - 99_700 } : sample,
      ),
      says: 'late',
    },
    {
      is: 'its timer alone is paused, on a full machine',
      window: stuck(1000, { share: 0, waited: 0, elu: 0 }),
      context: { machineBusy: 1 },
      says: 'late',
    },
    {
      is: 'its timer alone is paused, on a full machine, and it waited for a moment since its last work',
      window: livedAMomentAgo(stuck(600, { share: 0.02, waited: 0.1, elu: 0.1 }), 40),
      context: { machineBusy: 1 },
      says: 'late',
    },
    {
      is: 'waiting at its limit is our own doing',
      window: stuck(900, { share: 0.1, waited: 0.85 }, { cap: 0.1 }),
      says: 'late',
    },
    {
      is: 'a gap: nothing is known of eight of these nine seconds',
      window: [
        sampleOf({ atMono: 91_000 }),
        sampleOf({
          atMono: 91_500,
          heartbeatAgeMs: 280,
          missed: { forMs: 100, cpuMs: 0, runDelayMs: 0, logs: 0, work: 0 },
        }),
        sampleOf({
          atMono: 99_900,
          heartbeatAgeMs: 8700,
          elu: 1,
          missed: { forMs: 8500, cpuMs: 0, runDelayMs: 0, logs: 0, work: 0 },
        }),
        sampleOf({ heartbeatAgeMs: 8800, elu: 1, missed: { forMs: 8600, cpuMs: 0, runDelayMs: 0, logs: 0, work: 0 } }),
      ],
      context: { probe: { inFlightMs: 8400, failures: 0, lastOkAgoMs: 9000 } },
      says: 'late',
    },
  ],
  starved: [
    {
      is: 'on a full machine its loop turned once, when it got a processor at last',
      window: livedAMomentAgo(stuck(600, { share: 0.05, waited: 0.85, elu: 0.1 }), 40),
      context: { machineBusy: 1 },
      says: 'starved',
    },
    {
      is: 'it waited for most of the time, and took up work a moment ago',
      window: livedAMomentAgo(stuck(5000, { share: 0.03, waited: 0.9 }), -45),
      says: 'starved',
    },
    {
      is: 'it waits for a disk that is slow',
      window: onDisk(stuck(2000, { share: 0.01, waited: 0 }), 0.9),
      context: { probe: unanswered },
      says: 'starved',
    },
    { is: 'it waited for a processor', window: stuck(1000, { share: 0.1, waited: 0.85 }), says: 'starved' },
    {
      is: 'its agent was late',
      window: stuck(3000, { share: 1, waited: 0 }),
      context: { agentLagMs: 400 },
      says: 'starved',
    },
    {
      is: 'the supervisor was late',
      window: stuck(3000, { share: 0, waited: 0 }),
      context: { supervisorLagMs: 400 },
      says: 'starved',
    },
    {
      is: 'a full machine that tells nothing about waiting',
      window: stuck(2000, { share: 0.05, waited: 0 }).map((sample) => ({
        ...sample,
        missed: sample.missed && { ...sample.missed, runDelayMs: null },
      })),
      context: { machineBusy: 1 },
      says: 'starved',
    },
    {
      is: 'a call that would be too long elsewhere, on a full machine',
      window: stuck(600, { share: 0, waited: 0.2 }),
      context: { machineBusy: 1 },
      says: 'starved',
    },
  ],
  spinning: [
    { is: 'an endless loop', window: stuck(400, { share: 1, waited: 0 }), says: 'spinning', held: true },
    {
      is: 'an endless loop on a full machine',
      window: stuck(2000, { share: 0.2, waited: 0.8 }),
      context: { machineBusy: 1 },
      says: 'spinning',
      held: true,
    },
    {
      is: 'an endless loop at its limit',
      window: stuck(1500, { share: 0.2, waited: 0.8 }, { cap: 0.2 }),
      says: 'spinning',
      held: true,
    },
    {
      is: 'an endless loop that began after work was taken up',
      window: stuck(1000, { share: 1, waited: 0 }).map((sample) =>
        sample.atMono > 99_500 ? { ...sample, work: 6 } : sample,
      ),
      says: 'spinning',
      held: true,
    },
    { is: 'a loop that turns without a rest', window: series(4000, { cpuMs: 960 }), says: 'spinning', held: false },
    { is: 'all of its limit', window: series(4000, { cpuMs: 196 }, { cap: 0.2 }), says: 'spinning', held: false },
  ],
  blocked: [
    {
      is: 'a disk that has not answered for half a minute',
      window: onDisk(stuck(30_000, { share: 0, waited: 0 }), 0.9),
      context: { probe: { ...unanswered, lastOkAgoMs: 40_000 } },
      says: 'blocked',
      held: true,
    },
    { is: 'a thread that sits in a call', window: stuck(500, { share: 0, waited: 0 }), says: 'blocked', held: true },
    {
      is: 'the same on a full machine, later',
      window: stuck(900, { share: 0, waited: 0.1 }),
      context: { machineBusy: 1 },
      says: 'blocked',
      held: true,
    },
    {
      is: 'the same below a CPU limit, much later',
      window: stuck(4500, { share: 0, waited: 0 }, { cap: 0.2 }),
      context: { probe: { inFlightMs: 4000, failures: 0, lastOkAgoMs: 8000 } },
      says: 'blocked',
      held: true,
    },
  ],
  leaking: [
    { is: 'a heap that grows past 80 %', window: growing(100 * MB, 230 * MB, 'heapBytes'), says: 'leaking' },
    { is: 'Buffers that grow past the limit', window: growing(100 * MB, 300 * MB, 'externalBytes'), says: 'leaking' },
    {
      is: 'a leak inside an endless loop',
      window: stuck(2000, { share: 1, waited: 0 }).map((sample, index, all) => ({
        ...sample,
        heapAtMono: sample.atMono,
        heapBytes: (100 + (150 * index) / all.length) * MB,
      })),
      says: 'leaking',
      held: true,
    },
  ],
  flooding: [
    { is: 'log records', window: series(2000, { logs: 4000 }), says: 'flooding' },
    { is: 'messages', window: series(2000, { published: 60_000, refused: 10_000 }), says: 'flooding' },
    { is: 'more than a core of messages', window: series(5000, { published: 60_000, cpuMs: 1000 }), says: 'flooding' },
  ],
  silent: [
    {
      is: 'a probe without an answer, and nothing moves',
      window: series(5000, {}),
      context: { probe: { inFlightMs: 1500, failures: 0, lastOkAgoMs: 5000 } },
      says: 'silent',
    },
    {
      is: 'a probe that failed, and nothing moves but the probes',
      window: series(5000, {}).map((sample, index) => ({ ...sample, work: index > 9 ? 7 : 5 })),
      context: { probe: { inFlightMs: 200, failures: 1, lastOkAgoMs: 5000 } },
      says: 'silent',
    },
    {
      is: 'not: the same with work done',
      window: series(5000, { work: 10 }),
      context: { probe: { inFlightMs: 1500, failures: 0, lastOkAgoMs: 5000 } },
      says: 'healthy',
    },
    {
      is: 'not: the same with logs written',
      window: series(5000, { logs: 3 }),
      context: { probe: { inFlightMs: 1500, failures: 0, lastOkAgoMs: 5000 } },
      says: 'healthy',
    },
    {
      is: 'not: the same while it waits for a processor',
      window: series(5000, { runDelayMs: 600 }),
      context: { probe: { inFlightMs: 1500, failures: 0, lastOkAgoMs: 5000 } },
      says: 'healthy',
    },
    {
      is: 'not: the same while the supervisor lags',
      window: series(5000, {}),
      context: { supervisorLagMs: 400, probe: { inFlightMs: 1500, failures: 0, lastOkAgoMs: 5000 } },
      says: 'healthy',
    },
    {
      is: 'not: one failed probe on a full machine',
      window: series(5000, {}),
      context: { machineBusy: 1, probe: { inFlightMs: 1500, failures: 1, lastOkAgoMs: 5000 } },
      says: 'healthy',
    },
  ],
  dead: [
    { is: 'a thread that ended', window: [sampleOf()], context: { alive: false }, says: 'dead' },
    { is: 'a thread that ended before its first sample', window: [], context: { alive: false }, says: 'dead' },
  ],
};

for (const [condition, cases] of Object.entries(CASES)) {
  describe(condition, () => {
    for (const { is, window, context, says, held = false } of cases) {
      test(is, () => {
        const judgement = classify(window, contextOf({ probe: unanswered, ...context }));
        assert.deepEqual([judgement.condition, judgement.held], [says, held], JSON.stringify(judgement));
        assert.ok(judgement.confidence >= 0 && judgement.confidence <= 1);
      });
    }
  });
}

test('each method says what it sees by itself', () => {
  const { signals } = classify(stuck(1000, { share: 1, waited: 0 }), contextOf({ probe: unanswered }));
  assert.deepEqual(signals, [
    { signal: 'heartbeat', says: 'late' },
    { signal: 'metric', says: 'spinning' },
    { signal: 'probe', says: 'silent' },
  ]);
  assert.deepEqual(classify(series(2000, { logs: 4000 }), contextOf()).signals, [
    { signal: 'heartbeat', says: 'healthy' },
    { signal: 'metric', says: 'healthy' },
    { signal: 'log_activity', says: 'flooding' },
  ]);
});

test('confidence grows with the distance from the border', () => {
  const confidence = [300, 500, 1000, 3000].map(
    (forMs) => classify(stuck(forMs, { share: 1, waited: 0 }), contextOf({ probe: unanswered })).confidence,
  );
  assert.deepEqual(
    confidence,
    confidence.toSorted((a, b) => a - b),
  );
  assert.ok(confidence[0]! < 0.65 && confidence.at(-1)! > 0.9, String(confidence));
});
