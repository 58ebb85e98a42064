import { dirname, join } from 'node:path';
import { type GroupFiles, systemGroupFiles } from './group-files.ts';
import { joinProcess } from './memory-groups.ts';
import { type OwnGroups, ownGroups } from './own-groups.ts';
import { childrenOf, removeGroups } from './removal.ts';
import { isOwned } from './sweep.ts';

const REMOVE_MS = 200;

/**
 * A cell that ends without a supervisor takes its groups along, and the last one the system's. With a supervisor of the home alive this is
 * its matter. Never rejects; what it cannot remove, the next system does.
 * @param threads the group below which this cell has held threads
 */
export async function abandonGroups(
  threads: string | null,
  own: OwnGroups = ownGroups(),
  files: GroupFiles = systemGroupFiles,
): Promise<void> {
  for (const group of new Set([threads, own.memory])) {
    const tree = group === null ? undefined : /^.*\/grace-[0-9a-f]{12}(?=\/)/.exec(group)?.[0];
    if (group === null || tree === undefined || (await isOwned(files, tree))) continue;
    // Nothing can be removed with this process inside. Where it is not, or cannot leave, the removal tells.
    if (group === own.memory || group === own.unified)
      await joinProcess(files, dirname(tree), process.pid).catch(() => {});
    await removeGroups(files, group, REMOVE_MS);
    const others = (await childrenOf(files, tree)).filter((name) => !name.startsWith('owner.'));
    if (others.length > 0) continue;
    for (const name of await childrenOf(files, tree)) await removeGroups(files, join(tree, name), 0);
    await removeGroups(files, tree, 0);
  }
}
