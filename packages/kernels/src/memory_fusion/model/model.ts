import { type Clock, createRedactor } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { createBreaker } from './breaker.ts';
import { askEndpoint, EndpointFailure } from './endpoint.ts';
import type { ModelCall, ModelLedger } from './ledger.ts';
import type { ModelSettings } from './settings.ts';

/** Of a longer text the beginning stands for the whole: models read a few thousand tokens. */
const MAX_CHARACTERS = 8000;
/** Questions asked of the endpoint at once; beyond, the built-in vectors answer. */
const MAX_QUERIES = 8;
const KEPT_QUERIES = 200;
/** A spent budget is looked at again so often: a new day may have begun. */
const BUDGET_AGAIN_MS = 60_000;
/** A lease is renewed this long before it ends. */
const LEASE_MARGIN_MS = 30_000;

/** Why the endpoint did not make a vector; then the built-in ones serve, and the answer says so. */
export class NoVector extends Error {
  /** When asking may be worth it again. */
  readonly laterMs: number;

  constructor(message: string, laterMs: number) {
    super(message);
    this.laterMs = laterMs;
  }
}

export type Model = ReturnType<typeof createModel>;

/** The endpoint behind its deadline, budget, redaction and breaker. */
export function createModel(
  settings: ModelSettings,
  ledger: ModelLedger,
  { secrets, clock, signal }: Pick<KernelContext, 'secrets' | 'signal'> & { clock: Clock },
) {
  const id = `${settings.name}/${settings.dimension}`;
  const breaker = createBreaker();
  const redactor = createRedactor();
  const queries = new Map<string, Float32Array>();
  let asking = 0;
  const counters = { answered: 0, failed: 0, fallbacks: 0 };

  let leased: { value: string; untilMs: number } | undefined;
  const keyOf = async (): Promise<string | undefined> => {
    if (settings.secret === undefined) return undefined;
    if (leased && clock.wallMs() < leased.untilMs) return leased.value;
    try {
      const { value, expires } = await secrets.get(settings.secret, { deadlineMs: settings.deadlineMs });
      // A memory may quote it; what is sent to the endpoint shall not.
      redactor.know(value);
      leased = { value, untilMs: Date.parse(expires) - LEASE_MARGIN_MS };
      return value;
    } catch (error) {
      throw new EndpointFailure('refused', `no key: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  /** @throws NoVector when it may not be asked now; EndpointFailure when it was asked and failed */
  const ask = async (purpose: ModelCall['purpose'], given: readonly string[]): Promise<Float32Array[]> => {
    const pauseMs = breaker.pauseMs(clock.monoMs());
    if (pauseMs > 0)
      throw new NoVector(`left alone for ${Math.ceil(pauseMs)} ms after: ${breaker.trouble?.reason}`, pauseMs);
    const atMs = clock.wallMs();
    const characters = given.reduce((sum, text) => sum + Math.min(text.length, MAX_CHARACTERS), 0);
    if (characters > ledger.left(atMs))
      throw new NoVector(`the budget of ${settings.charactersPerDay} characters a day is spent`, BUDGET_AGAIN_MS);
    const started = clock.monoMs();
    const about = { atMs, purpose, texts: given.length, characters };
    const took = (): number => clock.monoMs() - started;
    try {
      const key = await keyOf();
      const texts = given.map((text) => redactor.text(text.slice(0, MAX_CHARACTERS).toWellFormed()));
      ledger.spend(atMs, characters);
      const vectors = await askEndpoint(settings, texts, key, signal);
      breaker.answered();
      counters.answered++;
      ledger.record({ ...about, tookMs: took(), outcome: 'answered', detail: '' });
      return vectors;
    } catch (error) {
      if (signal.aborted || !(error instanceof EndpointFailure)) throw error;
      // A rotated key is leased anew.
      if ([401, 403].includes(error.status ?? 0)) leased = undefined;
      counters.failed++;
      ledger.record({ ...about, tookMs: took(), outcome: error.outcome, detail: error.message.slice(0, 200) });
      // What it says of one request's content says nothing about the next.
      if (!isAboutContent(error)) breaker.failed(clock.monoMs(), error.message, error.retryAfterMs);
      throw error;
    }
  };

  return {
    id,
    settings,
    ask,
    pauseMs: (): number => breaker.pauseMs(clock.monoMs()),
    /** @throws NoVector */
    async query(text: string): Promise<Float32Array> {
      const known = queries.get(text);
      if (known) return known;
      if (asking >= MAX_QUERIES) throw fallback(`${MAX_QUERIES} questions are with the endpoint already`);
      asking++;
      try {
        const [vector] = await ask('query', [text]);
        queries.set(text, vector!);
        if (queries.size > KEPT_QUERIES) queries.delete(queries.keys().next().value!);
        return vector!;
      } catch (error) {
        throw fallback(error instanceof Error ? error.message : String(error));
      } finally {
        asking--;
      }
    },
    status: () => ({
      ...{ id, url: settings.url.replace(/[?#].*$/, ''), answers: breaker.trouble === undefined },
      ...(breaker.trouble ? { failures: breaker.trouble.failures, reason: breaker.trouble.reason } : {}),
      charactersLeftToday: ledger.left(clock.wallMs()),
      ...counters,
    }),
    forgetQueries: (): void => queries.clear(),
  };

  function fallback(reason: string): NoVector {
    counters.fallbacks++;
    return new NoVector(reason, 0);
  }
}

/** The endpoint works, and will not have this text: too long for the model, or refused by a filter. */
export const isAboutContent = (error: unknown): boolean =>
  error instanceof EndpointFailure && [400, 413, 422].includes(error.status ?? 0);
