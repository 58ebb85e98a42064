import { GraceError } from '@grace/contracts';

export interface Asking {
  url: string;
  headers: Record<string, string>;
  body: FormData | string;
  deadlineMs: number;
  /** Of the answer; one that is longer is not read to its end. */
  maxBytes: number;
  signal: AbortSignal;
}

export interface Answered {
  status: number;
  type: string;
  bytes: Buffer;
}

/**
 * One request with a deadline over all of it and a bound on the answer. Redirects are refused: the key is for this address alone.
 * @throws GraceError `DEADLINE`, `VOICE_PROVIDER` when there is no answer, or one that is too long; `KERNEL_NOT_RUNNING` when `signal` ends it
 */
export async function ask({ url, headers, body, deadlineMs, maxBytes, signal }: Asking): Promise<Answered> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const where = placeOf(url);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'error',
      signal: AbortSignal.any([signal, deadline]),
    });
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > maxBytes)
        throw new GraceError('VOICE_PROVIDER', `${where} answers with more than ${maxBytes} bytes`, { maxBytes });
      parts.push(part);
    }
    return {
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      bytes: Buffer.concat(parts),
    };
  } catch (error) {
    if (error instanceof GraceError) throw error;
    if (signal.aborted) throw new GraceError('KERNEL_NOT_RUNNING', 'voice_conversation is draining');
    if (deadline.aborted) throw new GraceError('DEADLINE', `${where} has not answered within ${deadlineMs} ms`);
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    throw new GraceError('VOICE_PROVIDER', `${where} cannot be asked: ${cause?.code ?? cause?.message ?? error}`);
  }
}

/** An address without what may be secret in it. */
export function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

/** @throws GraceError `VOICE_PROVIDER` for any status but success, with the beginning of what it says */
export function expectSuccess({ status, bytes }: Answered, url: string): void {
  if (status >= 200 && status < 300) return;
  const said = bytes.toString('utf8', 0, 300).toWellFormed();
  throw new GraceError('VOICE_PROVIDER', `${placeOf(url)} answers ${status}: ${said}`, { status });
}
