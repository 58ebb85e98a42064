import { GraceError } from '../errors.ts';
import type { KernelManifest } from '../manifest.ts';
import { didYouMean } from '../nearest.ts';

type Needing = Pick<KernelManifest, 'id' | 'needs'>;

/**
 * Checks that every need can be met.
 * @param off ids of kernels that are switched off, with the place that says so
 * @param at place of a kernel in the configuration, for messages
 * @throws GraceError `NEEDS_UNKNOWN` with every need that is not there, `NEEDS_CYCLE` naming the circle
 */
export function checkNeeds(
  kernels: readonly Needing[],
  off: ReadonlyMap<string, string>,
  at: (id: string) => string,
): void {
  const ids = kernels.map(({ id }) => id);
  const problems = kernels.flatMap(({ id, needs }) =>
    needs
      .filter((need) => !ids.includes(need))
      .map((need) => {
        const where = off.get(need);
        return where === undefined
          ? `${at(id)}${id} needs "${need}", which does not exist${didYouMean(need, ids)}`
          : `${at(id)}${id} needs "${need}", which is switched off (${where}); switch ${id} off too, or ${need} on`;
      }),
  );
  if (problems.length > 0) throw new GraceError('NEEDS_UNKNOWN', problems.join('\n'), { problems });

  const circle = findCircle(kernels);
  if (circle) {
    throw new GraceError(
      'NEEDS_CYCLE',
      `${at(circle[0]!)}kernels need each other in a circle: ${circle.join(' needs ')}`,
      {
        circle,
      },
    );
  }
}

/** The ids of one circle, first and last the same; undefined when there is none. */
function findCircle(kernels: readonly Needing[]): string[] | undefined {
  const needsOf = new Map(kernels.map(({ id, needs }) => [id, needs]));
  const settled = new Set<string>();
  const visit = (id: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(id)) return [...trail.slice(trail.indexOf(id)), id];
    if (settled.has(id)) return undefined;
    for (const need of needsOf.get(id) ?? []) {
      const circle = visit(need, [...trail, id]);
      if (circle) return circle;
    }
    settled.add(id);
    return undefined;
  };
  for (const { id } of kernels) {
    const circle = visit(id, []);
    if (circle) return circle;
  }
  return undefined;
}

/** `wanted` and everything it needs, directly or not. */
export function withNeeds(kernels: readonly Needing[], wanted: readonly string[]): Set<string> {
  const needsOf = new Map(kernels.map(({ id, needs }) => [id, needs]));
  const kept = new Set<string>();
  const queue = [...wanted];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (kept.has(id)) continue;
    kept.add(id);
    queue.push(...(needsOf.get(id) ?? []));
  }
  return kept;
}
