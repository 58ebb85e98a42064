import { GraceError } from '@grace/contracts';
import type { FastifyRequest } from 'fastify';
import { includesRole } from '../access/role.ts';
import type { Caller, TokenBook } from '../access/token-book.ts';
import type { Route } from '../routes/route.ts';
import type { Settings } from '../settings.ts';
import { Buckets } from './buckets.ts';

/** A token is 58 characters. */
const HEADER_MAX = 200;

/**
 * Who comes in. Looking a token up costs a hash, so it comes first, and the rates after it: so the functional probe is never refused for
 * what others send, and who holds a token is not shut out by somebody at the same address who guesses.
 */
export class Door {
  readonly #settings: Settings;
  readonly #book: TokenBook;
  readonly #tokens: Buckets;
  readonly #addresses: Buckets;
  readonly #refused: Buckets;
  readonly #callers = new WeakMap<FastifyRequest, Caller>();
  #isClosed = false;

  constructor(settings: Settings, book: TokenBook, nowMs: () => number) {
    this.#settings = settings;
    this.#book = book;
    this.#tokens = new Buckets(settings.rates.token, nowMs);
    this.#addresses = new Buckets(settings.rates.address, nowMs);
    this.#refused = new Buckets(settings.rates.refused, nowMs);
  }

  caller(request: FastifyRequest): Caller | null {
    return this.#callers.get(request) ?? null;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** From now on nobody new comes in. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Lets a request in; `retryMs`: it came too soon.
   * @throws GraceError `API_UNAUTHENTICATED`, `FORBIDDEN` for a role that is not enough, `API_FULL` while the server ends
   */
  admit(request: FastifyRequest, route: Route | undefined): { retryMs?: number } {
    if (this.#isClosed) throw new GraceError('API_FULL', 'the server is ending');
    const caller = this.#who(request.headers.authorization);
    if (caller) this.#callers.set(request, caller);
    if (caller && this.#book.isProbe(caller)) return {};
    const address = request.ip ?? 'socket';
    const early = this.#addresses.take(address) || (caller ? this.#tokens.take(caller.id) : 0);
    if (early > 0) return { retryMs: early };
    const isOpen = route !== undefined && this.#settings.open.includes(route.path);
    if (isOpen) return {};
    if (!caller) {
      const tooMany = this.#refused.take(address);
      if (tooMany > 0) return { retryMs: tooMany };
      throw new GraceError(
        'API_UNAUTHENTICATED',
        request.headers.authorization === undefined
          ? 'expected the header "authorization: Bearer <token>"'
          : 'the token is unknown, revoked or expired',
      );
    }
    if (route && !includesRole(caller.role, route.role))
      throw new GraceError('FORBIDDEN', `${route.id} needs the role ${route.role}, this token has ${caller.role}`);
    return {};
  }

  #who(header: string | undefined): Caller | null {
    if (header === undefined || header.length > HEADER_MAX) return null;
    const bearer = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    return bearer === undefined ? null : this.#book.find(bearer);
  }
}
