import type { GraceError, MessageKind, Priority } from '@grace/contracts';
import { ATTEMPT_SHIFT, DURABLE_BIT, type Extra, kindOf, priorityOf } from '../wire/frames.ts';
import { unpack } from '../wire/payload.ts';
import type { Message } from './types.ts';

/** Takes what is said about a delivery; nothing of it goes to a wire that is gone. */
export interface Answers {
  readonly closed: boolean;
  answer(delivery: number, ok: boolean, value: unknown): void;
  acknowledge(delivery: number, handled: boolean): void;
  nak(delivery: number, delayMs: number | null, words: string | null): void;
  progress(delivery: number): void;
  confirm(delivery: number): Promise<void>;
}

/** A message as its handler sees it. */
export class Delivered implements Message {
  readonly id: string;
  readonly subject: string;
  readonly from: string;
  readonly at: number;
  readonly kind: MessageKind;
  readonly priority: Priority;
  readonly schema: number;
  readonly payload: unknown;
  declare readonly correlation?: string;
  declare readonly causation?: string;
  declare readonly deadlineMono?: number;
  declare readonly replyTo?: string;
  readonly durable: boolean;
  readonly attempt: number;
  #delivery: number;
  #answers: Answers;
  #said = false;
  /** Hears what was said about it, once. */
  onSaid: ((handled: boolean) => void) | undefined;
  #unreadable: GraceError | undefined;
  #answered = false;

  constructor(heads: unknown[], offset: number, delivery: number, answers: Answers) {
    const flags = heads[offset + 2] as number;
    this.subject = heads[offset + 1] as string;
    this.id = heads[offset + 3] as string;
    this.from = heads[offset + 4] as string;
    this.at = heads[offset + 5] as number;
    this.kind = kindOf(flags);
    this.durable = (flags & DURABLE_BIT) !== 0;
    this.attempt = this.durable ? flags >>> ATTEMPT_SHIFT : 1;
    this.priority = priorityOf(flags);
    const deadlineMono = heads[offset + 6] as number;
    if (deadlineMono !== 0) this.deadlineMono = deadlineMono;
    const extra = heads[offset + 7] as Extra;
    this.schema = extra ? extra[0] : 1;
    if (extra?.[1]) this.correlation = extra[1];
    if (extra?.[2]) this.causation = extra[2];
    if (this.kind === 'request') this.replyTo = `reply.${delivery}`;
    try {
      this.payload = unpack(heads[offset + 8], flags);
    } catch (error) {
      this.#unreadable = error as GraceError;
    }
    this.#delivery = delivery;
    this.#answers = answers;
  }

  reply(payload: unknown): void {
    this.#answer(true, payload);
  }

  fail(error: unknown): void {
    this.#answer(false, error);
  }

  ack(): void {
    if (this.#said) return;
    this.#said = true;
    this.#answers.acknowledge(this.#delivery, true);
    this.onSaid?.(true);
  }

  nak({ delayMs }: { delayMs?: number } = {}): void {
    this.#nak(delayMs ?? null, null);
  }

  /** Its handler failed: a request is answered with the failure, so that nobody waits for the deadline. */
  rejected(error: unknown): void {
    this.fail(error);
    this.#nak(null, error instanceof Error ? error.message : String(error));
  }

  inProgress(): void {
    if (this.durable && !this.#said) this.#answers.progress(this.#delivery);
  }

  confirmed(): Promise<void> {
    return this.#answers.confirm(this.#delivery);
  }

  /** The wire on which it came is gone; what is said about it from now on goes to this one, where it came again. */
  comeAgain(delivery: number, answers: Answers): boolean {
    if (!this.#answers.closed) return false;
    this.#delivery = delivery;
    this.#answers = answers;
    return true;
  }

  /** Why its payload cannot be decoded: its sender is no client of ours, and its receiver must not pay for it. */
  get unreadable(): GraceError | undefined {
    return this.#unreadable;
  }

  get answered(): boolean {
    return this.#answered;
  }

  #nak(delayMs: number | null, words: string | null): void {
    if (this.#said) return;
    this.#said = true;
    if (this.durable) this.#answers.nak(this.#delivery, delayMs, words);
    else this.#answers.acknowledge(this.#delivery, false);
    this.onSaid?.(false);
  }

  #answer(ok: boolean, value: unknown): void {
    if (this.kind !== 'request' || this.#answered) return;
    this.#answers.answer(this.#delivery, ok, value);
    this.#answered = true;
  }
}
