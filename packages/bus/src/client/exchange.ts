import { type ErrorCode, fromWireError, GraceError, type WireError } from '@grace/contracts';
import { type BrokerBatch, type ClientBatch, REFUSAL_FIELDS, REPLY_FIELDS } from '../wire/frames.ts';
import { unpack } from '../wire/payload.ts';
import type { Link } from './link.ts';
import type { Outbox, Window } from './outbox.ts';
import type { Pending } from './pending.ts';

/** Sends what the windows allow, and all acknowledgements and answers, in as few frames as possible. */
export function sendBatches(link: Link, window: Window, outbox: Outbox): void {
  for (;;) {
    const { first, messages } = outbox.take(window);
    if (messages.length === 0 && !link.hasNews) return;
    const heads: unknown[] = [];
    const payloads: unknown[] = [];
    for (const { subject, flags, id, deadlineMono, extra, payload } of messages) {
      heads.push(subject, flags, id, deadlineMono, extra);
      payloads.push(payload);
    }
    const frame: ClientBatch = ['batch', first, heads, payloads, link.handled, link.rejected, link.replies];
    link.handled = [];
    link.rejected = [];
    link.replies = [];
    link.wire.send(frame);
  }
}

/** Settles what the broker has decided and answered. Requests that were accepted wait on for their answer. */
export function decide(
  frame: BrokerBatch,
  outbox: Outbox,
  requests: Map<number, Pending>,
): { accepted: number; refused: number } {
  const [, acceptedRanges, refusals, , , , replies] = frame;
  let accepted = 0;
  let refused = 0;
  for (let r = 0; r < acceptedRanges.length; r += 2) {
    for (let number = acceptedRanges[r]!; number <= acceptedRanges[r + 1]!; number++) {
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
  for (let r = 0; r < refusals.length; r += REFUSAL_FIELDS) {
    const code = refusals[r + 2] as ErrorCode;
    const words = refusals[r + 3] as string | null;
    for (let number = refusals[r] as number; number <= (refusals[r + 1] as number); number++) {
      const pending = outbox.decide(number);
      if (!pending || pending.settled) continue;
      refused++;
      pending.settled = true;
      pending.reject(new GraceError(code, `"${pending.subject}": ${words ?? 'refused by the broker'}`));
    }
  }
  for (let r = 0; r < replies.length; r += REPLY_FIELDS) {
    const number = replies[r] as number;
    const pending = requests.get(number);
    requests.delete(number);
    if (!pending || pending.settled) continue;
    pending.settled = true;
    const value = unpack(replies[r + 2]);
    if (replies[r + 1] === 1) pending.resolve(value);
    else pending.reject(fromWireError(value as WireError));
  }
  return { accepted, refused };
}
