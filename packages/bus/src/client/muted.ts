import { GraceError } from '@grace/contracts';
import { familyOf } from '../subject/subject.ts';
import type { Pending } from './pending.ts';

/** What is withheld is told to the broker and refused together, this often. At once would let a sender that only waits for answers spin. */
const EVERY_MS = 10;

export interface MutedParts {
  /** How many were withheld: family, count, family, count, ... False when nobody is there to be told. */
  tell(counts: (string | number)[]): boolean;
  refuse(pending: Pending, error: GraceError): void;
}

/**
 * The broker has said until when this principal is muted. What it publishes until then is refused here with `BUS_MUTED`: the broker hears
 * one number for many messages, and counts them as denied all the same. A sender that does not keep to this is refused by the broker.
 */
export class Muted {
  readonly #parts: MutedParts;
  readonly #limit: number;
  readonly #counts = new Map<string, number>();
  #untilMono = 0;
  #held: Pending[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: MutedParts, limit: number) {
    this.#parts = parts;
    this.#limit = limit;
  }

  /** 0: not muted any more. */
  until(mono: number): void {
    this.#untilMono = mono;
  }

  isOn(nowMono: number): boolean {
    return this.#untilMono > nowMono;
  }

  /** Refused a moment later. */
  hold(pending: Pending): void {
    if (this.#held.length >= this.#limit) {
      this.#parts.refuse(
        pending,
        new GraceError('BUS_OVERLOADED', `"${pending.subject}": too many wait to be refused`),
      );
      return;
    }
    this.#held.push(pending);
    this.count(pending.subject);
    this.#timer ??= setTimeout(() => this.flush(), EVERY_MS);
  }

  count(subject: string): void {
    const family = familyOf(subject);
    this.#counts.set(family, (this.#counts.get(family) ?? 0) + 1);
  }

  /** Tells first, so that whoever is refused finds it counted. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#counts.size > 0 && this.#parts.tell([...this.#counts].flat())) this.#counts.clear();
    const held = this.#held;
    this.#held = [];
    for (const pending of held) this.#parts.refuse(pending, mutedError(pending));
  }
}

export function mutedError({ subject }: Pending): GraceError {
  return new GraceError('BUS_MUTED', `"${subject}": muted after denied messages`);
}
