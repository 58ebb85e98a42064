import type { BusTotals } from '@grace/contracts';
import { SubjectTrie } from '../subject/trie.ts';
import type { Accounts } from './accounts.ts';
import type { BrokerSubscription } from './subscription.ts';

/** Who gets messages of a subject: each of `each`, and one of every group. */
export interface Route {
  readonly each: readonly BrokerSubscription[];
  readonly groups: readonly (readonly BrokerSubscription[])[];
  readonly account: BusTotals;
  /** Turns, so that equally busy members of a group take turns. */
  turn: number;
}

const REMEMBERED_ROUTES = 4096;

/** The subscriptions, and the routes found so far: a route is looked up once per subject, until a subscription changes. */
export class Routes {
  readonly #trie = new SubjectTrie<BrokerSubscription>();
  readonly #routes = new Map<string, Route>();
  readonly #accounts: Accounts;

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
    return { each, groups: [...groups.values()], account: this.#accounts.of(subject), turn: 0 };
  }
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
