import type { Consumer } from '../durable/consumer.ts';
import { SubjectTrie } from '../subject/trie.ts';
import type { Account, Accounts } from './accounts.ts';
import { chooseByKey } from './sticky.ts';
import type { BrokerSubscription } from './subscription.ts';

/** Who gets messages of a subject: each of `each`, and one of every group. */
export interface Route {
  readonly each: readonly BrokerSubscription[];
  readonly groups: readonly (readonly BrokerSubscription[])[];
  /** Of a durable subject: whose messages are kept; null: the subject is not durable. */
  readonly kept: readonly Consumer[] | null;
  /** Of a durable subject: who gets copies without a promise. */
  readonly live: Pick<Route, 'each' | 'groups'>;
  readonly account: Account;
  /** Turns, so that equally busy members of a group take turns. */
  turn: number;
}

const REMEMBERED_ROUTES = 4096;

/** The subscriptions, and the routes found so far: a route is looked up once per subject, until a subscription changes. */
export class Routes {
  readonly #trie = new SubjectTrie<BrokerSubscription>();
  readonly #routes = new Map<string, Route>();
  readonly #accounts: Accounts;
  /** Set by the durable part: the consumers of a durable subject, null for any other. */
  keep: (subject: string) => readonly Consumer[] | null = () => null;

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  add(subscription: BrokerSubscription): void {
    this.#trie.add(subscription.pattern, subscription);
    this.#routes.clear();
  }

  remove(subscription: BrokerSubscription): void {
    this.#trie.delete(subscription.pattern, subscription);
    this.#routes.clear();
  }

  /** Access rules changed: routes of filtered subscriptions may be different. */
  forget(): void {
    this.#routes.clear();
  }

  of(subject: string): Route {
    let route = this.#routes.get(subject);
    if (!route) {
      route = this.#find(subject);
      if (this.#routes.size === REMEMBERED_ROUTES) this.#routes.clear();
      this.#routes.set(subject, route);
    }
    return route;
  }

  #find(subject: string): Route {
    const each: BrokerSubscription[] = [];
    const groups = new Map<string, BrokerSubscription[]>();
    for (const subscription of this.#trie.match(subject)) {
      if (subscription.filtered && !subscription.connection.access.mayReceive(subject)) continue;
      if (subscription.group === null) each.push(subscription);
      else groups.set(subscription.group, [...(groups.get(subscription.group) ?? []), subscription]);
    }
    const all = [...groups.values()];
    const kept = this.keep(subject);
    const live = {
      each: kept ? each.filter(isLive) : each,
      groups: kept ? all.map((one) => one.filter(isLive)).filter(isSome) : all,
    };
    return { each, groups: all, kept, live, account: this.#accounts.of(subject), turn: 0 };
  }
}

const isLive = ({ durable }: BrokerSubscription): boolean => !durable;
const isSome = (members: readonly unknown[]): boolean => members.length > 0;

/** The member for a message: with a key always the same one while it lives, else as `chooseMember`. */
export function chooseFor(
  key: string | null,
  members: readonly BrokerSubscription[],
  turn: number,
  hasRoom: (member: BrokerSubscription) => boolean,
): BrokerSubscription | undefined {
  if (key === null || members.length < 2) return chooseMember(members, turn, hasRoom);
  const chosen = chooseByKey(members, key);
  return chosen && hasRoom(chosen) ? chosen : undefined;
}

/** The least busy member with room; members equally busy take turns. Undefined when nobody has room. */
export function chooseMember(
  members: readonly BrokerSubscription[],
  turn: number,
  hasRoom: (member: BrokerSubscription) => boolean,
): BrokerSubscription | undefined {
  let chosen: BrokerSubscription | undefined;
  for (let i = 0; i < members.length; i++) {
    const member = members[(turn + i) % members.length]!;
    if (hasRoom(member) && (chosen === undefined || member.load < chosen.load)) chosen = member;
  }
  return chosen;
}
