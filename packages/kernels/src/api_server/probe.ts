import { request } from 'node:http';
import { GraceError } from '@grace/contracts';
import type { Address } from './http/address.ts';

const DEADLINE_MS = 2500;
/** Our own answers are a few hundred bytes. */
const ANSWER_MAX = 64 * 1024;

interface Seen {
  status: number;
  body: unknown;
}

/** The server's job once, over its own address: who it knows is answered, who it does not know is refused. */
export function createProbe(address: () => Address, token: string): () => Promise<Record<string, unknown>> {
  return async () => {
    const at = address();
    const known = await ask(at, { authorization: `Bearer ${token}` });
    const { principal } = (known.body ?? {}) as { principal?: unknown };
    if (known.status !== 200 || principal !== 'probe')
      throw broken(`a request with a token was answered with ${known.status}`);
    const unknown = await ask(at, {});
    // 429 while somebody at this address sends too much: refused all the same.
    if (unknown.status !== 401 && unknown.status !== 429)
      throw broken(`a request without a token was answered with ${unknown.status}`);
    return { answered: known.status, refused: unknown.status, at: at.kind === 'port' ? at.port : at.path };
  };
}

function ask(address: Address, headers: Record<string, string>): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const place =
    address.kind === 'socket' ? { socketPath: address.path } : { host: dialled(address.host), port: address.port };
  const sent = request(
    { ...place, path: '/api/v1/whoami', headers, agent: false, timeout: DEADLINE_MS },
    (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_MAX) sent.destroy(broken('the answer does not end'));
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
        } catch {
          reject(broken(`the answer with ${response.statusCode} is no JSON`));
        }
      });
    },
  );
  const timer = setTimeout(() => sent.destroy(broken(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  sent.on('error', (error) => reject(error instanceof GraceError ? error : broken(error.message)));
  sent.on('close', () => clearTimeout(timer));
  sent.end();
  return promise;
}

/** An address that stands for all of them is no address to dial. */
function dialled(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function broken(why: string): GraceError {
  return new GraceError('INTERNAL', `api_server does not do its job: ${why}`);
}
