import type { Clock } from '@grace/contracts';
import type { Accounts } from '../broker/accounts.ts';
import type { RoutedMessage } from '../broker/message.ts';
import { addTo, type Item, type KeptMessage, revive } from './block.ts';
import type { Consumer } from './consumer.ts';
import type { Consumers } from './consumers.ts';
import { type DurableSettings, LETTERS_MAX } from './options.ts';
import type { Publishing } from './publishing.ts';
import type { Settling } from './settling.ts';
import type { Page, Swept } from './storage/orders.ts';
import type { Storage } from './storage.ts';

const SWEEP_MS = 2000;

export interface SweepingParts {
  settings: DurableSettings;
  consumers: Consumers;
  storage: Storage;
  settling: Settling;
  publishing: Publishing;
  accounts: Accounts;
  clock: Clock;
  route(message: KeptMessage): RoutedMessage;
  /** Nobody has come for what waits for this consumer. */
  abandon(consumer: Consumer): void;
}

/** Ends what nobody else ends: lifetimes that are over, messages nobody claimed, consumers nobody came back to, ids out of the window. */
export class Sweeping {
  readonly #parts: SweepingParts;
  readonly #timer: NodeJS.Timeout;
  #sweeping = false;
  /** Claims seen so far: what a sweep found before a claim may lie elsewhere after it. */
  #claims = 0;
  #idsSeen = 0;

  constructor(parts: SweepingParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  claimed(): void {
    this.#claims++;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const { settings, consumers, storage, publishing, settling, clock } = this.#parts;
    if (!storage.open || this.#sweeping || publishing.claiming) return;
    const nowMs = clock.wallMs();
    for (const consumer of [...consumers]) {
      const idle = consumer.members.length === 0 && consumer.kept;
      if (idle && consumer.idleSinceMs + settings.retentionMs <= nowMs) this.#parts.abandon(consumer);
    }
    const nothing = publishing.nextIds === this.#idsSeen && ![...consumers.lines()].some(({ size }) => size > 0);
    if (nothing && settling.letters <= LETTERS_MAX) return;
    this.#idsSeen = publishing.nextIds;
    this.#sweeping = true;
    const claims = this.#claims;
    storage.send<Swept>(
      {
        t: 'sweep',
        nowMs,
        unclaimedBeforeMs: nowMs - settings.retentionMs,
        idsBeforeMs: nowMs - settings.duplicateWindowMs,
        lettersMax: LETTERS_MAX,
      },
      ({ unclaimed, late, letters }) => {
        this.#sweeping = false;
        settling.letters = letters;
        for (const [line, first] of late) this.#expire(line, first, nowMs, claims);
        if (unclaimed.length > 0 && !this.#isStale(claims)) this.#drop(unclaimed);
      },
      () => {
        this.#sweeping = false;
      },
    );
  }

  #drop(unclaimed: Swept['unclaimed']): void {
    const { storage, consumers, accounts } = this.#parts;
    storage.send(
      { t: 'write', writes: unclaimed.map(([line, first]) => ['drop', line, first]) },
      () => {
        for (const [number, , sums] of unclaimed) {
          const line = consumers.unclaimed[number]!;
          for (const [family, count, bytes] of sums) {
            line.size -= count;
            line.bytes -= bytes;
            addTo(line.sums, family, -count, -bytes);
            accounts.of(family).expired += count;
          }
        }
      },
      () => {},
    );
  }

  #expire(number: number, first: number, nowMs: number, claims: number): void {
    const { consumers, storage, settling } = this.#parts;
    const line = consumers.line(number);
    if (!line || consumers.owner(number)?.closed) return;
    if (line.isLoaded(first)) {
      for (const item of line.takeLate(nowMs)) settling.settle(item, 'expired');
      return;
    }
    if (line.paging) return;
    // Until the disk knows what is over in it, nobody else may read the block.
    line.paging = true;
    storage.send<Page>(
      { t: 'page', line: number, from: first, blocks: 1, isSent: false },
      ({ rows: [row] }) => {
        const isThere = row?.first === first && !this.#isStale(claims) && consumers.line(number) === line;
        const late = isThere ? lateOf(revive(number, row, 0, this.#parts.route).items, nowMs) : [];
        line.paging = late.length > 0;
        let left = late.length;
        for (const item of late) {
          item.onSettled = () => {
            if (--left === 0) line.paging = false;
          };
          settling.settle(item, 'expired');
        }
      },
      () => {
        line.paging = false;
      },
    );
  }

  /** Unclaimed blocks may have moved since the sweep began, or may be moving. */
  #isStale(claims: number): boolean {
    return claims !== this.#claims || this.#parts.publishing.claiming;
  }
}

function lateOf(items: readonly (Item | undefined)[], nowMs: number): Item[] {
  return items.filter(
    (item): item is Item => item !== undefined && item.message.expiresMs !== 0 && item.message.expiresMs <= nowMs,
  );
}
