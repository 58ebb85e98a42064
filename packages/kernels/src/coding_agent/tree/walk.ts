import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IGNORE_FILES, type Rule, readIgnore, SKIPPED_FOLDERS, verdict } from './ignore.ts';

export const KINDS = ['typescript', 'python', 'json', 'yaml'] as const;
export type Kind = (typeof KINDS)[number];

export interface SourceFile {
  /** Relative to the root, `/` between its parts. */
  file: string;
  kind: Kind;
  bytes: number;
}

export interface WalkTask {
  root: string;
  kinds: readonly Kind[];
  maxFiles: number;
  maxBytes: number;
  maxFileBytes: number;
}

export interface Walked {
  files: SourceFile[];
  bytes: number;
  skipped: { links: number; large: number; ignored: number; unreadable: number };
  /** A bound was reached: there is more than this. */
  truncated: boolean;
}

const DEPTH_MAX = 64;
const IGNORE_FILE_BYTES = 256 * 1024;

const ENDINGS: Readonly<Record<string, Kind>> = {
  ts: 'typescript',
  tsx: 'typescript',
  mts: 'typescript',
  cts: 'typescript',
  js: 'typescript',
  jsx: 'typescript',
  mjs: 'typescript',
  cjs: 'typescript',
  py: 'python',
  pyi: 'python',
  json: 'json',
  jsonc: 'json',
  yaml: 'yaml',
  yml: 'yaml',
};

export function kindOf(name: string): Kind | undefined {
  const ending = /\.([a-z]+)$/.exec(name)?.[1];
  return ending === undefined || !Object.hasOwn(ENDINGS, ending) ? undefined : ENDINGS[ending];
}

/** Rules of one ignore file, and how much of a path stands before them. */
interface Scope {
  rules: readonly Rule[];
  prefix: string;
}

/**
 * The files of a tree that are looked at, in the order of their names. Links are not followed, hidden names are left out, ignore files of each
 * folder hold for what is below it. Synchronous: it runs in a thread of the pool.
 */
export function walk(task: WalkTask): Walked {
  const wanted = new Set(task.kinds);
  const found: Walked = {
    files: [],
    bytes: 0,
    skipped: { links: 0, large: 0, ignored: 0, unreadable: 0 },
    truncated: false,
  };

  const visit = (folder: string, scopes: readonly Scope[], depth: number): void => {
    if (depth > DEPTH_MAX) {
      found.truncated = true;
      return;
    }
    const entries = attempt(() => readdirSync(join(task.root, folder), { withFileTypes: true }));
    if (!entries) {
      found.skipped.unreadable++;
      return;
    }
    const here = scopesOf(task.root, folder, entries, scopes);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (found.truncated) return;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isSymbolicLink()) found.skipped.links++;
      else if (entry.isDirectory()) {
        if (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name)) continue;
        if (isIgnored(here, path, true)) found.skipped.ignored++;
        else visit(path, here, depth + 1);
      } else if (entry.isFile()) add(entry.name, path, here);
    }
  };
  const add = (name: string, path: string, scopes: readonly Scope[]): void => {
    const kind = kindOf(name);
    if (kind === undefined || !wanted.has(kind) || name.startsWith('.')) return;
    if (isIgnored(scopes, path, false)) {
      found.skipped.ignored++;
      return;
    }
    const bytes = attempt(() => lstatSync(join(task.root, path)).size);
    if (bytes === undefined) found.skipped.unreadable++;
    else if (bytes > task.maxFileBytes) found.skipped.large++;
    else if (found.files.length >= task.maxFiles || found.bytes + bytes > task.maxBytes) found.truncated = true;
    else {
      found.files.push({ file: path, kind, bytes });
      found.bytes += bytes;
    }
  };
  visit('', [], 0);
  return found;
}

function scopesOf(
  root: string,
  folder: string,
  entries: readonly { name: string; isFile(): boolean }[],
  above: readonly Scope[],
): readonly Scope[] {
  const names = IGNORE_FILES.filter((name) => entries.some((entry) => entry.name === name && entry.isFile()));
  if (names.length === 0) return above;
  const rules = names.flatMap((name) => {
    const text = attempt(() => readFileSync(join(root, folder, name), 'utf8').slice(0, IGNORE_FILE_BYTES));
    return text === undefined ? [] : readIgnore(text);
  });
  return [...above, { rules, prefix: folder === '' ? '' : `${folder}/` }];
}

/** The deepest file that says something decides. */
function isIgnored(scopes: readonly Scope[], path: string, isFolder: boolean): boolean {
  for (let i = scopes.length - 1; i >= 0; i--) {
    const { rules, prefix } = scopes[i]!;
    const said = verdict(rules, path.slice(prefix.length), isFolder);
    if (said !== undefined) return said;
  }
  return false;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
