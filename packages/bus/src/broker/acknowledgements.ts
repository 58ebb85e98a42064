import { REPLY_FIELDS } from '../wire/frames.ts';
import { sizeOf } from '../wire/payload.ts';
import type { Ranges } from '../wire/ranges.ts';
import type { Connection } from './connection.ts';
import type { Router } from './router.ts';

/** Takes the acknowledgements of one frame. Numbers that are not outstanding are ignored. */
export function acknowledge(
  connection: Connection,
  ranges: Ranges,
  outcome: 'handled' | 'rejected',
  router: Router,
): void {
  const { unacknowledged } = connection;
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    const from = ranges[r]!;
    const to = ranges[r + 1]!;
    if (to - from < unacknowledged.size) {
      for (let number = from; number <= to; number++) settle(connection, number, outcome, router);
    } else {
      // More than is outstanding: what is outstanding is the shorter list.
      for (const number of [...unacknowledged.keys()]) {
        if (number >= from && number <= to) settle(connection, number, outcome, router);
      }
    }
  }
}

/** Hands answers to their askers. A grant is used up by the answer, so a responder answers once; the first answer to a request counts. */
export function answer(
  connection: Connection,
  replies: unknown[],
  maxPayloadBytes: number,
  news: (asker: Connection) => void,
): void {
  for (let r = 0; r + REPLY_FIELDS <= replies.length; r += REPLY_FIELDS) {
    const delivery = replies[r] as number;
    const ask = connection.grants.get(delivery);
    if (!ask) continue;
    connection.grants.delete(delivery);
    ask.open--;
    if (ask.done) continue;
    ask.done = true;
    ask.asker.asking--;
    if (!ask.asker.open) continue;
    if (sizeOf(replies[r + 2]) <= maxPayloadBytes) {
      ask.asker.reply(ask.number, replies[r + 1] === 1 ? 1 : 0, replies[r + 2]);
    } else {
      ask.asker.reply(ask.number, 0, {
        code: 'BUS_TOO_LARGE',
        message: `the answer is larger than the ${maxPayloadBytes} bytes the bus carries`,
      });
    }
    news(ask.asker);
  }
}

function settle(connection: Connection, number: number, outcome: 'handled' | 'rejected', router: Router): void {
  const delivery = connection.unacknowledged.get(number);
  if (!delivery) return;
  connection.unacknowledged.delete(number);
  router.settle(delivery, outcome);
  if (outcome === 'handled' || !delivery.message.ask) return;
  const ask = connection.grants.get(number);
  connection.grants.delete(number);
  if (ask) router.withdraw(ask, delivery.message.subject);
}
