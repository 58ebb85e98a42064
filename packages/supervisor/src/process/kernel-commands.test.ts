import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Desk } from '../client/methods.ts';
import { createKernelCommands } from './kernel-commands.ts';

describe('what a kernel with the command may ask', () => {
  const called: unknown[] = [];
  const desk = {
    status: () => ({ kernels: [{ id: 'scheduler' }] }),
    verbs: (kernel: string) => [`${kernel}.status`],
    read: async (wish: { after: number; limit: number }) => ({ records: [], last: wish.after + wish.limit }),
    last: () => 99,
    call: async (order: unknown, deadlineMs: number) => called.push([order, deadlineMs]),
  } as unknown as Desk;
  const commands = createKernelCommands(desk);
  const ask = (command: 'journal' | 'verbs' | 'call', input: unknown) =>
    commands({ kernel: 'api_server', command, input }, 5000);
  const order = { kernel: 'scheduler', verb: 'add', input: { id: 'x' }, as: 'alice', deadlineMs: 100 };

  test('calls are made in the name of somebody it vouches for, never in its own or that of another', async () => {
    await ask('call', order);
    assert.deepEqual(called, [
      [{ kernel: 'scheduler', verb: 'add', input: { id: 'x' }, from: 'api_server:alice' }, 100],
    ]);
    for (const as of ['', 'supervisor:x', 'a b', 'A', undefined, 7, '../x', 'x'.repeat(65)])
      await assert.rejects(ask('call', { ...order, as }), { code: 'BAD_INPUT' }, String(as));
    assert.equal(called.length, 1);
  });

  test('its own deadline is not passed, and what it names must be there', async () => {
    await ask('call', { ...order, deadlineMs: 60_000 });
    assert.equal((called.at(-1) as [unknown, number])[1], 5000);
    await assert.rejects(ask('call', { ...order, kernel: 'sheduler' }), {
      code: 'UNKNOWN_KERNEL',
      message: /scheduler/,
    });
    await assert.rejects(ask('verbs', { kernel: 'nobody' }), { code: 'UNKNOWN_KERNEL' });
    assert.deepEqual(await ask('verbs', { kernel: 'scheduler' }), ['scheduler.status']);
  });

  test('the journal comes in pages of at most a thousand', async () => {
    assert.deepEqual(await ask('journal', { after: 5, limit: 10 }), { records: [], last: 15, end: 99 });
    for (const input of [{}, { after: -1, limit: 1 }, { after: 0, limit: 1001 }, { after: 0.5, limit: 1 }, null])
      await assert.rejects(ask('journal', input), { code: 'BAD_INPUT' });
  });
});
