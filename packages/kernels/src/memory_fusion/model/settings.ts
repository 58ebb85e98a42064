import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';

/** An endpoint that makes vectors the way OpenAI's `/v1/embeddings` does. */
export interface ModelSettings {
  /** The whole address, e.g. `https://models.example/v1/embeddings`. */
  url: string;
  name: string;
  dimension: number;
  /** Name in secret_manager of the key that is sent as bearer token. */
  secret: string | undefined;
  /** For one request, from its begin to the last byte of the answer. */
  deadlineMs: number;
  /** Texts of one request. */
  batch: number;
  /** Characters that may be sent in one day (UTC); beyond, the built-in vectors serve until the next. */
  charactersPerDay: number;
  /** Cosine from which on a memory counts as near: what is unrelated lies at another height with each model. */
  minSimilarity: number;
}

export function readModel(value: Record<string, unknown>): ModelSettings {
  const given = within(() =>
    readInput(value, {
      url: is.string({ max: 2000, what: 'the address of the endpoint' }),
      name: is.string({ max: 200, what: 'the name of the model' }),
      dimension: is.number({ min: 8, max: 4096, integer: true }),
      secret: is.optional(is.string({ max: 200, what: 'the name of a secret' })),
      deadlineMs: is.optional(is.number({ min: 50, max: 60_000, integer: true })),
      batch: is.optional(is.number({ min: 1, max: 256, integer: true })),
      charactersPerDay: is.optional(is.number({ min: 0, integer: true })),
      minSimilarity: is.optional(is.number({ min: -1, max: 1 })),
    }),
  );
  const url = URL.parse(given.url);
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new GraceError(
      'BAD_INPUT',
      'input.model.url: expected an address of http or https without name and password in it',
    );
  }
  if (given.secret !== undefined && url.protocol === 'http:' && !isOwnMachine(url.hostname)) {
    throw new GraceError(
      'BAD_INPUT',
      'input.model.url: expected https, since a key is not sent in clear over a network',
    );
  }
  return {
    url: url.href,
    name: given.name,
    dimension: given.dimension,
    secret: given.secret,
    deadlineMs: given.deadlineMs ?? 5000,
    batch: given.batch ?? 32,
    charactersPerDay: given.charactersPerDay ?? 5_000_000,
    minSimilarity: given.minSimilarity ?? 0.25,
  };
}

const isOwnMachine = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\.[\d.]+$/.test(host);

/** Errors name the field by its place in the whole. */
function within<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(error.code, error.message.replaceAll('input.', 'input.model.'), error.details);
  }
}
