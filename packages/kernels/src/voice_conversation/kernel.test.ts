import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, Server } from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAcl } from '@grace/contracts/config';
import { createStore, defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { poll, rigKernels } from '@grace/testkit';
import fc from 'fast-check';
import { bytesOf } from './audio/pcm.ts';
import { ID, librarian, withVoice } from './fixtures/bench.ts';
import { timeline, tone } from './fixtures/sounds.ts';
import kernel from './kernel.ts';
import type { Turn } from './sessions/turn.ts';
import { readSettings } from './settings.ts';

interface Opened {
  session: string;
  token: string;
  url: string;
}

const BURSTS = timeline([tone(400, 440, 8000), tone(500, 700, 8000)], [400, 900, 800]).samples;
const audio = (samples: Int16Array): string => bytesOf(samples).toString('base64');

describe('verbs', () => {
  test('open a session, answer what is typed in it, tell it again, and close it', () => {
    const shelf = librarian();
    return withVoice(
      async ({ call, code, rig }) => {
        const { session } = await call<Opened>('open', { mode: 'typed', language: 'de-AT' });
        const said = await call('say', { session, text: '  How is the\nlibrarian? ', key: 'k1' });
        assert.deepEqual(
          [said['turn'], said['intent'], said['answer']],
          [1, 'kernel_status', 'librarian answers: documents 3.'],
        );
        shelf.documents = 4;
        assert.equal(
          (await call('say', { session, text: 'how is the librarian?' }))['answer'],
          'librarian answers: documents 4.',
        );
        assert.deepEqual(
          await call('say', { session, text: 'How is the librarian?', key: 'k1' }),
          said,
          'the same key is the same turn',
        );
        assert.equal(shelf.asked, 2);
        assert.equal(await code('say', { session, text: 'something else', key: 'k1' }), 'CONFLICT');
        assert.equal(
          (await call('say', { session, text: 'say that again' }))['answer'],
          'librarian answers: documents 4.',
        );
        const { turns, more } = await call<{ turns: Turn[]; more: boolean }>('transcript', { session, limit: 2 });
        assert.deepEqual(
          [turns.map(({ text }) => text), more],
          [['How is the librarian?', 'how is the librarian?'], true],
        );
        assert.equal((await call<{ turns: Turn[] }>('transcript', { session, from: 3 })).turns.length, 1);
        assert.equal(await code('hear', { session, pcm16: '' }), 'CONFLICT', 'it was opened as typed');
        assert.deepEqual(await call('close', { session }), { session, closed: true });
        assert.deepEqual(await call('close', { session }), { session, closed: false });
        assert.equal(await code('say', { session, text: 'help' }), 'CONFLICT');
        assert.equal(
          (await call<{ turns: Turn[] }>('transcript', { session })).turns.length,
          3,
          'what was said is kept',
        );
        await assert.rejects(rig.call(ID, 'transcript', { session: `${session.slice(0, -1)}` }), { code: 'NOT_FOUND' });
      },
      { others: [shelf.definition] },
    );
  });

  test('hear audio in pieces, and tell of each utterance once', () =>
    withVoice(async ({ call, code }) => {
      const { session } = await call<Opened>('open', { mode: 'spoken', socket: false });
      const heard: Turn[] = [];
      for (let at = 0; at < BURSTS.length; at += 7000) {
        const { utterances } = await call<{ utterances: Turn[] }>('hear', {
          session,
          pcm16: audio(BURSTS.slice(at, at + 7000)),
        });
        heard.push(...utterances);
      }
      assert.deepEqual(
        heard.map(({ turn, state }) => [turn, state]),
        [
          [1, 'unheard'],
          [2, 'unheard'],
        ],
      );
      for (const [i, ms] of [400, 1700].entries()) assert.ok(Math.abs(heard[i]!.startMs! - ms) < 48);
      const { takenMs, speaking } = await call<{ takenMs: number; speaking: boolean }>('hear', {
        session,
        pcm16: '',
        final: true,
      });
      assert.deepEqual([takenMs, speaking], [3000, false]);
      assert.equal(await code('hear', { session, pcm16: 'AAAA' }), 'BAD_INPUT', 'half a sample');
      assert.equal(await code('hear', { session, pcm16: 'ÄÖ==' }), 'BAD_INPUT');
      assert.equal(await code('hear', { session, pcm16: 'A'.repeat(640_004) }), 'BAD_INPUT');
    }));

  test('refuse what is no input with a code, and lose nothing by it', () =>
    withVoice(async ({ call, code }) => {
      const { session } = await call<Opened>('open', { mode: 'typed' });
      const circle: Record<string, unknown> = { session };
      circle['text'] = circle;
      for (const [verb, input] of [
        ['open', {}],
        ['open', { mode: 'sung' }],
        ['open', { mode: 'typed', language: '-v/etc/passwd' }],
        ['open', { mode: 'typed', language: '../../de' }],
        ['open', { mode: 'typed', sesion: 1 }],
        ['say', { session }],
        ['say', { session, text: '' }],
        ['say', { session, text: ' \n\0 ' }],
        ['say', { session, text: 'x'.repeat(2001) }],
        ['say', { session, text: ['help'] }],
        ['say', { session, text: 'help', key: 'a b' }],
        ['say', circle],
        ['hear', { session, pcm16: 3 }],
        ['transcript', { session, limit: 0 }],
        ['transcript', { session, from: 1.5 }],
        ['intents', { text: 5 }],
        ['status', { x: 1 }],
        ['close', null],
        ['close', []],
      ] as const)
        assert.equal(await code(verb, input), 'BAD_INPUT', `${verb} ${Object.keys(input ?? {})}`);
      for (const unknown of ['vs-000000000000', "' OR 1=1 --", '../x', '__proto__', '\0'])
        assert.equal(await code('say', { session: unknown, text: 'help' }), 'NOT_FOUND', unknown);
      for (const text of [
        "'); DROP TABLE turns; --",
        '\u202e\ud800<script>',
        '{{constructor}}',
        'how is __proto__?',
        'how is constructor',
      ])
        assert.equal((await call('say', { session, text }))['state'], 'answered', text);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('open', 'say', 'hear', 'transcript', 'close', 'intents'),
          fc.object({ maxDepth: 1 }),
          async (verb, input) => {
            assert.ok(['BAD_INPUT', 'ok'].includes(await code(verb, input)));
          },
        ),
        { numRuns: 100 },
      );
      assert.equal((await call('say', { session, text: 'what time is it' }))['intent'], 'clock');
    }));

  test('are for whoever opened the session, and for operators', () =>
    withVoice(async ({ call, rig }) => {
      const { session } = await call<Opened>('open', { mode: 'typed' });
      const stranger = rig.bus('stranger');
      for (const [verb, input] of [
        ['say', { session, text: 'help' }],
        ['hear', { session, pcm16: '' }],
        ['transcript', { session }],
        ['close', { session }],
      ] as const)
        await assert.rejects(stranger.request(`kernel.${ID}.call.${verb}`, input), { code: 'FORBIDDEN' }, verb);
      await rig.bus('cli').request(`kernel.${ID}.call.transcript`, { session });
    }));

  test('list intents, and say what would be understood without asking anybody', () => {
    const shelf = librarian();
    return withVoice(
      async ({ call }) => {
        const intents = await call<{ id: string; reads: string[] }[]>('intents');
        assert.ok(intents.some(({ id, reads }) => id === 'today' && reads.includes('clarity_framework.timeline')));
        const found = await call('intents', { text: 'how is the librarian?' });
        assert.deepEqual([found['intent'], found['slots']], ['kernel_status', { kernel: ['the', 'librarian'] }]);
        assert.equal((await call('intents', { text: 'xyzzy' }))['intent'], null);
        assert.equal(shelf.asked, 0);
      },
      { others: [shelf.definition] },
    );
  });

  test('answer with the turn as it stands when the caller has no more time, and it ends all the same', async () => {
    const shelf = librarian();
    const held = Promise.withResolvers<void>();
    shelf.hold = held.promise;
    await withVoice(
      async ({ call, code, rig }) => {
        const { session } = await call<Opened>('open', { mode: 'typed' });
        const early = (await rig.call(ID, 'say', { session, text: 'how is the librarian?' }, 400)) as Turn;
        assert.deepEqual([early.state, early.answer], ['accepted', null]);
        await rig.call(ID, 'say', { session, text: 'help' }, 201);
        assert.equal(await code('say', { session, text: 'help' }), 'VOICE_FULL', 'two wait already');
        held.resolve();
        const { turns } = await poll('both to end', async () => {
          const found = await call<{ turns: Turn[] }>('transcript', { session });
          return found.turns.every(({ state }) => state === 'answered') && found;
        });
        assert.deepEqual(
          turns.map(({ intent }) => intent),
          ['kernel_status', 'help'],
        );
      },
      { others: [shelf.definition], config: { limits: { waiting: 2 }, times: { callMs: 20_000 } } },
    );
  });
});

describe('intents of grace.yaml', () => {
  const intents = [
    { id: 'weather', phrases: ['how is the weather [in {rest}]'], kernel: 'librarian', verb: 'status', input: {} },
  ];
  const governance = (outcome: string): KernelDefinition =>
    defineKernel({
      id: 'governance',
      start: () => ({
        verbs: {
          decide: ({ resource }: { resource: string }) => ({
            ...{ id: 'dec-1', policies: ['p'] },
            ...{ outcome, reason: `because of ${resource}` },
          }),
        },
        probe: () => ({}),
      }),
    });

  for (const [outcome, answer] of [
    ['permit', /^librarian answers: documents 3/],
    ['forbid', /^librarian\.status is not called: forbid: because of librarian\.status/],
  ] as const)
    test(`go through governance: ${outcome}`, () =>
      withVoice(
        async ({ call }) => {
          const { session } = await call<Opened>('open', { mode: 'typed' });
          assert.match(String((await call('say', { session, text: 'How is the weather in Graz?' }))['answer']), answer);
        },
        { others: [librarian().definition, governance(outcome)], config: { intents } },
      ));

  test('do nothing when governance cannot be asked', () => {
    const shelf = librarian();
    return withVoice(
      async ({ call }) => {
        const { session } = await call<Opened>('open', { mode: 'typed' });
        assert.match(
          String((await call('say', { session, text: 'how is the weather' }))['answer']),
          /GOVERNANCE_UNREACHABLE/,
        );
        assert.equal(shelf.asked, 0);
      },
      { others: [shelf.definition], config: { intents } },
    );
  });
});

test('settings that are wrong are refused, with their key', () => {
  for (const [config, what] of [
    [{ stt: { url: 'file:///etc/passwd' } }, /stt\.url/],
    [{ stt: { url: 'http://me:pass@host/' } }, /stt\.url/],
    [{ stt: { url: 'http://host/', key: { env: 'A', secret: 'B' } } }, /stt\.key/],
    [{ listen: { host: '0.0.0.0' } }, /listen\.host/],
    [{ origins: ['http://a/b'] }, /origins/],
    [{ limits: { session: 1 } }, /sessions/],
    [{ cut: { padMs: 900 } }, /padMs/],
    [{ intents: [{ id: 'a', phrases: ['('], kernel: 'a', verb: 'b' }] }, /not closed/],
    [{ intents: [{ id: 'a', phrases: ['x'], kernel: 'a.b', verb: 'b' }] }, /kernel/],
  ] as const)
    assert.throws(() => readSettings({ config }), { code: 'CONFIG_INVALID', message: what }, JSON.stringify(config));
});

describe('the functional probe', () => {
  test('cuts a burst, asks for the live status, and says whether the door is open', () =>
    withVoice(async ({ call, rig }) => {
      const first = await rig.probe(ID);
      assert.match(String(first['answer']), /^voice_conversation answers: probes 1, sessions 0/);
      assert.equal(first['door'], 'not asked for');
      await call('open', { mode: 'spoken' });
      const second = await rig.probe(ID);
      assert.match(String(second['answer']), /probes 2, sessions 1/);
      assert.match(String(second['door']), /^refuses strangers at 127\.0\.0\.1:/);
      assert.deepEqual(
        await call('status').then(({ turns, sessions }) => [turns, sessions]),
        [{}, 1],
        'it leaves nothing behind',
      );
    }));

  for (const [what, config, says] of [
    ['hears nothing', { cut: { aboveNoiseDb: 60, quietDbfs: -1 } }, /cut into 0 utterances/],
    ['takes a burst for a click', { cut: { minUtteranceMs: 1500 } }, /cut into 0 utterances/],
    [
      'understands something else',
      { intents: [{ id: 'x', phrases: ['how is {rest}'], kernel: 'librarian', verb: 'status' }] },
      /understood as x/,
    ],
  ] as const)
    test(`fails when the kernel ${what}`, () =>
      withVoice(({ rig }) => assert.rejects(rig.probe(ID), { message: says }), { config }));

  test('fails when its tables are gone, and when the intents it answers by are', () =>
    withVoice(async ({ rig }) => {
      const db = createStore(rig.stateDir(ID));
      db.db.exec('DROP TABLE turns');
      db.close();
      await assert.rejects(rig.probe(ID), /no such table|does not do its job/);
    }));

  test('fails when its server was closed under it, and the next life listens again', async () => {
    const { listen } = Server.prototype;
    const servers: Server[] = [];
    Server.prototype.listen = function (this: Server, ...args: Parameters<typeof listen>) {
      servers.push(this);
      return listen.apply(this, args);
    } as typeof listen;
    try {
      await withVoice(async ({ call, rig, restart }) => {
        await call('open', { mode: 'spoken' });
        await rig.probe(ID);
        for (const server of servers) server.close();
        await assert.rejects(rig.probe(ID), /cannot be reached/);
        await restart();
        assert.match(String((await rig.probe(ID))['door']), /refuses strangers/);
      });
    } finally {
      Server.prototype.listen = listen;
    }
  });

  test('fails while clients are waited for at an address that somebody else has', async () => {
    const thief = createServer((socket) => socket.end('220 mail\r\n'));
    thief.listen(0, '127.0.0.1');
    await once(thief, 'listening');
    const { port } = thief.address() as AddressInfo;
    await withVoice(
      async ({ call, code, rig }) => {
        assert.equal(await code('open', { mode: 'spoken' }), 'VOICE_LISTEN');
        assert.equal(
          (await call<{ sessions: number }>('status')).sessions,
          0,
          'nobody has a token for a door that is not there',
        );
        await call('open', { mode: 'typed' });
        await rig.probe(ID);
        const store = createStore(rig.stateDir(ID));
        store.db.exec('UPDATE sessions SET socket = 1');
        store.close();
        await assert.rejects(rig.probe(ID), { code: 'VOICE_LISTEN' });
        thief.close();
        await once(thief, 'close');
        assert.match(String((await rig.probe(ID))['door']), /refuses strangers/);
      },
      { config: { listen: { port } } },
    );
  });
});

test('what the access rules do not grant is denied', async () => {
  const file = fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url));
  const rig = await rigKernels([librarian().definition, kernel], {
    acl: parseAcl(readFileSync(file, 'utf8'), 'configs/acl.yaml'),
    config: { [ID]: { kernels: ['librarian'], tts: 'off' } },
  });
  try {
    const { session } = (await rig.call(ID, 'open', { mode: 'typed' })) as Opened;
    assert.equal(
      ((await rig.call(ID, 'say', { session, text: 'how is the librarian?' })) as Turn).answer,
      'librarian answers: documents 3.',
    );
    const client = rig.bus(ID);
    for (const subject of [
      'kernel.librarian.call.ingest',
      'kernel.secret_manager.call.get',
      'kernel.message_bus.call.mute',
      'task.x',
      'audit.governance',
      'incident.x',
    ])
      await assert.rejects(client.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
    for (const pattern of ['audit.>', 'system.events.>', 'kernel.librarian.>'])
      await assert.rejects(
        client.subscribe(pattern, () => {}),
        { code: 'BUS_DENIED' },
        pattern,
      );
  } finally {
    await rig.close();
  }
});
