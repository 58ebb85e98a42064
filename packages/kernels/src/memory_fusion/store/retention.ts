import { retentionOf, type Settings } from '../settings.ts';
import type { Memories } from './memories.ts';

/** Applies the rules of the settings to these namespaces; returns how many memories were forgotten. */
export async function retain(
  memories: Memories,
  settings: Settings,
  namespaces: Iterable<string>,
  nowMs: number,
): Promise<number> {
  let forgotten = 0;
  for (const namespace of namespaces) {
    const { maxAgeMs, maxItems } = retentionOf(settings, namespace);
    if (maxAgeMs > 0) forgotten += await memories.removeOlder(namespace, nowMs - maxAgeMs);
    const excess = memories.count(namespace) - maxItems;
    if (excess > 0) forgotten += await memories.removeOldest(namespace, excess);
  }
  return forgotten;
}
