import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { before, check } from '../../test/check-bed.ts';
import { statusOf } from '../../test/control-stand-in.ts';
import type { CheckContext } from './context.ts';
import { CHECK_NAMES } from './names.ts';

const again = statusOf([{ id: 'scheduler', incarnation: 2 }, { id: 'trigger_mesh' }]);
const opened = (kind: string): AnyRecord[] => [
  {
    seq: 1,
    name: 'incident:open',
    wallMs: 0,
    monoMs: 0,
    data: { incident: { id: 'i', kind, subject: 'scheduler' } },
  } as AnyRecord,
];

describe('a verification check can be true and can be false', { concurrency: true }, () => {
  const cases: [string, string | null, boolean | null, () => Promise<boolean | null>][] = [
    ['restarted_once', null, true, () => check('restarted_once', null, again)],
    ['restarted_once', null, false, () => check('restarted_once', null, before)],
    ['no_restart', null, true, () => check('no_restart', null, before)],
    ['no_restart', null, false, () => check('no_restart', null, again)],
    ['nobody_restarted', null, false, () => check('nobody_restarted', null, again)],
    ['cell_mates_untouched', null, true, () => check('cell_mates_untouched', null, again)],
    [
      'cell_mates_untouched',
      null,
      false,
      () =>
        check('cell_mates_untouched', null, statusOf([{ id: 'scheduler' }, { id: 'trigger_mesh', incarnation: 2 }])),
    ],
    [
      'cell_mates_back',
      null,
      true,
      () => check('cell_mates_back', null, again, {}, { probe: () => ({ ok: true, ms: 1, detail: {} }) }),
    ],
    [
      'cell_mates_back',
      null,
      false,
      () => check('cell_mates_back', null, again, {}, { probe: () => ({ ok: false, ms: 1, detail: {} }) }),
    ],
    ['state_intact', null, true, () => check('state_intact', null, again, {}, { call: () => [{ id: 'marker_1' }] })],
    ['state_intact', null, false, () => check('state_intact', null, again, {}, { call: () => [] })],
    ['state_intact', null, null, () => check('state_intact', null, again, { marker: null })],
    [
      'state_intact',
      null,
      null,
      () => check('state_intact', null, again, {}, { call: () => Promise.reject(new Error('down')) }),
    ],
    [
      'incident_opened',
      'kernel_crash',
      true,
      () => check('incident_opened', 'kernel_crash', again, { records: async () => opened('kernel_crash') }),
    ],
    [
      'incident_opened',
      'kernel_crash',
      false,
      () => check('incident_opened', 'kernel_crash', again, { records: async () => opened('heartbeat_gap') }),
    ],
    ['fault_undone', null, false, () => check('fault_undone', null, again, { undone: { verified: false } })],
    ['work_went_on', null, null, () => check('work_went_on', null, again)],
    ['hog_ended', null, null, () => check('hog_ended', null, again)],
    ['nothing_accepted', null, null, () => check('nothing_accepted', null, again)],
    [
      'bus_conserves',
      null,
      false,
      () => check('bus_conserves', null, { ...again, bus: { ...again.bus, accepted: 5, handled: 4 } }),
    ],
    [
      'bus_conserves',
      null,
      true,
      () => check('bus_conserves', null, { ...again, bus: { ...again.bus, accepted: 5, handled: 4, waiting: 1 } }),
    ],
  ];
  for (const [name, , expected, run] of cases) {
    test(`${name}: ${expected === null ? 'unknown' : expected}`, async () => assert.equal(await run(), expected));
  }

  test('every check says what it proves', () => {
    for (const { proves } of Object.values(CHECK_NAMES)) assert.ok(proves.length > 10);
  });

  test('a mute that came after too many denials is not the one that was promised', async () => {
    const after = (denied: number) => ({
      injection: { ...({} as CheckContext['injection']), counts: () => ({ denied }) },
      records: async () => [
        {
          seq: 1,
          name: 'bus:muted',
          wallMs: 0,
          monoMs: 0,
          data: { principal: 'scheduler', periodMs: 1, denied },
        } as AnyRecord,
      ],
    });
    assert.equal(await check('muted', '1000', again, after(400)), true);
    assert.equal(await check('muted', '1000', again, after(20_000)), false);
    assert.equal(await check('muted', '1000', again, { ...after(400), records: async () => [] }), false);
  });

  test('a flood of which one message was accepted is not denied', async () => {
    const counted = (accepted: number) => ({
      injection: { ...({} as CheckContext['injection']), counts: () => ({ accepted, sent: 9, denied: 9 - accepted }) },
    });
    assert.equal(await check('nothing_accepted', null, again, counted(0)), true);
    assert.equal(await check('nothing_accepted', null, again, counted(1)), false);
  });

  test('a call without an answer, and slow neighbours, say nothing when the machine withheld that much of the time', async () => {
    const sample = {
      trial: 't',
      fromMono: 0,
      toMono: 5000,
      messages: { accepted: 1, handled: 1, rejected: 0, lost: 0 },
      verbs: { ok: 100, failed: 0, p50Ms: 1, p99Ms: 1200 },
      appends: { ok: 1, failed: 0 },
    };
    const quiet = { ...sample, verbs: { ok: 100, failed: 0, p50Ms: 1, p99Ms: 4 } };
    const observations = [1000, 2500, 3000].map((atMono) => {
      return { atMono, probe: true, heartbeat: false, workload: atMono !== 2500, metric: null };
    });
    const lease = { durationMs: 5000 } as CheckContext['injection']['lease'];
    const injection = { ...({} as CheckContext['injection']), lease };
    const during = (fromMono: number, toMono: number) => ({
      ...{ sample, quiet, observations, injection, actedMono: 100 },
      withheld: () => [{ fromMono, toMono, ms: toMono - fromMono, of: 'supervisor', by: 'others' as const }],
    });
    const both = async (more: Partial<CheckContext>) => [
      await check('work_went_on', null, again, more),
      await check('others_latency', null, again, more),
    ];
    assert.deepEqual(await both(during(1600, 2450)), [null, null]);
    assert.deepEqual(await both(during(1600, 1800)), [false, false]);
    assert.deepEqual(await both(during(2600, 3450)), [false, null], 'the call had its time');
    assert.deepEqual(await both({ ...during(0, 0), withheld: () => [] }), [false, false]);
  });
});
