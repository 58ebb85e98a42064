import { isDurable } from '../entries.ts';
import type { ConsumerStory, Publication, Story } from './story.ts';
import { matches, nameOf, type Violation } from './violation.ts';

/**
 * Each accepted durable message was handled by every durable consumer whose subscription was confirmed before it was published, or is a
 * dead letter of it. A normal message may be gone with the broker, or with who was to handle it: it is demanded only from when nothing
 * was done to the system any more.
 */
export function findLost(story: Story): Violation[] {
  const { publications, consumers, dead } = story;
  const letters = new Set(dead.map(({ c, key }) => `${c} ${key}`));
  const found: Violation[] = [];
  for (const publication of publications.values()) {
    if (publication.outcome !== 'ok') continue;
    for (const consumer of consumers.values()) {
      if (!isDue(publication, consumer, story)) continue;
      const { c } = consumer;
      const deliveries = consumer.deliveries.get(publication.key) ?? [];
      if (deliveries.some(({ isHandled }) => isHandled) || letters.has(`${c} ${publication.key}`)) continue;
      const tried = deliveries.map(({ place }) => place).join(', ');
      found.push({
        rule: 'lost',
        keys: [publication.key],
        message: `${nameOf(publication)} was accepted (${publication.place}) and never handled by ${c}: ${
          tried === '' ? 'it was not delivered once' : `delivered in vain at ${tried}`
        }, and it is no dead letter`,
      });
    }
  }
  return found;
}

function isDue(publication: Publication, consumer: ConsumerStory, { calmAt, quiet }: Story): boolean {
  const { s, invokedAt, durable } = publication;
  if (!matches(consumer.pattern, s) || consumer.since >= invokedAt) return false;
  if (durable) return isDurable(consumer.kind);
  if (isDurable(consumer.kind) || calmAt === null || invokedAt <= calmAt) return false;
  // Its subscriber, or a member of its group, was there to the end.
  return [...consumer.lives].some(([who, life]) => quiet.has(`${who}.${life}`));
}
