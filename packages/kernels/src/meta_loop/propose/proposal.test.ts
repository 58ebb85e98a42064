import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evaluate } from '../judge/evaluate.ts';
import { seeded } from '../judge/random.ts';
import type { Observed, Span } from '../judge/series.ts';
import type { IncidentFact } from '../record/facts.ts';
import { KNOBS, type KnobId, knobOf, step } from './knob.ts';
import { type Proposal, propose, type Unhelped } from './proposal.ts';

const HOUR_MS = 3_600_000;
const NOTHING: Observed = { incidents: [], restarts: [], runs: [], readies: [], pressures: [] };
const VALUES: Record<KnobId, number> = {
  probe_interval: 4000,
  hung_after: 400,
  backoff_max: 5000,
  pressure_fall_after: 3,
};

function incidents(count: number, of: (i: number) => Partial<IncidentFact>): IncidentFact[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ id: `i${i}`, kind: 'kernel_hung' as const, subject: 'a', openedMs: i * HOUR_MS, closedMs: i * HOUR_MS + 1 },
    ...{ outcome: '', escalated: false, drill: false, method: 'probe', detectMs: null, onset: 'symptom' as const },
    ...{ recoverMs: null, delayMs: 0, readyMs: 0 },
    ...of(i),
  }));
}

async function proposed(
  observed: Partial<Observed>,
  read: (knob: KnobId) => number = (knob) => VALUES[knob],
  span: Span = { fromMs: 0, toMs: 48 * HOUR_MS },
): Promise<{ proposals: Proposal[]; unhelped: Unhelped[] }> {
  const { raw, series } = await evaluate({ ...NOTHING, ...observed }, span);
  return await propose(
    raw.map((one, i) => ({ series: one, verdict: series[i]! })),
    async (knob) => read(knob),
  );
}

const brief = ({ proposals }: { proposals: Proposal[] }) =>
  proposals.map(({ knob, target, from, to }) => [knob, target, from, to]);
const noise = seeded(3);
/** Three times as much from the half on. */
const late = (i: number): number => (i < 20 ? 100 : 300) + 20 * noise();

describe('what got worse', () => {
  test('in noticing leads to the knob of the detector that is first', async () => {
    const byProbe = await proposed({ incidents: incidents(40, (i) => ({ detectMs: late(i) })) });
    assert.deepEqual(brief(byProbe), [['probe_interval', 'a', 4000, 2000]]);
    const [{ evidence, bounds, why, alternatives }] = byProbe.proposals as [Proposal];
    assert.equal(evidence.sinceMs, 20 * HOUR_MS);
    assert.ok(evidence.incidents.includes('i39') && !evidence.incidents.includes('i10'));
    assert.deepEqual(bounds, [1000, 60_000]);
    assert.match(why, /detect:kernel_hung:a it changed from 1\d\d/);
    assert.ok(alternatives.length >= 2);
    const byHeartbeat = await proposed({
      incidents: incidents(40, (i) => ({ detectMs: late(i), method: 'heartbeat' })),
    });
    assert.deepEqual(brief(byHeartbeat), [['hung_after', 'a', 400, 300]]);
  });

  test('in noticing, by a detector without a knob, is said and left alone', async () => {
    const { proposals, unhelped } = await proposed({
      incidents: incidents(40, (i) => ({ detectMs: late(i), method: 'metric' })),
    });
    assert.deepEqual(proposals, []);
    assert.match(unhelped[0]!.why, /metric, which has no knob/);
  });

  test('in recovering leads to the longest wait when the wait is what grew, and to nothing when the start is', async () => {
    const waits = incidents(40, (i) => ({ recoverMs: late(i) + (i < 20 ? 0 : 300), delayMs: i < 20 ? 0 : 300 }));
    assert.deepEqual(brief(await proposed({ incidents: waits })), [['backoff_max', 'a', 5000, 2500]]);
    const starts = incidents(40, (i) => ({ recoverMs: late(i), readyMs: i < 20 ? 50 : 250 }));
    const { proposals, unhelped } = await proposed({ incidents: starts });
    assert.deepEqual(proposals, []);
    assert.match(unhelped[0]!.why, /no knob makes a start faster/);
  });

  test('in false restarts leads to more patience, and drills do not count', async () => {
    const restarts = (drill: boolean) =>
      Array.from({ length: 120 }, (_, i) => ({
        ...{ seq: i + 1, atMs: 24 * HOUR_MS + i * 0.2 * HOUR_MS, kernel: 'a', cause: 'hung' },
        ...{ verdict: 'false' as const, why: '', drill },
      }));
    assert.deepEqual(brief(await proposed({ restarts: restarts(false) })), [['hung_after', 'a', 400, 600]]);
    assert.deepEqual(brief(await proposed({ restarts: restarts(true) })), []);
  });

  test('in pressure that comes and goes leads to leaving a level later', async () => {
    const pressures = Array.from({ length: 100 }, (_, i) => ({
      atMs: 24 * HOUR_MS + i * 0.24 * HOUR_MS,
      resource: 'cpu',
    }));
    assert.deepEqual(brief(await proposed({ pressures })), [['pressure_fall_after', 'cpu', 3, 6]]);
  });

  test('but is better again leads to nothing', async () => {
    const back = incidents(60, (i) => ({ detectMs: (i >= 20 && i < 40 ? 300 : 100) + 20 * noise() }));
    assert.deepEqual(await proposed({ incidents: back }, undefined, { fromMs: 0, toMs: 72 * HOUR_MS }), {
      proposals: [],
      unhelped: [],
    });
  });

  test('by little leads to nothing', async () => {
    const little = incidents(40, (i) => ({ detectMs: (i < 20 ? 100 : 110) + 2 * noise() }));
    assert.deepEqual(await proposed({ incidents: little }), { proposals: [], unhelped: [] });
  });

  test('with a knob that is at its bound, out of it, or not to be read, is said and left alone', async () => {
    const worse = incidents(40, (i) => ({ detectMs: late(i) }));
    for (const value of [1000, 500]) {
      const { proposals, unhelped } = await proposed({ incidents: worse }, () => value);
      assert.deepEqual([proposals.length, unhelped.length], [0, 1]);
      assert.match(unhelped[0]!.why, /at its bound/);
    }
    const unread = await proposed({ incidents: worse }, () => {
      throw new Error('nobody answers');
    });
    assert.match(unread.unhelped[0]!.why, /cannot be read: nobody answers/);
  });
});

describe('a system that needs nothing', () => {
  test('is left alone: hundreds of seeded days in which nothing changed bring no more proposals than promised', async () => {
    let asked = 0;
    const days = 150;
    for (let seed = 0; seed < days; seed++) {
      const random = seeded(seed * 104_729);
      const { proposals, unhelped } = await proposed({
        incidents: ['a', 'b', 'c'].flatMap((subject) =>
          incidents(30, (i) => ({
            ...{ id: `${subject}${i}`, subject, detectMs: 100 - 80 * Math.log(1 - random()) },
            ...{ recoverMs: 300 + 400 * random(), method: random() < 0.5 ? 'probe' : 'heartbeat' },
          })),
        ),
        pressures: Array.from({ length: 30 }, () => ({ atMs: random() * 48 * HOUR_MS, resource: 'cpu' })),
      });
      if (proposals.length + unhelped.length > 0) asked++;
    }
    // All series of a day share 5 %; and what is small, or better, asks for nothing.
    assert.ok(asked <= days * (0.05 + 3 * Math.sqrt((0.05 * 0.95) / days)), `${asked} of ${days}`);
  });

  test('with thousands of subjects is judged by those of which most is known', async () => {
    const crowd = Array.from({ length: 1000 }, (_, n) =>
      incidents(1, () => ({ id: `c${n}`, subject: `c${n}`, recoverMs: 1 })),
    ).flat();
    const span = { fromMs: 0, toMs: 48 * HOUR_MS };
    const known = incidents(40, () => ({ recoverMs: 5 }));
    const { series, left } = await evaluate({ ...NOTHING, incidents: [...crowd, ...known] }, span);
    assert.deepEqual([series.length, left], [300, 701]);
    assert.ok(series.some(({ name }) => name === 'recover:kernel_hung:a'));
  });

  test('is left alone when hardly anything is known of it', async () => {
    const few = incidents(9, (i) => ({ detectMs: i < 5 ? 1 : 1000 }));
    assert.deepEqual(await proposed({ incidents: few }), { proposals: [], unhelped: [] });
    assert.deepEqual(await proposed({}), { proposals: [], unhelped: [] });
  });
});

test('a step never leaves the bounds, and there is a way back', () => {
  const random = seeded(1);
  for (const id of KNOBS) {
    const knob = knobOf(id);
    for (let i = 0; i < 200; i++) {
      const from = Math.round(knob.min + random() * (knob.max - knob.min));
      for (const factor of [0.5, 0.75, 1.5, 2]) {
        const to = step(knob, from, factor);
        assert.ok(to >= knob.min && to <= knob.max && Number.isInteger(to), `${id} ${from} -> ${to}`);
      }
    }
  }
});
