import type { Account, ConsumerKind, Entry, EntryOf, Handling } from '../entries.ts';

/** A message as its publisher knows it. */
export interface Publication {
  key: string;
  publisher: string;
  life: number;
  s: string;
  n: number;
  durable: boolean;
  /** First publish, µs. */
  invokedAt: number;
  invokes: number;
  /** `refused`: each publish of it was refused with a code after which the broker cannot have it. */
  outcome: 'ok' | 'refused' | 'unknown';
  codes: string[];
  isAnswered: boolean;
  place: string;
}

/** One call of a handler. */
export interface Delivery {
  key: string;
  c: string;
  member: string;
  link: Link;
  a: number;
  t: number;
  s: string;
  n: number;
  from: string;
  /** When its handler was about to end, µs; null: it never did. */
  endedAt: number | null;
  isHandled: boolean;
  /** The broker has said that its acknowledgement is committed. */
  isConfirmed: boolean;
  /** Its turn among all deliveries of the history. */
  index: number;
  place: string;
}

/** One wire of one life of a participant. */
export interface Link {
  name: string;
  /** The last time its participant found it alive, µs. */
  seenAt: number;
}

export interface ConsumerStory {
  c: string;
  kind: ConsumerKind;
  pattern: string;
  /** Confirmed by the broker for the first time, µs. */
  since: number;
  /** The latest life of each member that subscribed. */
  lives: Map<string, number>;
  /** By key, in the order of time. */
  deliveries: Map<string, Delivery[]>;
}

/** A history, told by message and consumer. */
export interface Story {
  publications: Map<string, Publication>;
  consumers: Map<string, ConsumerStory>;
  /** Lives that were there to the end, `who.life`. */
  quiet: Set<string>;
  strikes: { kind: string; bit: boolean }[];
  planned: string[];
  calmAt: number | null;
  accounts: { account: Account; last: boolean; place: string }[];
  dead: { c: string; key: string; attempts: number; reason: string }[];
}

/** After these a broker that kept its promise does not have the message. Every other failure leaves it open. */
const DEFINITE = new Set(['BUS_DENIED', 'BUS_MUTED', 'BUS_TOO_LARGE', 'BUS_BAD_SUBJECT', 'BAD_INPUT']);

/** @throws Error when the history contradicts itself: then it is the recorder that is wrong */
export function tell(entries: readonly Entry[]): Story {
  const story: Story = {
    publications: new Map(),
    consumers: new Map(),
    quiet: new Set(),
    strikes: [],
    planned: [],
    calmAt: null,
    accounts: [],
    dead: [],
  };
  const links = new Map<string, Link>();
  const seen = (entry: Entry, wire: number): Link => {
    const name = `${entry.who}.${entry.life} wire ${wire}`;
    const link = links.get(name) ?? { name, seenAt: entry.t };
    links.set(name, link);
    return link;
  };
  for (const [index, entry] of entries.entries()) {
    switch (entry.e) {
      case 'invoke':
        invoked(story, entry);
        break;
      case 'ok':
      case 'fail':
        answered(story, entry);
        break;
      case 'subscribed':
        subscribed(story, entry);
        break;
      case 'beat':
        seen(entry, entry.wire).seenAt = entry.t;
        break;
      case 'deliver': {
        const link = seen(entry, entry.wire);
        link.seenAt = entry.t;
        delivered(story, entry, link, index);
        break;
      }
      case 'handled':
      case 'nak':
        ended(story, entry, seen(entry, entry.wire));
        break;
      case 'confirmed':
        confirmed(story, entry, seen(entry, entry.wire));
        break;
      case 'quiet':
        story.quiet.add(`${entry.who}.${entry.life}`);
        break;
      case 'seed':
        story.planned = entry.kinds;
        break;
      case 'strike':
        story.strikes[entry.strike] = { kind: entry.kind, bit: false };
        break;
      case 'bit':
        story.strikes[entry.strike]!.bit = true;
        break;
      case 'calm':
        story.calmAt = entry.t;
        break;
      case 'account':
        story.accounts.push({ account: entry.account, last: entry.last, place: placeOf(entry) });
        break;
      case 'dead':
        story.dead.push(entry);
        break;
      case 'begin':
      case 'missed':
        break;
    }
  }
  return story;
}

function invoked({ publications }: Story, entry: EntryOf<'invoke'>): void {
  const { key, s, n, durable, again, who, life, t } = entry;
  const known = publications.get(key);
  if (known !== undefined) {
    if (!again) throw new Error(`${placeOf(entry)}: the key ${key} is used twice`);
    known.invokes++;
    known.isAnswered = false;
    return;
  }
  publications.set(key, {
    key,
    publisher: who,
    life,
    s,
    n,
    durable,
    invokedAt: t,
    invokes: 1,
    outcome: 'unknown',
    codes: [],
    isAnswered: false,
    place: placeOf(entry),
  });
}

function answered({ publications }: Story, entry: EntryOf<'ok' | 'fail'>): void {
  const publication = publications.get(entry.key);
  if (!publication) throw new Error(`${placeOf(entry)}: an answer to ${entry.key}, which was never published`);
  publication.isAnswered = true;
  if (entry.e === 'ok') publication.outcome = 'ok';
  else publication.codes.push(entry.code);
  if (publication.outcome === 'ok') return;
  const { codes, invokes } = publication;
  publication.outcome = codes.length === invokes && codes.every((code) => DEFINITE.has(code)) ? 'refused' : 'unknown';
}

function consumerOf({ consumers }: Story, c: string): ConsumerStory {
  const known = consumers.get(c);
  if (known) return known;
  // Messages may come before the confirmation does.
  const made: ConsumerStory = {
    c,
    kind: 'plain',
    pattern: '',
    since: Number.POSITIVE_INFINITY,
    lives: new Map(),
    deliveries: new Map(),
  };
  consumers.set(c, made);
  return made;
}

function subscribed(story: Story, { c, kind, pattern, t, who, life }: EntryOf<'subscribed'>): void {
  const consumer = consumerOf(story, c);
  consumer.kind = kind;
  consumer.pattern = pattern;
  consumer.since = Math.min(consumer.since, t);
  consumer.lives.set(who, Math.max(life, consumer.lives.get(who) ?? 0));
}

function delivered(story: Story, entry: EntryOf<'deliver'>, link: Link, index: number): void {
  const { key, c, a, t, s, n, from, who } = entry;
  const { deliveries } = consumerOf(story, c);
  const delivery: Delivery = {
    key,
    c,
    member: who,
    link,
    a,
    t,
    s,
    n,
    from,
    endedAt: null,
    isHandled: false,
    isConfirmed: false,
    index,
    place: placeOf(entry),
  };
  const list = deliveries.get(key);
  if (list) list.push(delivery);
  else deliveries.set(key, [delivery]);
}

function ended(story: Story, entry: (EntryOf<'handled'> | EntryOf<'nak'>) & Handling, link: Link): void {
  const { key, c, a, t } = entry;
  const delivery = consumerOf(story, c)
    .deliveries.get(key)
    ?.find((one) => one.link === link && one.a === a && one.endedAt === null);
  if (!delivery) throw new Error(`${placeOf(entry)}: the end of a delivery of ${key} that never began`);
  delivery.endedAt = t;
  delivery.isHandled = entry.e === 'handled';
}

function confirmed(story: Story, entry: EntryOf<'confirmed'>, link: Link): void {
  const { key, c, a } = entry;
  const delivery = consumerOf(story, c)
    .deliveries.get(key)
    ?.find((one) => one.link === link && one.a === a && one.isHandled && !one.isConfirmed);
  if (!delivery) throw new Error(`${placeOf(entry)}: the acknowledgement of a delivery of ${key} that was not handled`);
  delivery.isConfirmed = true;
}

const placeOf = ({ who, life, line }: Entry): string => `${who}.${life}.ndjson:${line}`;
