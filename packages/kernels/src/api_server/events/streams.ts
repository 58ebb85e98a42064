import type { ServerResponse } from 'node:http';
import { type AnyRecord, GraceError } from '@grace/contracts';
import type { Caller, TokenBook } from '../access/token-book.ts';
import type { Settings } from '../settings.ts';
import { EventStream } from './event-stream.ts';
import type { JournalTail } from './journal-tail.ts';

/** All open event streams: how many there may be, their signs of life, and their end. */
export class Streams {
  readonly #settings: Settings;
  readonly #tail: JournalTail;
  readonly #book: Pick<TokenBook, 'isValid'>;
  readonly #open = new Map<EventStream, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: Settings, tail: JournalTail, book: Pick<TokenBook, 'isValid'>) {
    this.#settings = settings;
    this.#tail = tail;
    this.#book = book;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @throws GraceError `API_FULL` */
  check({ id }: Caller): void {
    const { streams, streamsPerToken } = this.#settings.limits;
    const own = [...this.#open.values()].filter((one) => one === id).length;
    if (own >= streamsPerToken)
      throw new GraceError('API_FULL', `this token has ${own} event streams open, which is as many as it may`);
    if (this.#open.size >= streams)
      throw new GraceError('API_FULL', `${streams} event streams are open, which is as many as may be`);
  }

  open(
    caller: Caller,
    wish: { response: ServerResponse; after: number; wants(record: AnyRecord): boolean },
  ): EventStream {
    const stream: EventStream = new EventStream({
      ...wish,
      tail: this.#tail,
      stallMs: this.#settings.times.stallMs,
      onClose: () => this.#closed(stream),
    });
    this.#open.set(stream, caller.id);
    this.#timer ??= setInterval(() => this.#beat(), this.#settings.times.heartbeatMs);
    return stream;
  }

  /** Of this token, or all. */
  end(reason: string, token?: string): void {
    for (const [stream, id] of this.#open) if (token === undefined || id === token) stream.end(reason);
  }

  #beat(): void {
    for (const [stream, id] of this.#open) {
      if (this.#book.isValid(id)) stream.beat();
      else stream.end('the token is not valid any more');
    }
  }

  #closed(stream: EventStream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
