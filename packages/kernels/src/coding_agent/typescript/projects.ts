import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { compiler, type ts } from './compiler.ts';
import type { BoundFiles } from './files.ts';

/** Files that are judged together, with the options they are judged by. */
export interface Project {
  /** Absolute path of its tsconfig.json; null: none, the options are Grace's own. */
  config: string | null;
  options: ts.CompilerOptions;
  /** Absolute paths: what the configuration names. */
  fileNames: string[];
  /** What its configuration itself has wrong. */
  problems: readonly ts.Diagnostic[];
}

const PROJECTS_MAX = 20;

/** Where a tree has no tsconfig.json: types of TypeScript are checked, JavaScript only where it can be no program. */
const PLAIN: ts.CompilerOptions = {
  strict: true,
  allowJs: true,
  checkJs: false,
  noEmit: true,
  skipLibCheck: true,
  target: 99,
  module: 200,
  moduleResolution: 100,
  moduleDetection: 3,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
};

/**
 * The projects of a tree: one for each tsconfig.json in a folder with source in or below it; a file belongs to the deepest that names it. What
 * no configuration names is left out, as the compiler does. Without any, all files are one project.
 */
export function projectsOf(root: string, files: readonly string[], disk: BoundFiles): Project[] {
  const ts = compiler();
  const folders = new Set<string>();
  for (const file of files)
    for (let folder = dirname(join(root, file)); ; folder = dirname(folder)) {
      if (folders.has(folder)) break;
      folders.add(folder);
      if (folder === root) break;
    }
  const configs = [...folders]
    .filter((folder) => existsSync(join(folder, 'tsconfig.json')))
    .sort((a, b) => b.split(sep).length - a.split(sep).length || (a < b ? -1 : 1))
    .slice(0, PROJECTS_MAX)
    .map((folder) => join(folder, 'tsconfig.json'));
  if (configs.length === 0) {
    const fileNames = files.map((file) => join(root, file));
    return fileNames.length === 0 ? [] : [{ config: null, options: PLAIN, fileNames, problems: [] }];
  }
  const listed = new Set(files);
  const claimed = new Set<string>();
  return configs.flatMap((config) => {
    const { config: raw, error } = ts.readConfigFile(config, disk.readFile);
    const host: ts.ParseConfigHost = {
      ...disk,
      readDirectory: disk.readDirectory as ts.ParseConfigHost['readDirectory'],
    };
    const parsed = ts.parseJsonConfigFileContent(raw ?? {}, host, dirname(config), { noEmit: true }, config);
    const own = parsed.fileNames.filter((name) => listed.has(pathIn(root, name)) && !claimed.has(name));
    for (const name of own) claimed.add(name);
    const problems = error ? [error] : parsed.errors.filter(({ code }) => code !== NOTHING_FOUND);
    return own.length === 0 && problems.length === 0
      ? []
      : [{ config, options: { ...parsed.options, noEmit: true, plugins: [] }, fileNames: parsed.fileNames, problems }];
  });
}

/** "No inputs were found in config file": a folder of references alone. */
const NOTHING_FOUND = 18003;

export function pathIn(root: string, path: string): string {
  return relative(root, path).split(sep).join('/');
}
