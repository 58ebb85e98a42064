import type { TokenDesk } from '../access/token-desk.ts';
import { tokenShown, WISH_SCHEMA } from '../access/wish.ts';
import { actorOf, document, object, Reply, type Route } from './route.ts';

export function tokenRoutes(desk: TokenDesk): Route[] {
  const bare = { tag: 'tokens', role: 'admin' } as const;
  const token = document('id, principal, role, verbs, created, by, expires, used');
  return [
    {
      ...bare,
      method: 'GET',
      path: '/api/v1/tokens',
      id: 'listTokens',
      summary: 'Tokens, without what would let somebody use them',
      answers: {
        200: { description: 'Oldest first.', schema: object({ tokens: { type: 'array', items: token } }, ['tokens']) },
      },
      handle: () => ({ tokens: desk.list().map(tokenShown) }),
    },
    {
      ...bare,
      method: 'POST',
      path: '/api/v1/tokens',
      id: 'addToken',
      summary: 'A new token; it is shown in this answer and never again',
      body: WISH_SCHEMA,
      answers: { 201: { description: 'The token.', schema: token } },
      handle: ({ body, caller }) => new Reply(201, {}, tokenShown(desk.add(body, actorOf(caller)))),
    },
    {
      ...bare,
      method: 'DELETE',
      path: '/api/v1/tokens/:token',
      id: 'revokeToken',
      summary: 'End a token, and the event streams opened with it',
      params: object({ token: { type: 'string', pattern: '^[0-9a-f]{8}$', description: 'Its id' } }, ['token']),
      answers: { 200: { description: 'What it was.', schema: token } },
      handle: ({ params, caller }) => tokenShown(desk.revoke(params['token']!, actorOf(caller))),
    },
  ];
}
