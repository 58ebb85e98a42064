import { type ConsumerKind, isDurable } from '../entries.ts';
import type { ConsumerStory, Delivery, Story } from './story.ts';
import type { Violation } from './violation.ts';

/**
 * An acknowledgement takes this long at most from a handler that has ended to the disk of the broker, s. It travels within one turn of two
 * event loops and waits for one group commit, together a few milliseconds; the rest is for a machine that is full.
 */
export const WINDOW_S = 10;
const WINDOW_US = WINDOW_S * 1_000_000;

export interface Repeats {
  violations: Violation[];
  /** Deliveries after one that was refused. */
  afterNak: number;
  /** Deliveries after one whose handler had not ended when its wire broke. */
  afterBreak: number;
  /** Deliveries after one that was handled, but so shortly before its wire broke that the acknowledgement may not have got through. */
  afterHandled: number;
  confirmed: number;
}

/**
 * A message may come again when it was refused, or when the wire on which it came broke before its acknowledgement can have been
 * committed. What a subscriber can know of that: whether the broker has confirmed the acknowledgement, when its handler ended, and when
 * its wire was last alive. Once it is confirmed, or the wire was alive for longer than the window after the handler ended, then whatever is
 * killed later, to hear of the message again is a violation. A broker that dies breaks every wire, so this covers it too.
 */
export function findRepeats({ consumers, dead }: Story): Repeats {
  const repeats: Repeats = { violations: [], afterNak: 0, afterBreak: 0, afterHandled: 0, confirmed: 0 };
  for (const consumer of consumers.values())
    for (const deliveries of consumer.deliveries.values()) noteMessage(consumer, deliveries, repeats);
  for (const { c, key } of dead) {
    const handled = consumers
      .get(c)
      ?.deliveries.get(key)
      ?.find((one) => one.isConfirmed || isCommitted(one));
    if (!handled) continue;
    repeats.violations.push({
      rule: 'dead letter',
      keys: [key],
      message: `${key} is a dead letter of ${c}, which had handled it (${handled.place}); the acknowledgement ${certainty(handled)}`,
    });
  }
  return repeats;
}

function noteMessage({ kind }: ConsumerStory, deliveries: Delivery[], repeats: Repeats): void {
  const { violations } = repeats;
  for (const delivery of deliveries) {
    if (delivery.isConfirmed) repeats.confirmed++;
    else if (isDurable(kind) && isCommitted(delivery)) violations.push(unconfirmed(delivery));
  }
  if (deliveries.length === 1) return;
  if (kind === 'plain') violations.push(heardTwice(deliveries));
  else for (let i = 1; i < deliveries.length; i++) noteRepeat(kind, deliveries[i - 1]!, deliveries[i]!, repeats);
}

function noteRepeat(kind: ConsumerKind, before: Delivery, again: Delivery, repeats: Repeats): void {
  const { key, c, a, link, isHandled } = before;
  // Not more is promised: a broker that died may have forgotten how often.
  const isToldApart = again.a > 1 || !isDurable(kind);
  const endedAt = before.endedAt !== null && before.endedAt <= again.t ? before.endedAt : null;
  const isRefused = endedAt !== null && !isHandled;
  const isBroken = !before.isConfirmed && link.seenAt <= (endedAt ?? again.t) + WINDOW_US;
  if (isRefused) repeats.afterNak++;
  else if (isBroken && endedAt === null) repeats.afterBreak++;
  else if (isBroken) repeats.afterHandled++;
  else {
    const was =
      endedAt === null
        ? `while it was still being handled, and ${link.name} was alive ${ms(link.seenAt - again.t)} ms later`
        : `${ms(again.t - endedAt)} ms after it was handled; the acknowledgement ${certainty(before)}`;
    repeats.violations.push({
      // The broker itself does not take it for a redelivery: it has the message twice.
      rule: isToldApart ? 'handled again' : 'kept twice',
      keys: [key],
      message: `${key} came to ${c} again as attempt ${again.a} after attempt ${a} (${places([before, again])}) ${was}`,
    });
    return;
  }
  if (isToldApart) return;
  repeats.violations.push({
    rule: 'attempt',
    keys: [key],
    message: `${key} came to ${c} again as attempt ${again.a}, after attempt ${a} was ${isRefused ? 'refused' : 'cut off'}: ${places([before, again])}`,
  });
}

const isCommitted = ({ isHandled, endedAt, link }: Delivery): boolean =>
  isHandled && link.seenAt > endedAt! + WINDOW_US;

const certainty = ({ isConfirmed, link, endedAt }: Delivery): string =>
  isConfirmed
    ? 'was confirmed'
    : `had ${ms(link.seenAt - endedAt!)} ms on ${link.name} to get through, and the window is ${WINDOW_S} s`;

const heardTwice = (deliveries: Delivery[]): Violation => ({
  rule: 'handled again',
  keys: [deliveries[0]!.key],
  message: `${deliveries[0]!.key} came to the plain subscription ${deliveries[0]!.c} ${deliveries.length} times: ${places(deliveries)}`,
});

const unconfirmed = (delivery: Delivery): Violation => ({
  rule: 'unanswered',
  keys: [delivery.key],
  message: `${delivery.c} handled ${delivery.key} (${delivery.place}), and the acknowledgement was never confirmed: it ${certainty(delivery)}`,
});

const places = (deliveries: Delivery[]): string => deliveries.map(({ place }) => place).join(', ');

const ms = (us: number): number => Math.round(us / 1000);
