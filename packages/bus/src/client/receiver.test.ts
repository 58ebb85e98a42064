import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch, BrokerFrame, ClientFrame } from '../wire/frames.ts';
import type { Wire } from '../wire/wire.ts';
import { Link } from './link.ts';
import { Receiver } from './receiver.ts';

const wire: Wire<BrokerFrame, ClientFrame> = {
  kind: 'port',
  open() {},
  send() {},
  pause() {},
  resume() {},
  close() {},
};

/** A frame of `count` deliveries in one lane. */
function frame(first: number, count: number, subject: string, lane: number, request = 0): Batch {
  const entries: unknown[] = [];
  for (let i = 0; i < count; i++) {
    entries.push(1, i === 0 ? subject : null, lane | request, `${subject}-${first + i}`, 'from', 1, 0, null, i);
  }
  return ['batch', first, count, 0, 0, 0, ...entries];
}

function create(handle: (subject: string) => void): { receiver: Receiver; link: Link } {
  const receiver = new Receiver();
  receiver.subscriptions.set(1, {
    number: 1,
    pattern: '>',
    handler: ({ subject }) => handle(subject),
    queue: null,
    policy: null,
  });
  return { receiver, link: new Link(wire, () => {}) };
}

test('of what has arrived together, one batch is handled at once, then control, then the rest, one batch a turn', async () => {
  const handled: string[] = [];
  const turns: number[] = [];
  const { receiver, link } = create((subject) => void handled.push(subject));
  for (let f = 0; f < 4; f++) receiver.receive(link, frame(1 + 256 * f, 256, 'bulk', 2));
  receiver.receive(link, frame(1025, 1, 'control', 0));
  while (handled.length < 1025) {
    turns.push(handled.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(turns[0], 256);
  assert.equal(handled.indexOf('control'), 256);
  assert.ok(turns.length >= 4, `handled in turns: ${turns}`);
  assert.deepEqual(link.handled, [1, 256, 1025, 1025, 257, 1024]);
});

test('a request is answered once, an event never', () => {
  const { receiver, link } = create(() => {});
  receiver.subscriptions.set(1, {
    ...receiver.subscriptions.get(1)!,
    handler: (message) => {
      message.reply(1);
      message.reply(2);
      message.fail(new Error('3'));
    },
  });
  receiver.receive(link, frame(1, 1, 'ask', 1, 4));
  receiver.receive(link, frame(2, 1, 'tell', 1));
  assert.deepEqual(link.replies, [1, 1, 1]);
});

test('when the wire is gone, what arrived on it is not handled any more', async () => {
  let handled = 0;
  const { receiver, link } = create(() => {
    handled++;
  });
  receiver.receive(link, frame(1, 256, 'bulk', 2));
  receiver.receive(link, frame(257, 256, 'bulk', 2));
  link.closed = true;
  receiver.expectRepeats();
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(handled, 256);
});
