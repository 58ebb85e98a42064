import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAcl } from '@grace/contracts/config';
import { poll, rigKernels } from '@grace/testkit';
import { answering, ID, withClarity } from './fixtures/bench.ts';
import { crash, journal } from './fixtures/records.ts';
import kernel from './kernel.ts';
import type { Story } from './story/story.ts';

describe('the functional probe', () => {
  test('records a decision and explains it back, and leaves nothing behind', () =>
    withClarity(async ({ rig, call }) => {
      for (let i = 0; i < 3; i++) assert.equal((await rig.probe(ID))['sentences'], 5);
      assert.deepEqual(await call('decisions'), { decisions: [], more: false });
      assert.equal((await call<{ decisions: number }>('status')).decisions, 0);
    }));

  for (const [what, trigger, complaint] of [
    [
      'loses a word',
      "UPDATE decision SET body = replace(body, 'why ', 'wry ') WHERE seq = new.seq",
      /does not say "why/,
    ],
    ['loses a decision', 'DELETE FROM decision WHERE seq = new.seq', /no decision has the id/],
  ] as const) {
    test(`fails when its store ${what}`, () =>
      withClarity(async ({ rig }) => {
        const db = new DatabaseSync(join(rig.stateDir(ID), 'store.sqlite'));
        db.exec(`CREATE TRIGGER breakage AFTER INSERT ON decision BEGIN ${trigger}; END`);
        db.close();
        await assert.rejects(rig.probe(ID), complaint);
      }));
  }
});

describe('what happened', () => {
  test('is told as a causal story with what somebody decided about it', () =>
    withClarity(async ({ rig, call, as, heard }) => {
      await heard(crash());
      const evidence = { incidents: ['inc-test-1'], records: [7] };
      await as('self_healing', 'record', {
        what: 'run kernel_crash',
        why: 'it healed 9 of 10',
        how: 'playbook',
        evidence,
        confidence: 0.9,
      });
      await rig.restart(ID);
      const story = await call<Story>('explain', { incident: 'inc-test-1' });
      assert.deepEqual([story.state, story.notEstablished], ['closed', []]);
      const texts = [...story.first, ...story.noticed, ...story.decided, ...story.done, ...story.ended].map(
        ({ text }) => text,
      );
      for (const words of [
        'a drill injected',
        'ended by itself',
        'exit noticed it',
        'because: it healed 9 of 10',
        'was closed',
      ])
        assert.ok(
          texts.some((text) => text.includes(words)),
          words,
        );
      assert.ok(story.decided.some(({ links }) => links.some((link) => 'decision' in link)));
    }));

  test('but was not heard is said to be missing, with the number of its record', () =>
    withClarity(
      async ({ call, heard }) => {
        await heard(crash().filter(({ seq }) => ![2, 5].includes(seq)));
        const { notEstablished, noticed } = await call<Story>('explain', { incident: 'inc-test-1' });
        assert.ok(notEstablished.includes('which detector noticed it'));
        assert.ok(noticed.every(({ established }) => !established));
        assert.ok(notEstablished.some((text) => /2 journal records of it say, which were not heard here/.test(text)));
      },
      {
        commands: (_, command) =>
          command === 'incident'
            ? [{ id: 'inc-test-1', events: [2, 4, 5, 12], detectors: [], title: 't', kind: 'kernel_crash' }]
            : undefined,
      },
    ));

  test('comes in the order of time, by kernel and by correlation, and twice heard counts once', () =>
    withClarity(async ({ call, heard, rig }) => {
      const records = crash();
      await heard(records);
      const before = await call('trust', { id: 'librarian' });
      for (const record of records) await rig.feed(record);
      await rig.restart(ID);
      assert.deepEqual(await call('trust', { id: 'librarian' }), before);
      await call('record', { what: 'look again', where: 'librarian', correlation: 'drill-1' });
      interface Timeline {
        moments: { atMs: number; kind: string; about: string; link: { record: number } }[];
        more: boolean;
      }
      const all = await call<Timeline>('timeline', {});
      assert.equal(all.moments.length, records.length + 1);
      assert.deepEqual(
        all.moments,
        all.moments.toSorted((a, b) => a.atMs - b.atMs),
      );
      const some = await call<Timeline>('timeline', { kernel: 'librarian', correlation: 'drill-1', limit: 3 });
      assert.deepEqual([some.moments.length, some.more, some.moments.at(-1)!.kind], [3, true, 'decision']);
      const range = await call<Timeline>('timeline', {
        from: records[1]!.wallMs,
        to: new Date(records[3]!.wallMs).toISOString(),
      });
      assert.deepEqual(
        range.moments.map(({ link }) => link.record),
        [2, 3, 4],
      );
    }));

  test('is kept up to a bound, the newest', () =>
    withClarity(
      async ({ call, rig }) => {
        const write = journal();
        for (let i = 0; i < 700; i++)
          await rig.feed(write('kernel:ready', { readyMs: i, probe: {} }, { kernel: 'librarian' }));
        await poll('the last', async () => {
          const { moments } = await call<{ moments: { link: { record: number } }[] }>('timeline', { limit: 1 });
          return moments[0]?.link.record === 700;
        });
        const { moments } = await call<{ moments: { link: { record: number } }[] }>('timeline', { limit: 1000 });
        assert.deepEqual([moments.length, moments[0]!.link.record], [100, 601]);
      },
      { config: { [ID]: { happenings: 100 } } },
    ));

  test('that is no record of the journal is left out', () =>
    withClarity(async ({ rig, call }) => {
      const supervisor = rig.bus('supervisor');
      const strange = [
        null,
        7,
        'x',
        {},
        { name: 'kernel:ready' },
        { name: 'kernel:ready', seq: -1, wallMs: 1, data: {} },
      ];
      for (const payload of [...strange, { name: 'kernel:exit', seq: 1, wallMs: 1 }])
        await supervisor.publish('system.events.kernel.ready', payload);
      await rig.feed(journal()('kernel:ready', { readyMs: 1, probe: {} }, { kernel: 'a' }));
      await poll('the good one', async () => (await call<{ happenings: number }>('status')).happenings === 1);
    }));
});

describe('trust', () => {
  test('counts what was kept and broken with its source, and nothing against somebody in a drill', () =>
    withClarity(async ({ call, heard }) => {
      await heard(crash());
      const write = journal(1_790_000_100_000);
      const permit = { id: 'p', holder: 'run', faults: [], untilMono: 10_000, issuer: 'governance' };
      const broken = () =>
        write(
          'kernel:state',
          { from: 'running', to: 'backoff', reason: 'hung', cause: 'hung' },
          { kernel: 'scheduler' },
        );
      const later = [write('drill:permit', permit), broken(), write('drill:revoke', { id: 'p' }), broken()];
      await heard(later.map((record) => ({ ...record, seq: record.seq + 50 })));
      const [librarian] = await call<
        { kept: number; broken: number; excused: number; lowerBound: number; sources: { source: string }[] }[]
      >('trust', { id: 'librarian' });
      assert.deepEqual([librarian!.kept, librarian!.broken, librarian!.excused], [1, 0, 1]);
      assert.deepEqual(
        librarian!.sources.map(({ source }) => source),
        ['life', 'start'],
      );
      const [scheduler] = await call<{ kept: number; broken: number; excused: number }[]>('trust', { id: 'scheduler' });
      assert.deepEqual([scheduler!.kept, scheduler!.broken, scheduler!.excused], [0, 1, 1]);
    }));
});

describe('bad input', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const long = 'x'.repeat(5000);
  const cases: [string, unknown, string][] = [
    ['record', {}, 'BAD_INPUT'],
    ['record', 'text', 'BAD_INPUT'],
    ['record', { what: 7 }, 'BAD_INPUT'],
    ['record', { what: long }, 'BAD_INPUT'],
    ['record', { what: 'a', whi: 'b' }, 'BAD_INPUT'],
    ['record', { what: 'a', confidence: 1.1 }, 'BAD_INPUT'],
    ['record', { what: 'a', confidence: Number.NaN }, 'BAD_INPUT'],
    ['record', { what: 'a', when: 'soon' }, 'BAD_INPUT'],
    ['record', { what: 'a', when: '2999-01-01' }, 'BAD_INPUT'],
    ['record', { what: 'a', alternatives: ['b'] }, 'BAD_INPUT'],
    ['record', { what: 'a', alternatives: [{ what: 'b', why: 'c' }] }, 'BAD_INPUT'],
    ['record', { what: 'a', evidence: { records: [0] } }, 'BAD_INPUT'],
    ['record', { what: 'a', evidence: { decisions: ['decision-7'] } }, 'NOT_FOUND'],
    ['record', { what: 'a', evidence: circle }, 'BAD_INPUT'],
    [
      'record',
      { what: 'a', alternatives: Array.from({ length: 20 }, () => ({ what: 'b', whyNot: 'y'.repeat(3000) })) },
      'TOO_LARGE',
    ],
    ['explain', {}, 'BAD_INPUT'],
    ['explain', { incident: 'a', decision: 'b' }, 'BAD_INPUT'],
    ['explain', { incident: '../../etc/passwd' }, 'UNKNOWN_INCIDENT'],
    ['explain', { decision: "'; DROP TABLE decision; --" }, 'NOT_FOUND'],
    ['decisions', { id: 'none' }, 'NOT_FOUND'],
    ['decisions', { limit: 0 }, 'BAD_INPUT'],
    ['decisions', { from: 2, to: 1 }, 'BAD_INPUT'],
    ['timeline', { from: 'x' }, 'BAD_INPUT'],
    ['timeline', { limit: 1e9 }, 'BAD_INPUT'],
    ['trust', { id: 'nobody' }, 'NOT_FOUND'],
    ['components', { id: 'nobody' }, 'NOT_FOUND'],
    ['register', { id: 'A b', version: '1' }, 'BAD_INPUT'],
    ['register', { id: 'a', version: '1', needs: ['a'] }, 'BAD_INPUT'],
    ['register', { id: 'a', version: '1', manifest: circle }, 'BAD_INPUT'],
    ['register', { id: 'a', version: '1', manifest: { long: 'x'.repeat(9000) } }, 'TOO_LARGE'],
    ['handshake', { id: 'nobody', version: '1' }, 'NOT_FOUND'],
    ['withdraw', {}, 'BAD_INPUT'],
    ['status', { x: 1 }, 'BAD_INPUT'],
  ];
  test('to any verb is refused with a code and changes nothing', () =>
    withClarity(async ({ call }) => {
      const hostile = 'a "quoted" \u0000 \u001b[31m \ud800 <script>';
      const { id } = await call('record', { what: hostile, key: 'first' });
      for (const [verb, input, code] of cases) {
        await assert.rejects(
          call(verb, input),
          { code },
          `${verb} ${String(JSON.stringify(input === circle ? 'circle' : Object.keys(Object(input))))}`,
        );
      }
      const { decisions } = await call<{ decisions: { id: string; what: string }[] }>('decisions');
      assert.deepEqual(
        decisions.map((one) => [one.id, one.what]),
        [[id, hostile]],
      );
      assert.equal((await call<{ components: number }>('status')).components, 0);
    }));
});

test('what the access rules do not grant is denied', async () => {
  const file = fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url));
  const rig = await rigKernels(
    [answering('immutable_log', { read: () => ({ entries: [] }), append: () => ({}) }), kernel],
    {
      acl: parseAcl(readFileSync(file, 'utf8'), 'configs/acl.yaml'),
    },
  );
  try {
    const client = rig.bus(ID);
    await client.request('kernel.immutable_log.call.read', {});
    for (const subject of [
      'kernel.immutable_log.call.append',
      'task.x',
      'incident.x',
      'audit.governance',
      'system.events.kernel.ready',
    ])
      await assert.rejects(client.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
    for (const pattern of ['audit.>', 'task.>', 'kernel.secret_manager.>'])
      await assert.rejects(
        client.subscribe(pattern, () => {}),
        { code: 'BUS_DENIED' },
        pattern,
      );
  } finally {
    await rig.close();
  }
});
