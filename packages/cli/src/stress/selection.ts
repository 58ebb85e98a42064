import { basename, extname, resolve } from 'node:path';
import { didYouMean, GraceError } from '@grace/contracts';

/**
 * Scenario files by id (`S01_heartbeat_pause`), by the start of an id (`S01`), or by path (anything with a `/` or ending in `.yaml`).
 * @param known absolute paths of the scenarios in force
 * @throws GraceError `USAGE` with the nearest id
 */
export function selectScenarios(
  known: readonly string[],
  wanted: readonly string[] | undefined,
  cwd: string,
): string[] {
  if (wanted === undefined) return [...known];
  const byId = new Map(known.map((file) => [basename(file, extname(file)), file]));
  const files = wanted.map((name) => {
    if (name.includes('/') || /\.ya?ml$/.test(name)) return resolve(cwd, name);
    const ids = [...byId.keys()].filter((id) => id === name || id.startsWith(`${name}_`));
    if (ids.length === 1) return byId.get(ids[0]!)!;
    const near = didYouMean(
      name,
      [...byId.keys()].flatMap((id) => [id, id.split('_')[0]!]),
    );
    throw new GraceError(
      'USAGE',
      ids.length > 1
        ? `"${name}" names several scenarios: ${ids.join(', ')}`
        : `there is no scenario "${name}"${near}; scenarios: ${[...byId.keys()].join(', ') || 'none'}`,
    );
  });
  return [...new Set(files)];
}
