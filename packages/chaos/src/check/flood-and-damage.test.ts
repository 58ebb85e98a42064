import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { before, check } from '../../test/check-bed.ts';
import type { CheckContext } from './context.ts';

const counting = (counts: Record<string, number>): Partial<CheckContext> => ({
  injection: { ...({} as CheckContext['injection']), counts: () => counts },
});

describe('a flood of work', () => {
  test('is handled when nothing that was accepted is owed; one that nobody counted is unknown', async () => {
    const flood = { accepted: 500, handled: 500, repeated: 3 };
    assert.equal(await check('accepted_handled', null, before, counting({ ...flood, unhandled: 0 })), true);
    assert.equal(await check('accepted_handled', null, before, counting({ ...flood, unhandled: 1 })), false);
    assert.equal(await check('accepted_handled', null, before, counting(flood)), null);
    assert.equal(await check('accepted_handled', null, before, counting({ accepted: 0, unhandled: 0 })), null);
  });

  test('is pushed back when something of it was refused for its size', async () => {
    assert.equal(await check('pushed_back', null, before, counting({ sent: 9, accepted: 4, overloaded: 5 })), true);
    assert.equal(await check('pushed_back', null, before, counting({ sent: 9, accepted: 9, overloaded: 0 })), false);
    assert.equal(await check('pushed_back', null, before, counting({})), null);
  });

  test('leaves heartbeats fresh at every look, or not at all', async () => {
    const looks = (...heartbeats: (boolean | null)[]): Partial<CheckContext> => ({
      observations: heartbeats.map((heartbeat, i) => ({
        ...{ atMono: 10 + i, probe: true, workload: true, metric: true },
        heartbeat,
      })),
    });
    assert.equal(await check('heartbeats_fresh', null, before, looks(true, null, true)), true);
    assert.equal(await check('heartbeats_fresh', null, before, looks(true, false, true)), false);
    assert.equal(await check('heartbeats_fresh', null, before, looks(null)), null);
    assert.equal(await check('heartbeats_fresh', null, before, { ...looks(true), actedMono: null }), null);
  });

  test('leaves the round trips of others within twice those before and the slack, or not', async () => {
    const trips = (p99Ms: number, count = 100) =>
      ({ roundTrips: { count, p50Ms: 1, p99Ms } }) as unknown as CheckContext['sample'];
    const during = (p99Ms: number, count?: number) => ({ baseline: trips(4), sample: trips(p99Ms, count) });
    assert.equal(await check('others_round_trips', '10', before, during(18)), true);
    assert.equal(await check('others_round_trips', '10', before, during(18.1)), false);
    assert.equal(await check('others_round_trips', '10', before, during(1, 0)), null);
    assert.equal(await check('others_round_trips', '10', before), null);
  });
});

describe('damage to the record', { concurrency: true }, () => {
  const damage = { segment: 's1', seq: 21, offset: 900 } as NonNullable<
    ReturnType<CheckContext['injection']['damage']>
  >;
  const damaged = (...problems: { kind: string; segment: string; offset: number; seq?: number }[]): AnyRecord =>
    ({
      ...{ seq: 5, name: 'record:damaged', wallMs: 0, monoMs: 0 },
      data: { ledger: 'immutable_log', problems, count: problems.length },
    }) as unknown as AnyRecord;
  const repaired = (action: string): AnyRecord =>
    ({
      seq: 6,
      name: 'record:repaired',
      wallMs: 0,
      monoMs: 0,
      data: { ledger: 'immutable_log', action, restored: [] },
    }) as unknown as AnyRecord;
  const told = (...records: AnyRecord[]): Partial<CheckContext> => ({
    injection: { ...({} as CheckContext['injection']), damage: () => damage, counts: () => ({}) },
    records: async () => records,
  });
  const named = (more: Partial<CheckContext>, kind = 'checksum', cut: unknown = null) =>
    check('damage_named', kind, before, more, {
      call: () => ({ entries: cut === null ? [] : [{ seq: 9, payload: cut }] }),
    });

  test('is named only by its kind, in its segment, at its place', async () => {
    const place = { kind: 'checksum', segment: 's1', offset: 900, seq: 21 };
    assert.equal(await named(told(damaged(place))), true);
    assert.equal(await named(told(damaged({ ...place, offset: 1 }))), true, 'the number of the record is a place too');
    const others = [{ kind: 'gap' }, { segment: 's2' }, { offset: 1, seq: 20 }];
    const answers = others.map((other) => named(told(damaged({ ...place, ...other }))));
    assert.deepEqual(await Promise.all([...answers, named(told())]), [false, false, false, false]);
  });

  test('of a torn tail is named by what the next start cut off', async () => {
    const torn = { ...told(), observed: { segment: 's1', offset: 77, tornBytes: 9 } };
    const injection = { ...torn.injection!, damage: () => null };
    const cut = (entry: unknown) => named({ ...torn, injection }, 'torn-tail', entry);
    assert.equal(await cut({ segment: 's1', offset: 77 }), true);
    assert.deepEqual(await Promise.all([cut({ segment: 's1', offset: 78 }), cut(null)]), [false, false]);
    assert.equal(await named({ ...torn, injection, observed: {} }, 'torn-tail'), null);
  });

  test('is repaired in one of the ways that were promised, or not', async () => {
    const ways = 'restored or sealed';
    assert.equal(await check('record_repaired', ways, before, told(repaired('sealed'))), true);
    const not = [told(repaired('nothing')), told()].map((more) => check('record_repaired', ways, before, more));
    assert.deepEqual(await Promise.all(not), [false, false]);
  });

  test('leaves a whole record, or not; one that cannot be verified is unknown', async () => {
    const verify = (call: () => unknown) => check('record_whole', null, before, {}, { call });
    assert.equal(await verify(() => ({ ok: true, records: 7, problems: [] })), true);
    assert.equal(await verify(() => ({ ok: false, records: 7, problems: [{ kind: 'gap', segment: 's' }] })), false);
    assert.equal(await verify(() => Promise.reject(new Error('down'))), null);
  });

  test('has cost no acknowledged append, or has; a changed one is missing too', async () => {
    const promised = [1, 2, 3, 4].map((number) => ({ seq: number + 10, number }));
    const kept = (entries: { seq: number; payload: { number: number } }[]) =>
      check(
        'acknowledged_kept',
        null,
        before,
        { acknowledged: () => promised },
        {
          call: ({ input }) => {
            const { from } = input as { from: number };
            const page = entries.filter(({ seq }) => seq >= from).slice(0, 2);
            const last = page.at(-1)?.seq;
            return { entries: page, next: last !== undefined && last < 20 ? last + 1 : null };
          },
        },
      );
    const all = promised.map(({ seq, number }) => ({ seq, payload: { number } }));
    assert.equal(await kept(all), true);
    assert.equal(await kept(all.filter(({ seq }) => seq !== 12)), false);
    assert.equal(
      await kept(all.map((entry) => (entry.seq === 13 ? { seq: 13, payload: { number: 9 } } : entry))),
      false,
    );
    assert.equal(await check('acknowledged_kept', null, before, { acknowledged: () => [] }), null);
  });
});
