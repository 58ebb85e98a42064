import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { bytesOf } from '../audio/pcm.ts';
import { type Bench, ID, librarian, withVoice } from '../fixtures/bench.ts';
import { hasEspeak, rmsOf, speech, timeline, tone } from '../fixtures/sounds.ts';
import { type Behaviour, openSpeechServer, type SpeechServer } from '../fixtures/speech-server.ts';
import type { Turn } from '../sessions/turn.ts';
import { createEspeak } from './espeak.ts';
import type { Exchange } from './exchange-book.ts';

const KEY = 'sk-canary-0123456789abcdef';
const burst = (ms = 1000): string => bytesOf(timeline([tone(ms, 440, 8000)], [400, 700]).samples).toString('base64');

async function withServer(
  work: (bench: Bench, server: SpeechServer) => Promise<void>,
  config: (server: SpeechServer) => Record<string, unknown> = ({ stt }) => ({
    stt: { url: stt, key: { env: 'VOICE_TEST_KEY' } },
  }),
  others = [librarian().definition],
): Promise<void> {
  const server = await openSpeechServer();
  process.env['VOICE_TEST_KEY'] = KEY;
  try {
    await withVoice((bench) => work(bench, server), { config: config(server), others });
  } finally {
    delete process.env['VOICE_TEST_KEY'];
    await server.close();
  }
}

const hear = async ({ call }: Bench, session: string, pcm16 = burst()): Promise<Turn> => {
  const { utterances } = await call<{ utterances: Turn[] }>('hear', { session, pcm16, final: true });
  assert.equal(utterances.length, 1);
  return utterances[0]!;
};
const open = async ({ call }: Bench): Promise<string> =>
  (await call<{ session: string }>('open', { mode: 'spoken', socket: false })).session;
const exchangesOf = async ({ call }: Bench, session: string): Promise<Exchange[]> =>
  (await call<{ exchanges: Exchange[] }>('transcript', { session, exchanges: true })).exchanges;

describe('speech-to-text over a real endpoint', () => {
  test('hears which sentence it was, and the answer is from live status', () =>
    withServer(async (bench, server) => {
      server.sentences = [
        { ms: 900, text: ' How is the librarian? ' },
        { ms: 2400, text: 'what time is it' },
      ];
      const session = await open(bench);
      const turn = await hear(bench, session);
      assert.deepEqual([turn.state, turn.text, turn.intent], ['answered', 'How is the librarian?', 'kernel_status']);
      assert.equal(turn.answer, 'librarian answers: documents 3.');
      assert.equal((await hear(bench, session, burst(2000))).intent, 'clock');
      const [first] = server.received;
      assert.deepEqual([first!.authorization, first!.model, first!.language], [`Bearer ${KEY}`, 'whisper-1', 'en']);
      // The utterance with 200 ms around it.
      assert.ok(Math.abs(first!.audioMs! - 1400) < 100, `${first!.audioMs} ms`);
      const [last] = await exchangesOf(bench, session);
      assert.deepEqual([last!.kind, last!.state, last!.status, last!.said], ['stt', 'ok', 200, 'what time is it']);
      assert.equal(
        bench.rig.logs.some((line) => JSON.stringify(line).includes(KEY)),
        false,
      );
    }));

  test('of which there is none is told, and the utterance is kept as what it was: times and a fingerprint', () =>
    withVoice(async (bench) => {
      const session = await open(bench);
      const turn = await hear(bench, session);
      assert.equal(turn.state, 'unheard');
      assert.match(turn.answer!, /No speech-to-text is configured/);
      const { turns } = await bench.call<{ turns: Turn[] }>('transcript', { session });
      assert.match(turns[0]!.audioSha256!, /^[0-9a-f]{64}$/);
      assert.ok(Math.abs(turns[0]!.startMs! - 400) < 64 && Math.abs(turns[0]!.endMs! - 1400) < 64);
    }));

  for (const [behaviour, state, code] of [
    ['slow', 'failed', 'DEADLINE'],
    ['failing', 'failed', 'VOICE_PROVIDER'],
    ['nonsense', 'failed', 'VOICE_PROVIDER'],
    ['no text', 'failed', 'VOICE_PROVIDER'],
    ['redirecting', 'failed', 'VOICE_PROVIDER'],
    ['hanging up', 'failed', 'VOICE_PROVIDER'],
    ['endless', 'failed', 'VOICE_PROVIDER'],
    ['empty', 'unheard', null],
  ] satisfies [Behaviour, string, string | null][]) {
    test(`that is ${behaviour} ends the turn as ${state}, on record, and the next one is served`, () =>
      withServer(
        async (bench, server) => {
          server.behaviour = behaviour;
          const session = await open(bench);
          const turn = await hear(bench, session);
          assert.equal(turn.state, state);
          if (code !== null) {
            assert.ok(turn.error!.startsWith(`${code}: `), turn.error!);
            assert.match(turn.answer!, new RegExp(code));
          }
          assert.equal((await exchangesOf(bench, session))[0]!.state, code ?? 'ok');
          // With so short a deadline a busy machine could be too slow for the good one.
          if (behaviour === 'slow') return;
          server.behaviour = 'good';
          assert.equal((await hear(bench, session)).state, 'answered');
        },
        // Only who is slow is to meet its deadline.
        ({ stt }) => ({
          stt: { url: stt, key: { env: 'VOICE_TEST_KEY' }, deadlineMs: behaviour === 'slow' ? 300 : 30_000 },
        }),
      ));
  }

  test('that nobody serves, or whose key is not there, is told with its address or its name', async () => {
    const server = await openSpeechServer();
    await server.close();
    await withVoice(async (bench) => assert.match((await hear(bench, await open(bench))).error!, /ECONNREFUSED/), {
      config: { stt: { url: server.stt } },
    });
    await withVoice(async (bench) => assert.match((await hear(bench, await open(bench))).error!, /NO_SUCH_NAME/), {
      config: { stt: { url: server.stt, key: { env: 'NO_SUCH_NAME' } } },
    });
  });

  test('that says the key or puts it into an error leaves no trace of it: not in answers, the store or logs', () =>
    withServer(async (bench, server) => {
      const session = await open(bench);
      server.behaviour = 'failing';
      const failed = await hear(bench, session);
      server.behaviour = 'telling';
      const told = await hear(bench, session);
      assert.match(failed.error!, /500/);
      assert.match(told.text!, /the key is/);
      const shown = JSON.stringify([failed, told, await exchangesOf(bench, session), bench.rig.logs]);
      assert.equal(shown.includes(KEY), false);
      for (const file of ['store.sqlite', 'store.sqlite-wal'])
        assert.equal(readFileSync(join(bench.rig.stateDir(ID), file)).includes(KEY), false, file);
    }));

  test('with a key of the vault gets it over the bus for each request', async () => {
    let asked = 0;
    const vault = defineKernel({
      id: 'secret_manager',
      start: () => ({
        verbs: {
          get: ({ name }: { name: string }) => ({
            name,
            value: `${KEY}-${++asked}`,
            version: asked,
            lease: 'l',
            expires: '',
          }),
        },
        probe: () => ({}),
      }),
    });
    await withServer(
      async (bench, server) => {
        const session = await open(bench);
        await hear(bench, session);
        await hear(bench, session);
        assert.deepEqual(
          server.received.map(({ authorization }) => authorization),
          [`Bearer ${KEY}-1`, `Bearer ${KEY}-2`],
        );
      },
      ({ stt }) => ({ stt: { url: stt, key: { secret: 'speech' } } }),
      [vault, librarian().definition],
    );
  });

  test('beyond the budget is not asked, also not after a restart', () =>
    withServer(
      async (bench, server) => {
        await poll('an hour that does not end now', () => Date.now() % 3_600_000 < 3_590_000);
        const session = await open(bench);
        assert.equal((await hear(bench, session)).state, 'answered');
        assert.match((await hear(bench, session)).error!, /^VOICE_BUDGET: /);
        await bench.restart();
        assert.match((await hear(bench, session)).error!, /^VOICE_BUDGET: /);
        assert.equal(server.received.length, 1);
      },
      ({ stt }) => ({ stt: { url: stt }, budget: { audioMsPerHour: 1500 } }),
    ));
});

test('espeak-ng speaks, and ends with the kernel', {
  skip: hasEspeak ? false : 'espeak-ng is not installed',
}, async () => {
  const ending = new AbortController();
  const espeak = createEspeak({
    clean: (text) => text,
    run: async (_wish, _key, work) => (await work({}, ending.signal)).value,
  });
  const spoken = { session: 's', turn: 1, text: 'How is the librarian?', language: 'en' };
  const samples = await espeak.speak(spoken);
  assert.ok(rmsOf(samples) > 300, 'it can be heard');
  const off = samples.length / speech('How is the librarian?').length;
  assert.ok(off > 0.9 && off < 2, `it takes ${samples.length} samples`);
  await assert.rejects(espeak.speak({ ...spoken, language: 'xx-none' }), { code: 'VOICE_PROVIDER' });
  const long = espeak.speak({ ...spoken, text: 'librarian '.repeat(30_000) });
  ending.abort();
  await assert.rejects(long, { code: 'VOICE_PROVIDER' });
});
