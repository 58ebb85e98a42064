import { type Hosts, readAddress } from './address.ts';
import type { ProbeCheck } from './definition.ts';

const MAX_BODY_BYTES = 256 * 1024;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * Asks an address; one deadline for all of it, the body and every address it is sent on to included.
 * @throws Error saying what was not as expected
 */
export async function askAddress(
  { url, status, contains, redirects }: Extract<ProbeCheck, { kind: 'http' }>,
  deadlineMs: number,
  hosts: Hosts,
): Promise<string> {
  const signal = AbortSignal.timeout(deadlineMs);
  let at = readAddress(url, hosts, 'url');
  for (let hops = 0; ; hops++) {
    const response = await get(at, signal, deadlineMs);
    try {
      const to = REDIRECTS.includes(response.status) && redirects > 0 ? response.headers.get('location') : null;
      if (to !== null) {
        if (hops >= redirects) throw new Error(`sent on more than ${redirects} times`);
        at = readAddress(URL.parse(to, at)?.href ?? to, hosts, `${at.href} sends on`);
        continue;
      }
      if (response.status !== status) throw new Error(`status ${response.status}, expected ${status}`);
      if (contains !== null && !(await beginning(response, deadlineMs)).includes(contains))
        throw new Error(`the body does not contain ${JSON.stringify(contains)}`);
      return `status ${response.status}`;
    } finally {
      // A body that nobody reads keeps its connection.
      if (!response.bodyUsed) await response.body?.cancel().catch(() => {});
    }
  }
}

async function get(url: URL, signal: AbortSignal, deadlineMs: number): Promise<Response> {
  try {
    return await fetch(url, { signal, redirect: 'manual', headers: { 'accept-encoding': 'identity' } });
  } catch (error) {
    throw told(error, deadlineMs);
  }
}

/** At most `MAX_BODY_BYTES` of the body: a probe never holds more, whatever the other side sends. */
async function beginning(response: Response, deadlineMs: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of response.body ?? []) {
      parts.push(part);
      bytes += part.byteLength;
      if (bytes >= MAX_BODY_BYTES) break;
    }
  } catch (error) {
    throw told(error, deadlineMs);
  }
  return Buffer.concat(parts).subarray(0, MAX_BODY_BYTES).toString('utf8');
}

/** `fetch` says "fetch failed"; why stands behind it. */
function told(error: unknown, deadlineMs: number): Error {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'TimeoutError') return new Error(`no whole answer within ${deadlineMs} ms`);
  const why = cause?.code ?? cause?.message;
  return new Error(why === undefined ? message : `${message}: ${why}`);
}
