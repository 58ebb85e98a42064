import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import type { Schema } from '../http/schema.ts';
import { object } from '../routes/route.ts';
import { ROLES, type Role, VERB_PATTERN } from './role.ts';
import type { Token } from './token-book.ts';

const PRINCIPAL = /^[a-z][a-z0-9_-]{0,63}$/;
const DAY_MS = 24 * 3_600_000;
const LIFE_MAX_MS = 10 * 365 * DAY_MS;
const VERBS_MAX = 100;

export interface TokenWish {
  principal: string;
  role: Role;
  verbs: readonly string[] | null;
  forMs: number | null;
}

/** A wish for a token, as a request describes it. */
export const WISH_SCHEMA: Schema = object(
  {
    principal: { type: 'string', pattern: PRINCIPAL.source, description: 'Who acts with it: `api_server:<principal>`' },
    role: { type: 'string', enum: ROLES },
    verbs: {
      type: 'array',
      maxItems: VERBS_MAX,
      items: { type: 'string', pattern: VERB_PATTERN.source },
      description: 'Narrower than the role: `kernel.verb`, with * for either',
    },
    forMs: {
      type: 'integer',
      minimum: 1000,
      maximum: LIFE_MAX_MS,
      description: 'How long it is valid; default: until revoked',
    },
  },
  ['principal', 'role'],
);

/** @throws GraceError `BAD_INPUT` */
export function readWish(input: unknown): TokenWish {
  const { principal, role, verbs, forMs } = readInput(input, {
    principal: is.string({ max: 64, pattern: PRINCIPAL, what: 'a principal of a-z, 0-9, _ and -' }),
    role: is.oneOf(ROLES),
    verbs: is.optional(
      is.array(
        is.string({ max: 130, pattern: VERB_PATTERN, what: 'a verb like scheduler.add, with * for either part' }),
        {
          max: VERBS_MAX,
        },
      ),
    ),
    forMs: is.optional(is.number({ min: 1000, max: LIFE_MAX_MS, integer: true })),
  });
  if (verbs?.length === 0) throw new GraceError('BAD_INPUT', 'input.verbs: expected at least one, or leave it out');
  return { principal, role, verbs: verbs ?? null, forMs: forMs ?? null };
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** A token as it is told of; with the token itself only where it was just made. */
export function tokenShown(token: Token & { token?: string }): Record<string, unknown> {
  const { createdMs, createdBy, expiresMs, usedMs, ...rest } = token;
  return { ...rest, created: iso(createdMs), by: createdBy, expires: iso(expiresMs), used: iso(usedMs) };
}
