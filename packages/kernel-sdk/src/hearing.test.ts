import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logged, openBed, poll, recordLog } from '../test/bed.ts';
import { hearAll } from './hearing.ts';
import { defineKernel } from './kernel.ts';

test('what cannot be heard at once is heard as soon as it can be, and nothing twice', async (t) => {
  const bed = openBed(t);
  const logged: Logged[] = [];
  const heard: unknown[] = [];
  let refusals = 3;
  const real = bed.client('ear');
  const subscribed: string[] = [];
  await bed.host(
    defineKernel({
      id: 'ear',
      async start(ctx) {
        await hearAll(
          ctx,
          { 'news.>': ({ payload }) => void heard.push(payload), 'late.>': ({ payload }) => void heard.push(payload) },
          5,
        );
        return { verbs: {}, probe: () => ({}) };
      },
    }),
    {
      log: recordLog(logged),
      bus: Object.assign(Object.create(real) as typeof real, {
        subscribe: async (...[pattern, ...rest]: Parameters<typeof real.subscribe>) => {
          if (pattern === 'late.>' && refusals-- > 0) throw new Error('no broker yet');
          // A hosted kernel hears its calls too.
          if (!pattern.startsWith('kernel.')) subscribed.push(pattern);
          return await real.subscribe(pattern, ...rest);
        },
      }),
    },
  );
  assert.deepEqual(
    logged.find(({ message }) => message === 'not heard yet')?.fields,
    { patterns: ['late.>'], error: 'no broker yet' },
    'it is ready without, and says what it does not hear',
  );
  await poll('the second pattern', () => subscribed.includes('late.>'));
  const said = bed.client('reporter');
  await said.publish('news.one', 1);
  await said.publish('late.two', 2);
  await poll('both', () => heard.length === 2);
  assert.deepEqual(heard.toSorted(), [1, 2]);
  assert.deepEqual(subscribed, ['news.>', 'late.>']);
});
