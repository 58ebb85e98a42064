import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AclDocument } from '@grace/contracts';
import { parseAcl } from '@grace/contracts/config';
import { poll } from '@grace/testkit';
import { type Proposed, proposalOf, withMeta } from './fixtures/meta-rig.ts';
import { hangs, regression, writeJournal } from './fixtures/records.ts';

const HOUR_MS = 3_600_000;
const NONE = 'proposal-000000000000';

interface Evaluated {
  journal: { through: number; complete: boolean; error: string | null };
  kinds: {
    kind: string;
    count: number;
    detect: { n: number; median: number; unknown: number };
    recover: { n: number };
  }[];
  kernels: { kernel: string; restarts: { count: number; false: number } }[];
  playbooks: { playbook: string; healed: { successes: number; n: number; interval: [number, number] } }[];
  series: { name: string; course: string; why: string }[];
}
describe('an evaluation', () => {
  test('reads the journal, says what it tells, and how far it came', () =>
    withMeta({ journal: regression() }, async (rig) => {
      const found = await rig.ask<Evaluated>('evaluate', { window: '7d' });
      assert.deepEqual([found.journal.complete, found.journal.error], [true, null]);
      const hung = found.kinds.find(({ kind }) => kind === 'kernel_hung')!;
      assert.deepEqual([hung.count, hung.detect.n, hung.detect.unknown, hung.recover.n], [40, 40, 0, 40]);
      assert.deepEqual(
        found.kernels.map(({ kernel: id, restarts }) => [id, restarts.count, restarts.false]),
        [
          ['a', 40, 0],
          ['b', 0, 0],
        ],
      );
      const detect = found.series.find(({ name }) => name === 'detect:kernel_hung:a')!;
      assert.equal(detect.course, 'worse');
      assert.equal(found.series.find(({ name }) => name === 'recover:kernel_hung:a')!.course, 'steady');
      const one = await rig.ask<{ points: object[]; verdict: { course: string } }>('evaluate', { series: detect.name });
      assert.deepEqual([one.points.length, one.verdict.course], [40, 'worse']);
    }));

  test('counts what happened while it was away, once, also after a restart', async () => {
    const journal = regression();
    let away = true;
    await withMeta({ journal, away: () => away }, async (rig) => {
      const nothing = await rig.ask<Evaluated>('evaluate');
      assert.deepEqual([nothing.journal.complete, nothing.kinds], [false, []]);
      assert.match(nothing.journal.error!, /away/);
      away = false;
      const count = async () =>
        (await rig.ask<Evaluated>('evaluate')).kinds.find(({ kind }) => kind === 'kernel_hung')?.count;
      assert.equal(await count(), 40);
      await rig.restart('meta_loop');
      const { journal: reading } = await rig.ask<Evaluated>('status');
      assert.equal(reading.through, journal.records.length, 'it goes on from where it was');
      hangs(journal, 'a', 600, 0);
      assert.equal(await count(), 41);
    });
  });

  test('begins anew with another journal', async () => {
    const journal = regression();
    await withMeta({ journal }, async (rig) => {
      await rig.ask('evaluate');
      journal.records.length = 0;
      const other = writeJournal(Date.now() - HOUR_MS);
      other.boot('z');
      journal.records.push(...other.records);
      const { journal: reading, kernels } = await rig.ask<Evaluated>('evaluate');
      assert.deepEqual([reading.through, reading.complete], [other.records.length, true]);
      assert.ok(kernels.some(({ kernel: id }) => id === 'z'));
    });
  });

  test('of a quiet system proposes nothing, and of hardly any data says that', () =>
    withMeta({ journal: regression(1) }, async (rig) => {
      assert.deepEqual((await rig.ask<Proposed>('proposals')).proposals, []);
      const short = await rig.ask<Evaluated>('evaluate', { window: '5h' });
      assert.match(short.series.find(({ name }) => name === 'detect:kernel_hung:a')!.why, /too little data/);
    }));
});

describe('the functional probe', () => {
  test('finds the planted regression and the right knob, and leaves nothing behind', () =>
    withMeta({ journal: writeJournal(Date.now()) }, async (rig) => {
      for (let i = 0; i < 3; i++) assert.equal((await rig.probe('meta_loop'))['knob'], 'probe_interval');
      const { facts } = await rig.ask<{ facts: { incidents: number } }>('status');
      assert.equal(facts.incidents, 0);
    }));

  for (const [what, body, complaint] of [
    ['loses what is written', "DELETE FROM incident WHERE id = new.id AND new.id LIKE 'probe-%'", /led to no proposal/],
    [
      'confuses who noticed',
      'UPDATE incident SET body = replace(body, \'"probe"\', \'"heartbeat"\') WHERE id = new.id',
      /led to hung_after/,
    ],
    [
      'makes everything late',
      "UPDATE incident SET body = json_set(body, '$.detectMs', new.at_ms) WHERE id = new.id AND new.id LIKE '%quiet%'",
      /never changed led to a proposal/,
    ],
  ] as const) {
    test(`fails when its store ${what}`, () =>
      withMeta({ journal: writeJournal(Date.now()) }, async (rig) => {
        const db = new DatabaseSync(join(rig.stateDir('meta_loop'), 'store.sqlite'));
        db.exec(`CREATE TRIGGER breakage AFTER INSERT ON incident BEGIN ${body}; END`);
        db.close();
        await assert.rejects(rig.probe('meta_loop'), complaint);
      }));
  }
});

describe('verbs', () => {
  const bad: [string, unknown, string][] = [
    ['evaluate', { window: 'soon' }, 'BAD_INPUT'],
    ['evaluate', { window: -1 }, 'BAD_INPUT'],
    ['evaluate', { window: '9999999999d' }, 'BAD_INPUT'],
    ['evaluate', { window: Number.NaN }, 'BAD_INPUT'],
    ['evaluate', { window: {} }, 'BAD_INPUT'],
    ['evaluate', { windw: '1h' }, 'BAD_INPUT'],
    ['evaluate', { series: 'detect:kernel_hng:a' }, 'NOT_FOUND'],
    ['evaluate', { series: "'; DROP TABLE incident; --" }, 'NOT_FOUND'],
    ['evaluate', { series: 'x'.repeat(201) }, 'BAD_INPUT'],
    ['evaluate', [], 'BAD_INPUT'],
    ['proposals', { all: true }, 'BAD_INPUT'],
    ['apply', {}, 'BAD_INPUT'],
    ['apply', { proposal: 7 }, 'BAD_INPUT'],
    ['apply', { proposal: NONE }, 'NOT_FOUND'],
    ['apply', { proposal: '../../etc/passwd' }, 'NOT_FOUND'],
    ['apply', { proposal: '\u0000' }, 'NOT_FOUND'],
    ['rollback', { experiment: 'experiment-0' }, 'NOT_FOUND'],
    ['rollback', { experiment: ['x'] }, 'BAD_INPUT'],
    ['rollback', { experiment: 'x', reason: 'y'.repeat(501) }, 'BAD_INPUT'],
    ['history', { limit: 0 }, 'BAD_INPUT'],
    ['history', { limit: 1e9 }, 'BAD_INPUT'],
    ['history', { experiment: '__proto__' }, 'NOT_FOUND'],
    ['status', 'now', 'BAD_INPUT'],
  ];
  test('refuse what they do not understand, with a code, and lose nothing', () =>
    withMeta({ journal: regression() }, async (rig) => {
      const id = await proposalOf(rig);
      const circle: Record<string, unknown> = {};
      circle['proposal'] = circle;
      for (const [verb, input, code] of [...bad, ['apply', circle, 'BAD_INPUT'] as const])
        await assert.rejects(
          rig.ask(verb, input),
          { code },
          `${verb} ${String(JSON.stringify(input === circle ? '' : input))}`,
        );
      await assert.rejects(
        rig.ask('evaluate', { series: 'detect:kernel_hng:a' }),
        /did you mean "detect:kernel_hung:a"/i,
      );
      assert.equal(await proposalOf(rig), id);
    }));
});

test('with the grants of the product it may do its job, and nothing else', async () => {
  const text = readFileSync(fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url)), 'utf8');
  const acl: AclDocument = parseAcl(text, 'configs/acl.yaml');
  await withMeta({ journal: regression(), acl }, async (rig) => {
    await rig.ask('apply', { proposal: await proposalOf(rig) });
    await poll('all is told', async () => (await rig.ask<{ untold: number }>('status')).untold === 0);
    assert.equal(rig.decisions.length, 1);
    const bus = rig.bus('meta_loop');
    for (const subject of [
      ...[
        'kernel.governance.call.approve',
        'kernel.self_healing.call.run',
        'kernel.infrastructure_manager.call.restore',
      ],
      ...['kernel.message_bus.call.permit', 'system.events.incident.close', 'audit.governance', 'task.x'],
    ])
      await assert.rejects(bus.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
    for (const pattern of ['system.events.>', 'audit.>', 'kernel.governance.>'])
      await assert.rejects(
        bus.subscribe(pattern, () => {}),
        { code: 'BUS_DENIED' },
        pattern,
      );
  });
});

test('incidents that close ask for an evaluation before it is time', () => {
  const journal = regression();
  return withMeta({ journal, config: { incidents: 2, evaluateMs: 24 * HOUR_MS } }, async (rig) => {
    const why = async () =>
      (await rig.ask<{ evaluations: { why: string }[] }>('history')).evaluations.map((note) => note.why);
    await poll('the first one', async () => (await why()).length > 0);
    for (let i = 0; i < 2; i++) {
      hangs(journal, 'a', 600, i);
      await rig.feed(journal.records.at(-1)!);
    }
    await poll('the next one', async () => (await why()).includes('2 incidents were closed'));
  });
});

test('changes of pressure are counted, and what is none is not', () =>
  withMeta({ journal: writeJournal(Date.now()) }, async (rig) => {
    const bus = rig.bus('infrastructure_manager');
    for (const payload of [{ resource: 'cpu', from: 'normal', to: 'high' }, { resource: '../x' }, null, 'x'])
      await bus.publish('telemetry.pressure.cpu', payload);
    await poll(
      'it is counted',
      async () => (await rig.ask<{ facts: { pressures: number } }>('status')).facts.pressures === 1,
    );
  }));
