import { retentionOf, type Settings } from '../settings.ts';
import type { Census } from './census.ts';
import type { Removal } from './removal.ts';

/** Applies the rules of the settings to these namespaces; returns how many memories were forgotten. */
export async function retain(
  { removal, census }: { removal: Removal; census: Census },
  settings: Settings,
  namespaces: Iterable<string>,
  nowMs: number,
): Promise<number> {
  let forgotten = 0;
  for (const namespace of namespaces) {
    const { maxAgeMs, maxItems } = retentionOf(settings, namespace);
    if (maxAgeMs > 0) forgotten += removal.leave('namespace = ? AND at_ms < ?', [namespace, nowMs - maxAgeMs]);
    const excess = census.count(namespace) - maxItems;
    if (excess > 0) {
      // Those that leave already stand at the same end of the order, so they are passed over here and not counted twice.
      const oldest = 'namespace = ? AND rowid NOT IN (SELECT rowid FROM leaving) ORDER BY at_ms, rowid LIMIT ?';
      forgotten += removal.leave(oldest, [namespace, excess]);
    }
  }
  await removal.finish();
  return forgotten;
}
