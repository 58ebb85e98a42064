import { GraceError, SECRET_LENGTH_MIN } from '@grace/contracts';

/** Values are texts; what is bytes travels as base64. */
export const VALUE_LENGTH_MAX = 65_536;
const NAME_LENGTH_MAX = 128;
/** Secrets of the functional probe; nobody else may use them. */
export const PROBE_NAME = 'probe.self';

const TOKEN = /^[a-z0-9][a-z0-9_-]*$/;

/**
 * Checks that never repeat what they were given: somebody who puts the value where the name belongs must not find it in an error message.
 * @throws GraceError `BAD_INPUT`
 */
export function secretName(value: unknown, place: string): string {
  if (isName(value) && !value.startsWith('probe.')) return value;
  throw refused(
    place,
    'a name like models.openai.key: tokens of a-z, 0-9, _ and - with dots between, at most 128 characters, not below "probe."',
  );
}

/** `*` is one token, `>` as the last is the rest. */
export function namePattern(value: unknown, place: string): string {
  if (typeof value === 'string' && value.length <= NAME_LENGTH_MAX) {
    const tokens = value.split('.');
    if (tokens.every((token, i) => token === '*' || (token === '>' && i === tokens.length - 1) || TOKEN.test(token)))
      return value;
  }
  throw refused(place, 'a name, or a pattern like models.* or models.>');
}

export function principalName(value: unknown, place: string): string {
  if (typeof value === 'string' && /^[a-z][a-z0-9_]{0,63}$/.test(value)) return value;
  throw refused(place, 'the name of a principal, like librarian');
}

export function leaseId(value: unknown, place: string): string {
  if (typeof value === 'string' && /^lease-[0-9a-f-]{36}$/.test(value)) return value;
  throw refused(place, 'the id of a lease, as get answered it');
}

export function secretValue(value: unknown, place: string): string {
  if (typeof value !== 'string') throw refused(place, 'a text');
  if (value.length > VALUE_LENGTH_MAX)
    throw new GraceError('TOO_LARGE', `${place}: expected at most ${VALUE_LENGTH_MAX} characters, got ${value.length}`);
  if (value.length < SECRET_LENGTH_MIN)
    throw refused(
      place,
      `at least ${SECRET_LENGTH_MIN} characters: a shorter value cannot be kept out of logs, because ordinary text holds it too`,
    );
  if (!value.isWellFormed()) throw refused(place, 'well-formed Unicode');
  return value;
}

export function matches(pattern: string, name: string): boolean {
  const wanted = pattern.split('.');
  const tokens = name.split('.');
  for (const [i, want] of wanted.entries()) {
    if (want === '>') return i < tokens.length;
    if (i >= tokens.length || (want !== '*' && want !== tokens[i])) return false;
  }
  return wanted.length === tokens.length;
}

function isName(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length <= NAME_LENGTH_MAX && value.split('.').every((token) => TOKEN.test(token))
  );
}

function refused(place: string, expected: string): GraceError {
  return new GraceError(
    'BAD_INPUT',
    `${place}: expected ${expected}; what was given is not repeated here, it may be a secret`,
    {
      place,
      expected,
    },
  );
}
