import type { Recorder } from './record.ts';
import type { Token, TokenBook } from './token-book.ts';
import { readWish } from './wish.ts';

/** Gives and takes tokens, on the record. */
export class TokenDesk {
  readonly #book: TokenBook;
  readonly #record: Recorder;
  readonly #nowMs: () => number;
  readonly #onRevoke: (id: string) => void;

  constructor(book: TokenBook, record: Recorder, nowMs: () => number, onRevoke: (id: string) => void) {
    this.#book = book;
    this.#record = record;
    this.#nowMs = nowMs;
    this.#onRevoke = onRevoke;
  }

  /** @throws GraceError `BAD_INPUT`, `CONFLICT` */
  add(wish: unknown, by: string): Token & { token: string } {
    const { forMs, ...rest } = readWish(wish);
    const expiresMs = forMs === null ? null : this.#nowMs() + forMs;
    const added = this.#book.add({ ...rest, expiresMs, by });
    this.#record({
      actor: by,
      action: 'token:add',
      resource: added.id,
      outcome: `${added.role} for ${added.principal}`,
    });
    return added;
  }

  /** @throws GraceError `NOT_FOUND` */
  revoke(id: string, by: string): Token {
    const revoked = this.#book.revoke(id);
    this.#onRevoke(id);
    this.#record({ actor: by, action: 'token:revoke', resource: id, outcome: 'ok' });
    return revoked;
  }

  list(): Token[] {
    return this.#book.list();
  }
}
