import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { defineKernel } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import kernel from '../kernel.ts';
import { hashedEmbedder } from '../words/embedder.ts';
import { createBreaker } from './breaker.ts';

const DIMENSION = 64;
const embedder = hashedEmbedder(DIMENSION);
/** A model that knows that a car is an automobile, which no spelling tells. */
const vectorOf = (text: string): number[] => [...embedder.embed(text.replaceAll(/automobiles?/gi, 'car'))];

interface Asked {
  texts: string[];
  authorization: string | undefined;
  body: string;
}
type Answer = (asked: Asked, response: ServerResponse) => void;

const say = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};
/** In reverse order, since `index` tells. */
const vectors: Answer = ({ texts }, response) =>
  say(response, 200, { data: texts.map((text, index) => ({ index, embedding: vectorOf(text) })).reverse() });

interface Bed {
  rig: KernelRig;
  server: { answer: Answer; asked: Asked[] };
  /** What the vault gives, and how often it did. */
  key: { value: string; leases: number };
  remember(text: string): Promise<string>;
  recall(
    query: string,
  ): Promise<{ text: string; method: { vectors: string; fallback?: string }; parts: { vector: number } }[]>;
  status(): Promise<{
    waiting: number;
    answers: boolean;
    failures?: number;
    reason?: string;
    charactersLeftToday: number;
  }>;
  transcript(): Promise<{ purpose: string; outcome: string; detail: string; texts: number }[]>;
}

async function withServer(work: (bed: Bed) => Promise<void>, model: Record<string, unknown> = {}): Promise<void> {
  const server: Bed['server'] = { answer: vectors, asked: [] };
  const key: Bed['key'] = { value: 'key-of-the-model-1', leases: 0 };
  const http = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const part of request) body += String(part);
    const asked = {
      texts: (JSON.parse(body) as { input: string[] }).input,
      authorization: request.headers.authorization,
      body,
    };
    server.asked.push(asked);
    server.answer(asked, response);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1/embeddings`;
  const vault = defineKernel({
    id: 'secret_manager',
    start: () => ({
      verbs: {
        get({ name }: { name: string }) {
          key.leases++;
          const expires = new Date(Date.now() + 3_600_000).toISOString();
          return { name, value: key.value, version: 1, lease: 'l', expires };
        },
      },
      probe: () => ({}),
    }),
  });
  const config = { model: { url, name: 'tiny', dimension: DIMENSION, minSimilarity: 0.2, ...model } };
  const rig = await rigKernels([vault, kernel], { config: { memory_fusion: config } });
  const call = async <T>(verb: string, input: unknown): Promise<T> =>
    (await rig.call('memory_fusion', verb, input, 30_000)) as T;
  try {
    await work({
      ...{ rig, server, key },
      remember: async (text) => (await call<{ id: string }>('remember', { text })).id,
      recall: (query) => call('recall', { query }),
      status: async () => (await call<{ model: Awaited<ReturnType<Bed['status']>> }>('status', {})).model,
      transcript: () => call('transcript', {}),
    });
  } finally {
    await rig.close();
    http.closeAllConnections();
    http.close();
    await once(http, 'close');
  }
}

describe('an endpoint for vectors', () => {
  test('is asked in batches, and finds by meaning what no spelling tells', () =>
    withServer(
      async ({ server, remember, recall, status, transcript, rig }) => {
        const texts = ['The car is in the garage.', 'Tea is served at five.', 'The bridge is painted red.'];
        for (const text of texts) await remember(text);
        await poll('all to have vectors', async () => (await status()).waiting === 0);
        const [found] = await recall('automobiles');
        assert.equal(found?.text, texts[0]);
        assert.deepEqual(found?.method, { vectors: `tiny/${DIMENSION}` });
        assert.ok(
          server.asked.every(
            ({ texts: sent, authorization }) => sent.length <= 2 && authorization === 'Bearer key-of-the-model-1',
          ),
        );
        assert.ok((await transcript()).every(({ outcome }) => outcome === 'answered'));
        // Another model speaks another language: all are asked for anew. A question is asked once.
        const before = server.asked.length;
        await recall('automobiles');
        assert.equal(server.asked.length, before);
        await rig.restart('memory_fusion');
        await recall('automobiles');
        assert.equal(server.asked.length, before + 1, 'vectors are kept over a restart');
      },
      { secret: 'model-key', batch: 2 },
    ));

  test('never sees a key, a password in a memory, or what a probe says', () =>
    withServer(
      async ({ server, remember, status, rig }) => {
        await remember('The model is reached with key-of-the-model-1 and password=hunter2hunter2 today.');
        await rig.probe('memory_fusion');
        await poll('the vector', async () => (await status()).waiting === 0);
        const sent = server.asked.map(({ body }) => body).join('\n');
        assert.match(sent, /The model is reached/);
        for (const secret of ['key-of-the-model-1', 'hunter2hunter2', 'supervisor'])
          assert.ok(!sent.includes(secret), secret);
      },
      { secret: 'model-key' },
    ));

  const broken: [what: string, answer: Answer, outcome: string, detail: RegExp][] = [
    ['is slow', () => {}, 'deadline', /no answer within 150 ms/],
    ['answers drop by drop', (_, response) => void response.writeHead(200).write('{"data": ['), 'deadline', /150 ms/],
    ['answers 500', (_, response) => say(response, 500, {}), 'refused', /500/],
    ['hangs up', (_, response) => void response.destroy(), 'unreachable', /./],
    [
      'sends somewhere else',
      (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'unreachable',
      /redirect/,
    ],
    ['answers no JSON', (_, response) => say(response, 200, '<html>'), 'malformed', /not JSON/],
    ['answers no list', (_, response) => say(response, 200, { data: 7 }), 'malformed', /no list/],
    ['answers fewer', (_, response) => say(response, 200, { data: [] }), 'malformed', /0 entries for 1/],
    [
      'answers in another dimension',
      (_, response) => say(response, 200, { data: [{ index: 0, embedding: [1, 2, 3] }] }),
      'malformed',
      /3 numbers in a vector, 64/,
    ],
    [
      'answers words for numbers',
      (_, response) => say(response, 200, { data: [{ embedding: Array(DIMENSION).fill('1') }] }),
      'malformed',
      /not of numbers/,
    ],
    [
      'answers nothing but zeros',
      (_, response) => say(response, 200, { data: [{ embedding: Array(DIMENSION).fill(0) }] }),
      'malformed',
      /without a direction/,
    ],
    [
      'answers for another text',
      (_, response) => say(response, 200, { data: [{ index: 4, embedding: vectorOf('x') }] }),
      'malformed',
      /index 4/,
    ],
    [
      'answers without end',
      (_, response) => say(response, 200, 'x'.repeat(500_000)),
      'malformed',
      /more than \d+ bytes/,
    ],
  ];
  for (const [what, answer, outcome, detail] of broken) {
    test(`that ${what}: the built-in vectors serve, and the answer says so`, () =>
      withServer(
        async ({ server, remember, recall, status, transcript }) => {
          server.answer = answer;
          await remember('The car is in the garage.');
          await poll('the failure', async () => (await transcript()).length > 0);
          const [call] = await transcript();
          assert.deepEqual([call!.outcome, detail.test(call!.detail)], [outcome, true], call!.detail);
          const [found] = await recall('cars in garages');
          assert.ok(found!.parts.vector > 0);
          assert.match(found!.method.vectors, /^hashed-words/);
          assert.ok(found!.method.fallback, 'it says why');
          const { waiting, answers, reason } = await status();
          assert.deepEqual([waiting, answers, reason], [1, false, call!.detail]);
        },
        { deadlineMs: 150 },
      ));
  }

  test('gets the key that the vault leased, and another one when it is refused', () =>
    withServer(
      async ({ server, key, remember, status }) => {
        for (const text of ['one boat', 'two boats', 'three boats']) {
          await remember(text);
          await poll('the vector', async () => (await status()).waiting === 0);
        }
        assert.equal(key.leases, 1);
        key.value = 'key-of-the-model-2';
        server.answer = (asked, response) =>
          asked.authorization?.endsWith('-2') ? vectors(asked, response) : say(response, 401, {});
        await remember('four boats');
        await poll('the vector', async () => (await status()).waiting === 0, { deadlineMs: 60_000 });
        assert.equal(key.leases, 2);
      },
      { secret: 'model-key' },
    ));

  test('that is back is asked again by itself, and nothing was lost meanwhile', () =>
    withServer(async ({ server, remember, recall, status }) => {
      server.answer = (_, response) => say(response, 503, {});
      await remember('The car is in the garage.');
      await poll('the failure', async () => (await status()).answers === false);
      server.answer = vectors;
      await poll('the vector', async () => (await status()).waiting === 0, { deadlineMs: 60_000 });
      assert.equal((await recall('automobile'))[0]?.method.fallback, undefined);
      assert.equal((await recall('automobile'))[0]?.text, 'The car is in the garage.');
    }));

  test('that will not have one text gets the others', () =>
    withServer(async ({ server, remember, recall, status }) => {
      server.answer = (asked, response) =>
        asked.texts.some((text) => text.includes('cursed')) ? say(response, 400, {}) : vectors(asked, response);
      for (const text of ['The car is in the garage.', 'A cursed sentence about boats.', 'Tea at five.'])
        await remember(text);
      await poll('all to be settled', async () => (await status()).waiting === 0);
      assert.equal((await recall('automobile'))[0]?.text, 'The car is in the garage.');
      assert.equal((await recall('boats'))[0]?.text, 'A cursed sentence about boats.', 'found by its words');
    }));

  test('is not asked for more characters a day than its budget', () =>
    withServer(
      async ({ server, remember, recall, status, rig }) => {
        await remember('The car is in the garage.');
        await poll('the vector', async () => (await status()).waiting === 0);
        const [found] = await recall('where is the garage of the car');
        assert.match(found!.method.fallback ?? '', /budget of 40 characters a day is spent/);
        assert.equal(server.asked.length, 1);
        await rig.restart('memory_fusion');
        assert.equal((await status()).charactersLeftToday, 15, 'the budget survives a restart');
      },
      { charactersPerDay: 40 },
    ));

  test('is configured with an address that does not give the key away', async () => {
    for (const [model, expected] of [
      [{ url: 'ftp://models.example/' }, /http or https/],
      [{ url: 'http://models.example/v1/embeddings', secret: 'k' }, /not sent in clear/],
      [{ url: 'https://user:pass@models.example/' }, /without name and password/],
      [{ url: 'https://models.example/', dimnsion: 3 }, /did you mean "dimension"/],
    ] as const) {
      const config = { memory_fusion: { model: { name: 'tiny', dimension: 8, ...model } } };
      await assert.rejects(
        rigKernels([kernel], { config }),
        (error: Error) => expected.test(error.message) && /kernels\.memory_fusion\.config\.model/.test(error.message),
        model.url,
      );
    }
  });
});

test('a breaker waits twice as long after each failure, no less than it is asked to, and not at all after an answer', () => {
  const breaker = createBreaker();
  assert.equal(breaker.pauseMs(0), 0);
  const pauses = Array.from({ length: 9 }, () => {
    breaker.failed(1000, 'down');
    return breaker.pauseMs(1000);
  });
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.equal(breaker.trouble?.failures, 9);
  breaker.failed(1000, 'busy', 90_000);
  assert.equal(breaker.pauseMs(2000), 89_000);
  breaker.answered();
  assert.equal(breaker.pauseMs(1000), 0);
});
