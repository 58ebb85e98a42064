import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore, type KernelContext, type KernelDefinition } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { Client, ID, librarian, stream, withVoice } from '../fixtures/bench.ts';
import { timeline, tone } from '../fixtures/sounds.ts';
import { openSpeechServer } from '../fixtures/speech-server.ts';
import kernel from '../kernel.ts';
import { CLOSE } from '../socket/messages.ts';
import type { Turn } from './turn.ts';

interface Opened {
  session: string;
  token: string;
  url: string;
}

const BURSTS = timeline([tone(400, 440, 8000), tone(500, 700, 8000)], [400, 900, 800]).samples;

describe('what was accepted', () => {
  test('is there after a restart; sockets are told that it restarts, and their sessions go on at the same place', () => {
    const shelf = librarian();
    return withVoice(
      async ({ call, rig, restart }) => {
        const { session, token, url } = await call<Opened>('open', { mode: 'spoken' });
        const client = new Client(url, token);
        await client.hello();
        stream(client, BURSTS);
        await client.next('answer', 2);
        await restart();
        assert.equal((await client.ended()).code, CLOSE.restarting);
        const back = await poll(
          'the server to listen again',
          async () => (await call<{ url: string | null }>('status')).url,
        );
        const again = new Client(back, token);
        const ready = await again.hello({ from: 1 });
        assert.deepEqual(
          [ready.session, ready.last, ready.audioMs, (await again.next('answer')).turn],
          [session, 2, 3000, 2],
        );
        stream(again, BURSTS);
        assert.ok(Math.abs((await again.next('accepted')).startMs! - 3400) < 48, 'times count on');
        again.end();
        await rig.probe(ID);
      },
      { others: [shelf.definition] },
    );
  });

  test('before kill -9 in the middle of turns, is answered by the next life, and the client comes back by its token', async () => {
    const server = await openSpeechServer();
    server.behaviour = 'slow';
    const fixture = fileURLToPath(new URL('../fixtures/dies-in-a-turn.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture, server.stt], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let store: ReturnType<typeof createStore> | undefined;
    let home: string | undefined;
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const opened = JSON.parse(line.toString()) as Opened & { home: string };
      home = opened.home;
      const client = new Client(opened.url, opened.token);
      await client.hello();
      stream(client, BURSTS);
      await client.next('accepted', 2);
      await poll('the first to be with the provider', () => server.received.length === 1);
      client.send({ type: 'say', id: 'mine', text: 'how is the librarian?' });
      const promised = await client.next('accepted', 3);
      child.kill('SIGKILL');
      await ended;
      await client.ended();
      assert.equal(client.of('answer').length, 0, 'nothing was answered yet');

      server.behaviour = 'good';
      server.sentences = [
        { ms: 800, text: 'what time is it' },
        { ms: 900, text: 'help' },
      ];
      store = createStore(join(home, ID));
      const kept = store;
      const own: KernelDefinition = { id: ID, start: (ctx: KernelContext) => kernel.start({ ...ctx, store: kept }) };
      await withVoice(
        async ({ call, rig }) => {
          const url = await poll('it to listen', async () => (await call<{ url: string | null }>('status')).url);
          const back = new Client(url, opened.token);
          assert.equal((await back.hello({ from: 0 })).last, 3);
          await poll('all to be answered', () => new Set(back.of('answer').map(({ turn }) => turn)).size === 3, {
            deadlineMs: 40_000,
          });
          const of = (turn: number) => back.of('answer').find((one) => one.turn === turn)!;
          assert.deepEqual([of(1).text, of(2).text], ['what time is it', 'help'], 'from the audio that was kept');
          assert.deepEqual(
            [of(promised.turn).id, of(promised.turn).answer],
            ['mine', 'librarian answers: documents 3.'],
          );
          back.send({ type: 'say', id: 'mine', text: 'how is the librarian?' });
          await back.next('answer', back.of('answer').length + 1);
          assert.equal(
            (await call<{ turns: Turn[] }>('transcript', { session: opened.session })).turns.length,
            3,
            'said again, it is the same turn',
          );
          const left = kept.db.prepare('SELECT count(*) AS n FROM turns WHERE audio IS NOT NULL').get()!;
          assert.equal(left['n'], 0, 'no audio is left of what has ended');
          back.end();
          await rig.probe(ID);
        },
        { own, others: [librarian().definition], config: { stt: { url: server.stt } } },
      );
    } finally {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
      store?.close();
      await server.close();
      if (home) rmSync(home, { recursive: true, force: true });
    }
  });
});
