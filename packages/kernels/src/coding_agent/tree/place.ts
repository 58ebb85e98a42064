import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, normalize, sep } from 'node:path';
import { GraceError } from '@grace/contracts';

const PATH_LENGTH = 1024;

/**
 * The real folder that `root` names, inside one of the configured roots after every link is followed.
 * @throws GraceError `BAD_INPUT`, `NOT_FOUND`, `FORBIDDEN`
 */
export async function openRoot(root: string, allowed: readonly string[]): Promise<string> {
  if (!isAbsolute(root) || root.includes('\0'))
    throw new GraceError('BAD_INPUT', `input.root: expected an absolute folder, got ${shown(root)}`);
  if (allowed.length === 0)
    throw new GraceError('FORBIDDEN', 'no folder may be read: kernels.coding_agent.config.roots names those that may');
  // Asked before anything is looked at, so that the answer does not tell what exists outside.
  const bounds = await Promise.all(allowed.map((one) => realpath(one).catch(() => null)));
  const isNamed =
    allowed.some((one) => isInside(normalize(root), one)) ||
    bounds.some((one) => one && isInside(normalize(root), one));
  if (!isNamed) throw outside(root);
  const real = await realpath(root).catch(() => {
    throw new GraceError('NOT_FOUND', `there is no folder ${shown(root)}`, { root });
  });
  if (!bounds.some((bound) => bound !== null && isInside(real, bound))) throw outside(root);
  if (!(await stat(real)).isDirectory()) throw new GraceError('BAD_INPUT', `${shown(root)} is no folder`);
  return real;
}

/**
 * A file's path inside a tree, as it is kept: relative, `/` between its parts, no part `.` or `..`.
 * @throws GraceError `BAD_INPUT`, `FORBIDDEN` for one that leads out
 */
export function readFilePath(file: string, place = 'input.file'): string {
  if (file.length > PATH_LENGTH || file.includes('\0'))
    throw new GraceError('BAD_INPUT', `${place}: expected a path of at most ${PATH_LENGTH} characters without NUL`);
  const path = normalize(file).split(sep).join('/');
  if (isAbsolute(file) || path === '..' || path.startsWith('../'))
    throw new GraceError('FORBIDDEN', `${place}: ${shown(file)} leads out of the root`);
  if (path === '.' || path.endsWith('/'))
    throw new GraceError('BAD_INPUT', `${place}: expected a file inside the root, got ${shown(file)}`);
  return path;
}

export function isInside(path: string, folder: string): boolean {
  const bound = folder.endsWith(sep) ? folder : folder + sep;
  return path === folder || path.startsWith(bound);
}

function outside(root: string): GraceError {
  return new GraceError(
    'FORBIDDEN',
    `${shown(root)} is outside the folders that may be read (kernels.coding_agent.config.roots)`,
    { root },
  );
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}
