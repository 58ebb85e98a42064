import { type ErrorCode, fromWireError, GraceError, type WireError } from '@grace/contracts';
import { type Batch, DELIVERY_FIELDS, listsOf, REFUSAL_FIELDS, REPLY_FIELDS } from '../wire/frames.ts';
import { unpack } from '../wire/payload.ts';
import { append } from '../wire/ranges.ts';
import type { Link } from './link.ts';
import type { Outbox, Window } from './outbox.ts';
import type { Pending } from './pending.ts';

/** Sends what the windows allow, and all acknowledgements and answers, in as few frames as possible. */
export function sendBatches(link: Link, window: Window, outbox: Outbox): void {
  link.sendAsides();
  for (;;) {
    const { first, messages } = outbox.take(window);
    if (messages.length === 0 && !link.hasNews) return;
    const { handled, rejected, replies } = link.takeNews();
    const frame: Batch = ['batch', first, messages.length, handled.length, rejected.length, replies.length];
    const moves: ArrayBuffer[] = [];
    let before: string | undefined;
    for (let i = 0; i < messages.length; i++) {
      const { subject, flags, id, deadlineMono, extra, payload } = messages[i]!;
      if (messages[i]!.moves) moves.push((payload as Uint8Array).buffer as ArrayBuffer);
      frame.push(subject === before ? null : subject, flags, id, deadlineMono, extra, payload);
      before = subject;
    }
    append(frame, handled);
    append(frame, rejected);
    append(frame, replies);
    link.wire.send(frame, moves);
  }
}

/** Settles what the broker has decided and answered. Requests that were accepted wait on for their answer. */
export function decide(
  frame: Batch,
  outbox: Outbox,
  requests: Map<number, Pending>,
): { accepted: number; refused: number; overloaded: number } {
  const { list1, list2, list3, end } = listsOf(frame, DELIVERY_FIELDS);
  let accepted = 0;
  let refused = 0;
  let overloaded = 0;
  for (let r = list1; r < list2; r += 2) {
    const to = frame[r + 1] as number;
    for (let number = frame[r] as number; number <= to; number++) {
      const pending = outbox.decide(number);
      if (!pending || pending.settled) continue;
      accepted++;
      if (pending.isRequest) requests.set(number, pending);
      else {
        pending.settled = true;
        pending.resolve({ id: pending.id });
      }
    }
  }
  for (let r = list2; r < list3; r += REFUSAL_FIELDS) {
    const to = frame[r + 1] as number;
    const code = frame[r + 2] as ErrorCode;
    const words = frame[r + 3] as string | null;
    for (let number = frame[r] as number; number <= to; number++) {
      const pending = outbox.decide(number);
      if (!pending || pending.settled) continue;
      refused++;
      if (code === 'BUS_OVERLOADED') overloaded++;
      pending.settled = true;
      pending.reject(new GraceError(code, `"${pending.subject}": ${words ?? 'refused by the broker'}`));
    }
  }
  for (let r = list3; r < end; r += REPLY_FIELDS) {
    const number = frame[r] as number;
    const pending = requests.get(number);
    requests.delete(number);
    if (!pending || pending.settled) continue;
    pending.settled = true;
    try {
      const value = unpack(frame[r + 2]);
      if (frame[r + 1] === 1) pending.resolve(value);
      else pending.reject(fromWireError(value as WireError));
    } catch (error) {
      pending.reject(error as GraceError);
    }
  }
  return { accepted, refused, overloaded };
}
