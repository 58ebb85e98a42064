import { type Batch, REPLY_FIELDS } from '../wire/frames.ts';
import { detach, sizeOf } from '../wire/payload.ts';
import type { Connection } from './connection.ts';
import type { Router } from './router.ts';

/** Takes the acknowledgements of one frame. Numbers that are not outstanding are ignored. */
export function acknowledge(
  connection: Connection,
  frame: Batch,
  start: number,
  end: number,
  outcome: 'handled' | 'rejected',
  router: Router,
): void {
  const { unacknowledged } = connection;
  const nowMono = router.nowMono();
  for (let r = start; r + 1 < end; r += 2) {
    const from = frame[r] as number;
    const to = frame[r + 1] as number;
    if (to - from < unacknowledged.size) {
      for (let number = from; number <= to; number++) settle(connection, number, outcome, router, nowMono);
    } else {
      // More than is outstanding: what is outstanding is the shorter list.
      for (const number of [...unacknowledged.keys()]) {
        if (number >= from && number <= to) settle(connection, number, outcome, router, nowMono);
      }
    }
  }
}

/** Hands answers to their askers. A grant is used up by the answer, so a responder answers once; the first answer to a request counts. */
export function answer(
  connection: Connection,
  frame: Batch,
  start: number,
  end: number,
  maxPayloadBytes: number,
): void {
  for (let r = start; r + REPLY_FIELDS <= end; r += REPLY_FIELDS) {
    const delivery = frame[r] as number;
    const payload = detach(frame[r + 2]);
    const ask = connection.grants.get(delivery);
    if (!ask) continue;
    connection.grants.delete(delivery);
    ask.open--;
    if (ask.done) continue;
    ask.done = true;
    ask.asker.asking--;
    if (!ask.asker.open) continue;
    const bytes = sizeOf(payload);
    if (bytes <= maxPayloadBytes) {
      ask.asker.reply(ask.number, frame[r + 1] === 1 ? 1 : 0, payload);
    } else {
      ask.asker.fail(ask.number, 'BUS_TOO_LARGE', `the answer has ${bytes} bytes, the bus carries ${maxPayloadBytes}`);
    }
  }
}

function settle(
  connection: Connection,
  number: number,
  outcome: 'handled' | 'rejected',
  router: Router,
  nowMono: number,
): void {
  const delivery = connection.unacknowledged.get(number);
  if (!delivery) return;
  connection.unacknowledged.delete(number);
  router.settle(delivery, outcome);
  router.recordLatency(delivery.message, nowMono);
  if (outcome === 'handled' || !delivery.message.ask) return;
  const ask = connection.grants.get(number);
  connection.grants.delete(number);
  if (ask) router.withdraw(ask, delivery.message.subject);
}
