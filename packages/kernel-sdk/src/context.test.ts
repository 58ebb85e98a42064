import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graceError, type Logged, openBed, poll, recordLog } from '../test/bed.ts';
import { defineKernel, type KernelContext } from './kernel.ts';

const withContext = (id: string): { kernel: ReturnType<typeof defineKernel>; context: () => KernelContext } => {
  let held: KernelContext;
  const kernel = defineKernel({
    id,
    start(ctx) {
      held = ctx;
      return { verbs: { twice: ({ n }) => n * 2 }, probe: () => ({}) };
    },
  });
  return { kernel, context: () => held };
};

test('a context holds what is documented, and nothing of its host', async (t) => {
  const { kernel, context } = withContext('mine');
  await openBed(t).host(kernel);
  assert.deepEqual(Object.keys(context()).sort(), [
    ...['broker', 'bus', 'call', 'clock', 'config', 'every', 'id', 'incarnation', 'log', 'onNeed', 'onPressure'],
    ...['secrets', 'signal', 'stateDir', 'store', 'supervisor'],
  ]);
});

test('periodic work never runs twice at once, and its errors are logged', async (t) => {
  const logged: Logged[] = [];
  const { kernel, context } = withContext('mine');
  await openBed(t).host(kernel, { log: recordLog(logged) });
  let runs = 0;
  let atOnce = 0;
  let mostAtOnce = 0;
  let turns = 0;
  // Another timer of the same period shows that time for further runs has passed.
  context().every(1, () => void turns++);
  context().every(1, async () => {
    runs++;
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    const until = turns + 5;
    await poll('five periods are over', () => turns >= until || context().signal.aborted);
    atOnce--;
    throw new Error(`run ${runs}`);
  });
  await poll('three runs', () => runs >= 3);
  assert.equal(mostAtOnce, 1);
  const errors = logged.filter(({ level }) => level === 'error');
  assert.deepEqual([errors[0]!.message, errors[0]!.fields], ['periodic work failed', { error: 'run 1' }]);
});

test('periodic work ends with the kernel, and none begins after it', async (t) => {
  const { kernel, context } = withContext('mine');
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const hosted = await openBed(t).host(kernel);
  let runs = 0;
  const before = timers();
  context().every(1, () => void runs++);
  assert.equal(timers(), before + 1);
  await poll('it runs', () => runs > 0);
  await hosted.drain();
  const drained = { runs, timers: timers() };
  context().every(1, () => void runs++);
  assert.equal(timers(), drained.timers);
  let turns = 0;
  const own = setInterval(() => turns++, 1);
  await poll('five more periods are over', () => turns >= 5);
  clearInterval(own);
  assert.equal(runs, drained.runs);
});

test('a period that timers cannot count is refused', async (t) => {
  const { kernel, context } = withContext('mine');
  await openBed(t).host(kernel);
  for (const ms of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])
    assert.throws(
      () => context().every(ms, () => {}),
      graceError('BAD_INPUT', /expected milliseconds from 1 to 2147483647/),
    );
});

test('a kernel calls a verb of another as itself, and gets its answer or its error', async (t) => {
  const bed = openBed(t);
  const asked: string[] = [];
  const { kernel, context } = withContext('asker');
  await bed.host(kernel);
  await bed.host(
    defineKernel({
      id: 'other',
      start: () => ({
        verbs: {
          twice: (input, meta) => {
            asked.push(meta.from);
            return input.n * 2;
          },
        },
        probe: () => ({}),
      }),
    }),
  );
  assert.equal(await context().call('other', 'twice', { n: 4 }), 8);
  assert.deepEqual(asked, ['asker']);
  await assert.rejects(context().call('other', 'twise'), graceError('UNKNOWN_VERB', /did you mean "twice"/));
  await assert.rejects(
    context().call('nobody', 'twice'),
    graceError('BUS_NO_RESPONDERS', /kernel\.nobody\.call\.twice/),
  );
});
