import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { didYouMean, GraceError } from '@grace/contracts';
import type { Catalogue } from './render.ts';

const CATALOGUE = 'catalogue.json';

/** `<date>_<time>_<run>`, UTC: sorts by age. */
export function folderName(startedWallMs: number, run: string): string {
  const [date, time] = new Date(startedWallMs).toISOString().slice(0, 19).split('T');
  return `${date}_${time!.replaceAll(':', '')}_${run}`;
}

/** Writes a run's folder. It appears under its name only when it is complete. */
export async function writeFolder(
  path: string,
  parts: {
    files: ReadonlyMap<string, string>;
    catalogue: Catalogue;
    journal: string;
    logs: string;
    /** Files of the system that the run rests on: their place in the folder, and where they are. */
    evidence: ReadonlyMap<string, string>;
  },
): Promise<void> {
  const fresh = join(dirname(path), `.${basename(path)}`);
  await mkdir(fresh, { recursive: true });
  await cp(parts.journal, join(fresh, 'journal'), { recursive: true });
  if (existsSync(parts.logs)) await cp(parts.logs, join(fresh, 'evidence', 'logs'), { recursive: true });
  for (const [place, file] of parts.evidence) {
    await mkdir(dirname(join(fresh, place)), { recursive: true });
    await cp(file, join(fresh, place));
  }
  await writeFile(join(fresh, CATALOGUE), JSON.stringify(parts.catalogue, null, 2));
  for (const [name, text] of parts.files) {
    await mkdir(dirname(join(fresh, name)), { recursive: true });
    await writeFile(join(fresh, name), text);
  }
  await rename(fresh, path);
}

export async function readCatalogue(path: string): Promise<Catalogue> {
  return JSON.parse(await readFile(join(path, CATALOGUE), 'utf8')) as Catalogue;
}

/** Names of the runs kept in a folder, oldest first. */
export async function listRuns(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && /^\d{4}-\d{2}-\d{2}_\d{6}_/.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

/**
 * The folder of a run, by its name, its run id, or nothing for the newest.
 * @throws GraceError `NOT_FOUND` with the nearest
 */
export async function findRun(folder: string, run: string | undefined): Promise<string> {
  const names = await listRuns(folder);
  const newest = names.at(-1);
  if (newest === undefined)
    throw new GraceError('NOT_FOUND', `there is no report in ${folder}; grace stress makes one`);
  if (run === undefined) return join(folder, newest);
  const name = names.find((one) => one === run || one.endsWith(`_${run}`));
  if (name !== undefined) return join(folder, name);
  const known = names.flatMap((one) => [one, one.split('_').slice(2).join('_')]);
  throw new GraceError('NOT_FOUND', `there is no report "${run}" in ${folder}${didYouMean(run, known)}`);
}
