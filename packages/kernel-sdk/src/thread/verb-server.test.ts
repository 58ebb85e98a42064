import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { GraceError, type VerbAnswer } from '@grace/contracts';
import { openBed, verbsOf, within } from '../../test/bed.ts';
import { defineKernel } from '../kernel.ts';
import { serveVerbs } from './verb-server.ts';

const META = { from: 'test', deadlineMs: 5000 };

async function serve(t: TestContext) {
  const kernel = await openBed(t).host(
    defineKernel({
      id: 'mine',
      start: () => ({
        verbs: {
          echo: (input, meta) => ({ input, from: meta.from }),
          code: () => ({ run: () => 1 }),
          refuse: () => {
            throw new GraceError('NOT_FOUND', 'no such note', { note: 'a' });
          },
          refuseWithCode: () => {
            throw new GraceError('NOT_FOUND', 'no such note', { run: () => 1 });
          },
          text: () => {
            throw 'only words';
          },
          bare: () => {
            throw Object.create(null);
          },
        },
        probe: () => ({ done: 1 }),
      }),
    }),
  );
  const { port1, port2 } = new MessageChannel();
  serveVerbs(port2, kernel);
  t.after(() => port1.close());
  const remote = verbsOf(port1);
  return {
    probe: () => remote.probe(),
    ask: (verb: string, input: unknown = {}): Promise<VerbAnswer> =>
      within<VerbAnswer>(`the verb ${verb} answers`, remote.invoke(verb, input, META)),
  };
}

test('verbs and probe answer with their value', async (t) => {
  const { ask, probe } = await serve(t);
  const input = { when: new Date(5), big: 7n, bytes: new Uint8Array([1, 2]) };
  assert.deepEqual(await ask('echo', input), { ok: true, value: { input, from: 'test' } });
  assert.deepEqual(await probe(), { ok: true, value: { done: 1 } });
});

test('what a verb throws arrives with code and details', async (t) => {
  const { ask } = await serve(t);
  const refused = await ask('refuse');
  assert.ok(!refused.ok);
  assert.deepEqual(
    [refused.error.code, refused.error.message, refused.error.details],
    ['NOT_FOUND', 'no such note', { note: 'a' }],
  );
  const unknown = await ask('ehco');
  assert.ok(!unknown.ok);
  assert.equal(unknown.error.code, 'UNKNOWN_VERB');
  const text = await ask('text');
  assert.ok(!text.ok);
  assert.deepEqual([text.error.code, text.error.message], ['INTERNAL', 'only words']);
});

test('a value that cannot be cloned answers an error, not silence, and the next call works', async (t) => {
  const { ask } = await serve(t);
  const answer = await ask('code');
  assert.ok(!answer.ok);
  assert.equal(answer.error.code, 'INTERNAL');
  assert.match(answer.error.message, /^the answer cannot leave the thread: .*could not be cloned/);
  assert.deepEqual(await ask('echo', 1), { ok: true, value: { input: 1, from: 'test' } });
});

test('an error whose details cannot be cloned keeps its code and its message', async (t) => {
  const { ask } = await serve(t);
  assert.deepEqual(await ask('refuseWithCode'), { ok: false, error: { code: 'NOT_FOUND', message: 'no such note' } });
});

test('a thrown value that has no words is not silence either', async (t) => {
  const { ask } = await serve(t);
  const { ok, error } = (await ask('bare')) as { ok: boolean; error: { code: string; message: string } };
  assert.deepEqual([ok, error.code], [false, 'INTERNAL']);
  assert.match(error.message, /no Error was thrown: \[object Object\]/);
});
