import type { BusTotals, UnbalancedFamily } from '@grace/contracts';
import type { BrokerEvent } from './types.ts';

/** How often the broker looks whether its own accounts add up, ms. */
export const CONSERVATION_EVERY_MS = 1000;

/**
 * Watches the accounts: accepted = handled + rejected + expired + dead-lettered + waiting, for each family. What waits is counted from the
 * queues themselves and never kept, so a message that vanishes, or is settled twice, shows. It is told when a family stops adding up, when
 * the difference changes, and when it adds up again.
 */
export class Conservation {
  readonly #emit: (event: BrokerEvent) => void;
  readonly #differences = new Map<string, number>();
  #unbalanced: UnbalancedFamily[] = [];

  constructor(emit: (event: BrokerEvent) => void) {
    this.#emit = emit;
  }

  /** As it was when last looked. */
  get unbalanced(): UnbalancedFamily[] {
    return this.#unbalanced;
  }

  /** Takes all accounts of one moment between two tasks of the broker's thread: within a task a message may stand in two places or none. */
  check(families: Readonly<Record<string, BusTotals>>): void {
    this.#unbalanced = [];
    for (const [family, account] of Object.entries(families)) {
      const difference = differenceOf(account);
      const before = this.#differences.get(family) ?? 0;
      if (difference !== 0) this.#unbalanced.push({ family, ...account, difference });
      if (difference === before) continue;
      if (difference === 0) {
        this.#differences.delete(family);
        this.#emit({ type: 'balanced', family, unbalanced: this.#differences.size });
      } else {
        this.#differences.set(family, difference);
        this.#emit({ type: 'unbalanced', family, ...account, difference });
      }
    }
  }
}

function differenceOf({ accepted, handled, rejected, expired, deadLettered, waiting }: BusTotals): number {
  return accepted - handled - rejected - expired - deadLettered - waiting;
}
