import { type AclDocument, GraceError } from '@grace/contracts';

/** The border of the system: what comes over the socket has the shape of access rules, or is refused. */
export function checkAcl(value: unknown): AclDocument {
  const refuse = (place: string, expected: string): never => {
    throw new GraceError('BAD_INPUT', `acl${place}: expected ${expected}`);
  };
  const object = (given: unknown, place: string): Record<string, unknown> =>
    given !== null && typeof given === 'object' && !Array.isArray(given)
      ? (given as Record<string, unknown>)
      : refuse(place, 'an object');
  const rules = (given: unknown, place: string): void => {
    for (const direction of ['publish', 'subscribe'] as const) {
      const side = object(object(given, place)[direction], `${place}.${direction}`);
      for (const effect of ['allow', 'deny'] as const) {
        const patterns = side[effect];
        if (!Array.isArray(patterns) || patterns.some((pattern) => typeof pattern !== 'string'))
          refuse(`${place}.${direction}.${effect}`, 'a list of patterns');
      }
    }
  };
  const { kernels, principals } = object(value, '');
  rules(kernels, '.kernels');
  for (const [name, given] of Object.entries(object(principals, '.principals'))) rules(given, `.principals.${name}`);
  return value as AclDocument;
}
