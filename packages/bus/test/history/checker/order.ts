import { isDurable } from '../entries.ts';
import type { ConsumerStory, Delivery, Publication, Story } from './story.ts';
import { nameOf, type Violation } from './violation.ts';

/**
 * What one life of a publisher sends to one subject comes in its order: to a consumer of its own by first deliveries, through breaks too;
 * to a member of a group by what the broker calls first deliveries, on each wire. To an ordered consumer one comes when the one before is
 * settled. A message that was published again after its outcome
 * stayed unknown stands where the broker took it, so it is left out.
 */
export function findDisorder({ publications, consumers }: Story): Violation[] {
  const found: Violation[] = [];
  for (const consumer of consumers.values()) {
    const last = new Map<string, { publication: Publication; delivery: Delivery }>();
    for (const delivery of inOrder(consumer)) {
      const publication = publications.get(delivery.key);
      if (!publication || publication.invokes > 1) continue;
      const { publisher, life, s } = publication;
      const stream = `${publisher}.${life} ${s}${isGroup(consumer) ? ` ${delivery.link.name}` : ''}`;
      const before = last.get(stream);
      const open =
        consumer.kind === 'durable-ordered' && before && openAt(consumer, before.publication.key, delivery.t);
      if (open) {
        found.push({
          rule: 'order',
          keys: [before.publication.key, publication.key],
          message: `${consumer.c} heard ${nameOf(publication)} (${delivery.place}) when ${nameOf(before.publication)} was not settled (${open.place})`,
        });
      }
      if (before && before.publication.n > publication.n) {
        found.push({
          rule: 'order',
          keys: [before.publication.key, publication.key],
          message: `${consumer.c} heard ${nameOf(before.publication)} (${before.delivery.place}) before ${nameOf(publication)} (${delivery.place})`,
        });
        continue;
      }
      last.set(stream, { publication, delivery });
    }
  }
  return found;
}

/** The delivery that is under way at this time and ends well later: then nothing had settled the message. */
const openAt = ({ deliveries }: ConsumerStory, key: string, t: number): Delivery | undefined => {
  const firstHandled = deliveries.get(key)!.find(({ isHandled }) => isHandled);
  return firstHandled && firstHandled.endedAt! > t ? firstHandled : undefined;
};

const isGroup = ({ kind }: ConsumerStory): boolean => kind === 'durable-group' || kind === 'plain-group';

function inOrder(consumer: ConsumerStory): Delivery[] {
  const firsts: Delivery[] = [];
  for (const deliveries of consumer.deliveries.values()) {
    const [first, ...more] = deliveries as [Delivery, ...Delivery[]];
    // A group that counts no attempts may have given it to somebody else before; what is kept twice has two places.
    const isFirst = isDurable(consumer.kind) ? first.a === 1 && more.every(({ a }) => a > 1) : more.length === 0;
    if (isFirst || !isGroup(consumer)) firsts.push(first);
  }
  return firsts.sort((x, y) => x.index - y.index);
}
