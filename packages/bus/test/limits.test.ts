import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessagePort } from 'node:worker_threads';
import { type Clock, systemClock } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, isBalanced, MUTE, rules } from './bed.ts';

/** The machine's clock, set forward by `jump`. */
function createClock(): Clock & { jump(ms: number): void } {
  let ahead = 0;
  return {
    wallMs: systemClock.wallMs,
    monoMs: () => systemClock.monoMs() + ahead,
    jump: (ms) => {
      ahead += ms;
    },
  };
}

type Frame = [string, ...unknown[]];

/** A peer that speaks frames itself. */
function speak(port: MessagePort): { send(frame: Frame): void; got: Frame[] } {
  const got: Frame[] = [];
  port.on('message', (frame: Frame) => got.push(frame));
  const send = (frame: Frame): void => port.postMessage(frame);
  send(['hello', 1, 1000, 1e6, null]);
  return { send, got };
}

const later = (): number => Math.ceil(systemClock.monoMs() + 60_000);

test('a delivery that is never acknowledged is expired after a minute and gives its place in the window back', async (t) => {
  const clock = createClock();
  const bed = await createBed({ clock });
  t.after(() => bed.close());
  const publisher = await bed.connect('port', 'alpha');
  const stuck = await bed.connect('port', 'stuck', { creditMessages: 1 });
  const got: unknown[] = [];
  await stuck.subscribe('task.*', ({ payload }) => {
    got.push(payload);
    return new Promise(() => {});
  });
  await publisher.publish('task.a', 1);
  await publisher.publish('task.a', 2);
  await poll('the first is there', () => got.length === 1);
  clock.jump(59_000);
  await publisher.publish('task.a', 3, { deadlineMs: 120_000 });
  assert.equal(bed.broker.statistics().expired, 0);
  clock.jump(2000);
  await poll('the second is there', () => got.length === 2);
  const { expired, waiting } = bed.broker.statistics();
  assert.deepEqual({ expired, waiting }, { expired: 1, waiting: 2 });
});

test('a request that waits in front of a slow subscriber past its deadline is not delivered any more', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const asker = await bed.connect('port', 'asker');
  const slow = await bed.connect('port', 'slow', { creditMessages: 1 });
  const got: unknown[] = [];
  let go = (): void => {};
  await slow.subscribe('ask.*', ({ payload }) => {
    got.push(payload);
    return new Promise((resolve) => {
      go = resolve;
    });
  });
  const codes = [1, 2].map((n) => codeOf(asker.request('ask.it', n, { deadlineMs: 60 })));
  assert.deepEqual(await Promise.all(codes), ['BUS_DEADLINE', 'BUS_DEADLINE']);
  await poll('the second is given up while the first is still under way', () => bed.broker.statistics().expired === 1);
  go();
  await poll('all is settled', () => bed.broker.statistics().waiting === 0);
  assert.deepEqual(got, [1]);
  const { accepted, handled, expired } = bed.broker.statistics();
  assert.deepEqual({ accepted, handled, expired }, { accepted: 2, handled: 1, expired: 1 });
});

test('a peer that ignores its window is answered BUS_OVERLOADED, and the others do not notice', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const [a, b] = [await bed.connect('port', 'alpha'), await bed.connect('port', 'beta')];
  await b.subscribe('ask.*', (message) => message.reply(1));
  const greedy = speak(bed.raw('greedy'));
  const perFrame = 200;
  const frames = 500;
  for (let f = 0; f < frames; f++) {
    const messages: unknown[] = [];
    for (let i = 0; i < perFrame; i++) messages.push('task.a', 1, `g-${f}-${i}`, later(), null, 1);
    greedy.send(['batch', 1 + f * perFrame, perFrame, 0, 0, 0, ...messages]);
  }
  assert.equal(await a.request('ask.it', 1, { deadlineMs: 30_000 }), 1);
  const decided = () => {
    let [accepted, refused] = [0, 0];
    for (const frame of greedy.got) {
      if (frame[0] !== 'batch') continue;
      const [ranges, refusals] = [frame[3] as number, frame[4] as number];
      const numbers = frame.slice(6);
      for (let r = 0; r < ranges; r += 2) accepted += (numbers[r + 1] as number) - (numbers[r] as number) + 1;
      for (let r = ranges; r < ranges + refusals; r += 4) {
        assert.equal(numbers[r + 2], 'BUS_OVERLOADED');
        refused += (numbers[r + 1] as number) - (numbers[r] as number) + 1;
      }
    }
    return { accepted, refused };
  };
  await poll('everything is decided', () => decided().accepted + decided().refused === frames * perFrame);
  assert.ok(decided().refused > 0);
  assert.equal(bed.broker.statistics().families['task']!.accepted, decided().accepted);
});

test('a peer that states a size, a sender or a grant that is not its own gains nothing', async (t) => {
  const bed = await createBed({ maxPayloadBytes: 1000 });
  t.after(() => bed.close());
  const [a, b] = [await bed.connect('port', 'alpha'), await bed.connect('port', 'beta')];
  const odd = speak(bed.raw('odd'));
  const refusal = async (...message: unknown[]): Promise<unknown> => {
    const before = odd.got.length;
    odd.send(['batch', 1, 1, 0, 0, 0, ...message]);
    await poll('it is answered', () => odd.got.length > before, { everyMs: 2 });
    return odd.got.at(-1)![8];
  };
  assert.equal(await refusal('task.a', 1, 'i1', later(), null, 'x'.repeat(2000)), 'BUS_TOO_LARGE');
  assert.equal(await refusal('task.*', 1, 'i2', later(), null, 1), 'BUS_BAD_SUBJECT');
  assert.equal(await refusal(7, 1, 'i3', later(), null, 1), 'BUS_BAD_SUBJECT');
  assert.equal(await refusal('task.a', 1, 'x'.repeat(300), later(), null, 1), 'BAD_INPUT');
  assert.equal(await refusal('task.a', 1, 'i4', 1, null, 1), 'BUS_DEADLINE');
  let asked = 0;
  await b.subscribe('ask.*', () => {
    asked++;
    return new Promise(() => {});
  });
  const answer = codeOf(a.request('ask.it', 1, { deadlineMs: 300 }));
  await poll('it was asked', () => asked === 1);
  for (let delivery = 0; delivery < 10; delivery++) {
    odd.send(['batch', 1, 0, 2, 0, 3, delivery, delivery, delivery, 1, '"forged"']);
  }
  odd.send(['batch', 1, 0, 2, 0, 0, 1, 1e15]);
  assert.equal(await answer, 'BUS_DEADLINE');
  assert.ok(isBalanced(bed.broker.statistics()));
});

test('a muted flood is answered together, so that it costs little', async (t) => {
  const bed = await createBed({
    acl: { kernels: rules([], []), principals: {} },
    mute: { ...MUTE, periodMs: 60_000 },
  });
  t.after(() => bed.close());
  bed.broker.mute('loud', 60_000);
  const loud = speak(bed.raw('loud', identity('loud')));
  // It is told that it is muted, and does not care.
  await poll('it is welcome', () => loud.got.length === 2);
  assert.equal(loud.got[1]![0], 'muted');
  const frames = 2000;
  for (let f = 0; f < frames; f++) loud.send(['batch', 1 + f, 1, 0, 0, 0, 'task.a', 1, `l-${f}`, later(), null, 1]);
  const refused = () =>
    loud.got.slice(2).reduce((sum, frame) => sum + (frame[7] as number) - (frame[6] as number) + 1, 0);
  await poll('all are refused', () => refused() === frames);
  assert.ok(loud.got.length < frames / 10, `${loud.got.length} answers to ${frames} messages`);
  assert.equal(bed.broker.statistics().denied, frames);
});

test('control goes first whatever order and priority its sender states', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const [sender, receiver] = [speak(bed.raw('sender')), speak(bed.raw('receiver'))];
  receiver.send(['subscribe', 1, '>', null, null]);
  await poll('it is subscribed', () => receiver.got.length === 2);
  const message = (subject: string, flags: number): unknown[] => [subject, flags, subject, later(), null, 1];
  const [control, normal, bulk] = [0, 1, 2];
  const order = [message('b', bulk), message('n', normal), message('c', control), message('system.control', bulk)];
  sender.send(['batch', 1, order.length, 0, 0, 0, ...order.flat()]);
  await poll('it arrived', () => receiver.got.length === 3);
  const ids = receiver.got[2]!.filter((_, i) => i >= 6 && (i - 6) % 9 === 3);
  assert.deepEqual(ids, ['c', 'system.control', 'n', 'b']);
});

test('messages held for a slow subscriber are bounded for each client', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const [sender, slow] = [speak(bed.raw('sender')), speak(bed.raw('slow'))];
  const other = await bed.connect('port', 'other');
  slow.send(['subscribe', 1, 'task.*', null, null]);
  await poll('it is subscribed', () => slow.got.length === 2);
  const [perFrame, frames] = [200, 60];
  for (let f = 0; f < frames; f++) {
    const messages: unknown[] = [];
    for (let i = 0; i < perFrame; i++) messages.push('task.a', 1, `h-${f}-${i}`, later(), null, 1);
    sender.send(['batch', 1 + f * perFrame, perFrame, 0, 0, 0, ...messages]);
    // Its answer comes when the broker has had a turn.
    await other.publish('other', f);
  }
  const refused = () =>
    sender.got
      .filter(([kind]) => kind === 'batch')
      .flatMap((frame) => {
        const from = 6 + (frame[3] as number);
        return frame[4] === 0 ? [] : [(frame[from + 1] as number) - (frame[from] as number) + 1];
      })
      .reduce((sum, count) => sum + count, 0);
  // The subscriber's window and queue take 2024, the broker holds 4096, all others are refused.
  await poll('the rest is refused', () => refused() === frames * perFrame - 2024 - 4096);
});

test('an asker hears one answer, also when two answer or the only one gives up', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const [asker, one, two] = [speak(bed.raw('asker')), speak(bed.raw('one')), speak(bed.raw('two'))];
  for (const responder of [one, two]) responder.send(['subscribe', 1, 'ask.both', null, null]);
  one.send(['subscribe', 2, 'ask.one', null, null]);
  await poll('both are subscribed', () => one.got.length === 3 && two.got.length === 2);
  const answers = () =>
    asker.got.filter((frame) => frame[0] === 'batch' && frame[5] !== 0).map((frame) => frame.slice(-3));
  asker.send(['batch', 1, 1, 0, 0, 0, 'ask.both', 5, 'q1', later(), null, 1]);
  await poll('both have it', () => one.got.length === 4 && two.got.length === 3);
  for (const responder of [one, two]) responder.send(['batch', 1, 0, 2, 0, 3, 1, 1, 1, 1, '"answer"']);
  await poll('all is handled', () => bed.broker.statistics().handled === 2);
  asker.send(['batch', 2, 1, 0, 0, 0, 'ask.one', 5, 'q2', later(), null, 1]);
  await poll('it has it', () => one.got.length === 5);
  one.send(['batch', 1, 0, 0, 2, 0, 2, 2]);
  await poll('the second is answered', () => answers().length === 2);
  assert.deepEqual(answers()[0], [1, 1, '"answer"']);
  assert.match(answers()[1]![2] as string, /BUS_NO_RESPONDERS/);
});

test('a number used for two subscriptions ends the wire', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const port = bed.raw('odd');
  const odd = speak(port);
  const closed = new Promise((resolve) => port.once('close', resolve));
  odd.send(['subscribe', 1, 'a', null, null]);
  odd.send(['subscribe', 1, 'b', null, null]);
  await closed;
});
