import { GraceError } from '@grace/contracts';
import type { Connection } from '../broker/connection.ts';
import type { Delivery } from '../broker/subscription.ts';
import { type ClientFrame, type DurableWish, NAK_FIELDS } from '../wire/frames.ts';
import type { Durable } from './durable.ts';

const MAX_NAME = 256;
const MAX_WORDS = 500;
const MAX_MS = 24 * 3_600_000;
const MAX_ATTEMPTS = 1000;
const MAX_BACKOFFS = 32;

type Frame<T extends ClientFrame[0]> = Extract<ClientFrame, { 0: T }>;

/**
 * What a client says about single deliveries beside its batches. Of a delivery that is not durable only the outcome counts.
 * @throws GraceError `PROTOCOL`
 */
export function readAside(
  connection: Connection,
  frame: Frame<'nak' | 'progress' | 'confirm'>,
  durable: Durable | undefined,
  rejected: (delivery: Delivery) => void,
): void {
  switch (frame[0]) {
    case 'nak':
      nak(connection, frame, durable, rejected);
      return;
    case 'progress':
      for (const number of frame.slice(1) as number[]) {
        const delivery = connection.unacknowledged.get(number);
        if (delivery?.kept) durable?.inProgress(delivery);
      }
      return;
    case 'confirm':
      for (const number of frame.slice(1) as number[]) {
        const delivery = connection.unacknowledged.get(number);
        if (delivery?.kept) delivery.watched = true;
        else connection.confirm(number, false);
      }
      return;
  }
}

function nak(
  { unacknowledged }: Connection,
  frame: Frame<'nak'>,
  durable: Durable | undefined,
  rejected: (delivery: Delivery) => void,
): void {
  for (let i = 1; i + NAK_FIELDS <= frame.length; i += NAK_FIELDS) {
    const [number, delayMs, words] = [frame[i] as number, frame[i + 1], frame[i + 2]];
    if (delayMs !== null && !isMs(delayMs)) throw new GraceError('PROTOCOL', 'nak: expected a pause in milliseconds');
    if (words !== null && typeof words !== 'string') throw new GraceError('PROTOCOL', 'nak: expected words');
    const delivery = unacknowledged.get(number);
    if (!delivery) continue;
    unacknowledged.delete(number);
    if (delivery.kept) durable?.nak(delivery, delayMs ?? undefined, words?.slice(0, MAX_WORDS) ?? null);
    else rejected(delivery);
  }
}

/** What of the wish is not as it must be; undefined: nothing. */
export function wishRefusal(wish: DurableWish | false | null): GraceError | undefined {
  if (wish === null || wish === false) return undefined;
  const { name, ackWaitMs, backoffMs, maxAttempts, ordered } = wish;
  const bad = (what: string): GraceError => new GraceError('BAD_INPUT', `durable.${what}`);
  if (name !== undefined && !(typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME))
    return bad(`name: expected 1 to ${MAX_NAME} characters`);
  if (ackWaitMs !== undefined && !(isMs(ackWaitMs) && ackWaitMs >= 1))
    return bad(`ackWaitMs: expected 1 to ${MAX_MS} ms`);
  if (
    backoffMs !== undefined &&
    !(Array.isArray(backoffMs) && backoffMs.length <= MAX_BACKOFFS && backoffMs.every(isMs))
  )
    return bad(`backoffMs: expected a list of up to ${MAX_BACKOFFS} pauses, each 0 to ${MAX_MS} ms`);
  if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= MAX_ATTEMPTS))
    return bad(`maxAttempts: expected 1 to ${MAX_ATTEMPTS}`);
  if (ordered !== undefined && typeof ordered !== 'boolean') return bad('ordered: expected true or false');
  return undefined;
}

const isMs = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= MAX_MS;
