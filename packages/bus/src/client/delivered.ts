import type { MessageKind, Priority } from '@grace/contracts';
import { type Extra, kindOf, priorityOf } from '../wire/frames.ts';
import { unpack } from '../wire/payload.ts';
import type { Message } from './types.ts';

/** Takes answers to a delivery; refuses those for a wire that is gone. */
export interface Answers {
  answer(delivery: number, ok: boolean, value: unknown): void;
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
  readonly #delivery: number;
  readonly #answers: Answers;
  #answered = false;

  constructor(heads: unknown[], offset: number, delivery: number, answers: Answers) {
    const flags = heads[offset + 2] as number;
    this.subject = heads[offset + 1] as string;
    this.id = heads[offset + 3] as string;
    this.from = heads[offset + 4] as string;
    this.at = heads[offset + 5] as number;
    this.kind = kindOf(flags);
    this.priority = priorityOf(flags);
    const deadlineMono = heads[offset + 6] as number;
    if (deadlineMono !== 0) this.deadlineMono = deadlineMono;
    const extra = heads[offset + 7] as Extra;
    this.schema = extra ? extra[0] : 1;
    if (extra?.[1]) this.correlation = extra[1];
    if (extra?.[2]) this.causation = extra[2];
    if (this.kind === 'request') this.replyTo = `reply.${delivery}`;
    this.payload = unpack(heads[offset + 8]);
    this.#delivery = delivery;
    this.#answers = answers;
  }

  reply(payload: unknown): void {
    this.#answer(true, payload);
  }

  fail(error: unknown): void {
    this.#answer(false, error);
  }

  get answered(): boolean {
    return this.#answered;
  }

  #answer(ok: boolean, value: unknown): void {
    if (this.kind !== 'request' || this.#answered) return;
    this.#answers.answer(this.#delivery, ok, value);
    this.#answered = true;
  }
}
