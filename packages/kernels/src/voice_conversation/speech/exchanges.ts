import { GraceError, type Redactor } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { KeySource } from '../settings.ts';
import type { Exchange, ExchangeBook } from './exchange-book.ts';
import { authorization } from './provider-key.ts';

type Wish = Pick<Exchange, 'session' | 'turn' | 'kind' | 'provider' | 'model' | 'units'>;

/** Requests to providers: within the budget, with their key, and on record with their outcome. */
export interface Exchanges {
  /** What a provider says, without the keys it was given. */
  clean(text: string): string;
  run<T>(
    wish: Wish,
    key: KeySource,
    work: (
      headers: Record<string, string>,
      signal: AbortSignal,
    ) => Promise<{ value: T; said: string; status: number | null }>,
  ): Promise<T>;
}

export function createExchanges(ctx: KernelContext, book: ExchangeBook, redactor: Redactor): Exchanges {
  return {
    clean: (text) => redactor.text(text),
    async run(wish, key, work) {
      const id = book.begin(wish);
      const startMono = ctx.clock.monoMs();
      const ms = (): number => ctx.clock.monoMs() - startMono;
      try {
        const { value, said, status } = await work(await authorization(ctx, redactor, key), ctx.signal);
        if (!ctx.signal.aborted) book.end(id, { state: 'ok', status, ms: ms(), said });
        return value;
      } catch (error) {
        const coded = error instanceof GraceError ? error : new GraceError('INTERNAL', String(error));
        const message = redactor.text(coded.message);
        const status = typeof coded.details['status'] === 'number' ? coded.details['status'] : null;
        if (!ctx.signal.aborted) book.end(id, { state: coded.code, status, ms: ms(), said: message });
        throw new GraceError(coded.code, message, status === null ? {} : { status });
      }
    },
  };
}
