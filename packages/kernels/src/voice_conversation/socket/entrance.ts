import type { IncomingMessage } from 'node:http';
import type { SessionBook } from '../sessions/session-book.ts';
import type { Session } from '../sessions/turn.ts';
import { PROTOCOL, TOKEN_PREFIX } from './messages.ts';

export const PATH = '/session';
const HEADER_MAX = 400;

export type Admission = { session: Session } | { status: 400 | 401 | 403 | 404; why: string };

/** Who may come in: a page of an allowed origin, or a program, which sends no origin; with the token of an open session. */
export function admit(
  { url = '', headers }: IncomingMessage,
  origins: readonly string[],
  sessions: Pick<SessionBook, 'byToken'>,
): Admission {
  const { origin } = headers;
  if (origin !== undefined && !origins.includes(origin)) return { status: 403, why: 'this origin may not connect' };
  if (url.split('?', 1)[0] !== PATH) return { status: 404, why: `sessions are at ${PATH}` };
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
  if (offered.length > 1 && !offered.includes(PROTOCOL)) return { status: 400, why: `the protocol is ${PROTOCOL}` };
  const token =
    bearer(headers.authorization) ??
    offered.find((one) => one.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length) ??
    '';
  const session = token.length <= HEADER_MAX ? sessions.byToken(token) : null;
  return session ? { session } : { status: 401, why: 'the token is for no open session' };
}

function bearer(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(header.slice(0, HEADER_MAX))?.[1];
}
