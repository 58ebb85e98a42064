import type { ModelSettings } from './settings.ts';

/** What the endpoint did instead of answering. */
export type Outcome = 'deadline' | 'unreachable' | 'refused' | 'malformed';

export class EndpointFailure extends Error {
  readonly outcome: Outcome;
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** How long the endpoint asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(outcome: Outcome, message: string, about: { status?: number; retryAfterMs?: number } = {}) {
    super(message);
    this.outcome = outcome;
    this.status = about.status;
    this.retryAfterMs = about.retryAfterMs;
  }
}

/** An answer holds about 12 characters a number; twice that and some room is no vector any more. */
const answerBytes = (texts: number, dimension: number): number => 65_536 + texts * dimension * 24;

/**
 * One request: texts in, vectors of unit length out, in the same order.
 * @throws EndpointFailure
 */
export async function askEndpoint(
  { url, name, dimension, deadlineMs }: Pick<ModelSettings, 'url' | 'name' | 'dimension' | 'deadlineMs'>,
  texts: readonly string[],
  key: string | undefined,
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ model: name, input: texts, encoding_format: 'float' }),
      // Another address than the configured one gets neither texts nor key.
      redirect: 'error',
      signal: AbortSignal.any([deadline, signal]),
    });
    if (!response.ok) {
      await response.body?.cancel();
      const after = Number(response.headers.get('retry-after'));
      throw new EndpointFailure('refused', `the endpoint answered ${response.status}`, {
        status: response.status,
        ...(after > 0 ? { retryAfterMs: Math.min(after, 3600) * 1000 } : {}),
      });
    }
    return readVectors(await readBounded(response, answerBytes(texts.length, dimension)), texts.length, dimension);
  } catch (error) {
    if (error instanceof EndpointFailure) throw error;
    if (deadline.aborted) throw new EndpointFailure('deadline', `no answer within ${deadlineMs} ms`);
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message || (cause as { code?: string }).code : undefined;
    throw new EndpointFailure('unreachable', why ?? message);
  }
}

async function readBounded(response: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection.
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > maxBytes) throw malformed(`an answer of more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

const malformed = (got: string): EndpointFailure => new EndpointFailure('malformed', `expected vectors, got ${got}`);

function readVectors(body: string, count: number, dimension: number): Float32Array[] {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw malformed('something that is not JSON');
  }
  const data = (answer as { data?: unknown } | null)?.data;
  if (!Array.isArray(data)) throw malformed('no list "data"');
  if (data.length !== count) throw malformed(`${data.length} entries for ${count} texts`);
  const vectors: Float32Array[] = [];
  data.forEach((entry: unknown, at) => {
    const { index = at, embedding } = (entry ?? {}) as { index?: unknown; embedding?: unknown };
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= count || vectors[index as number])
      throw malformed(`the index ${JSON.stringify(index)} in entry ${at}`);
    vectors[index as number] = readVector(embedding, dimension);
  });
  return vectors;
}

function readVector(embedding: unknown, dimension: number): Float32Array {
  if (!Array.isArray(embedding)) throw malformed('an entry without a list "embedding"');
  if (embedding.length !== dimension)
    throw malformed(`${embedding.length} numbers in a vector, ${dimension} are configured`);
  if (!embedding.every((value) => typeof value === 'number' && Number.isFinite(value)))
    throw malformed('a vector that is not of numbers');
  const length = Math.hypot(...(embedding as number[]));
  if (!(length > 0 && Number.isFinite(length))) throw malformed('a vector without a direction');
  return Float32Array.from(embedding as number[], (value) => value / length);
}
