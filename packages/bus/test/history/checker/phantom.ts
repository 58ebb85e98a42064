import type { Delivery, Publication, Story } from './story.ts';
import { nameOf, type Violation } from './violation.ts';

/** Nothing is heard that nobody published, as it was published, and not before; and nothing that was refused. */
export function findPhantoms({ publications, consumers, dead }: Story): Violation[] {
  const found: Violation[] = [];
  for (const { deliveries } of consumers.values()) {
    for (const [key, list] of deliveries) {
      const wrong = list
        .values()
        .map((delivery) => wrongWith(delivery, publications.get(key)))
        .find((one) => one !== null);
      if (wrong) found.push({ ...wrong, keys: [key] });
    }
  }
  for (const { c, key } of dead) {
    const publication = publications.get(key);
    if (publication !== undefined && publication.outcome !== 'refused') continue;
    const why =
      publication === undefined ? 'which nobody published' : `which was refused with ${publication.codes.join(', ')}`;
    found.push({ rule: 'phantom', keys: [key], message: `a dead letter of ${c} is ${key}, ${why}` });
  }
  return found;
}

function wrongWith(delivery: Delivery, publication: Publication | undefined): Omit<Violation, 'keys'> | null {
  const { key, c, s, n, from, t, place } = delivery;
  if (!publication) return { rule: 'phantom', message: `${c} heard ${key} (${place}), which nobody published` };
  const published = nameOf(publication);
  if (publication.s !== s || publication.n !== n || publication.publisher !== from)
    return {
      rule: 'phantom',
      message: `${c} heard ${key} as ${s} n=${n} of ${from} (${place}); it was published as ${published}`,
    };
  if (t < publication.invokedAt)
    return {
      rule: 'phantom',
      message: `${c} heard ${published} (${place}) before it was published (${publication.place})`,
    };
  if (publication.outcome === 'refused')
    return {
      rule: 'refused and delivered',
      message: `${published} was refused with ${publication.codes.join(', ')} (${publication.place}), and ${c} heard it (${place})`,
    };
  return null;
}

/** A publish resolves or rejects: none of a publisher that was there to the end is without an answer. */
export function findUnanswered({ publications, quiet }: Story): Violation[] {
  return [...publications.values()]
    .filter(({ isAnswered, publisher, life }) => !isAnswered && quiet.has(`${publisher}.${life}`))
    .map((publication) => ({
      rule: 'unanswered',
      keys: [publication.key],
      message: `the publish of ${nameOf(publication)} was never answered (${publication.place})`,
    }));
}
