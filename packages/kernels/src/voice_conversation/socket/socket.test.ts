import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import fc from 'fast-check';
import { type Bench, Client, ID, librarian, stream, withVoice } from '../fixtures/bench.ts';
import { hasEspeak, noisy, samplesIn, speech, timeline, tone } from '../fixtures/sounds.ts';
import { openSpeechServer } from '../fixtures/speech-server.ts';
import { CLOSE, closeReason, readMessage } from './messages.ts';

interface Opened {
  session: string;
  token: string;
  url: string;
}

const openSpoken = ({ call }: Bench): Promise<Opened> => call<Opened>('open', { mode: 'spoken' });

describe('a session over a WebSocket', () => {
  test('hears sentences in noise, has them transcribed over HTTP, answers from live status, and speaks the answer', {
    skip: hasEspeak ? false : 'espeak-ng is not installed, so there is no speech to hear',
  }, async () => {
    const server = await openSpeechServer();
    const shelf = librarian();
    try {
      const texts = ['How is the librarian?', 'What are you working on today, and who is there to help you?'];
      const line = timeline(
        texts.map((text) => speech(text)),
        [600, 1000, 900],
      );
      server.sentences = line.parts.map(({ startMs, endMs }, i) => ({ ms: endMs - startMs + 400, text: texts[i]! }));
      await withVoice(
        async (bench) => {
          const { url, token, session } = await openSpoken(bench);
          const client = new Client(url, token);
          const ready = await client.hello({ audio: { format: 'pcm16le', rate: 16_000, channels: 1 }, speak: true });
          assert.deepEqual([ready.session, ready.last, ready.stt, ready.tts], [session, 0, true, true]);
          stream(client, noisy(line, 'pink', 20));
          await client.next('answer', 2);
          assert.deepEqual(
            client.of('accepted').map(({ turn, kind }) => [turn, kind]),
            [
              [1, 'spoken'],
              [2, 'spoken'],
            ],
          );
          for (const [i, { startMs, endMs }] of client.of('accepted').entries()) {
            assert.ok(Math.abs(startMs! - line.parts[i]!.startMs) < 200, `${i} begins at ${startMs}`);
            assert.ok(Math.abs(endMs! - line.parts[i]!.endMs) < 200, `${i} ends at ${endMs}`);
          }
          const [first, second] = client.of('answer');
          assert.deepEqual([first!.text, first!.answer], [texts[0], 'librarian answers: documents 3.']);
          assert.equal(second!.text, texts[1]);
          await client.next('speech-end', 2);
          const [speaks] = client.of('speech');
          assert.equal(speaks!.bytes, samplesIn(600) * 2, 'the endpoint has spoken');
          assert.equal(
            client.audio.reduce((sum, part) => sum + part.length, 0),
            client.of('speech').reduce((sum, { bytes }) => sum + bytes, 0),
          );
          assert.equal(server.received.find(({ input }) => input !== null)!.input, 'librarian answers: documents 3.');
          server.behaviour = 'failing';
          client.send({ type: 'say', text: 'how is the librarian?' });
          assert.match((await client.next('speech-end', 3)).error!, /VOICE_PROVIDER/);
          client.end();
        },
        { config: { stt: { url: server.stt }, tts: { url: server.tts } }, others: [shelf.definition] },
      );
    } finally {
      await server.close();
    }
  });

  test('says typed turns, in order, each once whoever says it again, and hands out what came after the last one seen', () =>
    withVoice(
      async (bench) => {
        const { url, token } = await openSpoken(bench);
        const first = new Client(url, token, { how: 'protocol' });
        await first.hello();
        for (const n of [1, 2, 3]) first.send({ type: 'say', id: `t${n}`, text: 'how is the librarian?' });
        first.send({ type: 'say', id: 't1', text: 'how is the librarian?' });
        first.send({ type: 'say', id: 't1', text: 'something else' });
        await first.next('answer', 3);
        assert.match((await first.next('error')).message, /has another text/);
        assert.deepEqual([...new Set(first.of('answer').map(({ id }) => id))], ['t1', 't2', 't3']);
        first.end();
        const second = new Client(url, token);
        assert.equal((await second.hello({ from: 1 })).last, 3);
        await second.next('answer', 2);
        assert.deepEqual(
          second.of('answer').map(({ turn, id }) => [turn, id]),
          [
            [2, 't2'],
            [3, 't3'],
          ],
        );
        second.send({ type: 'transcript', from: 3 });
        assert.equal((await second.next('transcript')).turns.length, 1);
        // The session has one connection: whoever comes last has it.
        const third = new Client(url, token);
        await third.hello();
        assert.equal((await second.ended()).code, CLOSE.elsewhere);
        third.send({ type: 'close' });
        assert.equal((await third.ended()).code, CLOSE.closed);
        const late = new Client(url, token);
        await poll('it to be refused', () => late.refused);
        assert.equal(late.refused, 401, 'the token ends with its session');
      },
      { others: [librarian().definition] },
    ));

  test('ends an utterance where its client says that no more audio comes, and says it when it is cut off', () =>
    withVoice(async (bench) => {
      const { url, token, session } = await openSpoken(bench);
      const client = new Client(url, token);
      await client.hello();
      stream(client, timeline([tone(500, 440, 8000)], [400, 0]).samples);
      client.send({ type: 'end' });
      const answer = await client.next('answer');
      assert.deepEqual([answer.state, (await client.next('accepted')).cut], ['unheard', 'end']);
      await bench.call('close', { session });
      assert.deepEqual(await client.ended(), { code: CLOSE.closed, reason: 'closed by test' });
    }));

  test('of which nobody has made use for its time is closed', () =>
    withVoice(
      async (bench) => {
        const { url, token, session } = await openSpoken(bench);
        const store = createStore(bench.rig.stateDir(ID));
        const used = (ms: number): void => void store.db.prepare('UPDATE sessions SET used_ms = ?').run(ms);
        used(Date.now() + 3_600_000);
        const client = new Client(url, token);
        await client.hello();
        used(0);
        store.close();
        assert.equal((await client.ended()).code, CLOSE.closed);
        assert.equal(await bench.code('say', { session, text: 'help' }), 'CONFLICT');
      },
      { config: { times: { idleMs: 1000 } } },
    ));
});

describe('who comes in', () => {
  test('has the token of this session, comes from an origin that may, and asks for the right path', () =>
    withVoice(
      async (bench) => {
        const one = await openSpoken(bench);
        const other = await openSpoken(bench);
        const flipped = `${one.token.slice(0, -2)}${one.token.endsWith('AA') ? 'BB' : 'AA'}`;
        const crossed = `${one.session}.${other.token.split('.')[1]}`;
        for (const [token, options, status] of [
          ['', {}, 401],
          ['x', {}, 401],
          [flipped, {}, 401],
          [crossed, {}, 401],
          [one.session, {}, 401],
          ['a'.repeat(5000), {}, 401],
          [one.token, { origin: 'https://evil.example' }, 403],
          [one.token, { origin: 'null' }, 403],
        ] as const) {
          const client = new Client(one.url, token, options);
          await poll('it to be refused', () => client.refused);
          assert.equal(client.refused, status, token.slice(0, 60));
        }
        const lost = new Client(one.url.replace('/session', '/elsewhere'), one.token);
        await poll('it to be refused', () => lost.refused);
        assert.equal(lost.refused, 404);
        const page = new Client(one.url, one.token, { how: 'protocol', origin: 'http://127.0.0.1:9' });
        await page.hello();
        assert.equal((await bench.call<{ sockets: number }>('status')).sockets, 1);
        const typed = await bench.call<Record<string, unknown>>('open', { mode: 'typed' });
        assert.equal('token' in typed, false, 'who needs no socket gets no token');
        page.end();
      },
      { config: { origins: ['http://127.0.0.1:9'] } },
    ));

  test('finds no more sessions than may be, and a place again when one is closed', () =>
    withVoice(
      async (bench) => {
        const { session } = await openSpoken(bench);
        await openSpoken(bench);
        assert.equal(await bench.code('open', { mode: 'spoken' }), 'VOICE_FULL');
        await bench.call('close', { session });
        assert.equal(await bench.code('open', { mode: 'spoken' }), 'ok');
      },
      { config: { limits: { sessions: 2 } } },
    ));
});

describe('frames', () => {
  const hostile: [string, (client: Client) => void, number][] = [
    ['text that is no JSON', (client) => client.send('hello'), CLOSE.malformed],
    ['a list', (client) => client.send('[]'), CLOSE.malformed],
    ['an unknown type', (client) => client.send({ type: 'helo' }), CLOSE.malformed],
    ['an unknown field', (client) => client.send({ type: 'end', now: true }), CLOSE.malformed],
    [
      'another rate',
      (client) => client.send({ type: 'hello', audio: { format: 'pcm16le', rate: 8000, channels: 1 } }),
      CLOSE.malformed,
    ],
    ['half a sample', (client) => client.socket.send(Buffer.alloc(3)), CLOSE.malformed],
    ['a frame that is too large', (client) => client.socket.send(Buffer.alloc(70_000)), 1009],
    [
      'more audio than may come',
      (client) => {
        for (let i = 0; i < 40; i++) client.socket.send(Buffer.alloc(60_000));
      },
      CLOSE.tooMuch,
    ],
  ];

  test('that are malformed or too much close their connection with a code and a reason; the session goes on', () =>
    withVoice(
      async (bench) => {
        const { url, token } = await openSpoken(bench);
        for (const [what, send, code] of hostile) {
          const client = new Client(url, token);
          await client.hello();
          send(client);
          const ended = await client.ended();
          assert.equal(ended.code, code, `${what}: ${ended.reason}`);
          if (code >= 4000) assert.ok(ended.reason.length > 0, what);
        }
        const client = new Client(url, token);
        await client.hello();
        client.send({ type: 'say', text: 'what time is it' });
        assert.equal((await client.next('answer')).intent, 'clock');
        client.end();
      },
      { config: { limits: { aheadMs: 30_000 } } },
    ));

  test('before hello close the connection', () =>
    withVoice(async (bench) => {
      const { url, token } = await openSpoken(bench);
      const early = new Client(url, token);
      await poll('it to be open', () => early.socket.readyState === 1);
      early.send({ type: 'say', text: 'help' });
      assert.equal((await early.ended()).code, CLOSE.malformed);
    }));

  test('that never come close it too', () =>
    withVoice(
      async (bench) => {
        const { url, token } = await openSpoken(bench);
        assert.equal((await new Client(url, token).ended()).code, CLOSE.noHello);
      },
      { config: { times: { helloMs: 200 } } },
    ));

  test('that break the protocol of WebSockets, or HTTP itself, end their connection and nothing else', () =>
    withVoice(async (bench) => {
      const { url, token } = await openSpoken(bench);
      const { hostname, port } = new URL(url);
      const upgrade = `GET /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${token}\r\n\r\n`;
      for (const bytes of [
        Buffer.from('\0\xff nonsense\r\n\r\n', 'latin1'),
        Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
        Buffer.from(`GET /session HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`),
        // Not masked; reserved bits; a text that is not UTF-8; a fragment without a beginning; a control frame that is too long.
        Buffer.concat([Buffer.from(upgrade), Buffer.from([0x81, 0x02, 0x68, 0x69])]),
        Buffer.concat([Buffer.from(upgrade), Buffer.from([0xf1, 0x80, 0, 0, 0, 0])]),
        Buffer.concat([Buffer.from(upgrade), Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28])]),
        Buffer.concat([Buffer.from(upgrade), Buffer.from([0x80, 0x80, 0, 0, 0, 0])]),
        Buffer.concat([Buffer.from(upgrade), Buffer.from([0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0])]),
      ]) {
        const socket = connect({ host: hostname, port: Number(port) });
        let isClosed = false;
        socket.on('error', () => {});
        socket.on('close', () => {
          isClosed = true;
        });
        socket.resume();
        socket.write(bytes);
        await poll(`the connection to be closed after ${bytes.subarray(0, 10)}`, () => isClosed, {
          deadlineMs: 40_000,
        });
      }
      const client = new Client(url, token);
      await client.hello();
      client.end();
      await bench.rig.probe(ID);
    }));

  test('that nobody reads are bounded: the reader is cut off, and its turns are on disk', () =>
    withVoice(
      async (bench) => {
        const { url, token, session } = await openSpoken(bench);
        const client = new Client(url, token);
        await client.hello();
        for (let n = 0; n < 150; n++) await bench.call('say', { session, text: 'help' });
        client.socket.pause();
        let asked = 0;
        while (!client.closed && asked++ < 3000 && client.socket.readyState === 1) {
          client.send({ type: 'transcript', limit: 200 });
          if (asked % 50 === 0 && (await bench.call<{ sockets: number }>('status')).sockets === 0) break;
        }
        await poll(
          'the reader to be cut off',
          async () => (await bench.call<{ sockets: number }>('status')).sockets === 0,
          { deadlineMs: 40_000 },
        );
        client.end();
        assert.equal((await bench.call<{ turns: unknown[] }>('transcript', { session, from: 150 })).turns.length, 1);
      },
      { config: { limits: { unreadBytes: 16 * 1024 } } },
    ));

  test('of whatever kind are messages or refused with a code, never worse', () => {
    const known = fc.record(
      {
        type: fc.constantFrom('hello', 'say', 'end', 'transcript', 'close', 'x'),
        text: fc.oneof(fc.string(), fc.integer()),
        id: fc.oneof(fc.string(), fc.constant(null)),
        from: fc.oneof(fc.integer(), fc.double()),
        limit: fc.anything(),
        audio: fc.anything(),
        speak: fc.anything(),
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          known.map((one) => JSON.stringify(one)),
        ),
        (data) => {
          try {
            assert.ok(['hello', 'say', 'end', 'transcript', 'close'].includes(readMessage(data).type));
          } catch (error) {
            assert.ok(error instanceof GraceError && error.code === 'BAD_INPUT', String(error));
            assert.ok(Buffer.byteLength(closeReason(error.message)) <= 123);
          }
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        (text) => void assert.ok(Buffer.byteLength(closeReason(text)) <= 123),
      ),
    );
  });
});
