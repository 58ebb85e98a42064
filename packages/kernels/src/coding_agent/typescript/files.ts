import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isInside } from '../tree/place.ts';
import { compiler } from './compiler.ts';

const FILE_BYTES_MAX = 16 * 1024 ** 2;

/** What the compiler may see of the disk: the configured roots and its own libraries, after every link is followed. */
export interface BoundFiles {
  readFile(path: string): string | undefined;
  fileExists(path: string): boolean;
  directoryExists(path: string): boolean;
  getDirectories(path: string): string[];
  realpath(path: string): string;
  readDirectory(
    path: string,
    extensions?: readonly string[],
    exclude?: readonly string[],
    include?: readonly string[],
    depth?: number,
  ): string[];
  /** Changes when the file does; null: it is not there. */
  stamp(path: string): string | null;
  readonly useCaseSensitiveFileNames: boolean;
}

/** For one task: what it has found out about folders is forgotten with it. */
export function boundFiles(bounds: readonly string[]): BoundFiles {
  const ts = compiler();
  const allowed = [...bounds, realpathSync(dirname(ts.getDefaultLibFilePath({})))];
  const folders = new Map<string, boolean>();
  const realOf = (path: string): string | undefined => {
    try {
      return realpathSync(path);
    } catch {
      return undefined;
    }
  };
  const isIn = (real: string | undefined): real is string =>
    real !== undefined && allowed.some((bound) => isInside(real, bound));
  /** Roots are asked for their own folders above by the search for packages: no, and at no cost. */
  const isFolder = (path: string): boolean => {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const real = allowed.some((bound) => isInside(path, bound)) ? realOf(path) : undefined;
    const is = isIn(real) && (statSync(real, { throwIfNoEntry: false })?.isDirectory() ?? false);
    folders.set(path, is);
    return is;
  };
  const regular = (path: string): { real: string; stamp: string; bytes: number } | undefined => {
    if (!isFolder(dirname(path))) return undefined;
    const real = realOf(path);
    if (!isIn(real)) return undefined;
    const found = statSync(real, { throwIfNoEntry: false });
    if (!found?.isFile()) return undefined;
    return { real, bytes: found.size, stamp: `${found.mtimeMs} ${found.size} ${found.ino}` };
  };
  const readFile = (path: string): string | undefined => {
    const found = regular(resolve(path));
    if (!found || found.bytes > FILE_BYTES_MAX) return undefined;
    try {
      return readFileSync(found.real, 'utf8');
    } catch {
      return undefined;
    }
  };
  const files: BoundFiles = {
    useCaseSensitiveFileNames: true,
    readFile,
    fileExists: (path) => regular(resolve(path)) !== undefined,
    directoryExists: (path) => isFolder(resolve(path)),
    realpath: (path) => realOf(path) ?? path,
    stamp: (path) => regular(path)?.stamp ?? null,
    getDirectories(path) {
      if (!isFolder(resolve(path))) return [];
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() || (entry.isSymbolicLink() && isFolder(join(path, entry.name))))
        .map(({ name }) => name);
    },
    readDirectory: (path, extensions, exclude, include, depth) =>
      isFolder(resolve(path)) ? ts.sys.readDirectory(path, extensions, exclude, include, depth) : [],
  };
  return files;
}
