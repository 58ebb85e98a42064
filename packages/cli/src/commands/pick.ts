import { didYouMean, GraceError } from '@grace/contracts';

/**
 * The value at a dotted path of an answer: `items.0.id`.
 * @throws GraceError `USAGE` when the answer has nothing there; names the nearest key
 */
export function pick(answer: unknown, path: string): unknown {
  let at = answer;
  for (const [depth, key] of path.split('.').entries()) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, key)) {
      const keys = at === null || typeof at !== 'object' ? [] : Object.keys(at);
      const where = depth === 0 ? 'the answer' : `"${path.split('.').slice(0, depth).join('.')}" of the answer`;
      const has =
        keys.length === 0 ? 'nothing inside' : `${keys.slice(0, 20).join(', ')}${keys.length > 20 ? ', ...' : ''}`;
      throw new GraceError('USAGE', `${where} has no "${key}"${didYouMean(key, keys)}; it has ${has}`, { path });
    }
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
