import { GraceError } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import type { TokenDesk } from './access/token-desk.ts';
import { tokenShown } from './access/wish.ts';
import type { Route } from './routes/route.ts';
import type { Settings } from './settings.ts';

export interface VerbParts {
  routes: readonly Route[];
  settings: Settings;
  desk: TokenDesk;
  status(): Record<string, unknown>;
}

export function createVerbs({ routes, settings, desk, status }: VerbParts): Record<string, Verb> {
  return {
    routes(input) {
      readInput(input, {});
      return routes.map(({ method, path, id, summary, role }) => ({
        method,
        path,
        id,
        summary,
        role: settings.open.includes(path) ? null : role,
      }));
    },
    tokens(input, { from }) {
      if (!settings.owners.includes(from))
        throw new GraceError('FORBIDDEN', `${from} gives and takes no tokens; ${settings.owners.join(', ')} may`);
      const { add, revoke } = readInput(input, {
        add: is.optional(is.record()),
        revoke: is.optional(is.string({ max: 8, pattern: /^[0-9a-f]{8}$/, what: 'the id of a token' })),
      });
      if (add !== undefined && revoke !== undefined)
        throw new GraceError('BAD_INPUT', 'input: expected add or revoke, not both');
      if (add !== undefined) return tokenShown(desk.add(add, from));
      if (revoke !== undefined) return tokenShown(desk.revoke(revoke, from));
      return desk.list().map(tokenShown);
    },
    status(input) {
      readInput(input, {});
      return status();
    },
  };
}
