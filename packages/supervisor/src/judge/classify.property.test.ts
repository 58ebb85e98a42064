import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONDITIONS, type Condition, type ThreadSample } from '@grace/contracts';
import fc from 'fast-check';
import { contextOf, sampleOf } from '../../test/judgement-corpus/series.ts';
import { classify, type Judgement, type JudgementContext } from './classify.ts';

const RUNS = { numRuns: 2000 };

const number = (max: number) => fc.double({ min: 0, max, noNaN: true });
const orNull = (max: number) => fc.option(number(max));

/** What a thread may do between two samples: mostly what a real one does, so that every condition comes up. */
const step = fc.record({
  afterMs: fc.constantFrom(50, 50, 50, 500, 500, 4000),
  heartbeatAgeMs: fc.oneof(number(200), number(10_000)),
  elu: fc.oneof(fc.constant(1), orNull(1)),
  share: fc.oneof(fc.constantFrom(0, 1), number(1)),
  waited: fc.oneof(fc.constant(0), number(1)),
  late: fc.boolean(),
  work: fc.constantFrom(0, 0, 0, 1, 100),
  logs: fc.constantFrom(0, 0, 5, 2000),
  published: fc.constantFrom(0, 0, 10, 60_000),
  grownBytes: fc.constantFrom(0, 0, 1e6, 20e6),
});

const told = fc.record({
  cpu: fc.constantFrom(true, true, true, false),
  waiting: fc.constantFrom(true, true, true, false),
  heap: fc.boolean(),
  cap: fc.constantFrom(null, null, 0.2, 0.5),
});

const NOTHING = { work: 0, logs: 0, published: 0, grownBytes: 0 };

/** At the end it gets stuck, or is not let run, or comes to rest. */
const end = fc.oneof(
  fc.tuple(fc.nat(30), fc.constantFrom(0, 0.1, 1), fc.constantFrom(0, 0, 0.3, 1)).map(([length, share, waited]) =>
    Array.from({ length }, () => ({
      ...NOTHING,
      late: true,
      afterMs: 50,
      elu: 1,
      heartbeatAgeMs: 400,
      share,
      waited,
    })),
  ),
  fc.nat(12).map((length) =>
    Array.from({ length }, () => ({
      ...NOTHING,
      late: false,
      afterMs: 500,
      elu: 0,
      heartbeatAgeMs: 50,
      share: 0,
      waited: 0,
    })),
  ),
);

/** Counters that only grow, heartbeats missed in one piece, as a sampler reports them. */
const windows = fc.tuple(fc.array(step, { maxLength: 40 }), end, told).map(([start, stuck, known]) => {
  const steps = [...start, ...stuck];
  const samples: ThreadSample[] = [];
  const now = { atMono: 1000, cpuMs: 0, runDelayMs: 0, work: 0, logs: 0, published: 0, heapBytes: 150e6 };
  let from: typeof now | null = null;
  for (const did of steps) {
    now.atMono += did.afterMs;
    now.cpuMs += did.afterMs * did.share;
    now.runDelayMs += did.afterMs * did.waited * (1 - did.share);
    now.work += did.work;
    now.logs += did.logs;
    now.published += did.published;
    now.heapBytes += did.grownBytes;
    if (!did.late) from = null;
    else from ??= { ...now, atMono: now.atMono - 10 };
    samples.push(
      sampleOf({
        atMono: now.atMono,
        heartbeatAgeMs: from
          ? now.atMono - from.atMono + Math.min(did.heartbeatAgeMs, 400)
          : Math.min(150, did.heartbeatAgeMs),
        elu: did.elu,
        cpuMs: known.cpu ? now.cpuMs : null,
        runDelayMs: known.waiting ? now.runDelayMs : null,
        heapBytes: known.heap ? now.heapBytes : null,
        heapAtMono: known.heap ? now.atMono : null,
        cap: known.cap,
        missed: from && {
          forMs: now.atMono - from.atMono,
          cpuMs: known.cpu ? now.cpuMs - from.cpuMs : null,
          runDelayMs: known.waiting ? now.runDelayMs - from.runDelayMs : null,
          logs: now.logs - from.logs,
          work: now.work - from.work,
        },
        work: now.work,
        logs: now.logs,
        published: now.published,
      }),
    );
  }
  return samples;
});

const lag = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: number(1000) });
const contexts = fc
  .record({
    agentLagMs: lag,
    supervisorLagMs: lag,
    machineBusy: number(1),
    alive: fc.constantFrom(true, true, true, false),
    probe: fc.record({ inFlightMs: orNull(5000), failures: fc.nat(6), lastOkAgoMs: orNull(10_000) }),
  })
  .map((given): JudgementContext => contextOf(given));

/** How bad a word is: from 2 on it accuses the kernel of something. */
function weight({ condition, held }: Judgement): number {
  const weights: Record<Condition, number> = {
    healthy: 0,
    late: 1,
    starved: 1,
    flooding: 2,
    spinning: 2,
    silent: 2,
    leaking: 2,
    blocked: 3,
    dead: 4,
  };
  return held ? 3 : weights[condition];
}

test('any window has an answer, and the same one each time', () => {
  const wild = fc.array(
    fc.record({
      heartbeatAgeMs: number(1e6),
      elu: orNull(1),
      cpuMs: orNull(1e6),
      runDelayMs: orNull(1e6),
      heapBytes: orNull(1e9),
      externalBytes: orNull(1e9),
      heapAtMono: orNull(1e6),
      cap: orNull(2),
      atMono: number(1e6),
      missed: fc.option(
        fc.record({ forMs: number(1e5), cpuMs: orNull(1e5), runDelayMs: orNull(1e5), logs: fc.nat(), work: fc.nat() }),
      ),
      logs: fc.nat(),
      work: fc.nat(),
      published: fc.nat(),
      refused: fc.nat(),
      servedMs: fc.nat(),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        windows,
        wild.map((all) => all.map(sampleOf)),
      ),
      contexts,
      (window, context) => {
        const before = JSON.stringify([window, context]);
        const judgement = classify(window, context);
        assert.ok(judgement.confidence >= 0 && judgement.confidence <= 1, JSON.stringify(judgement));
        assert.deepEqual(classify(window, context), judgement);
        assert.equal(JSON.stringify([window, context]), before);
      },
    ),
    RUNS,
  );
});

// Else the properties below would be about nothing.
test('every condition comes up among these windows', () => {
  const cases = fc.sample(fc.tuple(windows, contexts), { seed: 1, numRuns: 2000 });
  const seen = new Set(
    cases.map(([window, context]) => {
      const { condition, held } = classify(window, context);
      return held ? `${condition}, held` : condition;
    }),
  );
  const missing = [...CONDITIONS, 'spinning, held', 'blocked, held'].filter((said) => !seen.has(said));
  // Blocked is never without being held.
  assert.deepEqual(missing, ['blocked']);
});

test('more waiting for a processor never makes an accusation heavier', () => {
  fc.assert(
    fc.property(windows, contexts, number(1), (window, context, share) => {
      let extra = 0;
      let missedExtra = 0;
      const starved = window.map((sample, index) => {
        extra += share * (index === 0 ? 0 : sample.atMono - window[index - 1]!.atMono);
        missedExtra = sample.missed ? share * sample.missed.forMs : 0;
        return {
          ...sample,
          runDelayMs: sample.runDelayMs === null ? null : sample.runDelayMs + extra,
          missed: sample.missed && {
            ...sample.missed,
            runDelayMs: sample.missed.runDelayMs === null ? null : sample.missed.runDelayMs + missedExtra,
          },
        };
      });
      assert.ok(weight(classify(starved, context)) <= weight(classify(window, context)));
    }),
    RUNS,
  );
});

test('an observer that lags more, or a fuller machine, never makes an accusation heavier', () => {
  fc.assert(
    fc.property(
      windows,
      contexts,
      number(1000),
      number(1000),
      number(1),
      (window, context, agent, supervisor, busy) => {
        const worse = {
          ...context,
          agentLagMs: context.agentLagMs + agent,
          supervisorLagMs: context.supervisorLagMs + supervisor,
          machineBusy: Math.max(context.machineBusy, busy),
        };
        assert.ok(weight(classify(window, worse)) <= weight(classify(window, context)));
      },
    ),
    RUNS,
  );
});

test('a missed heartbeat alone never says that the loop is held', () => {
  fc.assert(
    fc.property(windows, contexts, (window, context) => {
      const turning = window.map((sample) => ({ ...sample, elu: 0.5 }));
      assert.equal(classify(turning, context).held, false);
      const untold = window.map((sample) => ({
        ...sample,
        elu: null,
        cpuMs: null,
        missed: sample.missed && { ...sample.missed, cpuMs: null },
      }));
      assert.equal(classify(untold, context).held, false);
    }),
    RUNS,
  );
});

test('metrics alone, with the heartbeat in time, never say that the loop is held', () => {
  fc.assert(
    fc.property(windows, contexts, number(250), (window, context, heartbeatAgeMs) => {
      const last = window.at(-1);
      if (!last) return;
      assert.equal(classify([...window.slice(0, -1), { ...last, elu: 1, heartbeatAgeMs }], context).held, false);
    }),
    RUNS,
  );
});

test('an unanswered probe alone never says that the loop is held', () => {
  fc.assert(
    fc.property(windows, contexts, (window, context) => {
      const calm = window.map((sample) => ({ ...sample, heartbeatAgeMs: 20, missed: null }));
      const asked = { ...context, probe: { inFlightMs: 60_000, failures: 9, lastOkAgoMs: null } };
      assert.equal(classify(calm, asked).held, false);
    }),
    RUNS,
  );
});

test('a kernel whose probe has just passed is never held', () => {
  fc.assert(
    fc.property(windows, contexts, number(250), (window, context, lastOkAgoMs) => {
      assert.equal(classify(window, { ...context, probe: { ...context.probe, lastOkAgoMs } }).held, false);
    }),
    RUNS,
  );
});

test('healthy samples never make it worse', () => {
  fc.assert(
    fc.property(windows, contexts, fc.integer({ min: 1, max: 10 }), (window, context, count) => {
      const last = window.at(-1);
      if (!last) return;
      const before = weight(classify(window, context));
      const after = [...window];
      for (let more = 1; more <= count; more++) {
        const atMono = last.atMono + more * 500;
        after.push({ ...last, atMono, heartbeatAgeMs: 30, elu: 0.02, missed: null, work: last.work + more * 10 });
        assert.ok(weight(classify(after, context)) <= before, `worse after ${more}`);
      }
    }),
    RUNS,
  );
});
