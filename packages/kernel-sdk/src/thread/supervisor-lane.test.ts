import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FromThread } from '@grace/contracts';
import { graceError } from '../../test/bed.ts';
import { createSupervisorLane } from './supervisor-lane.ts';

type Command = Extract<FromThread, { t: 'command' }>;

function openLane() {
  const sent: Command[] = [];
  const lane = createSupervisorLane((message) => void sent.push(structuredClone(message) as Command));
  return { lane, sent };
}

test('a command gets the answer to its own number, whatever the order of the answers', async () => {
  const { lane, sent } = openLane();
  const first = lane.command('status', {});
  const second = lane.command('restart', { kernel: 'librarian' });
  assert.deepEqual(sent, [
    { t: 'command', id: 1, command: 'status', input: {} },
    { t: 'command', id: 2, command: 'restart', input: { kernel: 'librarian' } },
  ]);
  lane.settle(2, { error: { code: 'FORBIDDEN', message: 'not granted' } });
  lane.settle(1, { value: 'all well' });
  lane.settle(1, { value: 'twice' });
  assert.equal(await first, 'all well');
  await assert.rejects(second, graceError('FORBIDDEN', /not granted/));
});

test('a command without an answer ends at its deadline', async () => {
  const { lane } = openLane();
  await assert.rejects(lane.command('probe', {}, 5), graceError('DEADLINE', /did not answer "probe" within 5 ms/));
});

test('the 101st command at once is refused, and there is room again when one is answered', async () => {
  const { lane, sent } = openLane();
  const pending = Array.from({ length: 100 }, () => lane.command('status', {}));
  await assert.rejects(lane.command('status', {}), graceError('CONFLICT', /100 commands/));
  lane.settle(1, { value: 1 });
  pending.push(lane.command('status', {}));
  for (const { id } of sent) lane.settle(id, { value: id });
  assert.equal((await Promise.all(pending)).length, 101);
});

test('an input that cannot leave the thread is refused at once and takes no room', async () => {
  const { lane } = openLane();
  for (let i = 0; i < 101; i++)
    await assert.rejects(
      lane.command('status', { run: () => i }),
      graceError('BAD_INPUT', /input of "status" cannot leave/),
    );
});
