import { randomUUID } from 'node:crypto';
import { checkPattern } from '../subject/subject.ts';
import { SubjectTrie } from '../subject/trie.ts';
import type { BusPermit } from './types.ts';

interface Held {
  permit: BusPermit;
  publish: SubjectTrie<true>;
  subscribe: SubjectTrie<true>;
}

/** Rights for named subjects until a time. A permit stands in where there is no rule; it does not lift a deny. */
export class Permits {
  readonly #held = new Map<string, Held>();
  readonly #nowMono: () => number;

  constructor(nowMono: () => number) {
    this.#nowMono = nowMono;
  }

  /** @throws GraceError `BUS_BAD_SUBJECT` */
  add(request: Omit<BusPermit, 'id'>): BusPermit {
    return this.restore({ id: randomUUID(), ...request });
  }

  /** One that a broker that ended had given. */
  restore(permit: BusPermit): BusPermit {
    this.#held.set(permit.id, { permit, publish: trie(permit.publish), subscribe: trie(permit.subscribe) });
    return permit;
  }

  /** The permit that is no more, if it was there. */
  remove(id: string): BusPermit | undefined {
    const held = this.#held.get(id);
    this.#held.delete(id);
    return held?.permit;
  }

  list(): BusPermit[] {
    this.expire();
    return [...this.#held.values()].map(({ permit }) => permit);
  }

  mayPublish(principal: string, subject: string): boolean {
    return this.#some(principal, (held) => held.publish.matches(subject));
  }

  maySubscribe(principal: string, pattern: string): boolean {
    return this.#some(principal, (held) => held.subscribe.covers(pattern));
  }

  /** Drops those whose time is over and returns them. */
  expire(): BusPermit[] {
    const over = [...this.#held.values()]
      .map(({ permit }) => permit)
      .filter(({ untilMono }) => untilMono <= this.#nowMono());
    for (const { id } of over) this.#held.delete(id);
    return over;
  }

  #some(principal: string, grants: (held: Held) => boolean): boolean {
    for (const held of this.#held.values()) {
      if (held.permit.principal === principal && held.permit.untilMono > this.#nowMono() && grants(held)) return true;
    }
    return false;
  }
}

function trie(patterns: readonly string[]): SubjectTrie<true> {
  const built = new SubjectTrie<true>();
  for (const pattern of patterns) {
    checkPattern(pattern);
    built.add(pattern, true);
  }
  return built;
}
